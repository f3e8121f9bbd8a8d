"""Comparisons of two contenders against independent judges: statsmodels, scipy, published numbers, and likelihoods by hand."""

import math
import time

import numpy as np
import pytest
from scipy import optimize, stats

from kdbench.judge import mcnemar
from kdbench.judge.lines import Line, Rules, lines
from kdbench.judge.pairs import compare, holm, pairs
from kdbench.judge.power import advice, needed


def bits(*columns):
    return np.packbits(np.array(columns, dtype=bool), axis=1)


def discordant(b, c, n):
    """Two columns (n,) of 0 and 1 with b and c discordant rows, 100 rows at least that both have."""
    first, second = np.zeros(n), np.zeros(n)
    first[:b] = 1
    second[b : b + c] = 1
    first[b + c :: 2] = second[b + c :: 2] = 1
    return first, second


def checkpoint(name, column, seed=0, units=None, draws=500, weights=None):
    """The line of one checkpoint of a rate, with bootstrap draws that are paired by the seed of the generator."""
    n = len(column)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws) if weights is None else weights
    return Line(name, np.array([column.mean()]), weights @ column / n, units or n, bits(column), n)


def method(name, values, draws=(), units=100):
    return Line(name, np.asarray(values, dtype=float), np.asarray(draws, dtype=float), units)


@pytest.mark.parametrize(("b", "c"), [(10, 25), (40, 20), (0, 0), (0, 5), (7, 7), (300, 200)])
def test_mcnemar_exact_equals_statsmodels(b, c):
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    assert mcnemar.exact(b, c) == pytest.approx(theirs([[9, b], [c, 9]], exact=True).pvalue, rel=1e-10)


def test_mcnemar_exact_equals_scipy_binomtest_and_the_published_values():
    assert mcnemar.exact(3, 17) == pytest.approx(stats.binomtest(3, 20).pvalue, rel=1e-12)
    assert float(mcnemar.exact(10, 25)) == pytest.approx(0.0166738, abs=5e-8)
    assert float(mcnemar.exact(40, 20)) == pytest.approx(0.0135, abs=5e-5)


def test_pair_of_checkpoints_is_mcnemar_where_an_unpaired_z_test_sees_nothing():
    """EleutherAI/lm-evaluation-harness#3831: b 40, c 20 of 1000, .80 against .78: an unpaired z-test says p .272."""
    first, second = discordant(40, 20, 1000)
    found = compare(checkpoint("a", first), checkpoint("b", second), Rules(bounded=True))
    assert (found["mcnemar_b"], found["mcnemar_c"], found["odds_ratio"]) == (40, 20, 2.0)
    assert found["p"] == found["mcnemar_p"] == pytest.approx(0.0134893, abs=1e-6)
    assert (found["verdict"], found["test"], found["scope"]) == ("BEATS", "exact McNemar", "checkpoint: examples vary")
    assert found["low"] > 0


def test_packed_bits_behind_the_last_example_do_not_count():
    rng = np.random.default_rng(0)
    for n in (1, 7, 8, 9, 1001):
        a, b = rng.random((2, n)) < 0.5
        assert mcnemar.discordant(np.packbits(a), np.packbits(b)) == (int((a & ~b).sum()), int((~a & b).sum()))


@pytest.mark.parametrize(("b", "c", "n"), [(10, 25, 100), (3, 1, 44), (0, 0, 30), (0, 4, 50), (12, 0, 400)])
def test_tango_interval_equals_the_likelihood_maximised_by_scipy(b, c, n):
    """Score statistic with the nuisance rate from a numerical optimum, and the limits from a root finder."""

    def statistic(delta):
        low, high = max(0.0, -delta) + 1e-13, (1 - delta) / 2 - 1e-13

        def loss(q):
            rest = 1 - 2 * q - delta
            return -sum(k * math.log(max(x, 1e-300)) for k, x in ((b, q + delta), (c, q), (n - b - c, rest)) if k)

        q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
        return (b - c - n * delta) / math.sqrt(n * (2 * q + delta - delta**2))

    z = stats.norm.ppf(0.975)
    found = (b - c) / n
    expected = (
        optimize.brentq(lambda d: statistic(d) - z, -0.99, found - 1e-9),
        optimize.brentq(lambda d: statistic(d) + z, found + 1e-9, 0.99),
    )
    low, high = mcnemar.limits(np.array([b]), np.array([c]), np.array([n]), z)
    assert (low[0], high[0]) == pytest.approx(expected, abs=2e-5)


