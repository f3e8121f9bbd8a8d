"""Intervals of what compares groups, as the board makes them, where groups are alike, small, or nearly without an error."""

from dataclasses import replace

import numpy as np
import pytest
from asking import metric, predictions

from kdbench.judge.cases import Case
from kdbench.judge.gaps import group_summaries
from kdbench.judge.means import of_disparities, of_means
from kdbench.judge.readings import Reading, Spot, difference
from kdbench.judge.resample import Resampler
from kdbench.judge.rows import rows, subject
from kdbench.judge.seeds import checkpoint, over, stretch
from kdbench.judge.slices import Cuts, Grouping, Slice

SPOT = Spot("student", 0, "", "test")
WORLDS, DRAWS = 120, 300


def cut(code):
    parts = [np.flatnonzero(code == g) for g in range(int(code.max()) + 1)]
    slices = tuple(Slice(f"g={i}", rows, len(rows), "g", str(i)) for i, rows in enumerate(parts))
    return Cuts(Slice("", None, len(code)), (Grouping("g", code, slices),))


def decided(pred, label):
    return predictions(np.eye(2)[pred], label, 1, "decisions")


def summaries(right, code, world, cluster=None, key="one"):
    """Accuracy of answers that are right or wrong: all, each group, and what compares them."""
    case = Case(SPOT, {"predictions": decided(np.ones(len(code), int), right)}, key)
    found = dict(of_means(metric("accuracy"), case, cut(code), Resampler(len(code), DRAWS, world, cluster)))
    return {**found, **dict(group_summaries(found, cut(code), "higher", "quality"))}


def disparity(name, pred, label, code, world):
    case = Case(SPOT, {"predictions": decided(pred, label)}, "one")
    return dict(of_disparities(metric(name), case, cut(code), Resampler(len(code), DRAWS, world)))[replace(SPOT, slice="g")]


def share(inside):
    return sum(inside(world) for world in range(WORLDS)) / WORLDS


def covers(reading, truth):
    found = checkpoint(reading)
    return found.low - 1e-9 <= truth <= found.high + 1e-9


@pytest.mark.parametrize(
    ("name", "groups", "n"),
    [
        ("demographic_parity_difference", 8, 100),
        ("demographic_parity_ratio", 8, 100),
        ("equal_opportunity_difference", 5, 200),
        ("equal_opportunity_ratio", 5, 200),
        ("equalized_odds_difference", 5, 200),
        ("equalized_odds_ratio", 3, 200),
    ],
)
def test_a_disparity_between_groups_that_are_alike_is_not_sure(name, groups, n):
    """Percentiles of the bootstrap hold the truth in 2 to 30 % of these worlds."""
    code, truth = np.repeat(np.arange(groups), n), 1.0 if name.endswith("ratio") else 0.0

    def inside(world):
        rng = np.random.default_rng([1, world])
        pred, label = (rng.integers(0, 2, len(code)) for _ in "pl")
        return covers(disparity(name, pred, label, code, world), truth)

    assert share(inside) >= 0.9


