"""Datasets of which vectors are asked, against their files read by pandas."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdbench.nouns import Refusal

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def root():
    found = os.environ.get("KDBENCH_DATA")
    if not found:
        pytest.skip("KDBENCH_DATA is not set: no data folder")
    return Path(found)


def open_dataset(plugins, name, root):
    return plugins.load("dataset", name)[0](root)


def test_sick_relatedness_equals_the_files(plugins, root):
    of = open_dataset(plugins, "sick_relatedness", root)
    for split, name in (("train", "train"), ("validation", "trial"), ("test", "test")):
        want = pd.read_parquet(root / f"text/sick_nli/{name}.parquet")
        rows = of.split == split
        assert list(of.target[rows]) == list(want["relatedness_score"].round(4))
        assert of.x["text"][rows].tolist() == want[["premise", "hypothesis"]].to_numpy().tolist()
        assert of.ids[rows].tolist() == want["pair_id"].astype(str).tolist()
    assert (of.answer, of.classes, set(of.y)) == ("vector", (), {-1})
    assert (of.split == "test").sum() == 4927


@pytest.mark.parametrize(
    ("name", "like", "each"), [("banking77_retrieval", "banking77", 40), ("clinc150_retrieval", "clinc150", 30)]
)
def test_a_collection_is_the_classification_asked_otherwise(plugins, root, name, like, each):
    of, other = open_dataset(plugins, name, root), open_dataset(plugins, like, root)
    assert of.answer == "vector"
    assert (of.classes, of.licence, of.source) == (other.classes, other.licence, other.source)
    assert of.x["text"].tolist() == other.x["text"].tolist()
    for field in ("y", "ids", "split"):
        assert np.array_equal(getattr(of, field), getattr(other, field))
    assert set(np.bincount(of.y[of.split == "test"])) == {each}


@pytest.mark.parametrize(("bad", "said"), [("7.5", "7.5 .allowed: 1 to 5."), ("nan", "row 2, column 'relatedness_score'")])
def test_a_relatedness_that_is_none_is_refused_with_its_row(plugins, root, tmp_path, bad, said):
    folder = tmp_path / "text/sick_nli"
    folder.mkdir(parents=True)
    for name in ("train", "trial", "test"):
        table = pd.read_parquet(root / f"text/sick_nli/{name}.parquet").head(3).astype(str)
        if name == "trial":
            table.loc[1, "relatedness_score"] = bad
        table.to_parquet(folder / f"{name}.parquet")
    with pytest.raises(Refusal, match=said):
        open_dataset(plugins, "sick_relatedness", tmp_path)
