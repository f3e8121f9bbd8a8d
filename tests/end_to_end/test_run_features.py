"""Features from the networks of a run to the numbers on its board, judged from the store by scikit-learn and numpy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from kdbench.store import Store

SUITE = """
suite: taps
seeds: [0]
resamples: 200
targets: [torch_cpu, ort_cpu]
train: {epochs: 1, batch: 32}
axes: [accuracy, cka, {feature_ood_auroc: {k: 5}}]
data: {dataset: digits, shifts: [blur], severities: [1], ood: [synthetic_shapes], groups: [ink], limit: {test: 200}}
teacher: {model: resnet_cifar, depth: 8, width: 8, fit: scratch}
student: {model: resnet_cifar, depth: 8, width: 4}
contenders:
  kd: [fit: kd]
  flat: [{fit: scratch, model: linear}]
"""


@pytest.fixture
def ran(kdbench, tmp_path):
    (tmp_path / "taps.yaml").write_text(SUITE, encoding="utf-8")
    code, _, err = kdbench("run", "taps.yaml", plugins=())
    assert code == 0, err
    return pd.read_parquet(tmp_path / "reports/taps/scores.parquet")


def features(root, contender, where):
    """The last tap, from the files of the entry whose label says so."""
    store = Store(root)
    for path in sorted((root / "store").glob("*/*/manifest.json")):
        entry = store.open(path.parent.name)
        if entry.manifest["label"] == f"digits: features {contender}, seed 0, {where}":
            last = len(entry.json("features.json")["names"]) - 1
            return np.asarray(entry.array(f"tap.{last}.npy")).astype(np.float64)
    raise AssertionError((contender, where))


def row(scores, metric, contender, target="torch_cpu", **where):
    part = scores[(scores["metric"] == metric) & (scores["contender"] == contender) & (scores["target"] == target)]
    for column, value in {"seed": -1, "slice": "", **where}.items():
        part = part[part[column] == value]
    assert len(part) == 1
    return part.iloc[0]


def what_has_no_number_says_why(ran):
    assert row(ran, "cka", "teacher", shift="")["reason"] == "this is the teacher: what the others are compared with"
    for metric, shift in (("cka", ""), ("feature_ood_auroc{k=5}", "ood:synthetic_shapes")):
        flat, exported = row(ran, metric, "flat", shift=shift), row(ran, metric, "kd", target="ort_cpu", shift=shift)
        assert (flat["status"], flat["reason"]) == ("not applicable", "the model 'linear' declares no taps")
        assert exported["status"] == "not applicable"
        assert exported["reason"].startswith("features are taken from the artefact itself")
    assert not ((ran["metric"] == "cka") & (ran["shift"] != "")).any()


def test_from_the_networks_to_the_board(ran, tmp_path):
    what_has_no_number_says_why(ran)
    root = Path(tmp_path) / ".kdbench"
    x, y = (features(root, name, "test") for name in ("kd", "teacher"))
    assert (x.shape[1], y.shape[1]) == (16, 32)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    judge = np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    found = row(ran, "cka", "kd", shift="")
    assert found["value"] == pytest.approx(judge, abs=1e-9)
    assert found["low"] < judge < found["high"]
    assert set(ran[(ran["metric"] == "cka") & (ran["slice"] == "ink=heavy") & (ran["contender"] == "kd")]["status"]) == {"ok"}

    sets = [features(root, "kd", where) for where in ("validation", "test", "ood:synthetic_shapes")]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in sets]
    near = NearestNeighbors(n_neighbors=5).fit(unit[0])
    score = [-near.kneighbors(v)[0][:, -1] for v in unit[1:]]
    area = roc_auc_score(np.repeat([1, 0], [len(s) for s in score]), np.concatenate(score))
    found = row(ran, "feature_ood_auroc{k=5}", "kd", shift="ood:synthetic_shapes")
    assert found["value"] == pytest.approx(area, abs=1e-6)
    assert found["low"] < area < found["high"]