@pytest.mark.parametrize("what", ["gap", "ratio", "worst"])
@pytest.mark.parametrize(("sizes", "level"), [((30, 1000), 0.97), ((150,) * 5, 0.8)])
def test_summaries_of_groups_that_are_alike_cover(what, sizes, level):
    """30 answers without an error have draws without spread: no gap is sure for that."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    truth = {"gap": 0.0, "ratio": 1.0, "worst": level}[what]

    def inside(world):
        right = (np.random.default_rng([2, world]).random(len(code)) < level).astype(int)
        return covers(summaries(right, code, world)[replace(SPOT, slice=f"g:{what}")], truth)

    assert share(inside) >= 0.9


@pytest.mark.parametrize(("groups", "n"), [(2, 200), (5, 150)])
@pytest.mark.parametrize("change", [0.0, 0.1])
def test_the_change_of_a_gap_against_a_teacher_without_one_covers(groups, n, change):
    code = np.repeat(np.arange(groups), n)
    level = change * np.linspace(-0.5, 0.5, groups)[code]

    def inside(world):
        rng = np.random.default_rng([3, world])
        ease, gaps = rng.random(len(code)), []
        for key, more in (("student", level), ("teacher", 0.0)):
            right = (np.where(rng.random(len(code)) < 0.7, ease, rng.random(len(code))) < 0.8 + more).astype(int)
            gaps.append(summaries(right, code, world, key=key)[replace(SPOT, slice="g:gap")])
        return covers(difference(*gaps), change)

    assert share(inside) >= 0.9


def test_a_wide_gap_is_still_sure():
    rng, code = np.random.default_rng(4), np.repeat([0, 1], 500)
    right = (rng.random(1000) < np.where(code, 0.9, 0.7)).astype(int)
    found = checkpoint(summaries(right, code, 0)[replace(SPOT, slice="g:gap")])
    error = np.sqrt(0.9 * 0.1 / 500 + 0.7 * 0.3 / 500)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15), "no wider than the normal interval"
    assert found.low > 0


def test_few_clusters_get_the_t_interval_of_scipy():
    from scipy import stats

    assert stretch(10) == pytest.approx(stats.t.isf(0.025, 9) / stats.norm.isf(0.025) * np.sqrt(10 / 9))
    cluster = np.repeat(np.arange(10), 20)
    mean = np.random.default_rng(5).beta(8, 2, 10)
    right = (np.random.default_rng(6).random(200) < mean[cluster]).astype(int)
    case = Case(SPOT, {"predictions": decided(np.ones(200, int), right)}, "one")
    found = checkpoint(dict(of_means(metric("accuracy"), case, cut(cluster).plain, Resampler(200, 20_000, 7, cluster)))[SPOT])
    of_clusters = right.reshape(10, 20).mean(axis=1)
    half = stats.t.isf(0.025, 9) * of_clusters.std(ddof=1) / np.sqrt(10)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_rate_of_1_from_a_dozen_positives_has_no_bounds_rather_than_equal_ones(seeds):
    """All draws are 1: [1, 1] would be certainty."""
    label = np.repeat([1, 0], [12, 88])
    readings = []
    for seed in range(seeds):
        case = Case(SPOT, {"predictions": decided(label, label)}, str(seed))
        readings.append(dict(of_means(metric("true_positive_rate"), case, cut(label).plain, Resampler(100, DRAWS, 0)))[SPOT])
    found = over(readings)
    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()


def test_one_artefact_under_two_names_differs_by_0_for_sure():
    draws = np.random.default_rng(0).normal(size=100)
    one = Reading(0.5, draws, 100, evidence="same", units=100)
    found = checkpoint(difference(one, one))
    assert (found.value, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_student_beside_three_teachers_is_compared_with_their_mean(seeds):
    """The difference on the board is that of the two values beside it, not that to the first teacher."""
    rng = np.random.default_rng(8)
    answers = {"student": [rng.random(400) < 0.8] * seeds, "teacher": [rng.random(400) < p for p in (0.7, 0.8, 0.9)]}
    resampler, readings = Resampler(400, DRAWS, 9), {}
    for name, of in answers.items():
        for seed, right in enumerate(of):
            column = right.astype(float)[:, None]
            key = name if name == "student" else f"{name} {seed}"
            held = Reading(float(column.mean()), resampler.means(column)[:, 0], 400, evidence=key, units=400, kind="rate")
            readings[Spot(name, seed, "", "test")] = held
    made = {(r["contender"], r["seed"]): r for r in rows(readings, subject(metric("accuracy"), "task"))}
    row = made["student", -1]
    assert row["delta"] == pytest.approx(row["value"] - row["teacher"], abs=1e-12)
    assert row["teacher"] == made["teacher", -1]["value"]
    assert row["delta_high"] - row["delta_low"] > 0.2, "three teachers that differ by 0.1 each"


def test_a_few_far_draws_do_not_move_the_interval_below_the_percentiles():
    """Temperatures of a validation set with three outliers: most draws about 1, some about 15, and so their mean above 2."""
    draws = np.concatenate([np.linspace(0.4, 2.0, 900), np.linspace(10, 16, 100)])
    found = checkpoint(Reading(1.25, draws, 400, units=10_000))
    assert found.low == pytest.approx(np.quantile(draws, 0.025) + 1.25 - np.median(draws), rel=1e-3)
    assert found.low > 0.3
