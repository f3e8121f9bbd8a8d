"""Many datasets: win rates as published, tests against scipy and Demsar's tables, and what is undefined."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from kdbench.judge.datasets import cliques, compared, critical_difference, datasets, friedman, wilcoxon, win_rates

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967], [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931], [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875], [1.0, 1.0, 1.0, 1.0], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.9749], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip
"""AUC of C4.5, with m, with cf, with both, on 14 datasets (Demsar 2006, table 6; voting: 0.975 twice, with ranks 2 and 3)."""
NAMES = ("C4.5", "m", "cf", "m+cf")


def test_win_rate_equals_the_definition_of_helm():
    assert win_rates(np.array([0.9, 0.8, 0.8, 0.1])).tolist() == [1, 0.5, 0.5, 0]


def test_tied_rows_of_helm_classic_have_one_win_rate():
    """stanford-crfm/helm#4332: two tied models stood on the published board with different rates."""
    column = np.array([0.9, 0.347, 0.347, 0.2, 0.1])
    rates = win_rates(column)
    assert rates[1] == rates[2] == (2 + 0.5) / 4


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.344), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_equals_demsars_table(k, q):
    assert critical_difference(k, 6) == pytest.approx(q * math.sqrt(k * (k + 1) / 36), abs=1e-3)


def test_critical_difference_of_four_on_fourteen():
    assert critical_difference(4, 14) == pytest.approx(1.2536, abs=5e-5)
    assert critical_difference(4, 14, 0.1) == pytest.approx(1.1181, abs=5e-5)


def test_the_example_of_demsar():
    """Mean ranks 3.143, 2.000, 2.893, 1.964 and chi-square 9.28, which his equation leaves without the correction for ties."""
    found = compared(NAMES, DEMSAR)
    assert list(found["mean_ranks"].values()) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    plain = 12 * 14 / 20 * (sum(r**2 for r in found["mean_ranks"].values()) - 4 * 25 / 4)
    assert plain == pytest.approx(9.28, abs=0.005)
    assert found["statistic"] == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).statistic, rel=1e-12)
    assert found["test"] == "Friedman, Nemenyi"
    assert [p["verdict"] for p in found["pairs"]] == ["INCONCLUSIVE"] * 6, "3.143 - 1.964 is less than 1.25"
    assert found["cliques"] == [("m+cf", "m", "cf", "C4.5")]


def test_friedman_equals_scipy_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.integers(0, 4, (12, 5)).astype(float)
        rank = np.vstack([stats.rankdata(-row) for row in table])
        theirs = stats.friedmanchisquare(*table.T)
        assert friedman(rank) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)
    assert friedman(np.full((10, 3), 2.0)) == (0.0, 1.0)


def test_nemenyis_pairs_are_not_looked_at_where_scipys_friedman_finds_nothing():
    """Two contenders farther apart than the critical difference, in a table that a chance of 9 % explains."""
    table = np.random.default_rng(0).normal(size=(12, 10))
    table[:, 0] += 1
    table[:, 1] -= 1
    found = compared([f"c{i}" for i in range(10)], table)
    rank = list(found["mean_ranks"].values())
    assert max(rank) - min(rank) > found["critical_difference"]
    assert found["p"] == pytest.approx(stats.friedmanchisquare(*table.T).pvalue, rel=1e-10)
    assert found["p"] > 0.05
    assert {pair["verdict"] for pair in found["pairs"]} == {"INCONCLUSIVE"}
    assert len(found["cliques"]) == 1


def test_wilcoxon_equals_scipy_exact_without_ties():
    rng = np.random.default_rng(1)
    for n in (6, 9, 20):
        d = rng.normal(0.3, 1, n)
        assert wilcoxon(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=1e-10)


def test_wilcoxon_with_ties_equals_all_signs_counted():
    d = np.array([1.0, 1.0, -1.0, 2.0, 2.0, -3.0, 4.0, 0.0])
    kept = d[d != 0]
    rank = stats.rankdata(np.abs(kept))
    least = min(rank[kept > 0].sum(), rank[kept < 0].sum())
    sums = [sum(r for r, s in zip(rank, signs, strict=True) if s) for signs in product((0, 1), repeat=len(kept))]
    assert wilcoxon(d) == pytest.approx(min(1, 2 * np.mean([s <= least for s in sums])), rel=1e-12)
    assert wilcoxon(np.zeros(9)) == 1.0


