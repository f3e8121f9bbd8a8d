"""Do the intervals cover what they say? Simulated worlds with a known truth; and the resampling engine against numpy."""

import numpy as np
import pytest

from kdbench.judge.boundary import reach
from kdbench.judge.ranks import area_under_curve
from kdbench.judge.readings import Reading, difference
from kdbench.judge.resample import Resampler, seed_of
from kdbench.judge.seeds import checkpoint, half_width, half_widths, over, p_value, p_values, wilson


def reading(columns, resampler, kind="", evidence=""):
    draws = resampler.means(columns[:, None].astype(np.float32))[:, 0]
    return Reading(float(columns.mean()), draws, len(columns), evidence=evidence, units=resampler.units, kind=kind)


def of_examples(resampler):
    """The weights of the examples in all draws."""
    return np.concatenate(list(resampler.blocks(resampler.draws)))


def test_weights_are_whole_sum_to_n_and_do_not_depend_on_blocks(monkeypatch):
    whole = of_examples(Resampler(500, 64, 3))
    assert (whole == whole.round()).all()
    assert (whole.sum(axis=1) == 500).all()
    assert whole.var() == pytest.approx(1 - 1 / 500, rel=0.05), "multinomial"
    assert np.array_equal(np.concatenate(list(Resampler(500, 64, 3).blocks(10))), whole[:10])


@pytest.mark.parametrize("cells", [24_000_000, 5 * 300], ids=["examples", "random groups"])
def test_means_equal_numpy_over_gathered_rows(cells, monkeypatch):
    monkeypatch.setattr("kdbench.judge.resample.CELLS", cells)
    rng = np.random.default_rng(0)
    columns, rows = rng.normal(size=(300, 4)).astype(np.float32), np.flatnonzero(rng.random(300) < 0.3)
    resampler = Resampler(300, 17, 5)
    weights = of_examples(resampler)
    for part in (None, rows):
        found = resampler.means(columns, part)
        at = np.arange(300) if part is None else part
        for b in range(17):
            drawn = np.repeat(at, weights[b, at].astype(int))
            assert found[b] == pytest.approx(columns[drawn].mean(axis=0), abs=1e-5)


@pytest.mark.parametrize("cells", [24_000_000, 5 * 300], ids=["examples", "random groups"])
def test_means_of_groups_equal_numpy_over_gathered_rows(cells, monkeypatch):
    monkeypatch.setattr("kdbench.judge.resample.CELLS", cells)
    rng = np.random.default_rng(1)
    columns, code = rng.normal(size=(300, 3)).astype(np.float32), rng.choice(4, 300, p=[0.6, 0.3, 0.1, 0.0])
    resampler = Resampler(300, 17, 5)
    weights, found = of_examples(resampler), resampler.of_groups(columns, code, 4)
    for group in range(3):
        at = np.flatnonzero(code == group)
        assert found.mean[group] == pytest.approx(columns[at].mean(axis=0), abs=1e-6)
        for b in range(17):
            drawn = np.repeat(at, weights[b, at].astype(int))
            assert found.draws[b, group] == pytest.approx(columns[drawn].mean(axis=0), abs=1e-5)
    assert np.isnan(found.mean[3]).all()
    assert np.isnan(found.draws[:, 3]).all()


def test_clusters_stay_together():
    cluster = np.repeat(np.arange(20), 5)
    weights = of_examples(Resampler(100, 50, 1, cluster))
    assert (weights.reshape(50, 20, 5) == weights.reshape(50, 20, 5)[:, :, :1]).all()


def test_clusters_stay_together_in_random_groups_too(monkeypatch):
    monkeypatch.setattr("kdbench.judge.resample.CELLS", 0)
    cluster = np.repeat(np.arange(3000), 3)
    weights = of_examples(Resampler(9000, 4, 1, cluster)).reshape(4, 3000, 3)
    assert (weights == weights[:, :, :1]).all()


def test_random_groups_hold_equally_many_units(monkeypatch):
    monkeypatch.setattr("kdbench.judge.resample.CELLS", 0)
    resampler = Resampler(10_000, 2, 1)
    assert np.ptp(np.bincount(resampler.unit, minlength=resampler.units)) == 1, "10,000 is no multiple of the groups"


def test_units_of_clustered_rows_are_their_clusters():
    resampler = Resampler(8, 2, 1, np.array([0, 0, 0, 1, 1, 2, 2, 2]))
    assert (resampler.own, resampler.own_of(None), resampler.own_of(np.array([0, 1, 3]))) == (3, 3, 2)
    assert Resampler(8, 2, 1).own_of(np.array([0, 1, 3])) == 3


def test_a_draw_without_a_group_is_nan_and_is_counted():
    resampler = Resampler(50, 400, 2)
    draws = resampler.means(np.ones((50, 1), dtype=np.float32), np.array([7]))[:, 0]
    assert 0.25 < np.isnan(draws).mean() < 0.5, "(1 - 1/50)^50 = .36"


