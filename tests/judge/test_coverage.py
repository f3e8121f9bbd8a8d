"""Do 95 % intervals cover, as the board makes them? Two thousand worlds with a known truth for each kind of number (slow)."""

import os
from dataclasses import replace

import numpy as np
import pytest
from asking import metric, predictions

from kdbench.judge.cases import Case
from kdbench.judge.gaps import group_summaries
from kdbench.judge.means import of_disparities, of_means
from kdbench.judge.readings import Reading, Spot, difference
from kdbench.judge.resample import Resampler, block_draws
from kdbench.judge.seeds import checkpoint, over
from kdbench.judge.sets import of_sets
from kdbench.judge.slices import Cuts, Grouping, Slice

WORLDS = int(os.environ.get("KDBENCH_WORLDS", "2000"))
DRAWS = 400
SPOT = Spot("student", 0, "", "test")


def cuts(code=None):
    """All examples, and the groups of one column where `code` says so."""
    n = 0 if code is None else len(code)
    if code is None:
        return Cuts(Slice("", None, 0))
    parts = [np.flatnonzero(code == g) for g in range(int(code.max()) + 1)]
    slices = tuple(Slice(f"g={i}", rows, len(rows), "g", str(i)) for i, rows in enumerate(parts))
    return Cuts(Slice("", None, n), (Grouping("g", code, slices),))


def readings(name, of, world, code=None, evidence="one", **more):
    whole = replace(cuts(code).whole, n=len(of.ids)) if code is None else cuts(code).whole
    held = Cuts(whole, cuts(code).groupings)
    case = Case(SPOT, {"predictions": of, **more}, evidence)
    found = dict(of_means(metric(name), case, held, Resampler(len(of.ids), DRAWS, world)))
    return {**found, **dict(group_summaries(found, held, metric(name).better, "quality"))}


def share(inside):
    return sum(inside(world) for world in range(WORLDS)) / WORLDS


def covers(reading, truth):
    estimate = checkpoint(reading)
    return estimate.low <= truth <= estimate.high


def two_class(p, label):
    """Predictions of class 1 with probability p."""
    return predictions(np.stack([1 - p, p], axis=1), label, 1, "probabilities")


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "n"), [(0.8, 300), (0.97, 100), (0.5, 2000)])
def test_accuracy_covers(truth, n):
    def inside(world):
        rng = np.random.default_rng([1, world])
        right = (rng.random(n) < truth).astype(int)
        of = two_class(np.full(n, 0.9), right)
        return covers(readings("accuracy", of, world)[SPOT], truth)

    assert share(inside) >= 0.93


SHAPES = {
    "calibrated": lambda c: c,
    "over-confident": lambda c: c - 0.1,
    "slightly over-confident": lambda c: c - 0.02,
    "only where confident": lambda c: np.where(c > 0.8, c - 0.08, c),
    "wavy": lambda c: c + 0.08 * np.sin(12 * c),
}


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 3000])
@pytest.mark.parametrize("shape", SHAPES)
def test_ece_covers_also_at_zero(shape, n):
    def confidence(rng, size):
        return 0.5 + 0.5 * rng.beta(4, 1.5, size)

    many = confidence(np.random.default_rng(0), 1_000_000)
    bins = np.clip(np.ceil(many * 15).astype(int) - 1, 0, 14)
    accuracy = np.clip(SHAPES[shape](many), 0, 1)
    truth = np.abs(np.bincount(bins, accuracy - many, 15)).sum() / len(many)
    truth = 0.0 if shape == "calibrated" else truth

    def inside(world):
        rng = np.random.default_rng([2, world])
        c = confidence(rng, n)
        right = rng.random(n) < np.clip(SHAPES[shape](c), 0, 1)
        return covers(readings("ece", two_class(c, right.astype(int)), world)[SPOT], truth)

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ece_equal_mass", "ece_classwise", "ace_nixon", "rms_calibration_error"])
def test_relatives_of_ece_cover_at_zero(name):
    n, one = 500, metric(name)
    of_form = of_sets if one.form == "set" else of_means

    def inside(world):
        rng = np.random.default_rng([2, world])
        c = 0.5 + 0.5 * rng.beta(4, 1.5, n)
        case = Case(SPOT, {"predictions": two_class(c, (rng.random(n) < c).astype(int))}, "one")
        found = dict(of_form(one, case, Cuts(Slice("", None, n)), Resampler(n, DRAWS, world)))
        return covers(found[SPOT], 0.0)

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "n", "gap"), [(2, 200, 0.0), (2, 200, 0.1), (5, 150, 0.0), (5, 150, 0.1), (8, 100, 0.0)])
def test_group_gap_covers_also_at_zero(groups, n, gap):
    code = np.repeat(np.arange(groups), n)
    level = 0.8 + gap * np.linspace(-0.5, 0.5, groups)

    def inside(world):
        rng = np.random.default_rng([3, world])
        right = (rng.random(len(code)) < level[code]).astype(int)
        of = two_class(np.full(len(code), 0.9), right)
        return covers(readings("accuracy", of, world, code)[replace(SPOT, slice="g:gap")], gap)

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "n", "gap"), [(2, 200, 0.0), (5, 150, 0.0), (5, 150, 0.1), (8, 100, 0.0)])
@pytest.mark.parametrize("name", ["demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"])
def test_disparities_of_fairlearn_cover_also_at_zero(name, groups, n, gap):
    """Decisions that do not depend on the label, so that every one of these differences is the gap of the selection rate."""
    code = np.repeat(np.arange(groups), n)
    level = 0.5 + gap * np.linspace(-0.5, 0.5, groups)

    def inside(world):
        rng = np.random.default_rng([8, world])
        chosen = rng.random(len(code)) < level[code]
        of = predictions(np.stack([~chosen, chosen], axis=1) * 2.0, rng.integers(0, 2, len(code)), 1)
        case = Case(SPOT, {"predictions": of}, "one")
        found = dict(of_disparities(metric(name), case, cuts(code), Resampler(len(code), DRAWS, world)))
        return covers(found[replace(SPOT, slice="g")], gap)

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 1000])
def test_kl_to_the_teacher_covers(n):
    def worlds(rng, size):
        teacher = 2 * rng.normal(size=(size, 4))
        return teacher, teacher + 0.5 * rng.normal(size=(size, 4))

    def divergence(teacher, student):
        p, q = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (teacher, student))
        return (p * np.log(p / q)).sum(axis=1)

    truth = divergence(*worlds(np.random.default_rng(0), 1_000_000)).mean()

    def inside(world):
        teacher, student = worlds(np.random.default_rng([4, world]), n)
        label = np.zeros(n, dtype=int)
        of = readings("kl_to_teacher", predictions(student, label), world, teacher=predictions(teacher, label))
        return covers(of[SPOT], truth)

    assert share(inside) >= 0.93