def test_tango_interval_without_discordant_examples_is_not_a_point():
    """b = c = 0: delta / (1 - delta) = z^2 / n by the equation."""
    low, high = mcnemar.limits(np.array([0]), np.array([0]), np.array([50]), 1.959964)
    assert high[0] == pytest.approx(1.959964**2 / (50 + 1.959964**2), abs=1e-9)
    assert low[0] == pytest.approx(-high[0], abs=1e-9)


def test_two_that_never_differ_on_few_examples_are_not_called_equal():
    column = np.ones(40)
    for n, verdict in ((40, "INCONCLUSIVE"), (4000, "EQUIVALENT")):
        column = np.ones(n)
        found = compare(checkpoint("a", column, draws=20), checkpoint("b", column, draws=20), Rules(margin=0.01, bounded=True))
        assert (found["verdict"], found["delta"], found["p"]) == (verdict, 0.0, 1.0)
    seeds = np.tile([1.0], (3,))
    for n, verdict in ((40, "INCONCLUSIVE"), (4000, "EQUIVALENT")):
        a, b = (Line(name, seeds, np.ones(50), n, np.full((3, 1), 255, np.uint8), 8) for name in "ab")
        assert compare(a, b, Rules(margin=0.01, bounded=True))["verdict"] == verdict


def test_effect_of_rates_is_cohens_h_of_statsmodels():
    from statsmodels.stats.proportion import proportion_effectsize

    first, second = discordant(60, 20, 500)
    found = compare(checkpoint("a", first), checkpoint("b", second))
    assert found["effect_kind"] == "h"
    assert found["effect"] == pytest.approx(proportion_effectsize(first.mean(), second.mean()), abs=1e-12)


def test_effect_of_other_metrics_is_the_standardised_paired_difference():
    rng = np.random.default_rng(5)
    n, draws = 400, 4000
    x, y = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
    weights = rng.multinomial(n, np.full(n, 1 / n), draws)
    a, b = (Line(name, np.array([v.mean()]), weights @ v / n, n) for name, v in (("a", x), ("b", y)))
    found = compare(a, b)
    assert found["effect_kind"] == "d_z"
    assert found["effect"] == pytest.approx((x - y).mean() / (x - y).std(ddof=1), rel=0.05)
    assert found["p"] == pytest.approx(stats.ttest_rel(x, y).pvalue, rel=0.3)


def test_clustered_examples_are_not_given_to_mcnemar():
    """40 clusters of 25 equal rows: McNemar's p is of 1000 independent rows that are not there."""
    rng = np.random.default_rng(2)
    first, second = (np.repeat(rng.random(40) < p, 25).astype(float) for p in (0.7, 0.5))
    of_clusters = rng.multinomial(40, np.full(40, 1 / 40), 800)
    weights = np.repeat(of_clusters, 25, axis=1)
    a, b = (checkpoint(name, c, units=40, weights=weights) for name, c in (("a", first), ("b", second)))
    found = compare(a, b)
    assert found["test"] == "t over examples and seeds"
    assert found["mcnemar_p"] < found["p"] / 10
    theirs = stats.ttest_rel(first[::25], second[::25])
    assert found["p"] == pytest.approx(theirs.pvalue, abs=0.03)


def test_several_seeds_report_mcnemar_of_the_first_common_seed_and_do_not_decide_by_it():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 200)) < 0.5
    values = a.mean(axis=1), b.mean(axis=1)
    values[0][0] = np.nan
    one, other = (
        Line(n, v, np.full(50, v[1]), 200, np.packbits(h, axis=1), 200) for n, v, h in zip("ab", values, (a, b), strict=True)
    )
    found = compare(one, other, Rules(seeds=(4, 5, 6)))
    assert (found["mcnemar_b"], found["mcnemar_c"]) == ((a[1] & ~b[1]).sum(), (b[1] & ~a[1]).sum())
    assert (found["mcnemar_seed"], found["test"]) == (5, "t over examples and seeds")
    assert found["scope"] == "method: examples and seeds vary"


