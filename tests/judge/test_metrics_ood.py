"""Scores and errors of detectors of foreign inputs, against scikit-learn, scipy, and published values."""

import numpy as np
import pytest
from asking import metric, predictions, value

from kdbench import NotApplicable

SCORES = ["msp", "max_logit", "energy", "entropy"]


def of_scores(scores):
    """Predictions whose largest logit is the score: a detector of which the scores are known."""
    scores = np.asarray(scores, dtype=float)
    return predictions(np.stack([scores, scores - 50], axis=1), np.full(len(scores), -1))


@pytest.fixture(params=[2, 10])
def sets(request):
    rng = np.random.default_rng(request.param)
    label = rng.integers(0, request.param, 170)
    z = rng.normal(size=(170, request.param))
    z[np.arange(170), label] += 2
    return predictions(z, label), predictions(rng.normal(size=(120, request.param)), np.full(120, -1))


def plain(of, score):
    """The scores from scipy, as the papers write them."""
    from scipy.special import logsumexp, softmax
    from scipy.stats import entropy

    p = softmax(of.logits, axis=1)
    return {
        "msp": p.max(axis=1),
        "max_logit": of.logits.max(axis=1),
        "energy": logsumexp(of.logits, axis=1),
        "entropy": -entropy(p, axis=1),
    }[score]


@pytest.mark.parametrize("score", SCORES)
def test_scores_of_one_input_equal_the_published_order_and_values(score):
    """z = (2, 1, 0.1): MSP 0.659001, energy 2.417030."""
    from kdbench.metrics._ood_scores import ood_score

    of = predictions(np.array([[2.0, 1.0, 0.1]]), [-1])
    found = float(ood_score(of, score)[0])
    if score == "msp":
        assert 1 / (1 + np.exp(-found)) == pytest.approx(0.659001, abs=1e-6), "log-odds of the MSP"
    elif score == "energy":
        assert found == pytest.approx(2.417030, abs=1e-6)
    elif score == "max_logit":
        assert found == 2.0
    else:
        assert np.exp(-found) == pytest.approx(-float(plain(of, "entropy")[0]), abs=1e-9), "minus the log of the entropy"