@pytest.mark.slow
def test_latency_ratio_covers():
    """Blocks of five calls whose slow-downs are skewed and common to both models for a while."""
    one = metric("latency_ratio")

    def blocks(rng, count):
        common = 1 + 0.2 * rng.gamma(1.0, 1.0, (count, 1))
        reference, contender = (common * (1 + 0.05 * rng.gamma(0.5, 1.0, (count, 5))) * scale for scale in (1e-3, 0.4e-3))
        return {"wall_reference": reference, "wall_contender": contender}

    truth = float(np.median(one({"latency": blocks(np.random.default_rng(0), 400_000)})))

    def inside(world):
        found = one({"latency": blocks(np.random.default_rng([5, world]), 120)})
        draws = one.finish(block_draws(found, DRAWS, world))
        return covers(Reading(float(one.finish(found[None])[0]), draws, 120, units=120), truth)

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.0025])
def test_method_intervals_hold_under_seed_effects_of_cifar_size(spread):
    """Three seeds whose accuracies differ by sd 0.25 points, 10,000 test examples shared by the seeds."""
    n, mean = 10_000, 0.75

    def inside(world):
        rng = np.random.default_rng([6, world])
        resampler, ease = Resampler(n, DRAWS, world % 50), rng.random(n)  # weights are independent of the worlds
        found = []
        for seed, effect in enumerate(rng.normal(0, spread, 3)):
            flip = rng.random(n)
            right = np.where(flip < 0.8, ease, rng.random(n)) < mean + effect
            draws = resampler.means(right.astype(float)[:, None])[:, 0]
            found.append(Reading(float(right.mean()), draws, n, evidence=str(seed), units=n, kind="rate"))
        estimate = over(found)
        return estimate.low <= mean <= estimate.high

    assert share(inside) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("what", ["one checkpoint each", "three seeds", "three seeds, seed effects"])
def test_a_null_comparison_is_called_significant_in_at_most_6_percent(what):
    n, seeds = 3000, 1 if what.startswith("one") else 3
    spread = 0.0025 if "effects" in what else 0.0

    def significant(world):
        rng = np.random.default_rng([7, world])
        resampler, ease = Resampler(n, DRAWS, world % 50), rng.random(n)
        sides = []
        for side in "ab":
            for seed in range(seeds):
                level = 0.8 + rng.normal(0, spread)
                right = np.where(rng.random(n) < 0.8, ease, rng.random(n)) < level
                draws = resampler.means(right.astype(float)[:, None])[:, 0]
                sides.append(Reading(float(right.mean()), draws, n, evidence=f"{side}{seed}", units=n, kind="rate"))
        pairs = [difference(a, b) for a, b in zip(sides[:seeds], sides[seeds:], strict=True)]
        estimate = over(pairs) if seeds > 1 else checkpoint(pairs[0])
        return not estimate.low <= 0.0 <= estimate.high

    assert share(significant) <= 0.06
