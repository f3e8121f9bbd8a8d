"""Selective prediction: against plain loops over the papers' definitions, scikit-learn, and published values."""

import itertools

import numpy as np
import pytest
from asking import metric, predictions, value

from kdbench import Undefined

FOUR = ([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 0])
NAMES = ("aurc", "e_aurc", "augrc", "coverage_at_risk", "risk_at_coverage", "cascade")
SMOOTH = ("aurc", "e_aurc", "augrc")


def said(confidence, wrong):
    """Binary predictions of these confidences (above 0.5) and errors."""
    c, wrong = np.asarray(confidence, dtype=float), np.asarray(wrong)
    return predictions(np.stack([c, 1 - c], axis=1), wrong.astype(int), kind="probabilities")


def made(n, seed, levels=None):
    """Errors that are likelier where confidence is low; `levels` different confidences, or all different."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.55, 0.99, n)
    if levels:
        confidence = 0.55 + np.round((confidence - 0.55) * levels) / levels
    wrong = rng.random(n) < 1.1 - confidence
    return confidence, wrong, rng.random(n) < 0.15


def risks(wrong):
    """r_k of one order."""
    return [sum(wrong[: k + 1]) / (k + 1) for k in range(len(wrong))]


def orders(confidence, wrong):
    """The errors in every order that goes from high to low confidence."""
    levels = sorted(set(confidence), reverse=True)
    parts = [list(itertools.permutations([w for c, w in zip(confidence, wrong, strict=True) if c == one])) for one in levels]
    for choice in itertools.product(*parts):
        yield [w for part in choice for w in part]


def evidence(confidence, wrong, teacher_wrong):
    return {"predictions": said(confidence, wrong), "teacher": said(np.full(len(wrong), 0.9), teacher_wrong)}


def test_aurc_and_its_kin_equal_the_worked_example():
    of = said(*FOUR)
    assert value("aurc", of) == pytest.approx(0.145833333333, abs=1e-11)
    assert value("e_aurc", of) == pytest.approx(0.083333333333, abs=1e-11)
    assert value("aurc", of) - value("e_aurc", of) == pytest.approx(0.0625, abs=1e-12)
    assert value("augrc", of) == pytest.approx((0 + 0 + 1 + 1 - 1 / 2) / 16, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 3000])
def test_aurc_without_ties_equals_a_plain_loop_over_its_definition(n):
    confidence, wrong, _ = made(n, n)
    found = [int(w) for _, w in sorted(zip(confidence, wrong, strict=True), reverse=True)]
    assert value("aurc", said(confidence, wrong)) == pytest.approx(np.mean(risks(found)), abs=1e-12)


@pytest.mark.parametrize("n", [1, 40, 3000])
def test_e_aurc_equals_a_plain_loop_with_the_errors_last(n):
    confidence, wrong, _ = made(n, n)
    found = [int(w) for _, w in sorted(zip(confidence, wrong, strict=True), reverse=True)]
    expected = np.mean(risks(found)) - np.mean(risks(sorted(found)))
    assert value("e_aurc", said(confidence, wrong)) == pytest.approx(expected, abs=1e-12)


def test_aurc_with_ties_is_the_mean_over_all_orders_of_the_tied():
    for confidence, wrong in (([0.9, 0.9, 0.8, 0.7, 0.7, 0.7], [0, 1, 0, 1, 0, 1]), ([0.6] * 5, [1, 0, 0, 1, 0])):
        expected = np.mean([np.mean(risks(order)) for order in orders(confidence, wrong)])
        assert value("aurc", said(confidence, wrong)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 7])
def test_augrc_equals_the_papers_identity_with_sklearns_auroc(levels):
    from sklearn.metrics import roc_auc_score

    confidence, wrong, _ = made(500, 3, levels)
    accuracy = 1 - wrong.mean()
    expected = (1 - roc_auc_score(~wrong, confidence)) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert value("augrc", said(confidence, wrong)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 9])
def test_coverage_at_risk_equals_a_search_over_all_thresholds(levels):
    for seed, risk in itertools.product(range(8), (0.05, 0.2, 0.35)):
        confidence, wrong, _ = made(60, seed, levels)
        kept = [wrong[confidence >= t] for t in np.unique(confidence)]
        expected = max([len(w) / 60 for w in kept if w.sum() / len(w) <= risk], default=0.0)
        assert value("coverage_at_risk", said(confidence, wrong), {"risk": risk}) == expected


def test_coverage_at_risk_counts_a_risk_that_is_just_met():
    for errors, n in ((29, 100), (7, 100), (5, 60), (3, 30)):
        wrong = np.arange(n) >= n - errors
        assert value("coverage_at_risk", said(np.linspace(0.9, 0.6, n), wrong), {"risk": errors / n}) == 1.0


def test_risk_at_coverage_is_the_mean_over_all_orders_of_the_tied():
    confidence, wrong = [0.9, 0.9, 0.8, 0.8, 0.8, 0.6], [1, 0, 1, 0, 0, 1]
    for k in range(1, 6):
        expected = np.mean([sum(order[:k]) / k for order in orders(confidence, wrong)])
        assert value("risk_at_coverage", said(confidence, wrong), {"coverage": k / 6}) == pytest.approx(expected, abs=1e-12)


def test_risk_at_coverage_takes_a_part_of_the_example_that_is_cut():
    assert value("risk_at_coverage", said(*FOUR), {"coverage": 0.625}) == pytest.approx(0.5 / 2.5, abs=1e-12)


def test_cascade_equals_a_plain_loop_over_the_answers_of_both():
    confidence, wrong, other = made(50, 5)
    held = evidence(confidence, wrong, other)
    order = np.argsort(-confidence)
    for count in (1, 10, 25, 49):
        answers = [not wrong[i] for i in order[: 50 - count]] + [not other[i] for i in order[50 - count :]]
        found = value("cascade", held["predictions"], {"defer": count / 50}, teacher=held["teacher"])
        assert found == pytest.approx(np.mean(answers), abs=1e-12)


def test_cascade_defers_a_plateau_in_expectation():
    wrong, other = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0])
    held = evidence([0.9, 0.7, 0.7, 0.7], wrong, other)
    expected = np.mean([1 + sum(1 - other[i] if i == j else 1 - wrong[i] for i in (1, 2, 3)) for j in (1, 2, 3)]) / 4
    assert value("cascade", held["predictions"], {"defer": 0.25}, teacher=held["teacher"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (np.zeros(40), {"aurc": 0, "e_aurc": 0, "augrc": 0, "coverage_at_risk": 1, "risk_at_coverage": 0, "cascade": 1}),
        (np.ones(40), {"aurc": 1, "e_aurc": 0, "augrc": 0.5, "coverage_at_risk": 0, "risk_at_coverage": 1, "cascade": 0.2}),
    ],
    ids=["all right", "all wrong"],
)
@pytest.mark.parametrize("confidence", [np.linspace(0.6, 0.9, 40), np.full(40, 0.75), np.ones(40)], ids=["all", "one", "certain"])
def test_edge_cases_of_fd_shifts(wrong, expected, confidence):
    held = evidence(confidence, wrong, np.zeros(40))
    for name, number in expected.items():
        assert metric(name)(held) == pytest.approx(number, abs=1e-12), name


def test_constant_confidence_gives_the_error_rate():
    """The order says nothing: AURC is e, AUGRC e / 2, whatever the order of the file; E-AURC is what order could have saved."""
    wrong = np.arange(40) % 4 == 0
    of = said(np.full(40, 0.8), wrong)
    assert value("aurc", of) == pytest.approx(0.25, abs=1e-12)
    assert value("augrc", of) == pytest.approx(0.125, abs=1e-12)
    assert value("risk_at_coverage", of) == pytest.approx(0.25, abs=1e-12)
    assert value("coverage_at_risk", of, {"risk": 0.25}) == 1.0
    assert value("coverage_at_risk", of, {"risk": 0.2}) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_file_has_no_part_in_it(name):
    held = evidence(*made(400, 8, 5))
    first = metric(name)(held)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(400)
        assert metric(name)({k: v.take(order) for k, v in held.items()}) == pytest.approx(first, abs=1e-12)


def test_equal_probabilities_in_another_order_of_classes_are_tied():
    """A sum in another order differs in the last bit; that must not decide who is more confident."""
    rows = np.array(list(itertools.permutations([0.05, 0.1, 0.2, 0.65])))
    label = np.where(np.arange(len(rows)) % 3 == 0, (rows.argmax(axis=1) + 1) % 4, rows.argmax(axis=1))
    of = predictions(rows, label, kind="probabilities")
    assert len(set(of.confidence)) > 1, "no rounding to guard against: choose other numbers"
    assert value("aurc", of) == pytest.approx(np.mean(of.label != of.pred), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("levels", [None, 6])
def test_whole_weights_equal_repeated_examples(name, levels):
    held = evidence(*made(120, 9, levels))
    weights = np.random.default_rng(0).multinomial(120, np.full(120, 1 / 120), size=12).astype(np.float32)
    found = metric(name)({**held, "weights": weights})
    for draw, w in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(120), w.astype(int))
        assert draw == pytest.approx(metric(name)({k: v.take(rows) for k, v in held.items()}), abs=1e-9)
    assert metric(name)({**held, "weights": np.ones((1, 120), dtype=np.float32)})[0] == metric(name)(held)


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_without_examples_is_undefined_and_no_examples_too(name):
    held = evidence(*made(10, 1))
    assert np.isnan(metric(name)({**held, "weights": np.zeros((1, 10), dtype=np.float32)})).all()
    with pytest.raises(Undefined, match="no examples"):
        metric(name)({k: v.take(slice(0, 0)) for k, v in held.items()})


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(("n", "levels"), [(30, None), (200, None), (200, 5)])
def test_influence_equals_finite_differences_of_the_weighted_value(name, n, levels):
    held = evidence(*made(n, 4, levels))
    one, step = metric(name), 1e-4
    found = one.influence(held)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(2)
    for i, j in rng.integers(0, n, size=(15, 2)):
        move = np.zeros(n)
        move[i] += step
        move[j] -= step
        up, down = one({**held, "weights": np.stack([1 + move, 1 - move])})
        assert (found[i] - found[j]) / n == pytest.approx((up - down) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_influence_gives_the_spread_that_weights_give(name):
    held = evidence(*made(6000, 11))
    one = metric(name, **({"risk": 0.2} if name == "coverage_at_risk" else {}))
    weights = np.random.default_rng(5).multinomial(6000, np.full(6000, 1 / 6000), size=400).astype(np.float32)
    exact, linear = one({**held, "weights": weights}), weights @ one.influence(held) / 6000
    assert linear.std() == pytest.approx(exact.std(), rel=0.15)
    assert np.corrcoef(exact, linear)[0, 1] > 0.9


def test_the_risk_coverage_curve_holds_the_risk_at_each_coverage():
    held = evidence(*made(1000, 6, 12))
    curve = metric("aurc").curve(held)
    assert curve["name"] == "risk_coverage"
    assert (len(curve["x"]), curve["x"][0], curve["x"][-1]) == (100, 0.01, 1.0)
    for k in (0, 36, 79, 98):
        expected = value("risk_at_coverage", held["predictions"], {"coverage": float(curve["x"][k])})
        assert curve["y"][k] == pytest.approx(expected, abs=1e-12)
    assert curve["y"][-1] == pytest.approx(np.mean(~held["predictions"].correct), abs=1e-12)


def test_the_cascade_curve_goes_from_the_student_to_the_teacher():
    held = evidence(*made(1000, 7))
    curve = metric("cascade").curve(held)
    assert curve["name"] == "cascade"
    assert (len(curve["x"]), curve["x"][0], curve["x"][-1]) == (101, 0.0, 1.0)
    assert curve["y"][0] == pytest.approx(held["predictions"].correct.mean(), abs=1e-12)
    assert curve["y"][-1] == pytest.approx(held["teacher"].correct.mean(), abs=1e-12)
    assert curve["y"][20] == pytest.approx(metric("cascade")(held), abs=1e-12)


def test_a_curve_of_few_examples_has_a_point_for_each():
    held = evidence(*FOUR, np.zeros(4))
    assert list(metric("aurc").curve(held)["y"]) == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert list(metric("cascade").curve(held)["y"]) == pytest.approx([0.75, 0.75, 1, 1, 1])