@pytest.mark.parametrize("score", SCORES)
def test_auroc_of_each_score_equals_sklearn(score, sets):
    from sklearn.metrics import roc_auc_score

    inside, outside = sets
    y = np.r_[np.ones(170), np.zeros(120)]
    s = np.r_[plain(inside, score), plain(outside, score)]
    assert value("ood_auroc", inside, {"score": score}, ood=outside) == pytest.approx(roc_auc_score(y, s), abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_aupr_of_each_score_equals_sklearn_on_both_sides(score, sets):
    from sklearn.metrics import average_precision_score

    inside, outside = sets
    y = np.r_[np.ones(170), np.zeros(120)]
    s = np.r_[plain(inside, score), plain(outside, score)]
    found = {side: value("ood_aupr", inside, {"score": score, "positive": side}, ood=outside) for side in ("in", "out")}
    assert found["in"] == pytest.approx(average_precision_score(y, s), abs=1e-12)
    assert found["out"] == pytest.approx(average_precision_score(1 - y, -s), abs=1e-12)
    assert value("ood_aupr", inside, {"score": score}, ood=outside) == found["out"], "OOD is positive unless said otherwise"


@pytest.mark.parametrize("score", SCORES)
def test_fpr95_of_each_score_equals_sklearn_roc_curve_both_ways(score, sets):
    from sklearn.metrics import roc_curve

    inside, outside = sets
    y = np.r_[np.ones(170), np.zeros(120)]
    s = np.r_[plain(inside, score), plain(outside, score)]
    for positive, side, ranked in (("id", y, s), ("ood", 1 - y, -s)):
        fpr, tpr, _ = roc_curve(side, ranked, drop_intermediate=False)
        found = value("ood_fpr95", inside, {"score": score, "positive": positive}, ood=outside)
        assert found == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_perfect_reversed_and_constant_scores(score):
    sure, unsure = predictions(np.full((50, 3), [9.0, 0, 0]), np.full(50, -1)), predictions(np.zeros((60, 3)), np.full(60, -1))
    asked = {"score": score}
    assert value("ood_auroc", sure, asked, ood=unsure) == 1.0
    assert value("ood_auroc", unsure, asked, ood=sure) == 0.0
    assert value("ood_auroc", unsure, asked, ood=unsure) == 0.5
    for side, share in (("out", 0.5), ("in", 0.5)):
        assert value("ood_aupr", sure, {**asked, "positive": side}, ood=unsure) == 1.0
        assert value("ood_aupr", unsure, {**asked, "positive": side}, ood=unsure) == share
    assert value("ood_aupr", unsure, {**asked, "positive": "out"}, ood=sure) == pytest.approx(50 / 110), "all come last"
    assert value("ood_aupr", unsure, {**asked, "positive": "in"}, ood=sure) == pytest.approx(60 / 110)
    for positive in ("id", "ood"):
        assert value("ood_fpr95", sure, {**asked, "positive": positive}, ood=unsure) == 0.0
        assert value("ood_fpr95", unsure, {**asked, "positive": positive}, ood=sure) == 1.0


def test_fpr95_equals_the_published_values_both_ways():
    """ID = .9 x 95, .2 x 5; OOD = .1 x 90, .85 x 10."""
    inside, outside = of_scores([0.9] * 95 + [0.2] * 5), of_scores([0.1] * 90 + [0.85] * 10)
    asked = {"score": "max_logit"}
    assert value("ood_fpr95", inside, {**asked, "positive": "id"}, ood=outside) == 0.0
    assert value("ood_fpr95", inside, {**asked, "positive": "ood"}, ood=outside) == 0.05


def test_scores_do_not_saturate_where_the_float64_probability_is_one():
    """At a lead of 40 to 900 nats p rounds to 1 and the entropy to 0 in a naive softmax; the order must stay."""
    lead = np.linspace(40, 300, 100)
    sure, surest = (predictions(np.stack([x, 0 * x, 0 * x], axis=1), np.full(100, -1)) for x in (lead, lead + 300))
    for score in ("msp", "entropy"):
        assert value("ood_auroc", surest, {"score": score}, ood=sure) == 1.0
    far = predictions(np.array([[2000.0, 0, 0]]), [-1])
    assert value("ood_auroc", far, ood=surest) == 1.0


def test_equal_logits_in_another_order_stay_tied():
    rng = np.random.default_rng(3)
    z = rng.integers(-8, 9, (400, 10)) / 4
    turned = rng.permuted(z, axis=1)
    for score in SCORES:
        of, other = predictions(z, np.full(400, -1)), predictions(turned, np.full(400, -1))
        assert value("ood_auroc", of, {"score": score}, ood=other) == 0.5


@pytest.mark.parametrize("score", ["max_logit", "energy"])
@pytest.mark.parametrize("name", ["ood_auroc", "ood_aupr", "ood_fpr95"])
def test_scores_of_logits_are_refused_where_only_probabilities_are_known(name, score):
    """The energy of log probabilities is 0 for every input: AUROC would quietly be 0.5."""
    p = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    of = predictions(p, np.full(30, -1), kind="probabilities")
    with pytest.raises(NotApplicable, match=f"{score} needs logits"):
        value(name, of, {"score": score}, ood=of)


def test_msp_of_given_probabilities_ties_as_given():
    inside = predictions(np.array([[0.7, 0.2, 0.10001], [1.0, 0.0, 0.0]]), [-1, -1], kind="probabilities")
    outside = predictions(np.array([[0.7, 0.15, 0.15], [1.0, 0.0, 0.00001]]), [-1, -1], kind="probabilities")
    assert value("ood_auroc", inside, ood=outside) == 0.5


@pytest.mark.parametrize("score", ["msp", "entropy"])
def test_scores_of_given_probabilities_equal_sklearn(score):
    from scipy.stats import entropy
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(4, 0.3), 200), rng.dirichlet(np.full(4, 2.0), 90)
    s = np.r_[p.max(axis=1), q.max(axis=1)] if score == "msp" else -np.r_[entropy(p, axis=1), entropy(q, axis=1)]
    inside, outside = (predictions(x, np.full(len(x), -1), kind="probabilities") for x in (p, q))
    found = value("ood_auroc", inside, {"score": score}, ood=outside)
    assert found == pytest.approx(roc_auc_score(np.r_[np.ones(200), np.zeros(90)], s), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "params"),
    [("ood_auroc", {}), ("ood_aupr", {"positive": "in"}), ("ood_aupr", {"positive": "out"}), ("ood_fpr95", {"positive": "ood"})],
    ids=str,
)
def test_draws_equal_the_value_of_the_drawn_rows(name, params):
    rng = np.random.default_rng(7)
    inside = of_scores(rng.normal(1, 1, 40).round(1))
    outside = of_scores(rng.normal(0, 1, 30).round(1))
    w, v = (rng.multinomial(n, np.full(n, 1 / n), size=20).astype(np.float32) for n in (40, 30))
    one = metric(name, score="max_logit", **params)
    found = one({"predictions": inside, "ood": outside, "weights": w, "ood_weights": v})
    for b, draw in enumerate(found):
        rows, others = (np.repeat(np.arange(len(x)), x.astype(int)) for x in (w[b], v[b]))
        assert draw == pytest.approx(one({"predictions": inside.take(rows), "ood": outside.take(others)}), abs=1e-6)


@pytest.mark.parametrize("name", ["ood_auroc", "ood_aupr", "ood_fpr95"])
def test_a_draw_without_a_side_is_undefined_not_zero(name):
    inside, outside = of_scores([1.0, 2.0]), of_scores([0.0, 1.5])
    w, v = np.array([[0, 0], [1, 1]], dtype=np.float32), np.array([[1, 1], [2, 0]], dtype=np.float32)
    found = metric(name)({"predictions": inside, "ood": outside, "weights": w, "ood_weights": v})
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


@pytest.mark.parametrize(
    ("name", "words"), [("ood_aupr", "OOD = positive"), ("ood_fpr95", "positive=ood"), ("ood_auroc", "higher")]
)
def test_the_text_states_the_direction(name, words):
    facts = metric(name).facts
    assert words in facts["convention"]
    assert facts["equation"]
    assert facts["source"]
    assert facts["reads"] == "probabilities"