def test_one_task_has_one_seed_and_another_task_another():
    assert seed_of("digits") == seed_of("digits") != seed_of("adult")


def test_wilson_equals_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in ((0, 10), (10, 10), (3, 40), (359, 360)):
        assert wilson(hits / n, n) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-12)


def test_percentiles_are_moved_against_the_bias_of_the_draws():
    """A number that grows under resampling, by 0.3: the draws lie around value + bias, the truth around value - bias."""
    draws = np.random.default_rng(0).normal(1.3, 0.1, 4000)
    estimate = checkpoint(Reading(1.0, draws, 100_000, units=100_000))
    assert [estimate.low, estimate.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]) - draws.mean() + 1.0, abs=0.01)


@pytest.mark.parametrize("r", [-0.7, 0.0, 0.9])
def test_a_difference_of_two_sizes_reaches_as_far_as_zou_and_donner_say(r):
    """Their equation 6: L = a - b - sqrt((a - l_a)^2 + (u_b - b)^2 - 2 r (a - l_a) (u_b - b)), and U with the other ends."""
    rng = np.random.default_rng(2)
    first = rng.normal(size=20_000)
    second = r * first + np.sqrt(1 - r**2) * rng.normal(size=20_000)
    a, b = (Reading(v, d, 100, evidence=e, units=100, reach=w) for v, d, e, w in (
        (0.5, first, "a", (0.1, 0.3)), (0.2, second, "b", (0.05, 0.2)),
    ))  # fmt: skip
    found = difference(a, b)
    low = 0.3 - np.sqrt(0.1**2 + 0.2**2 - 2 * r * 0.1 * 0.2)
    high = 0.3 + np.sqrt(0.3**2 + 0.05**2 - 2 * r * 0.3 * 0.05)
    assert [found.value - found.reach[0], found.value + found.reach[1]] == pytest.approx([low, high], abs=0.003)


@pytest.mark.parametrize("units", [3, 8, 40])
def test_few_units_have_the_t_interval_of_scipy(units):
    """A bootstrap of m units has (m - 1) / m of the variance of their mean, and normal tails."""
    from scipy import stats

    x = np.random.default_rng(units).normal(size=units)
    draws = x.mean() + stats.norm.ppf((np.arange(4000) + 0.5) / 4000) * x.std(ddof=0) / np.sqrt(units)
    estimate = checkpoint(Reading(float(x.mean()), draws, units, units=units))
    theirs = stats.t.interval(0.95, units - 1, x.mean(), stats.sem(x))
    assert [estimate.low, estimate.high] == pytest.approx(theirs, abs=0.01 * x.std())


def test_a_size_far_from_zero_has_the_percentiles_of_its_noise():
    half = np.random.default_rng(1).normal(size=(250, 1))
    noise = np.concatenate([half, -half])
    down, up = reach(lambda x: np.abs(x).sum(axis=-1), np.array([40.0]), 40 + noise, 0.95)
    assert [down, up] == pytest.approx([np.quantile(noise, 0.975)] * 2, abs=0.05)


def test_noise_in_many_parts_is_not_taken_for_a_deviation():
    """A sum of ten absolute deviations, one of six standard errors and nine of none: the low end stays below the truth."""

    def size(x):
        return np.abs(x).sum(axis=-1)

    truth, held = np.r_[6.0, np.zeros(9)], 0
    for world in range(300):
        rng = np.random.default_rng([world, 10])
        found = truth + rng.normal(size=10)
        held += size(found) - reach(size, found, found + rng.normal(size=(200, 10)), 0.95)[0] <= size(truth)
    assert held / 300 >= 0.93


def test_seeds_that_are_all_right_have_the_error_of_agresti_and_coull():
    """Equal in every draw and for every seed, and not certain for that: (100 + 2) / (100 + 4) is taken for the rate."""
    from scipy import stats

    estimate = over([Reading(1.0, np.ones(50), 100, evidence=str(s), units=100, kind="rate") for s in range(3)])
    error = np.sqrt(102 / 104 * 2 / 104 / 104)
    assert 1 - estimate.low == pytest.approx(stats.t.ppf(0.975, 99) * error, rel=0.01)


@pytest.mark.parametrize("noisy", [8.5, 9.5, 10.5])
def test_a_noisy_deviation_behind_one_that_is_known_well_is_not_forgotten(noisy):
    """The larger of two deviations, of which that with five times the noise is the truth: a rate of a small group, say."""

    def size(x):
        return np.abs(x).max(axis=-1)

    truth, error, held = np.array([noisy, 7.7]), np.array([2.0, 0.4]), 0
    for world in range(300):
        rng = np.random.default_rng([world, 11])
        found = truth + error * rng.normal(size=2)
        down, up = reach(size, found, found + error * rng.normal(size=(300, 2)), 0.95)
        held += size(found) - down <= noisy <= size(found) + up
    assert held / 300 >= 0.92, "0.77 to 0.88 where only the slope at the observed deviations is followed"


