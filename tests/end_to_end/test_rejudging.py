"""A metric that is mended reaches the board that is there already: `kdbench report` judges the stored evidence again."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

AXES = ("--set", "axes=[accuracy, hits]")
METRIC = '''"""Share of right decisions."""

import numpy as np

from kdbench import Predictions, metric

from ._right import right


@metric(form="mean", better="higher", unit="fraction", low=0, high=1, version={version}, title="Hits", convention="{convention}",
        reads="decisions")
def hits(predictions: Predictions) -> np.ndarray:
    """1 where the decision is the label, (n,)."""
    return np.asarray({body}, dtype=np.float64)
'''
WRONG, RIGHT = "predictions.pred == 0", "right(predictions)"


@pytest.fixture
def own(tmp_path):
    """A folder with one metric, whose text can be written anew."""
    folder = tmp_path / "own" / "metrics"
    folder.mkdir(parents=True)

    def write(body, version=1, convention="as written here", right="predictions.pred == predictions.label"):
        (folder / "hits.py").write_text(METRIC.format(body=body, version=version, convention=convention), encoding="utf-8")
        (folder / "_right.py").write_text(f"def right(predictions):\n    return {right}\n", encoding="utf-8")
        return folder.parent

    write(RIGHT)
    return SimpleNamespace(write=write, folder=folder.parent)


@pytest.fixture
def board(kdbench, toy, own, tmp_path):
    """Run a command of kdbench on the toy suite with that metric; the scores that it leaves behind."""

    def made(command):
        code, _, err = kdbench(command, toy / "suite.yaml", *AXES, plugins=(toy / "plugins", own.folder))
        assert (code, err) == (0, ""), err
        return pd.read_parquet(tmp_path / "reports/toy/scores.parquet")

    return made


def headline(scores, metric):
    """contender -> value, over seeds, of all examples."""
    part = scores[(scores["metric"] == metric) & (scores["seed"] == -1) & (scores["slice"] == "")]
    return dict(zip(part["contender"], part["value"], strict=True))


def entries(tmp_path):
    """key -> (stage, file -> when it was written), of all that is in the store."""
    found = {}
    for path in (tmp_path / ".kdbench/store").glob("*/*/manifest.json"):
        stage = json.loads(path.read_text(encoding="utf-8"))["job"]["stage"]
        found[path.parent.name] = (stage, {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()})
    return found


def by_hand(tmp_path):
    """The shares of decisions for class 0 and of right decisions in each stored set of predictions."""
    found = {"zero": set(), "right": set()}
    for path in (tmp_path / ".kdbench/store").glob("*/*/predictions.npz"):
        held = np.load(path)
        found["zero"].add(float((held["pred"] == 0).mean()))
        found["right"].add(float((held["pred"] == held["label"]).mean()))
    return found


def test_a_mended_metric_reaches_the_published_board_without_a_model_helm_4332(board, own, tmp_path):
    """stanford-crfm/helm#4332: the fix of a metric never reached the boards that were out. The score names its version."""
    own.write(WRONG, version=1)
    first = board("run")
    before = entries(tmp_path)
    own.write(RIGHT, version=2)
    second = board("report")
    judged = by_hand(tmp_path)
    assert set(headline(first, "hits").values()) <= judged["zero"]
    assert set(headline(second, "hits").values()) <= judged["right"]
    assert headline(first, "hits") != headline(second, "hits") == headline(second, "accuracy")
    versions = [set(scores.loc[scores["metric"] == "hits", "version"]) for scores in (first, second)]
    assert versions == [{1}, {2}]
    after = entries(tmp_path)
    assert {key: after[key] for key in before} == before, "what was there is as it was"
    assert [stage for key, (stage, _) in after.items() if key not in before] == ["judge"], "one metric, judged once more"
    same = [scores[scores["metric"] == "accuracy"].reset_index(drop=True) for scores in (first, second)]
    pd.testing.assert_frame_equal(*same)


def test_every_change_of_a_metric_is_noticed_and_its_restoration_too(board, own, tmp_path):
    """Also one that forgets to raise the version, and one in a private file that the metric reads."""
    first = board("run")
    changes = {"version": 2, "convention": "another one", "body": WRONG, "right": WRONG}
    for what, change in changes.items():
        own.write(**{"body": RIGHT, what: change})
        changed = board("report")
        whole = changed[(changed["metric"] == "hits") & (changed["slice"] == "")]
        assert (headline(first, "hits") == headline(changed, "hits")) == (what in ("version", "convention")), what
        if what in ("version", "convention"):
            assert set(whole[what]) == {change}
    before = entries(tmp_path)
    own.write(RIGHT)
    pd.testing.assert_frame_equal(board("report"), first)
    assert entries(tmp_path) == before, "what was judged once is found again"
