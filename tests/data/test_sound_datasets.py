"""Spoken digits and emotional speech, against pandas and the published counts; and files that are no sound."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kdbench.nouns import Refusal
from kdbench.stages import samples as reader


def load(plugins, name, root, **params):
    return plugins.load("dataset", name)[0](root, **params)


def both(root):
    return pd.concat([pd.read_parquet(root / f"speech/fsdd/{part}.parquet") for part in ("train", "test")], ignore_index=True)


def test_fsdd_against_pandas_and_the_published_counts(plugins, data_folder):
    mine, judge = load(plugins, "fsdd", data_folder), both(data_folder)
    assert dict(zip(*np.unique(mine.split, return_counts=True), strict=True)) == {"train": 2700, "test": 300}
    assert np.bincount(mine.y[mine.split == "test"]).tolist() == [30] * 10
    np.testing.assert_array_equal(mine.split == "test", judge["take"] < 5)
    np.testing.assert_array_equal(mine.y, judge["digit"])
    np.testing.assert_array_equal(mine.groups["speaker"], judge["speaker"].to_numpy(str))
    np.testing.assert_array_equal(mine.groups["accent"], judge["accent"].to_numpy(str))
    assert (mine.ids + ".wav").tolist() == judge["file"].tolist()
    for row, clip in zip(mine.x["audio"], judge["samples"], strict=True):
        kept = clip[:8000]
        assert (row[: len(kept)] == kept).all()
        assert not row[len(kept) :].any()
    assert (judge["n_samples"] > 8000).sum() == 20
    assert "20 of 3000 are longer than 1 s" in mine.notes[0]
    assert any("nothing is said of other people" in note for note in mine.notes)


@pytest.mark.parametrize(("name", "column", "rows"), [("theo", "speaker", 500), ("DEU/German", "accent", 1000)])
def test_fsdd_leaves_a_voice_out(plugins, data_folder, name, column, rows):
    mine = load(plugins, "fsdd", data_folder, leave_out=name)
    test = mine.split == "test"
    assert test.sum() == rows
    assert set(mine.groups[column][test]) == {name}
    assert name not in set(mine.groups[column][~test])
    assert len(mine.y) == 3000


def test_fsdd_refuses_a_voice_that_it_does_not_have(plugins, data_folder):
    with pytest.raises(Refusal, match="no 'thea' .allowed: george, .*yweweler; or BEL/French, .*USA/neutral"):
        load(plugins, "fsdd", data_folder, leave_out="thea")


def test_fsdd_rows_are_as_long_as_asked(plugins, data_folder, kitchen):
    mine = load(plugins, "fsdd", data_folder, seconds=0.25)
    assert mine.x["audio"].shape == (3000, 2000)
    assert f"{(both(data_folder)['n_samples'] > 2000).sum()} of 3000 are longer than 0.25 s" in mine.notes[0]
    entry = kitchen.data("fsdd", {"mels": 20, "window_ms": 32, "hop_ms": 16}, limit={"train": 100, "test": 50})
    assert reader.shape(entry).inputs == {"audio": (20, 8000 // 128)}
    assert reader.shape(entry).classes == 10


def test_fsdd_words_are_the_digits_written_down(plugins, data_folder, kitchen):
    digits, words = load(plugins, "fsdd", data_folder), load(plugins, "fsdd_words", data_folder)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert words.answer == "text"
    assert words.target.tolist() == [names[y] for y in digits.y]
    np.testing.assert_array_equal(words.x["audio"], digits.x["audio"])
    np.testing.assert_array_equal(words.ids, digits.ids)
    entry = kitchen.data("fsdd_words", limit={"train": 100, "test": 50})
    assert entry.json("meta.json")["answer"] == "text"
    rows = reader.raw(entry, "test")
    assert [names[y] for y in rows.y] == rows.more["target"].tolist()


def test_emodb_against_pandas_and_the_formula_of_mu_law(plugins, data_folder):
    mine = load(plugins, "emodb", data_folder)
    judge = pd.read_parquet(data_folder / "speech/emodb_subset/all.parquet")
    assert mine.classes == ("Angry", "Happy", "Neutral", "Sad")
    assert np.bincount(mine.y).tolist() == [127, 71, 79, 62]
    assert [mine.classes[y] for y in mine.y] == judge["emotion"].tolist()
    test = mine.split == "test"
    assert set(mine.groups["speaker"][test]) == {"09", "10", "12", "13"}
    assert test.sum() == 109
    np.testing.assert_array_equal(mine.cluster, judge["speaker"].to_numpy(str))
    np.testing.assert_array_equal(mine.groups["age"], np.where(judge["age"] < 30, "under 30", "30 and over"))
    for i in range(0, 339, 50):
        q = np.frombuffer(judge["mulaw8k"][i], np.uint8).astype(np.float64)
        y = 2 * q / 255 - 1
        x = np.where(y < 0, -1, 1) * ((1 + 255) ** np.abs(y) - 1) / 255
        kept = min(len(q), 24000)
        assert np.abs(mine.x["audio"][i, :kept] / 32767 - x[:kept]).max() <= 0.5 / 32767 + 1e-12
    other = load(plugins, "emodb", data_folder, test_speakers=["03"])
    assert set(other.groups["speaker"][other.split == "test"]) == {"03"}
    with pytest.raises(Refusal, match="no '99' .allowed: some of 03, 08"):
        load(plugins, "emodb", data_folder, test_speakers=["99"])


def test_mu_law_at_the_points_that_are_known():
    from kdbench.datasets.emodb import from_mu_law

    code = np.array([0, 255, 127, 128], np.uint8)
    assert from_mu_law(code).tolist() == [-32767, 32767, -3, 3]  # (256^(1/255) - 1) / 255 is 8.62e-5, 2.8 of 32767
    every = from_mu_law(np.arange(256, dtype=np.uint8)).astype(int)
    assert (np.diff(every) > 0).all()
    np.testing.assert_array_equal(every, -every[::-1])


def test_emodb_trains_and_lies_outside_of_the_digits(kitchen, data_folder):
    del data_folder
    entry = kitchen.data("emodb")
    assert reader.shape(entry).inputs == {"audio": (40, 300)}
    n = entry.json("meta.json")["n"]
    assert n["test"] == 109
    assert n["validation"] > 0
    here = kitchen.data("fsdd", limit={"train": 100, "test": 50})
    rows = reader.read(kitchen.ood(here, kitchen.data("emodb", role="ood")), "test")
    assert rows.x["audio"].shape == (109, 40, 100)
    assert (rows.y == -1).all()


def _write(root, **columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = root / "speech/fsdd"
    folder.mkdir(parents=True)
    n = 3
    held = {
        "file": [f"{i}_a_0.wav" for i in range(n)], "digit": [0, 1, 2], "speaker": ["a"] * n, "accent": ["b"] * n,
        "sample_rate": [8000] * n, "channels": [1] * n, "samples": pa.array([[1, 2]] * n, pa.list_(pa.int16())),
    }  # fmt: skip
    for part in ("train", "test"):
        pq.write_table(pa.table({**held, **columns}), folder / f"{part}.parquet")


@pytest.mark.parametrize(("columns", "why"), [
    ({"digit": [0, 1, 10]}, "row 3, column 'digit': '10' .allowed: 0, 1, .*9"),
    ({"sample_rate": [8000, 16000, 8000]}, "row 2, column 'sample_rate': '16000'; 8000 expected"),
    ({"samples": [[1.5], [2.5], [3.5]]}, "is no sound .allowed: lists of int16, or bytes"),
    ({"samples": ["a", "b", "c"]}, "is no sound"),
    ({"samples": None}, "row 2, column 'samples': no clip"),
    ({"samples": []}, "row 2, column 'samples': the clip is empty"),
])  # fmt: skip
def test_files_that_are_no_clips_are_refused_in_one_line(plugins, tmp_path, columns, why):
    import pyarrow as pa

    if columns.get("samples", 0) in (None, []):
        columns = {"samples": pa.array([[1], columns["samples"], [2]], pa.list_(pa.int16()))}
    _write(tmp_path, **columns)
    with pytest.raises(Refusal, match=why) as refused:
        load(plugins, "fsdd", tmp_path)
    assert "\n" not in str(refused.value)


def test_a_torn_file_and_a_missing_column_are_refused(plugins, tmp_path):
    _write(tmp_path)
    path = tmp_path / "speech/fsdd/test.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refusal, match="not a readable Parquet file"):
        load(plugins, "fsdd", tmp_path)
    pd.read_parquet(tmp_path / "speech/fsdd/train.parquet").drop(columns="samples").to_parquet(path)
    with pytest.raises(Refusal, match="no column 'samples'"):
        load(plugins, "fsdd", tmp_path)


def test_more_sound_than_fits_is_refused(plugins, tmp_path, monkeypatch):
    from kdbench.datasets import _clips

    _write(tmp_path)
    monkeypatch.setattr(_clips, "MOST_SAMPLES", 5)
    with pytest.raises(Refusal, match="at most 5 samples"):
        load(plugins, "fsdd", tmp_path)
    monkeypatch.setattr(_clips, "MOST_SAMPLES", 100)
    with pytest.raises(Refusal, match="at most 100 samples are held .allowed: fewer seconds"):
        load(plugins, "fsdd", tmp_path)


def test_fsdd_words_reach_an_encoder_decoder_as_log_mels_and_tokens(kitchen, data_folder):
    """The judge: the tokenizers library reads back from the stored tokens what the reference says."""
    from tokenizers import Tokenizer

    from kdbench.nets.build import build
    from kdbench.nouns import Job, Use
    from kdbench.stages import tokenizer, tokens

    del data_folder
    data = kitchen.data("fsdd_words", {"hop_ms": 20}, limit={"train": 100, "test": 40})
    words = kitchen._run(tokenizer, Job("tokenizer", {"tokenizer": {"name": "words", "params": {}}}), {"data": data})
    entry = kitchen._run(tokens, Job("tokens", {"length": 4, "layout": "pair"}), {"data": data, "tokenizer": words})
    shape, rows = reader.shape(entry), reader.read(entry, "test")
    assert shape.inputs == {"audio": (40, 50), "prefix": (4,)}
    assert (shape.kind, shape.answer, shape.classes) == ("audio", "text", shape.levels[0])
    assert list(rows.x) == ["audio", "prefix"]
    np.testing.assert_array_equal(rows.x["audio"], reader.read(data, "test").x["audio"])
    judge = Tokenizer.from_str(words.bytes("tokenizer.json").decode())
    written = [judge.decode([i for i in row if i >= 0]) for row in rows.y.tolist()]
    assert written == rows.more["target"].tolist()
    net = build(
        kitchen.plugins.load("model", "whisper")[0], Use("whisper", {"hidden": 16, "heads": 2, "intermediate": 16}), shape
    )
    import torch

    assert net(*(torch.from_numpy(v[:2]) for v in rows.x.values())).shape == (2, 4, shape.classes)