def test_bits_that_do_not_say_the_values_are_not_used():
    first, second = discordant(40, 20, 1000)
    a, b = checkpoint("a", first), checkpoint("b", second)
    wrong = Line("a", a.values + 0.01, a.draws, a.units, a.hits, a.n)
    assert math.isnan(compare(wrong, b)["mcnemar_p"])


def test_paired_seeds_alone_equal_scipy_and_other_seeds_do_not_pair():
    a, b = np.array([0.9, 0.92, 0.95]), np.array([0.88, 0.91, 0.91])
    theirs = stats.ttest_rel(a, b)
    assert compare(method("a", a), method("b", b))["p"] == pytest.approx(theirs.pvalue, rel=1e-9)
    apart = compare(method("a", [*a, np.nan, np.nan, np.nan]), method("b", [np.nan, np.nan, np.nan, *b]))
    var = a.var(ddof=1) / 3, b.var(ddof=1) / 3
    half = stats.t.ppf(0.975, 2) * sum(var) / math.sqrt(sum(var))
    assert apart["high"] - apart["delta"] == pytest.approx(half, rel=1e-9)


def test_equivalence_equals_statsmodels_ttost_paired():
    from statsmodels.stats.weightstats import ttost_paired

    rng = np.random.default_rng(1)
    for shift, margin in ((0.0, 0.02), (0.01, 0.02), (0.03, 0.02), (-0.015, 0.02)):
        a = 0.8 + rng.normal(0, 0.01, 6)
        b = a + shift + rng.normal(0, 0.01, 6)
        found = compare(method("a", a), method("b", b), Rules(margin=margin))
        assert found["p_equivalent"] == pytest.approx(ttost_paired(a, b, -margin, margin)[0], rel=1e-8)


def test_equivalence_is_the_90_percent_interval_inside_the_margin():
    b, c, n = (np.array([x]) for x in (12, 15, 900))
    low, high = mcnemar.limits(b, c, n, stats.norm.ppf(0.95))
    edge = max(-low[0], high[0])
    assert mcnemar.equivalence(b, c, n, edge + 1e-9)[0] == pytest.approx(0.05, abs=1e-6)
    assert mcnemar.equivalence(b, c, n, edge * 1.1)[0] < 0.05 < mcnemar.equivalence(b, c, n, edge * 0.9)[0]


def test_without_a_margin_nothing_is_equivalent():
    column = np.ones(5000)
    found = compare(checkpoint("a", column, draws=5), checkpoint("b", column, draws=5), Rules(bounded=True))
    assert (found["verdict"], found["p_equivalent"]) == ("INCONCLUSIVE", 1.0)
    assert math.isnan(found["margin"])


def test_a_sure_difference_inside_the_margin_is_equivalent():
    """Significant and negligible: the margin was stated beforehand, and the difference is surely smaller than it."""
    first, second = discordant(60, 20, 20000)
    a, b = checkpoint("a", first, draws=50), checkpoint("b", second, draws=50)
    inside, outside = (compare(a, b, Rules(margin=m, bounded=True)) for m in (0.01, 0.0021))
    assert inside["p"] < 1e-4
    assert (inside["verdict"], outside["verdict"]) == ("EQUIVALENT", "BEATS")


def test_verdicts_turn_with_the_direction_and_the_order():
    first, second = discordant(60, 20, 500)
    a, b = checkpoint("a", first), checkpoint("b", second)
    verdicts = [compare(*of, Rules(better))["verdict"] for better in ("higher", "lower") for of in ((a, b), (b, a))]
    assert verdicts == ["BEATS", "NO", "NO", "BEATS"]


