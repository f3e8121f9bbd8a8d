"""Effective robustness, against scikit-learn's least squares in SciPy's logits."""

import numpy as np
import pytest
from made_readings import at, coins, shares, tables

SKILL = {"tiny": 0.6, "small": 0.7, "medium": 0.8, "teacher": 0.92, "kd": 0.78}
PLAIN = ("tiny", "small", "medium", "teacher")


@pytest.fixture
def made():
    rng = np.random.default_rng(5)
    answers = {}
    for name, skill in SKILL.items():
        for seed in (0,) if name == "teacher" else (0, 1):
            answers[name, seed, "", 0] = coins(rng, skill + 0.01 * seed)
            for shift, cost in (("noise", 0.1), ("blur", 0.2)):
                for level in (1, 2):
                    answers[name, seed, shift, level] = coins(rng, skill - cost - 0.02 * level - 0.015 * rng.random())
    return answers


def judge(answers, contender, seed, shifts, weights=None):
    from scipy.special import expit, logit
    from sklearn.linear_model import LinearRegression

    n = len(weights) if weights is not None else 400

    def share(name, run, shift, level):
        hits = answers[name, run, shift, level]
        return hits.mean() if weights is None else weights @ hits

    def pair(name, run):
        return share(name, run, "", 0), np.mean([share(name, run, s, k) for s in shifts for k in (1, 2)])

    points = np.array([pair(c, s) for c, s, shift, _ in answers if c in PLAIN and not shift])
    u, v = logit(np.clip(points, 0.5 / n, 1 - 0.5 / n)).T
    line = LinearRegression().fit(u[:, None], v)
    clean, shifted = pair(contender, seed)
    return shifted - expit(line.predict([[logit(clean)]])[0])


def test_effective_robustness_equals_sklearn_in_scipy_logits(made):
    readings, weights = shares(made)
    about, table = tables(readings, {"plain": list(PLAIN)})["effective_robustness"]
    for shift, shifts in (("noise", ["noise"]), ("blur", ["blur"]), ("*", ["noise", "blur"])):
        for seed in (0, 1):
            found = at(table, "kd", shift, seed)
            assert found.value == pytest.approx(judge(made, "kd", seed, shifts), abs=1e-10)
            assert found.draws[3] == pytest.approx(judge(made, "kd", seed, shifts, weights[3]), abs=1e-10)
    assert "7 models of 4 contenders" in at(table, "kd", "noise").reason
    assert (about.facts["better"], about.range) == ("higher", (-1.0, 1.0))


def test_accuracies_of_0_and_1_stay_finite_by_half_an_example():
    """Hand example, n = 10: logits of 0.05, 0.5 and 0.95; the line is the diagonal, so rho is the difference itself."""
    shares_ = {"a": (0.0, 0.0), "b": (0.5, 0.5), "c": (1.0, 1.0), "kd": (0.5, 0.6)}
    answers = {(c, 0, s, bool(s)): np.r_[np.ones(round(10 * v)), np.zeros(10 - round(10 * v))]
               for c, pair in shares_.items() for s, v in zip(("", "fog"), pair, strict=True)}  # fmt: skip
    _, table = tables(shares(answers)[0], {"plain": ["a", "b", "c"]})["effective_robustness"]
    assert at(table, "kd", "fog").value == pytest.approx(0.1)
    assert at(table, "a", "fog").value == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ([], "0 contenders trained from scratch have a number here; a line needs 2"),
        (["tiny"], "1 contenders trained from scratch have a number here; a line needs 2"),
    ],
)
def test_too_few_models_make_no_line_and_say_so_once(made, plain, reason):
    _, table = tables(shares(made)[0], {"plain": plain})["effective_robustness"]
    assert {s.shift for s in table} == {"*"}
    assert (at(table, "kd", "*").status, at(table, "kd", "*").reason) == ("undefined", reason)


def test_equal_clean_accuracies_make_no_line():
    rng = np.random.default_rng(0)
    answers = {(c, 0, s, bool(s)): coins(rng, 0.5 if s else share) for c, share in (("a", 0.8), ("b", 0.8), ("kd", 0.7))
               for s in ("", "fog")}  # fmt: skip
    _, table = tables(shares(answers)[0], {"plain": ["a", "b"]})["effective_robustness"]
    assert "1 different clean accuracies" in at(table, "kd", "*").reason


def test_one_checkpoint_under_two_names_is_one_point(made):
    readings, _ = shares(made)
    before = at(tables(readings, {"plain": list(PLAIN)})["effective_robustness"][1], "kd", "*")
    copies = {s.__class__("copy", *[getattr(s, f) for f in ("seed", "target", "split", "shift", "severity")]): r
              for s, r in readings.items() if s.contender == "tiny"}  # fmt: skip
    after = at(tables({**readings, **copies}, {"plain": [*PLAIN, "copy"]})["effective_robustness"][1], "kd", "*")
    assert (before.value, before.reason) == (after.value, after.reason)


def test_a_clean_accuracy_outside_the_line_is_said(made):
    _, table = tables(shares(made)[0], {"plain": ["small", "medium"]})["effective_robustness"]
    assert at(table, "teacher", "noise").reason.endswith("clean accuracy lies outside theirs")
    assert "outside" not in at(table, "kd", "noise").reason


def test_without_a_plan_there_is_no_line(made):
    assert "effective_robustness" not in tables(shares(made)[0], {})
