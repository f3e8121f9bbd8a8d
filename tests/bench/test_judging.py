"""What judging costs, beside the tools that people use for it. Ratios are medians over rounds of one run, one thread each.

OMP_NUM_THREADS=1 pytest tests/bench/test_judging.py --benchmark-only
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "judge"))

from asking import metric, predictions

from kdbench.judge import resample
from kdbench.judge.cases import Case
from kdbench.judge.evidence import Examples
from kdbench.judge.means import of_means
from kdbench.judge.readings import Spot
from kdbench.judge.resample import Resampler
from kdbench.judge.slices import Cuts, Slice, cuts_of

MILLION = Path(__file__).with_name("million.py")
SPOT = Spot("student", 0, "", "test")


def spent(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def ratios(ours, theirs, rounds: int) -> list[float]:
    """How many times ours goes into theirs, side by side in each round."""
    return [spent(theirs) / spent(ours) for _ in range(rounds)]


def quartiles(values) -> list[float]:
    return [round(float(q), 2) for q in np.quantile(values, [0.25, 0.5, 0.75])]


def test_a_million_answers(benchmark, tmp_path):
    """All quality, calibration, fidelity, selective and group metrics of one contender: at most 6 CPU-seconds, 3x the arrays."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, str(MILLION), str(tmp_path)]
    subprocess.run([*run, "make"], check=True, env=environment)

    def judged() -> dict:
        done = subprocess.run([*run, "judge"], check=True, env=environment, capture_output=True, text=True)
        return dict(json.loads(done.stdout))

    said = benchmark.pedantic(judged, rounds=1, iterations=1)
    benchmark.extra_info |= {name: said[name] for name in ("cpu", "times", "metrics")}
    assert said["metrics"] >= 50


@pytest.fixture(scope="module")
def people():
    """100,000 decisions on people of 8 groups."""
    rng = np.random.default_rng(0)
    label, group = rng.integers(0, 2, 100_000), rng.integers(0, 8, 100_000)
    z = rng.normal(size=(100_000, 2)).astype(np.float32)
    z[np.arange(100_000), label] += 1
    return predictions(z, label, 1), group


def test_groups_with_intervals_beside_fairlearn_without(benchmark, people):
    from fairlearn import metrics as published
    from sklearn.metrics import accuracy_score

    of, group = people
    names = {
        "accuracy": accuracy_score, "selection_rate": published.selection_rate,
        "true_positive_rate": published.true_positive_rate, "false_positive_rate": published.false_positive_rate,
        "false_negative_rate": published.false_negative_rate,
    }  # fmt: skip
    about = Examples(of.ids, of.label, {"g": (tuple("abcdefgh"), group.astype(np.int32))}, None, ("0", "1"), 1)
    _ = of.log_probability

    def ours():
        resample._weights.cache_clear()
        resample._groups.cache_clear()
        cuts_of.cache_clear()
        resampler, cuts, case = Resampler(len(group), 1000, 1), cuts_of(about, 30), Case(SPOT, {"predictions": of}, "k")
        return {name: dict(of_means(metric(name), case, cuts, resampler)) for name in names}

    def theirs():
        return published.MetricFrame(metrics=names, y_true=of.label, y_pred=of.pred, sensitive_features=group).by_group

    found, expected = ours(), theirs()
    for name in names:
        for g in range(8):
            at = replace(SPOT, slice=f"g={'abcdefgh'[g]}")
            assert found[name][at].value == pytest.approx(expected[name][g], abs=1e-12)
            assert len(found[name][at].draws) == 1000
    times = ratios(ours, theirs, 5)
    benchmark.extra_info["fairlearn over kdbench"] = quartiles(times)
    benchmark.pedantic(ours, rounds=3, iterations=1)


def test_intervals_of_a_million_beside_a_gather_bootstrap(benchmark):
    """Accuracy, macro F1 and ECE: 1,000 resamples of ours beside 5 gathered ones, times 200."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 10, 1_000_000)
    z = rng.normal(size=(len(label), 10)).astype(np.float32)
    z[np.arange(len(label)), label] += 2
    of = predictions(z, label)
    correct, confidence = of.correct, of.confidence
    cuts = Cuts(Slice("", None, len(label)))

    def ours():
        resample._weights.cache_clear()
        resample._groups.cache_clear()
        resampler = Resampler(len(label), 1000, 1)
        case = Case(SPOT, {"predictions": of}, "k")
        return [dict(of_means(metric(name), case, cuts, resampler))[SPOT] for name in ("accuracy", "macro_f1", "ece")]

    edges = np.arange(1, 15) / 15
    bins = np.searchsorted(edges, confidence, side="left")

    def gathered(rows):
        y, p, c, b = label[rows], of.pred[rows], confidence[rows], bins[rows]
        right = correct[rows]
        hits = np.bincount(y[right], minlength=10)
        f1 = (2 * hits / (np.bincount(y, minlength=10) + np.bincount(p, minlength=10))).mean()
        return right.mean(), f1, np.abs(np.bincount(b, right - c, 15)).sum() / len(rows)

    def theirs():
        return [gathered(rng.integers(0, len(label), len(label))) for _ in range(5)]

    drawn = np.array([gathered(rng.integers(0, len(label), len(label))) for _ in range(60)])
    for reading, column in zip(ours(), drawn.T, strict=True):
        assert np.std(reading.draws) == pytest.approx(column.std(), rel=0.35), "60 draws know a standard deviation to 9 %"
    times = [200 * r for r in ratios(ours, theirs, 3)]
    benchmark.extra_info["gather over kdbench"] = quartiles(times)
    benchmark.pedantic(ours, rounds=3, iterations=1)


def test_ece_beside_torchmetrics(benchmark):
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    torch.set_num_threads(1)
    rng = np.random.default_rng(2)
    label = rng.integers(0, 10, 1_000_000)
    z = rng.normal(size=(len(label), 10)).astype(np.float32)
    z[np.arange(len(label)), label] += 2
    of, one = predictions(z, label), metric("ece")
    _ = of.confidence, of.correct
    p, y = torch.from_numpy(of.probability.astype(np.float32)), torch.from_numpy(label)

    def ours():
        from kdbench.judge.columns import sums, tidy

        return float(one.finish(sums(tidy(one({"predictions": of}), len(label)))[0] / len(label)))

    def theirs():
        return float(multiclass_calibration_error(p, y, 10, n_bins=15, validate_args=False))

    assert ours() == pytest.approx(theirs(), abs=1e-5)
    benchmark.extra_info["torchmetrics over kdbench"] = quartiles(ratios(ours, theirs, 9))
    benchmark(ours)