@pytest.mark.parametrize("what", ["accuracy", "nll", "delta", "small accuracy"])
def test_checkpoint_intervals_cover_95_percent(what):
    rng = np.random.default_rng(len(what))
    n, worlds, hits = (40 if what.startswith("small") else 200), 500, 0
    for world in range(worlds):
        resampler = Resampler(n, 300, world)
        if what == "nll":
            estimate, truth = checkpoint(reading(rng.gamma(2.0, 0.5, n), resampler)), 1.0
        elif what == "delta":
            easy = rng.random(n)
            a, b = (reading((easy < p).astype(float), resampler, "rate", name) for p, name in ((0.9, "a"), (0.85, "b")))
            flip = rng.random(n) < 0.1
            b = reading(np.where(flip, rng.random(n) < 0.85, easy < 0.85).astype(float), resampler, "rate", "b")
            estimate, truth = checkpoint(difference(a, b)), 0.05
        else:
            share = 0.95 if what.startswith("small") else 0.8
            estimate, truth = checkpoint(reading((rng.random(n) < share).astype(float), resampler, "rate")), share
        hits += estimate.low <= truth <= estimate.high
    assert 0.92 <= hits / worlds <= 0.98


@pytest.mark.parametrize("spread", [0.0, 0.03, 0.1])
def test_intervals_over_seeds_cover_95_percent(spread):
    """Truth: the mean over all seeds and all examples. Between-seed spread from none to much more than that over examples."""
    rng = np.random.default_rng(int(spread * 100))
    n, worlds, hits = 200, 500, 0
    for world in range(worlds):
        resampler = Resampler(n, 200, world)
        hard = rng.normal(0, 0.1, n)
        readings = [
            reading((rng.random(n) < np.clip(0.7 + hard + shift, 0, 1)).astype(float), resampler, "rate", str(s))
            for s, shift in enumerate(rng.normal(0, spread, 3))
        ]
        estimate = over(readings)
        hits += estimate.low <= 0.7 <= estimate.high
    assert hits / worlds >= 0.93, "wide rather than narrow: the interaction of seed and example is counted twice"


def test_p_value_equals_scipy_where_one_part_varies():
    from scipy import stats

    for value, df in ((0.3, 2), (-4.0, 2), (2.5, 199), (30.0, 199)):
        assert p_value(value, [(1.0, df), (0.0, 5)]) == pytest.approx(2 * stats.t.sf(abs(value), df), rel=1e-9)
    assert (p_value(0.0, [(0.0, 3)]), p_value(0.1, [(0.0, 3)])) == (1.0, 0.0)


def test_p_value_is_5_percent_where_the_interval_touches_zero():
    parts = [(0.4, 2), (1.3, 120)]
    assert p_value(half_width(parts), parts) == pytest.approx(0.05, rel=1e-9)


def test_many_intervals_at_once_equal_scipy_t_and_the_one_by_one(recwarn):
    from scipy import stats

    rng = np.random.default_rng(0)
    var, df = rng.gamma(1.0, 1.0, (50, 3)), rng.integers(1, 30, (50, 3))
    var[:10, 1:] = 0
    var[10] = 0
    values = rng.normal(0, 3, 50)
    alone = stats.t.isf(0.025, df[:10, 0]) * np.sqrt(var[:10, 0])
    assert half_widths(var, df)[:10] == pytest.approx(alone, rel=1e-12)
    one_by_one = [half_width(list(zip(v, d, strict=True))) for v, d in zip(var, df, strict=True)]
    assert half_widths(var, df) == pytest.approx(one_by_one, rel=1e-12)
    p = p_values(values, var, df)
    assert p[:10] == pytest.approx(2 * stats.t.sf(np.abs(values[:10]) / np.sqrt(var[:10, 0]), df[:10, 0]), rel=1e-9)
    assert p[10] == 0
    assert half_widths(var[11:], df[11:], p[11:]) == pytest.approx(np.abs(values[11:]), rel=1e-8)
    assert np.isnan(p_values(np.array([1.0]), np.array([[np.nan, 0.0]]), np.ones((1, 2)))[0])
    assert not list(recwarn)


def test_area_under_curve_equals_scipy_mann_whitney():
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(3)
    score, positive = rng.integers(0, 20, 700).astype(float), rng.random(700) < 0.6
    expected = mannwhitneyu(score[positive], score[~positive]).statistic / (positive.sum() * (~positive).sum())
    assert area_under_curve(score, positive)[0] == pytest.approx(expected, abs=1e-12)
    assert area_under_curve(score, positive, np.ones((2, 700), dtype=np.float32))[1] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(area_under_curve(score, np.ones(700, dtype=bool))[0])
