"""Shifts of sound: the stated ratio is measured, noise is nested, and the rest is compared with other code."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.shifts._clip import lasts
from kdbench.stages import samples as reader

FOUND = discover()
NAMES = [n for n in FOUND.names("shift") if "audio" in FOUND.get("shift", n).facts["kinds"]]
SNR = (20, 10, 5, 0, -5)


def clips(n=24, samples=4000):
    """Tones that end somewhere in their row, of very different loudness, float32 with int16 values."""
    rng = np.random.default_rng(1)
    t = np.arange(samples)
    tone = np.sin(2 * np.pi * rng.uniform(0.01, 0.1, (n, 1)) * t) * rng.uniform(0.02, 0.9, (n, 1))
    tone = tone * (t < rng.integers(samples // 4, samples, (n, 1)))
    return (np.rint(tone * 32767) / 32768).astype(np.float32)


def apply(name, x, severity, seed=0, **params):
    description = FOUND.get("shift", name)
    given = {"severity": severity, "rng": np.random.default_rng(seed)}
    return FOUND.load("shift", name)[0](x, **{k: v for k, v in given.items() if k in description.evidence}, **params)


def power(x, inside):
    return (np.where(inside, x, 0).astype(np.float64) ** 2).sum(axis=1)


def test_the_kinds_of_sound_shifts():
    assert set(NAMES) >= {"babble", "clipping", "gain", "sound_noise", "speed"}


@pytest.mark.parametrize("name", NAMES)
def test_sound_shifts_keep_the_contract(name):
    x = clips()
    before, far = x.copy(), []
    for severity in range(1, 6):
        out = apply(name, x, severity)
        assert (out.shape, out.dtype) == (x.shape, np.float32)
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1
        np.testing.assert_array_equal(out, apply(name, x, severity))
        far.append(np.sqrt(((out - x) ** 2).mean()))
    np.testing.assert_array_equal(x, before)
    assert far[0] > 0
    assert all(a < b for a, b in zip(far, far[1:], strict=False)) or name == "speed", far


@pytest.mark.parametrize("name", NAMES)
def test_sound_shifts_leave_a_silent_clip_silent(name):
    x = clips()
    x[3] = 0
    assert np.isfinite(apply(name, x, 5)).all()
    if name != "speed":
        assert not apply(name, x, 5)[3].any()


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("name", "params"), [("sound_noise", {"colour": "white"}), ("sound_noise", {}), ("babble", {})])
def test_the_ratio_is_the_stated_one_in_each_clip_by_measurement(name, params, severity):
    """A quiet clip is scaled by nothing, so noise = out - x; a loud one was scaled as a whole: the scale is fitted first."""
    x = 0.1 * clips()
    out = apply(name, x, severity, **params)
    inside = np.arange(x.shape[1])[None] < lasts(x)[:, None]
    ratio = 10 * np.log10(power(x, inside) / power(out - x, inside))
    np.testing.assert_allclose(ratio, SNR[severity - 1], atol=1e-3)
    loud = apply(name, 10 * x, severity, **params)
    peak = np.abs(loud).max(axis=1) >= 1 - 1e-6
    scale = np.where(peak, np.abs(10 * out).max(axis=1), 1)
    np.testing.assert_allclose(loud * scale[:, None], 10 * out, atol=1e-4)  # speech and noise were scaled alike
    assert severity < 4 or peak.any()


@pytest.mark.parametrize("name", ["sound_noise", "babble"])
def test_the_same_noise_grows_with_the_severity(name):
    x = 0.05 * clips()
    noise = [apply(name, x, severity) - x for severity in range(1, 6)]
    for k in range(1, 5):
        factor = 10 ** ((SNR[k - 1] - SNR[k]) / 20)
        np.testing.assert_allclose(noise[k], factor * noise[k - 1], atol=2e-7 * factor + 1e-6)


def test_pink_noise_falls_by_three_decibels_an_octave_and_white_does_not():
    from scipy.signal import welch

    x = 0.01 * np.ones((40, 8000), np.float32)
    slopes = {}
    for colour in ("pink", "white"):
        noise = apply("sound_noise", x, 5, colour=colour) - x
        frequency, density = welch(noise, 8000, nperseg=1024, axis=1)
        octaves = np.log2(frequency[8:400])
        slopes[colour] = np.polyfit(octaves, 10 * np.log10(density.mean(axis=0)[8:400]), 1)[0]
    assert slopes["pink"] == pytest.approx(-10 * np.log10(2), abs=0.1)
    assert slopes["white"] == pytest.approx(0, abs=0.1)


def test_noise_goes_on_in_the_padding():
    x = 0.1 * clips()
    outside = np.arange(x.shape[1])[None] >= lasts(x)[:, None]
    assert ((apply("sound_noise", x, 1) != 0) | ~outside).all()


def test_babble_is_the_others_alone():
    """Each clip is a tone of its own: none of its own frequency is in its babble."""
    n, samples, voices = 12, 2400, 4
    t = np.arange(samples)
    bins = 40 + 20 * np.arange(n)
    x = (0.05 * np.sin(2 * np.pi * bins[:, None] * t / samples)).astype(np.float32)
    noise = np.abs(np.fft.rfft(apply("babble", x, 4, voices=voices) - x, axis=1))[:, bins]
    heard = noise > 1e-3 * noise.max()
    assert not heard.diagonal().any()
    assert (heard.sum(axis=1) == voices).all()
    with pytest.raises(Refusal, match="babble: 24 voices out of 24 clips"):
        apply("babble", clips(), 1, voices=24)


@pytest.mark.parametrize("severity", range(1, 6))
def test_speed_against_scipy_resample(severity):
    from scipy.signal import resample

    x = clips()
    factor = (1.08, 1.16, 1.25, 1.4, 1.6)[severity - 1]
    out = apply("speed", x, severity)
    slower = np.random.default_rng(0).permutation(len(x)) < len(x) // 2
    assert slower.sum() == 12
    for i, row in enumerate(x):
        judge = resample(row.astype(np.float64), round(4000 * factor if slower[i] else 4000 / factor))[:4000]
        judge = np.clip(np.pad(judge, (0, 4000 - len(judge))), -1, 1)
        np.testing.assert_allclose(out[i], judge, atol=1e-5)


def test_gain_and_clipping_by_their_definition():
    x = clips()
    for severity, decibels in enumerate((-6, -12, -18, -24, -30), 1):
        np.testing.assert_allclose(apply("gain", x, severity), x * 10 ** (decibels / 20), rtol=1e-5)
    peak = np.abs(x).max(axis=1)
    for severity, share in enumerate((0.5, 0.3, 0.2, 0.1, 0.05), 1):
        out = apply("clipping", x, severity)
        np.testing.assert_allclose(np.abs(out).max(axis=1), peak, rtol=1e-6)
        kept = np.abs(x) < 0.999 * share * peak[:, None]
        np.testing.assert_allclose(out[kept], (x / share)[kept], rtol=1e-5)


def test_the_stage_stores_noise_at_the_stated_ratio(kitchen, data_folder):
    """Rounding to 16 bits and all: the quietest speaker's clips peak at 0.01."""
    entry = kitchen.data("fsdd", limit={"train": 300})
    clean = reader.raw(entry, "test").x["audio"].astype(np.float64)
    inside = np.arange(clean.shape[1])[None] < lasts(clean)[:, None]
    for severity in (1, 3):
        shifted = kitchen.shift(entry, "sound_noise", severity)
        assert shifted.array("x.audio.npy").dtype == np.int16
        out = reader.raw(shifted, "test").x["audio"].astype(np.float64)
        whole = np.abs(out).max(axis=1) < 32767  # the others were scaled down as a whole
        ratio = 10 * np.log10(power(clean, inside) / power(out - clean, inside))[whole]
        assert whole.mean() > 0.9
        np.testing.assert_allclose(ratio, SNR[severity - 1], atol=0.1)
        assert np.median(np.abs(ratio - SNR[severity - 1])) < 0.01
    meta = shifted.json("meta.json")
    assert meta["prepare"] == entry.json("meta.json")["prepare"]
    assert reader.shape(shifted) == reader.shape(entry)
    with pytest.raises(Refusal, match="is for image, not for audio data"):
        kitchen.shift(entry, "blur", 1)
