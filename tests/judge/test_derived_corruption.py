"""Errors under shift relative to a base, against Hendrycks and Dietterich's equations in plain loops."""

import numpy as np
import pytest
from made_readings import at, coins, shares, tables

from kdbench.judge.readings import Reading, Spot

SHIFTS = {"noise": (1, 3, 5), "blur": (1, 2), "fog": (4,)}
NAMES = ("teacher", "student", "small")


@pytest.fixture
def made():
    rng = np.random.default_rng(1)
    skill = {"teacher": 0.9, "student": 0.85, "small": 0.7}
    answers = {(c, 0, "", 0): coins(rng, skill[c]) for c in NAMES}
    for shift, levels in SHIFTS.items():
        for level in levels:
            answers |= {(c, 0, shift, level): coins(rng, skill[c] - 0.06 * level - 0.01 * len(shift)) for c in NAMES}
    return answers


def loops(answers, contender, base, shift, relative, weights=None):
    """Equation of section 4.2, severity by severity; weights (n,) of one bootstrap draw."""
    above = below = 0.0
    for level in SHIFTS[shift]:
        for name in (contender, base):
            hits = answers[name, 0, shift, level]
            error = 1 - (hits.mean() if weights is None else float(sum(w * h for w, h in zip(weights, hits, strict=True))))
            if relative:
                clean = answers[name, 0, "", 0]
                error -= 1 - (clean.mean() if weights is None else float(sum(w * h for w, h in zip(weights, clean, strict=True))))
            if name == contender:
                above += error
            if name == base:
                below += error
    return above / below


@pytest.mark.parametrize("base", ["teacher", "small"])
@pytest.mark.parametrize("relative", [False, True])
def test_corruption_error_equals_hendrycks_equation_in_loops(made, base, relative):
    readings, weights = shares(made)
    found = tables(readings, {"base": "small", "base_steps": "0123456789ab", "plain": []})
    name = "relative_corruption_error" if relative else "corruption_error"
    about, table = found[name if base == "teacher" else f"{name}{{base=small}}"]
    expected = {shift: loops(made, "student", base, shift, relative) for shift in SHIFTS}
    for shift, value in expected.items():
        reading = at(table, "student", shift)
        assert reading.value == pytest.approx(value, abs=1e-12)
        assert reading.draws[7] == pytest.approx(loops(made, "student", base, shift, relative, weights[7]), abs=1e-12)
        assert at(table, base, shift).value == pytest.approx(1)
    assert at(table, "student", "*").value == pytest.approx(sum(expected.values()) / 3, abs=1e-12)
    assert about.facts["axis"] == "robustness"
    assert ("0123456789ab" in about.facts["convention"]) == (base == "small")


def test_it_is_a_ratio_of_sums_and_no_mean_of_ratios():
    """Errors .1, .5 over .2, .25: 0.6 / 0.45 = 4/3, where the mean of the ratios .5 and 2 would be 1.25."""
    share = {("student", 1): 0.9, ("student", 2): 0.5, ("teacher", 1): 0.8, ("teacher", 2): 0.75}
    readings = {Spot(c, 0, "torch_cpu", "test", "blur", s): Reading(v, n=100) for (c, s), v in share.items()}
    assert at(tables(readings)["corruption_error"][1], "student", "blur").value == pytest.approx(4 / 3)


def test_a_published_base_is_found_by_the_name_of_the_shift():
    """AlexNet's error constants: one that errs 1.0229 times as often under each shift has mCE 102.29 in whatever order they come,
    and with the constants shifted by one name the number would be another.
    """
    constants = {
        "gaussian": 0.886428, "shot": 0.894468, "impulse": 0.922640, "defocus": 0.819880, "glass": 0.826268, "motion": 0.785948,
        "zoom": 0.798360, "snow": 0.866816, "frost": 0.826572, "fog": 0.819324, "brightness": 0.564592, "contrast": 0.853204,
        "elastic": 0.646056, "pixelate": 0.717840, "jpeg": 0.606500,
    }  # fmt: skip
    order = list(constants)
    turned = order[10:] + order[:10]
    readings = {Spot("alexnet", 0, "torch_cpu", "test", c, 3): Reading(1 - constants[c], n=50_000) for c in order}
    readings |= {Spot("ours", 0, "torch_cpu", "test", c, 3): Reading(1 - 1.0229 * constants[c], n=50_000) for c in turned}
    _, table = tables(readings, {"base": "alexnet"})["corruption_error{base=alexnet}"]
    assert at(table, "ours", "*").value == pytest.approx(1.0229, abs=1e-12)
    by_index = np.mean([1.0229 * constants[a] / constants[b] for a, b in zip(turned, order, strict=True)])
    assert abs(by_index - 1.0229) > 0.01


def test_seeds_are_paired_with_the_base_of_their_seed():
    share = {("base", 0): 0.5, ("base", 1): 0.75, ("ours", 0): 0.5, ("ours", 1): 0.5, ("ours", 2): 0.5}
    readings = {Spot(c, s, "torch_cpu", "test", "blur", 1): Reading(v, n=100) for (c, s), v in share.items()}
    _, table = tables(readings, {"base": "base", "seeds": {"base": [0, 1, 2]}})["corruption_error{base=base}"]
    assert [at(table, "ours", "blur", seed=s).value for s in (0, 1)] == [1.0, 2.0]
    absent = at(table, "ours", "blur", seed=2)
    assert (absent.status, absent.reason) == ("undefined", "base has no result at this seed")


