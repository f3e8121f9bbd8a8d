"""The Pareto front against brute force, and its probabilities against Monte Carlo in worlds of known normals."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from kdbench.judge.axes import Axis
from kdbench.judge.lines import Line
from kdbench.judge.pareto import pareto, probability, replicates, undominated

ACCURACY = Axis("accuracy", "accuracy", "higher", "fraction", 0.0, 1.0)
RATIO = Axis("latency_ratio", "latency_ratio", "lower", "ratio", 0.0)
SIZE = Axis("parameters", "parameters", "lower", "count", 0)


def line(name, values, draws=()):
    return Line(name, np.atleast_1d(np.asarray(values, dtype=float)), np.asarray(draws, dtype=float), 100)


def table(axes, points, out=()):
    held = {axis: {name: line(name, v[i]) for name, v in points.items() if v[i] is not None} for i, axis in enumerate(axes)}
    return {row["contender"]: row for row in pareto("t", "cpu", list(points), held, dict(out))}


def brute_force(points):
    """Plain loops over the definition."""
    found = []
    for i, one in enumerate(points):
        over = False
        for j, other in enumerate(points):
            if (
                j != i
                and all(b >= a for a, b in zip(one, other, strict=True))
                and any(b > a for a, b in zip(one, other, strict=True))
            ):
                over = True
        found.append(not over)
    return found


@pytest.mark.parametrize("axes", [2, 3, 4])
def test_front_equals_brute_force_with_ties(axes):
    points = np.random.default_rng(axes).integers(0, 4, (30, 12, axes)).astype(float)
    found = undominated(points)
    assert [list(row) for row in found] == [brute_force(world.tolist()) for world in points]


def test_directions_ties_and_values_of_a_small_board():
    found = table(
        (ACCURACY, SIZE), {"teacher": (0.95, 100), "kd": (0.92, 10), "twin": (0.92, 10), "bad": (0.90, 20), "tiny": (0.7, 1)}
    )
    assert {name: row["front"] for name, row in found.items()} == {
        "teacher": True, "kd": True, "twin": True, "bad": False, "tiny": True,
    }  # fmt: skip
    assert {row["p_front"] for name, row in found.items() if name != "bad"} == {1.0}
    assert found["bad"]["p_front"] == 0.0
    assert json.loads(found["bad"]["values"]) == {"accuracy": 0.9, "parameters": 20.0}
    assert found["bad"]["axes"] == "accuracy, parameters"


def test_join_is_the_smallest_improvement_of_one_metric_that_puts_it_on_the_front():
    """The sentence, and what it says tried out."""
    points = {"a": (0.95, 100.0), "b": (0.92, 10.0), "c": (0.90, 20.0)}
    found = table((ACCURACY, SIZE), points)["c"]["join"]
    assert found == "accuracy above 0.92 (by 0.02) or parameters below 10 (by 10)"
    for better, on in (((0.9201, 20.0), True), ((0.92, 20.0), False), ((0.90, 9.99), True), ((0.90, 10.0), False)):
        assert table((ACCURACY, SIZE), {**points, "c": better})["c"]["front"] is on
    level = {"a": (0.95, 10.0), "c": (0.90, 10.0)}
    assert table((ACCURACY, SIZE), level)["c"]["join"] == "accuracy of 0.95 (by 0.05) or parameters below 10 (by 0)"
    assert table((ACCURACY, SIZE), {**level, "c": (0.95, 10.0)})["c"]["front"]


def test_join_asks_for_nothing_beyond_the_range():
    found = table((ACCURACY, SIZE), {"a": (1.0, 10.0), "c": (0.9, 20.0)})["c"]["join"]
    assert found == "parameters below 10 (by 10)"


def test_those_without_a_whole_result_or_apart_take_no_place_on_the_front():
    found = table((ACCURACY, SIZE), {"lost": (0.99, None), "kd": (0.9, 10), "odd": (0.99, 1)}, {"odd": "not ranked: teacher x"})
    assert found["kd"]["front"]
    assert (found["lost"]["front"], found["lost"]["join"]) == (False, "no whole result in parameters")
    assert (found["odd"]["join"], json.loads(found["lost"]["values"])["parameters"]) == ("not ranked: teacher x", None)
    assert math.isnan(found["lost"]["p_front"])


def test_probability_equals_monte_carlo_in_a_world_of_normals():
    """Independent normal errors over examples: the share of worlds in which each is on the front, drawn anew by numpy."""
    rng = np.random.default_rng(0)
    means, sd = np.array([[0.90, 0.5], [0.905, 0.52], [0.89, 0.55]]), np.array([0.01, 0.02])
    lines = [
        [line(f"c{i}", m, m + s * rng.standard_normal(8000)) for m, s in zip(row, sd, strict=True)] for i, row in enumerate(means)
    ]
    sign = np.array([1.0, -1.0])
    worlds = (means + sd * np.random.default_rng(9).standard_normal((40000, 3, 2))) * sign
    expected = np.mean([brute_force(w.tolist()) for w in worlds[:8000]], axis=0)
    assert probability(lines, sign, 1) == pytest.approx(expected, abs=0.025)


def test_seeds_alone_equal_the_t_distribution_of_scipy():
    """Two contenders that differ in one metric: P(a is on the front) = P(t < delta / error), paired over the seeds."""
    a, b = np.array([0.91, 0.93, 0.92]), np.array([0.915, 0.92, 0.91])
    p = probability([[line("a", a), line("a", [1.0])], [line("b", b), line("b", [1.0])]], np.array([1.0, -1.0]), 3)
    d = a - b
    expected = stats.t.cdf(d.mean() / (d.std(ddof=1) / math.sqrt(3)), 2)
    many = replicates([[line("a", a, np.tile(a.mean(), 40000))], [line("b", b, np.tile(b.mean(), 40000))]], 3)[:, :, 0]
    assert (many[:, 0] > many[:, 1]).mean() == pytest.approx(expected, abs=0.01)
    assert p[0] == pytest.approx(expected, abs=0.05)
    assert p[0] + p[1] == pytest.approx(1.0)


def test_replicates_have_the_errors_of_the_intervals():
    rng = np.random.default_rng(2)
    a = rng.normal(0.9, 0.02, 4)
    draws = rng.normal(0.7, 0.01, 20000)  # a biased bootstrap: its centre is not the value
    x = replicates([[line("a", a, draws)]], 5)[:, 0, 0]
    t = stats.t(3).rvs(200_000, random_state=1) * a.std(ddof=1) / 2
    assert np.median(x) == pytest.approx(a.mean(), abs=5e-4)
    spread = np.quantile(t + rng.normal(0, 0.01, 200_000), [0.025, 0.975])
    assert np.quantile(x, [0.025, 0.975]) - a.mean() == pytest.approx(spread, rel=0.06)


def test_paired_draws_and_equal_artefacts_stay_together():
    """Common examples: a beats b in every draw, though either moves much more than they differ."""
    common = np.random.default_rng(0).normal(0.9, 0.05, 500)
    lines = [[line("a", 0.901, common + 0.001), line("a", 1.0)], [line("b", 0.9, common), line("b", 1.0)]]
    assert probability(lines, np.array([1.0, -1.0]), 1).tolist() == [1.0, 0.0]
    same = [[line("a", 0.9, common), line("a", 1.0)], [line("b", 0.9, common), line("b", 1.0)]]
    assert probability(same, np.array([1.0, -1.0]), 1).tolist() == [1.0, 1.0], "equals share the front"


def test_an_error_known_for_some_only_or_few_draws_give_no_probability():
    draws = np.random.default_rng(0).normal(0.9, 0.05, 500)
    one_sided = [[line("a", 0.9, draws)], [line("b", 0.9, np.full(500, np.nan))]]
    few = [[line("a", 0.9, draws[:20])], [line("b", 0.9, draws[20:40])]]
    for lines in (one_sided, few):
        assert np.isnan(probability(lines, np.array([1.0]), 1)).all()