def test_holm_equals_statsmodels_and_steps_by_rank():
    """Giskard's scan took p.argsort() + 1 for the rank: this table then keeps 3, and 1 is right (Holm and BH)."""
    from statsmodels.stats.multitest import multipletests

    p = [0.042, 0.083, 0.041, 0.055, 0.003]
    assert [x < 0.05 for x in holm(p)] == [False, False, False, False, True]
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_both_families_are_corrected_over_the_table():
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(3)
    held = [method(f"c{i}", 0.8 + 0.004 * i + rng.normal(0, 0.002, 4)) for i in range(6)]
    found = pairs(held, Rules(margin=0.01))
    for name in ("p", "p_equivalent"):
        theirs = multipletests([pair[name] for pair in found], method="holm")[1]
        assert [pair[f"{name}_holm"] for pair in found] == pytest.approx(list(theirs))
    assert {pair["verdict"] for pair in found} <= {"BEATS", "NO", "EQUIVALENT", "INCONCLUSIVE"}


def test_who_is_apart_has_numbers_and_no_verdict_and_is_not_in_the_family():
    rng = np.random.default_rng(3)
    held = [method(name, 0.8 + 0.05 * i + rng.normal(0, 0.002, 4)) for i, name in enumerate(("a", "b", "other"))]
    found = {(p["a"], p["b"]): p for p in pairs(held, Rules(apart=frozenset({"other"})))}
    assert [found[at]["verdict"] for at in (("a", "other"), ("b", "other"))] == ["apart", "apart"]
    assert math.isnan(found["a", "other"]["p_holm"])
    assert found["a", "other"]["p"] < 0.05
    assert found["a", "b"]["p_holm"] == found["a", "b"]["p"], "a family of one"


def test_nan_draws_and_shorter_ones_are_paired_draw_by_draw():
    rng = np.random.default_rng(0)
    common = rng.normal(0.8, 0.05, 300)
    a, b = common + rng.normal(0.02, 0.01, 300), common[:200] + rng.normal(0, 0.01, 200)
    a[:20] = np.nan
    found = compare(method("a", [0.82], a), method("b", [0.8], b))
    sd = (a[20:200] - b[20:200]).std(ddof=1) * np.sqrt(100 / 99)  # of 100 units a bootstrap has 99 / 100 of the variance
    assert found["high"] - found["delta"] == pytest.approx(stats.t.ppf(0.975, 99) * sd, rel=1e-9)


def test_an_error_that_is_known_on_one_side_only_is_no_certainty():
    found = compare(method("a", [0.9], np.random.default_rng(0).normal(0.9, 0.01, 50)), method("b", [0.5], np.full(50, np.nan)))
    assert math.isnan(found["p"])
    assert math.isnan(found["low"])
    assert found["verdict"] == "INCONCLUSIVE"
    counted = compare(method("a", [100.0]), method("b", [200.0]), Rules("lower"))
    assert counted["verdict"] == "BEATS", "sizes are read off, not estimated"


def test_needed_examples_equal_statsmodels_power():
    from statsmodels.stats.power import NormalIndPower

    delta, var, n = 0.01, 0.12, 500
    theirs = NormalIndPower(ddof=0).solve_power(effect_size=delta / math.sqrt(var), alpha=0.05, power=0.8, ratio=0)
    found, seeds = needed(*(np.array([x]) for x in (delta, var / n, 0.0, float(n), 1)), 1)
    assert found[0] == pytest.approx(theirs, rel=1e-3)
    assert np.isnan(seeds[0])
    many, _ = needed(*(np.array([x]) for x in (delta, var / n, 0.0, float(n), 1)), 10)
    strict = NormalIndPower(ddof=0).solve_power(effect_size=delta / math.sqrt(var), alpha=0.005, power=0.8, ratio=0)
    assert many[0] == pytest.approx(strict, rel=1e-3), "over a table of ten"


@pytest.mark.parametrize("effect", [0.3, 0.6, 1.0])
def test_needed_seeds_equal_statsmodels_power_of_the_t_test(effect):
    from statsmodels.stats.power import TTestPower

    theirs = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
    n, seeds = needed(*(np.array([x]) for x in (effect, 1e-12, 1 / 3, 100.0, 3)), 1)
    assert seeds[0] == pytest.approx(math.ceil(theirs), abs=1)
    assert np.isnan(n[0])