def test_a_base_of_one_checkpoint_serves_every_seed():
    share = {("base", 0): 0.75, ("ours", 0): 0.5, ("ours", 1): 0.25}
    readings = {Spot(c, s, "torch_cpu", "test", "blur", 1): Reading(v, n=100) for (c, s), v in share.items()}
    _, table = tables(readings, {"base": "base", "seeds": {"base": [0]}})["corruption_error{base=base}"]
    assert [at(table, "ours", "blur", seed=s).value for s in (0, 1)] == [2.0, 3.0]


def test_a_base_that_does_not_surely_lose_under_a_shift_gives_no_relative_error():
    rng = np.random.default_rng(3)
    answers = {("teacher", 0, "", 0): coins(rng, 0.9), ("student", 0, "", 0): coins(rng, 0.8)}
    answers |= {(c, 0, "mild", 1): coins(rng, s) for c, s in (("teacher", 0.895), ("student", 0.7))}
    answers |= {(c, 0, "kind", 1): coins(rng, s) for c, s in (("teacher", 0.95), ("student", 0.7))}
    answers |= {(c, 0, "hard", 1): coins(rng, s) for c, s in (("teacher", 0.6), ("student", 0.5))}
    _, table = tables(shares(answers)[0])["relative_corruption_error"]
    assert "is not known to be above 0" in at(table, "student", "mild").reason
    assert at(table, "student", "kind").reason == "the teacher loses nothing under this shift"
    assert not at(table, "student", "mild").known
    assert at(table, "student", "*").value == at(table, "student", "hard").value == pytest.approx(1.0)
    assert at(table, "student", "*").reason.startswith("without mild, kind: ")


def test_a_shift_that_only_the_contender_lacks_is_not_left_out(made):
    del made["student", 0, "blur", 2]
    _, table = tables(shares(made)[0])["corruption_error"]
    for shift in ("blur", "*"):
        found = at(table, "student", shift)
        assert (found.status, found.reason) == ("undefined", "there are no predictions under blur 2")
    assert at(table, "small", "*").known


def test_means_over_severities_that_are_there_already_change_nothing(made):
    readings, _ = shares(made)
    wrong = {Spot(c, 0, "torch_cpu", "test", s, 0): Reading(0.123, n=400) for c in NAMES for s in (*SHIFTS, "*")}
    before, after = (tables(r)["corruption_error"][1] for r in (readings, {**readings, **wrong}))
    assert {s: r.value for s, r in before.items()} == {s: r.value for s, r in after.items()}


def test_worst_shift_equals_the_minimum_in_loops(made):
    readings, weights = shares(made)
    about, table = tables(readings)["worst_shift"]
    means = {c: {s: np.mean([made[c, 0, s, k].mean() for k in ks]) for s, ks in SHIFTS.items()} for c in NAMES}
    for name in NAMES:
        found = at(table, name)
        worst = min(means[name], key=means[name].get)
        assert (found.value, found.reason) == (pytest.approx(means[name][worst]), f"under {worst}")
        in_draw = [np.mean([weights[5] @ made[name, 0, s, k] for k in ks]) for s, ks in SHIFTS.items()]
        assert found.draws[5] == pytest.approx(min(in_draw))
    assert about.compared


def test_the_worst_shift_of_a_loss_is_its_largest():
    rng = np.random.default_rng(2)
    draws = {shift: rng.normal(0.4, 0.2, 30) for shift in ("a", "b", "c")}
    value = {"a": 0.5, "b": 0.3, "c": 0.4}
    readings = {Spot("ours", 0, "torch_cpu", "test", c, 1): Reading(value[c], draws[c], 10) for c in value}
    _, table = tables(readings, name="mean_absolute_error")["worst_shift{of=mean_absolute_error}"]
    found = at(table, "ours")
    assert (found.value, found.reason) == (0.5, "under a")
    assert found.draws.tolist() == [max(of) for of in zip(*draws.values(), strict=True)]


def test_the_worst_shift_is_one_for_all_seeds():
    share = {("a", 0): 0.5, ("a", 1): 0.3, ("b", 0): 0.4, ("b", 1): 0.5}
    readings = {Spot("ours", s, "torch_cpu", "test", c, 1): Reading(v, n=10) for (c, s), v in share.items()}
    _, table = tables(readings)["worst_shift"]
    assert [(at(table, "ours", seed=s).value, at(table, "ours", seed=s).reason) for s in (0, 1)] == [
        (0.5, "under a"), (0.3, "under a"),
    ]  # fmt: skip


def test_other_metrics_carry_their_name():
    readings = {Spot("ours", 0, "torch_cpu", "test", c, 1): Reading(0.5, n=10) for c in ("a", "b")}
    assert set(tables(readings, name="macro_f1")) == {"worst_shift{of=macro_f1}"}
