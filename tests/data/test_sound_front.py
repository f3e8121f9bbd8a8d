"""The log-mel front end of kind "audio": against transformers, scipy and what can be said in a line of mathematics."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.nouns import Refusal, Samples
from kdbench.stages import samples as reader
from kdbench.stages import sound
from kdbench.stages.checks import check

RATES = [(8000, 200, 80, 40), (16000, 400, 160, 80), (8000, 320, 160, 10)]


def clips(n=4, samples=4000, seed=0):
    """Chirps in noise with a silent end, int16."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / samples
    pitch = rng.uniform(50, 900, (n, 1))
    x = 0.4 * np.sin(2 * np.pi * pitch * (t + t**2)) * np.exp(-3 * t) + 0.01 * rng.normal(size=(n, samples))
    x[:, -samples // 4 :] = 0
    return np.rint(x * 32767).astype(np.int16)


def made(n=60, **fields):
    y = np.arange(n) % 3
    given = {
        "kind": "audio",
        "x": {"audio": clips(n)},
        "y": y,
        "ids": np.array([f"c{i:03d}" for i in range(n)]),
        "classes": ("a", "b", "c"),
        "licence": "none",
        "source": "made in the test",
        "rate": 8000,
    }
    return Samples(**{**given, **fields})


@pytest.mark.parametrize(("rate", "window", "hop", "mels"), RATES)
def test_mel_filters_against_transformers(rate, window, hop, mels):
    from transformers.audio_utils import mel_filter_bank

    judge = mel_filter_bank(window // 2 + 1, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(sound.mel_filters(rate, window, mels), judge, atol=1e-12)


@pytest.mark.parametrize(("rate", "window", "hop", "mels"), RATES)
def test_log_mels_against_transformers_spectrogram(rate, window, hop, mels):
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    filters = mel_filter_bank(window // 2 + 1, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
    x = clips()
    mine = sound.log_mel(x, {"rate": rate, "window": window, "hop": hop, "mels": mels})
    for row, found in zip(x, mine, strict=True):
        judge = spectrogram(
            row / 32768, window_function(window, "hann"), window, hop, power=2.0, mel_filters=filters, log_mel="log10",
            dtype=np.float64,
        )  # fmt: skip
        np.testing.assert_allclose(found, judge[:, :-1], atol=1e-5)
    assert mine.min() == -10  # the silent end lies on the floor


def test_log_mels_against_the_feature_extractor_of_whisper():
    """The judge's own last step, its scaling, is put on top of ours."""
    from transformers import WhisperFeatureExtractor

    x = clips(2, 16000)
    judge = WhisperFeatureExtractor(feature_size=80, chunk_length=1)([row / 32768 for row in x], sampling_rate=16000)
    mine = sound.log_mel(x, {"rate": 16000, "window": 400, "hop": 160, "mels": 80})
    mine = np.maximum(mine, mine.max(axis=(1, 2), keepdims=True) - 8)
    found = np.asarray(judge["input_features"])
    assert found.shape == mine.shape == (2, 80, 100)
    np.testing.assert_allclose((mine + 4) / 4, found, atol=1e-4)  # theirs is float32 all the way


def test_power_of_the_frames_is_that_of_the_samples_by_parseval():
    """With one filter for all frequencies: the two-sided sum of |X|^2 over the window is the sum of the windowed squares."""
    x = clips(1, 1600)
    window, hop = 200, 80
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    middle = x[0, 400 - 100 : 400 + 100] / 32768 * hann  # the sixth frame is centred on sample 400
    wide = np.abs(np.fft.fft(middle)) ** 2
    assert wide.sum() / window == pytest.approx((middle**2).sum(), rel=1e-12)
    bands = sound.log_mel(x, {"rate": 8000, "window": window, "hop": hop, "mels": 40})[0, :, 5]
    np.testing.assert_allclose(10**bands, wide[:101] @ sound.mel_filters(8000, window, 40), rtol=1e-9)


def test_a_tone_is_loudest_in_the_band_around_it():
    rate, window, mels = 8000, 200, 40
    points = 700  # hertz, below the bend of Slaney's scale, where 15 mels are 1000 Hz
    top = 15 + 27 * np.log(4) / np.log(6.4)
    nearest = round(points * 15 / 1000 / (top / 41)) - 1
    x = np.rint(20000 * np.sin(2 * np.pi * points * np.arange(4000) / rate)).astype(np.int16)[None]
    bands = sound.log_mel(x, {"rate": rate, "window": window, "hop": 80, "mels": mels})[0]
    assert set(bands[:, 5:-5].argmax(axis=0).tolist()) == {nearest}


def test_standardisation_is_that_of_train_alone(kitchen):
    entry = kitchen.data(made())
    prepare = entry.json("meta.json")["prepare"]["audio"]
    train = sound.log_mel(reader.raw(entry, "train").x["audio"], prepare)
    np.testing.assert_allclose(prepare["mean"], train.mean(axis=(0, 2)), atol=1e-10)
    np.testing.assert_allclose(prepare["std"], train.std(axis=(0, 2)), atol=1e-9)
    x = reader.read(entry, "train").x["audio"]
    assert (x.dtype, x.shape) == (np.float32, (len(train), 40, 50))
    np.testing.assert_allclose(x.mean(axis=(0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(0, 2)), 1, atol=1e-5)
    assert abs(reader.read(entry, "test").x["audio"].mean()) > 1e-7  # another split has another mean
    assert reader.shape(entry).inputs == {"audio": (40, 50)}


def test_the_front_end_is_in_meta_and_said_in_a_note(kitchen):
    entry = kitchen.data(made(front={"mels": 16, "window": 0.04, "hop": 0.02}))
    meta = entry.json("meta.json")
    held = meta["prepare"]["audio"]
    assert {k: held[k] for k in ("rate", "mels", "window", "hop")} == {"rate": 8000, "mels": 16, "window": 320, "hop": 160}
    assert reader.shape(entry).inputs == {"audio": (16, 25)}
    assert any("16 bands" in note and "without this front end" in note for note in meta["notes"])
    assert entry.array("x.audio.npy").dtype == np.int16


def test_the_order_of_the_rows_changes_no_bit_of_the_preparation():
    one = made()
    train = np.arange(60) < 40
    order = np.random.default_rng(0).permutation(60)
    two = made(x={"audio": one.x["audio"][order]})
    first = sound.fit(one, one.x["audio"], train).prepare
    assert first == sound.fit(two, two.x["audio"], train[order]).prepare


@pytest.mark.parametrize(("fields", "why"), [
    ({"rate": 0}, "a rate of 0 samples a second"),
    ({"front": {"mel": 40}}, "no 'mel'; did you mean 'mels'"),
    ({"front": {"mels": 0}}, "0 mel bands .allowed: 1 to 512"),
    ({"front": {"mels": 200}}, "none is in band .* take fewer mels or a longer window"),
    ({"front": {"hop": 0.1}}, "a hop of at least a sample, at most a window"),
    ({"front": {"window": 0.6}}, "rows of 4000 samples; more than a window of 4800"),
    ({"x": {"audio": clips(60).astype(np.float32)}}, "input 'audio' is float32"),
    ({"x": {"audio": np.zeros((60, 1, 4000), np.int16)}}, "2 dimensions of type i2"),
])  # fmt: skip
def test_sound_that_cannot_be_is_refused_in_one_line(fields, why):
    with pytest.raises(Refusal, match=why) as refused:
        check(made(**fields), ())
    assert "\n" not in str(refused.value)


def test_silent_clips_are_counted_and_stay_finite(kitchen):
    samples = made()
    samples.x["audio"][:5] = 0
    entry = kitchen.data(samples, allow_leak=60)
    assert any("5 clips are silent" in note for note in entry.json("meta.json")["notes"])
    assert all(np.isfinite(reader.read(entry, s).x["audio"]).all() for s in ("train", "validation", "test"))


def test_samples_survive_the_way_to_a_shift_and_back():
    every = np.arange(-32768, 32768, dtype=np.int16)[None]
    np.testing.assert_array_equal(sound.to_stored(sound.to_plugin(every)), every)
    assert sound.to_stored(np.array([[1.5, -1.5, 1.0]])).tolist() == [[32767, -32768, 32767]]


@pytest.mark.parametrize(("old", "new"), [(16000, 8000), (8000, 16000), (44100, 8000)])
def test_resampling_against_scipy(old, new):
    from scipy.signal import resample

    x = clips(3, 4410)
    judge = resample(x / 32768, round(4410 * new / old), axis=1)
    assert np.abs(sound.resampled(x, old, new) / 32768 - judge).max() < 1.5 / 32768


def test_sound_from_outside_takes_rate_and_length_of_the_task(kitchen):
    here = kitchen.data(made())
    there = kitchen.data(made(x={"audio": clips(60, 24000, seed=5)}, rate=16000, front={"mels": 16}), seed=3)
    outside = kitchen.ood(here, there)
    assert reader.shape(outside) == reader.shape(here)
    raw, before = reader.raw(outside, "test"), reader.raw(there, "test")
    assert (raw.y == -1).all()
    np.testing.assert_array_equal(raw.x["audio"], sound.resampled(before.x["audio"], 16000, 8000)[:, :4000])
    short = kitchen.ood(there, here)
    kept = reader.raw(short, "test").x["audio"]
    assert kept.shape[1] == 24000
    assert not kept[:, 8000:].any()  # 4000 samples at 8 kHz are 8000 at 16 kHz; zeros follow
    assert outside.json("meta.json")["prepare"] == here.json("meta.json")["prepare"]
    said = outside.json("meta.json")["notes"][-1]
    assert "resampled from 16000 to 8000 samples a second; rows of 1.5 s brought to 0.5 s" in said


def test_known_inputs_of_clips_for_the_search_of_slices(kitchen):
    from kdbench.judge.discovery.inputs import _audio

    x = np.zeros((3, 800), np.int16)
    x[0, :400] = 16384
    x[1, :800] = 32767
    columns = dict(_audio(x, {"prepare": {"audio": {"rate": 8000}}}, 10))
    assert columns["seconds"].tolist() == [0.05, 0.1, 0.0]
    assert columns["loudness"] == pytest.approx([-6.0206, 0, -100], abs=1e-3)