def test_needed_is_more_than_there_is_and_would_suffice():
    """With the advised n and the same difference the test has 80 % power: simulated, one checkpoint each."""
    first, second = discordant(30, 20, 800)
    found = compare(checkpoint("a", first), checkpoint("b", second), Rules(bounded=True))
    assert found["verdict"] == "INCONCLUSIVE"
    n = int(found["needed_n"])
    assert n > 800
    rng = np.random.default_rng(1)
    counts = rng.multinomial(n, [30 / 800, 20 / 800, 750 / 800], 4000)
    assert (mcnemar.exact(counts[:, 0], counts[:, 1]) < 0.05).mean() == pytest.approx(0.8, abs=0.04)


def test_needed_grows_both_where_one_alone_does_not_suffice():
    n, seeds = needed(*(np.array([x]) for x in (0.01, 1e-4, 9e-5, 1000.0, 3)), 1)
    assert n[0] == pytest.approx(1000 * 1e-4 / (0.01 / 2.8016) ** 2 * 2, rel=1e-3)
    assert seeds[0] > 3
    assert advice(n[0], seeds[0]) == "about n = 16,000 and 47 seeds would separate them"
    assert advice(*(x[0] for x in needed(*(np.array([x]) for x in (0.0, 1e-4, 0.0, 100.0, 1)), 1))).startswith("no number would")


def test_lines_of_a_file_without_bits_have_none():
    held = {
        "contender": np.array(["a", "b"]), "target": np.array(["x", "y"]), "values": np.ones((2, 1)),
        "draws": np.ones((2, 3)), "units": np.array([5, 6]), "seeds": np.array([0]),
    }  # fmt: skip
    (one,) = lines(held, "y")
    assert (one.contender, one.units, one.hits) == ("b", 6, None)
    assert lines({**held, "hits": np.zeros((0, 0, 0), np.uint8), "n": np.array(0)}, "x")[0].hits is None


def test_forty_contenders_on_two_targets_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    hits = rng.random((41, 3, 10_000)) < 0.9
    values = hits.mean(axis=2)
    held = [
        Line(f"c{i}", values[i], values[i].mean() + rng.normal(0, 0.003, 1000), 10_000, np.packbits(hits[i], axis=1), 10_000)
        for i in range(41)
    ]
    start = time.process_time()
    for _ in range(2):
        assert len(pairs(held, Rules(margin=0.01, bounded=True))) == 820
    assert time.process_time() - start < 2


def test_a_method_beside_one_checkpoint_says_so():
    draws = np.random.default_rng(0).normal(0.9, 0.01, 200)
    three = Line("three", np.array([0.9, 0.91, 0.89]), draws, 500)
    one, other = (Line(name, np.array([0.88, np.nan, np.nan]), draws - 0.02, 500) for name in ("one", "other"))
    assert compare(three, one)["scope"].startswith("a method beside one checkpoint")
    assert compare(one, other)["scope"] == "checkpoint: examples vary"
    assert compare(three, three)["scope"] == "method: examples and seeds vary"


@pytest.mark.parametrize("values", [[0.4], [0.4, 0.41, 0.39]])
def test_one_document_separates_nobody(values):
    """A probe of one document was called BEATS with p < 0.0001, for all its draws are equal."""
    a, b = (
        method(name, np.asarray(values) + shift, np.full(500, 0.4 + shift), units=1) for name, shift in (("a", 0), ("b", -0.001))
    )
    found = compare(a, b, Rules())
    assert found["verdict"] == "INCONCLUSIVE"
    assert math.isnan(found["p"])
    assert math.isnan(found["low"])


def test_one_document_has_no_interval():
    from kdbench.judge.readings import Reading
    from kdbench.judge.seeds import over

    one = [Reading(value, draws=np.full(50, value), units=1) for value in (0.4, 0.5)]
    for held in (one[:1], one):
        found = over(held)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