def test_a_sure_ranking_has_cliques_and_pairs():
    rng = np.random.default_rng(0)
    table = np.stack([rng.normal(m, 0.01, 14) for m in (0.9, 0.899, 0.8, 0.7)], axis=1)
    found = compared(list("abcd"), table)
    verdict = {(p["a"], p["b"]): p["verdict"] for p in found["pairs"]}
    assert (verdict["a", "b"], verdict["a", "d"], verdict["b", "d"]) == ("INCONCLUSIVE", "BEATS", "BEATS")
    assert all(
        abs(found["mean_ranks"][a] - found["mean_ranks"][b]) < found["critical_difference"] or v == "BEATS"
        for (a, b), v in verdict.items()
    )
    assert len(found["cliques"]) == 2 or len(found["cliques"]) == 3


def test_bars_never_join_a_separated_pair():
    pairs = [
        {"a": a, "b": b, "verdict": "BEATS" if (a, b) in (("a", "c"), ("b", "d")) else "INCONCLUSIVE"}
        for a, b in (("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d"))
    ]
    assert list(cliques(list("abcd"), pairs)) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert list(cliques(["a"], [])) == []


def test_few_datasets_are_wilcoxon_holm_and_too_few_are_undefined():
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    table = np.stack([rng.normal(m, 0.001, 8) for m in (0.9, 0.8, 0.7)], axis=1)
    found = compared(list("abc"), table)
    assert found["test"] == "Wilcoxon, Holm"
    raw = [stats.wilcoxon(table[:, i] - table[:, j], method="exact").pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
    assert [p["p_holm"] for p in found["pairs"]] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    for count in (2, 5):
        few = compared(list("abc"), table[:count])
        assert few["reason"] == f"undefined: {count} datasets, 6 needed"
        assert math.isnan(few["p"])
        assert few["pairs"] == []


def row(task, contender, value, **more):
    base = {"task": task, "target": "cpu", "contender": contender, "metric": "accuracy", "value": value, "better": "higher"}
    return {**base, "complete": True, "verdict": "INCONCLUSIVE", "reason": "", **more}


def test_a_board_of_two_datasets_says_so_and_has_win_rates():
    held = [
        row(t, c, v) for t, values in (("x", (0.9, 0.8, 0.8)), ("y", (0.5, 0.7, 0.6))) for c, v in zip("abc", values, strict=True)
    ]
    held += [row("x", "teacher", 0.99), row("y", "teacher", 0.99), row("x", "only here", 0.95)]
    rows, (fact,) = datasets(held)
    of = {r["contender"]: r for r in rows}
    assert set(of) == set("abc"), "the teacher is the reference; who stands once is not compared over datasets"
    assert [of[c]["win_rate"] for c in "abc"] == [0.5, 0.625, 0.375]
    assert {r["reason"] for r in rows} == {"undefined: 2 datasets, 6 needed"}
    assert {r["status"] for r in rows} == {"undefined"}
    assert all(math.isnan(r["p"]) for r in rows)
    assert (fact["target"], fact["datasets"], fact["contenders"]) == ("cpu", ["x", "y"], ["a", "b", "c"])


def test_a_contender_that_failed_somewhere_is_not_averaged_over_where_it_did_not():
    tasks = [f"t{i}" for i in range(7)]
    held = [row(t, c, v + 0.01 * i) for i, t in enumerate(tasks) for c, v in (("a", 0.9), ("b", 0.8), ("lost", 0.99))]
    held[2] |= {"complete": False, "reason": "2 of 3 seeds", "value": 0.99}
    held += [row(t, "new", 0.1) for t in tasks[:3]]
    of = {r["contender"]: r for r in datasets(held)[0]}
    assert math.isnan(of["lost"]["win_rate"])
    assert of["lost"]["reason"] == "no whole result on t0: 2 of 3 seeds"
    assert (of["a"]["rank_low"], of["b"]["rank_low"], of["a"]["test"]) == (1, 2, "Wilcoxon, Holm")
    assert of["a"]["p"] == pytest.approx(2 / 2**7)
    assert of["new"]["reason"] == "stands in 3 of 7 datasets: no test"
    assert of["new"]["win_rate"] == 0.0


def test_lower_is_better_turns_the_ranks():
    held = [row(t, c, v, better="lower", metric="nll") for t in ("x", "y") for c, v in (("a", 0.1), ("b", 0.2))]
    of = {r["contender"]: r["win_rate"] for r in datasets(held)[0]}
    assert of == {"a": 1.0, "b": 0.0}
