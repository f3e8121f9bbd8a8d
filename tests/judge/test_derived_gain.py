"""Gain of distillation, retention, and the constant guess behind it."""

import numpy as np
import pytest
from asking import metric
from made_readings import at, coins, shares, tables

from kdbench.judge.derived import baseline
from kdbench.judge.readings import Reading, Spot
from kdbench.judge.rows import rows

SETUP = {"plain": ["scratch", "teacher"], "twins": {"kd": "scratch"}, "seeds": {"scratch": [0, 1], "kd": [0, 1]}}


@pytest.fixture
def made():
    rng = np.random.default_rng(2)
    skill = {"scratch": 0.7, "kd": 0.8, "other": 0.6, "teacher": 0.9}
    places = [("", 0), ("blur", 1), ("blur", 3)]
    return {
        (c, seed, shift, k): coins(rng, s - 0.05 * k + 0.02 * seed)
        for c, s in skill.items() for seed in ((0,) if c == "teacher" else (0, 1)) for shift, k in places
    }  # fmt: skip


def test_gain_equals_the_paired_difference_in_numpy(made):
    readings, weights = shares(made)
    about, table = tables(readings, SETUP)["gain"]
    for seed in (0, 1):
        found = at(table, "kd", seed=seed)
        paired = made["kd", seed, "", 0] - made["scratch", seed, "", 0]
        assert (found.value, found.reason) == (pytest.approx(paired.mean()), "over scratch")
        np.testing.assert_allclose(found.draws, weights @ paired, atol=1e-12)
    shifted = np.mean([made["kd", 1, "blur", k] - made["scratch", 1, "blur", k] for k in (1, 3)], axis=0)
    assert at(table, "kd", "blur", 1).value == pytest.approx(shifted.mean())  # relative robustness of Taori et al. 2020
    np.testing.assert_allclose(at(table, "kd", "*", 1).draws, weights @ shifted, atol=1e-12)
    assert not about.compared


def test_twins_have_no_gain_and_others_say_that_there_is_no_twin(made):
    _, table = tables(shares(made)[0], SETUP)["gain"]
    assert {s.contender for s in table} == {"kd"}, "said once, by the metric that ranks"
    _, table = tables(shares(made)[0], {**SETUP, "ranking": True})["gain"]
    assert {s.contender for s in table} == {"kd", "other"}
    found = at(table, "other", seed=1)
    assert (found.status, found.reason) == ("not applicable", "no from-scratch twin in the suite")
    assert {s.shift for s in table if s.contender == "other"} == {""}


def test_a_twin_that_failed_at_a_seed_is_not_replaced_by_another_seed(made):
    answers = {k: v for k, v in made.items() if k[:2] != ("scratch", 1)}
    _, table = tables(shares(answers)[0], SETUP)["gain"]
    found = at(table, "kd", seed=1)
    assert (found.status, found.reason) == ("undefined", "the twin scratch has no result at seed 1")
    assert at(table, "kd", seed=0).known


def test_gain_is_positive_where_a_loss_is_lower():
    readings = {Spot(c, 0, "torch_cpu", "test"): Reading(v, n=10) for c, v in (("scratch", 0.9), ("kd", 0.4))}
    about, table = tables(readings, SETUP, name="nll")["gain{of=nll}"]
    assert (at(table, "kd").value, about.facts["better"]) == (pytest.approx(0.5), "higher")


def test_retention_equals_the_ratio_in_numpy(made):
    readings, weights = shares(made)
    _, table = tables(readings, {"baseline": lambda: 0.3})["retention"]
    ours, theirs = made["kd", 1, "", 0], made["teacher", 0, "", 0]
    found = at(table, "kd", seed=1)
    assert found.value == pytest.approx(ours.mean() / theirs.mean())
    np.testing.assert_allclose(found.draws, (weights @ ours) / (weights @ theirs))
    assert not any(s.contender == "teacher" for s in table)


@pytest.mark.parametrize("name", ["nll", "ece", "kl_to_teacher"])
def test_only_quality_that_starts_at_0_is_retained(name):
    readings = {Spot(c, 0, "torch_cpu", "test"): Reading(0.5, n=10) for c in ("teacher", "kd")}
    assert not [found for found in tables(readings, {"baseline": lambda: 0.1}, name=name) if found.startswith("retention")]


def test_baselines_equal_sklearns_dummy_classifier():
    from sklearn.dummy import DummyClassifier
    from sklearn.metrics import f1_score

    label = np.random.default_rng(0).choice(3, size=500, p=[0.2, 0.5, 0.3])
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((500, 1)), label)
    names = ("a", "b", "c")
    assert baseline(metric("accuracy"), label, names, None) == pytest.approx(dummy.score(np.zeros((500, 1)), label))
    expected = f1_score(label, dummy.predict(np.zeros((500, 1))), average="macro", zero_division=0)
    assert baseline(metric("macro_f1"), label, names, None) == pytest.approx(expected)


def test_the_baseline_of_auroc_is_a_half_whatever_the_classes():
    label = (np.arange(100) < 20).astype(int)
    assert baseline(metric("auroc"), label, ("no", "yes"), 1) == 0.5


def test_metrics_that_read_more_than_predictions_have_no_baseline():
    label = np.arange(10) % 2
    assert baseline(metric("agreement"), label, ("no", "yes"), 1) is None
    assert baseline(metric("accuracy"), label.astype(float), (), None) is None


def test_every_derived_table_becomes_rows_with_all_columns(made):
    answers = {**made, ("kd", 0, "fog", 1): made["kd", 0, "blur", 1]}
    answers |= {(c, s, "fog", 1): made[c, s, "blur", 1] for c, s in {k[:2] for k in made}}
    found = tables(shares(answers)[0], {**SETUP, "base": "scratch", "baseline": lambda: 0.1, "ranking": True})
    names = {
        "corruption_error",
        "relative_corruption_error",
        "effective_robustness",
        "worst_shift",
        "retention",
        "gain",
        "seed_sd",
    }
    assert names <= set(found)
    for about, table in found.values():
        assert {"title", "convention", "unit", "better", "axis", "equation", "source", "version"} <= set(about.facts)
        for row in rows(table, about):
            assert row["metric"] == about.metric
            assert row["status"] == "ok" or row["reason"]
