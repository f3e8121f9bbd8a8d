"""Instability and bimodality over seeds, against NumPy and SciPy."""

import numpy as np
import pytest
from made_readings import tables

from kdbench.judge.derived.spread import bimodality
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import OVER_SEEDS

PLACE = Spot("ours", OVER_SEEDS, "torch_cpu", "test")


def over(values, planned=None, ranking=True):
    readings = {
        Spot("ours", seed, "torch_cpu", "test"): Reading(v, n=100, evidence=f"k{seed}")
        if v is not None
        else nothing("failed", "x")
        for seed, v in enumerate(values)
    }
    return tables(readings, {"ranking": ranking, "seeds": {"ours": planned or list(range(len(values)))}})


def test_seed_sd_equals_numpy_and_says_scipys_interval():
    from scipy import stats

    values = [0.71, 0.74, 0.69, 0.72]
    found = over(values)["seed_sd"][1][PLACE]
    sd = np.std(values, ddof=1)
    low, high = sd * np.sqrt(3 / stats.chi2.ppf([0.975, 0.025], 3))
    assert (found.value, found.n) == (pytest.approx(sd), 4)
    assert found.reason.endswith(f"{low:.4g} to {high:.4g}")


@pytest.mark.parametrize("n", [4, 5, 9, 40])
def test_bimodality_equals_sarles_equation_with_scipys_moments(n):
    from scipy import stats

    x = np.random.default_rng(n).gamma(2.0, size=n)
    g, k = stats.skew(x, bias=False), stats.kurtosis(x, bias=False)
    assert bimodality(x) == pytest.approx((g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def test_bimodality_of_a_uniform_distribution_is_five_ninths_and_of_two_camps_more():
    assert bimodality(np.linspace(0, 1, 100_001)) == pytest.approx(5 / 9, abs=1e-4)
    assert bimodality(np.repeat([0.1, 0.9], 1000)) > 0.99


def test_below_four_seeds_there_is_no_bimodality():
    found = over([0.7, 0.8, 0.75])["bimodality"][1][PLACE]
    assert (found.status, found.n, found.reason) == ("undefined", 3, "3 seeds: at least 4 are needed")


def test_equal_seeds_have_no_shape_and_no_spread():
    found = over([0.7] * 5)
    assert found["seed_sd"][1][PLACE].value == pytest.approx(0, abs=1e-15)
    assert "all equal" in found["bimodality"][1][PLACE].reason


def test_only_the_ranking_metric_and_only_several_seeds_are_described():
    assert not {"seed_sd", "bimodality"} & set(over([0.7, 0.8], ranking=False))
    assert not {"seed_sd", "bimodality"} & set(over([0.7]))


def test_one_artefact_that_serves_all_seeds_is_one_observation():
    readings = {Spot("ours", s, "torch_cpu", "test"): Reading(0.7, n=100, evidence="same") for s in range(3)}
    found = tables(readings, {"ranking": True, "seeds": {"ours": [0, 1, 2]}})["seed_sd"][1][PLACE]
    assert (found.status, found.n) == ("undefined", 1)
