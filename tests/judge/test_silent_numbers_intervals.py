"""Standard errors that public tools got quietly wrong: of another estimator, of other groups, or 0. Plain loops are the judge."""

import numpy as np
import pytest
from made_evidence import Evidence, noisy_logits, row
from scipy import stats
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

Z = stats.norm.ppf(0.975)


def world(folder, n, skill, groups=None, classes=3, resamples=1000, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    made = Evidence(folder, label, classes=classes, groups=groups, resamples=resamples)
    made.predict("teacher", noisy_logits(label, classes, skill, rng))
    held = made.store.open(made.jobs[-1].key).arrays("predictions.npz")
    return made, held["label"], held["pred"]


def at(board, metric, part=""):
    return row(board, contender="teacher", metric=metric, slice=part)


ESTIMATORS = {
    "macro_f1": lambda y, p: sk.f1_score(y, p, average="macro"),
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
    "weighted_f1": lambda y, p: sk.f1_score(y, p, average="weighted"),
}


def test_80_an_interval_is_that_of_its_own_estimator_lm_eval_3882(tmp_path):
    """lm-eval#3882: the standard error beside a score was that of a mean. Here scikit-learn scores 500 gathered resamples."""
    n = 400
    made, label, pred = world(tmp_path, n, 1.0)
    board = made.board(*ESTIMATORS, "accuracy")
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, n, n) for _ in range(500)]
    of_mean = 2 * Z * (pred == label).std() / np.sqrt(n)
    widths = {}
    for name, judge in ESTIMATORS.items():
        found = at(board, name)
        widths[name] = found["high"] - found["low"]
        expected = np.quantile([judge(label[d], pred[d]) for d in drawn], [0.025, 0.975])
        assert widths[name] == pytest.approx(expected[1] - expected[0], rel=0.12), name
    assert max(abs(w / of_mean - 1) for w in widths.values()) > 0.2, "that of the mean would be seen"


def test_80_no_share_between_0_and_1_has_an_interval_of_one_point_lm_eval_3966(tmp_path):
    """lm-eval#3966: a standard error of 0.0 beside a share that is neither 0 nor 1. At 0 and 1, too, n says how sure it is."""
    n = 60
    for wrong in (0, 1, 30, 59, 60):
        made = Evidence(tmp_path / str(wrong), np.zeros(n, dtype=int))
        made.predict("teacher", np.eye(2)[(np.arange(n) < wrong).astype(int)])
        found = at(made.board("accuracy"), "accuracy")
        assert (found["low"], found["high"]) == pytest.approx(proportion_confint(n - wrong, n, method="wilson"), abs=1e-9)
        assert found["high"] - found["low"] > 0.05


def test_80_the_whole_weighs_examples_and_its_error_is_that_of_the_same_weighting_lm_eval_1521_1427(tmp_path):
    """lm-eval#1521, #1427: a score over parts weighed them by size, its error did not, or the other way round."""
    sizes = {"large": 900, "small": 100}
    group = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(2)
    right = rng.random(1000) < np.where(group == "large", 0.9, 0.4)
    made = Evidence(tmp_path, np.zeros(1000, dtype=int), groups={"g": group})
    made.predict("teacher", np.eye(2)[(~right).astype(int)])
    board = made.board("accuracy")
    whole, parts = at(board, "accuracy"), {g: at(board, "accuracy", f"g={g}") for g in sizes}
    assert whole["value"] == pytest.approx(sum(parts[g]["value"] * n for g, n in sizes.items()) / 1000, abs=1e-12)
    assert abs(whole["value"] - np.mean([p["value"] for p in parts.values()])) > 0.1, "a mean of means is another number"
    assert (whole["low"], whole["high"]) == pytest.approx(proportion_confint(right.sum(), 1000, method="wilson"), abs=1e-9)


def test_80_a_group_has_the_error_of_its_own_examples_lm_eval_3695(tmp_path):
    """lm-eval#3695: the standard error was grouped by another key than the score."""
    group = np.array(["a"] * 300 + ["b"] * 60)[np.random.default_rng(3).permutation(360)]
    made, label, pred = world(tmp_path, 360, 1.0, {"g": group, "other": np.arange(360) % 2})
    board = made.board("accuracy")
    for level in "ab":
        found, hits = at(board, "accuracy", f"g={level}"), (label == pred)[group == level]
        assert (found["value"], found["n"]) == (pytest.approx(hits.mean()), len(hits))
        wilson = proportion_confint(hits.sum(), len(hits), method="wilson")
        assert (found["low"], found["high"]) == pytest.approx(wilson, abs=1e-9)
