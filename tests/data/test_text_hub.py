"""Datasets of the hub: by commit, from a cache that the library `datasets` wrote itself, without a network."""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdbench.nouns import Refusal

COMMIT, OTHER = "a" * 40, "b" * 40
HUB = {"name": "owner/TinySet", "config": "small", "text": "sentence", "validation_split": ""}


@pytest.fixture
def hub(plugins, tmp_path, monkeypatch):
    """The plugin over a cache of the library `datasets` that was prepared by that library from local files, with no network."""
    datasets = pytest.importorskip("datasets")
    from datasets.packaged_modules.parquet.parquet import Parquet

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)

    def prepare(commit, word, config="small"):
        features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
        folder = tmp_path / "cache" / "owner___tiny_set" / config / "0.0.0" / commit
        builder = Parquet(
            cache_dir=str(tmp_path / "made" / commit), dataset_name="tiny_set", config_name=config,
            data_files={s: str(put_hub(tmp_path, s, word)) for s in ("train", "test", "secret")}, features=features,
        )  # fmt: skip
        builder.download_and_prepare(str(folder))

    def put_hub(folder, split, word):
        held = [{"sentence": f"{word} {split} {i}", "label": -1 if split == "secret" else i % 2} for i in range(4)]
        path = folder / f"{split}-{word}.parquet"
        pq.write_table(pa.Table.from_pylist(held), path)
        return path

    prepare(COMMIT, "old")
    prepare(OTHER, "new")
    return lambda **params: plugins.load("dataset", "hub")[0](None, **{**HUB, "revision": COMMIT, **params})


def test_the_hub_gives_the_commit_that_was_asked_for_and_labels_by_name(hub):
    mine, other = hub(), hub(revision=OTHER)
    assert mine.x["text"][:, 0].tolist() == [f"old {s} {i}" for s in ("train", "test") for i in range(4)]
    assert other.x["text"][0, 0] == "new train 0"
    assert (mine.classes, mine.y.tolist()) == (("neg", "pos"), [0, 1] * 4)
    assert mine.split.tolist() == ["train"] * 4 + ["test"] * 4
    assert mine.ids.tolist() == [f"{s}-{i}" for s in ("train", "test") for i in range(4)]
    assert COMMIT[:12] in mine.source


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"revision": "main"}, f"may move; name a commit, 40 hexadecimal digits (in the cache: {COMMIT}, {OTHER})"),
        ({"revision": ""}, "may move"),
        ({"revision": "c" * 40}, f"is not in the cache and cannot be fetched (offered instead: {OTHER})"),
        ({"name": "owner/absent"}, "is not in the cache and cannot be fetched"),
        ({"name": "../../etc"}, "allowed: owner/dataset"),
        ({"name": "https://hub/x"}, "allowed: owner/dataset"),
        ({"test_split": "secret"}, "label -1 is none; a split whose labels are secret?"),
        ({"test_split": "tset"}, "test: no split 'tset' (allowed: train, test, secret"),
        ({"test_split": "train"}, "different splits of the hub are needed"),
        ({"text": "sentense"}, "no column 'sentense'; did you mean 'sentence'?"),
    ],
)
def test_what_the_hub_cannot_give_is_refused_in_one_line(params, why, hub):
    with pytest.raises(Refusal) as refused:
        hub(**params)
    assert why in str(refused.value), refused.value
    assert "\n" not in str(refused.value)


def test_a_folder_of_the_name_is_not_taken_for_the_hub(hub, tmp_path):
    (tmp_path / "owner" / "mine").mkdir(parents=True)
    (tmp_path / "owner" / "mine" / "train.csv").write_text("sentence,label\na,0\n")
    with pytest.raises(Refusal, match="a folder of this name lies here"):
        hub(name="owner/mine")


def test_without_the_library_the_hub_is_refused(hub, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "datasets" else real(name, *more))
    with pytest.raises(Refusal, match="pip install datasets"):
        hub()
    assert "datasets" in sys.modules
