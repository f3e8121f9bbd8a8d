"""Numbers that public tools got quietly wrong: quality and OOD metrics. Each test names the issue where it was reported."""

import warnings

import numpy as np
import pytest
from asking import metric, predictions, value

from kdbench import NotApplicable, Undefined
from kdbench.judge.columns import dense, sums, tidy


def made(n=240, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    z = rng.normal(size=(n, classes))
    z[np.arange(n), label] += 1
    return predictions(z, label)


def test_auroc_of_one_class_is_undefined_with_its_reason_sklearn_30079():
    """scikit-learn#30079: it returned 0.0, later NaN with a warning that nobody sees."""
    of = predictions(np.random.default_rng(0).normal(size=(40, 2)), np.ones(40, dtype=int), 1)
    for name in ("auroc", "auprc"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(Undefined, match="one class only among 40 labels"):
                value(name, of)


def test_scores_mean_the_same_in_any_batch_torchmetrics_2195_2329_1989_3179():
    """torchmetrics#2195, #2329, #1989, #3179; anomalib#2003, #2337: sigmoid or softmax guessed from the range of each batch.

    Logits that happen to lie in [0, 1] in one batch, and beyond in another: the kind is declared, so that the columns of a
    row never change with its batch, and logits in [0, 1] are still logits.
    """
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 90)
    z = rng.random((90, 3))
    z[45:] *= 30
    of = predictions(z, label)
    assert value("nll", of.take(slice(0, 45))) == pytest.approx(
        -np.mean([z[i, label[i]] - np.log(np.exp(z[i]).sum()) for i in range(45)]), abs=1e-12
    )
    for name in ("nll", "brier", "accuracy", "macro_f1"):
        one = metric(name)
        whole = dense(tidy(one({"predictions": of}), 90))
        halves = [dense(tidy(one({"predictions": of.take(part)}), 45)) for part in (slice(0, 45), slice(45, 90))]
        assert np.array_equal(np.concatenate(halves), whole)


def test_auroc_does_not_saturate_torchmetrics_2819_anomalib_3407():
    """torchmetrics#2819, anomalib#3407: scores beyond the sigmoid's float range all became 1, and AUROC 0.5."""
    label = np.arange(200) % 2
    lead = np.where(label == 1, 120.0, 60.0) + np.arange(200) / 1000
    for scale in (1.0, 10.0):
        z = np.stack([np.zeros(200), lead * scale], axis=1).astype(np.float32)
        assert value("auroc", predictions(z, label, 1)) == 1.0
        assert value("auprc", predictions(z, label, 1)) == 1.0


@pytest.mark.parametrize("name", ["macro_f1", "macro_precision", "macro_recall", "balanced_accuracy"])
def test_macro_averages_with_absent_classes_torchmetrics_295_1664_1691_2441_2828(name):
    """torchmetrics#295, #1664, #1691, #2441 (and #2828: its own reference test was wrong): an absent class counted as 0 or 1.

    By hand: labels 0 0 1 1, decisions 0 1 1 1, five classes of which three never occur.
    """
    of = predictions(np.eye(5)[[0, 1, 1, 1]], [0, 0, 1, 1])
    by_hand = {"macro_f1": (2 / 3 + 4 / 5) / 2, "macro_precision": (1 + 2 / 3) / 2, "macro_recall": (1 / 2 + 1) / 2}
    by_hand["balanced_accuracy"] = by_hand["macro_recall"]
    assert value(name, of) == pytest.approx(by_hand[name], abs=1e-12)
    if name != "macro_precision":
        assert metric(name).say("note", {"predictions": of}) == "no labels of c2, c3, c4"


def test_which_side_of_ood_is_positive_is_said_and_kept_openood_206_211_308():
    """OpenOOD#206, #308, ood-metrics#2: FPR95 turned between versions. OpenOOD#211: AUPR-In and AUPR-Out were swapped.

    Known inputs .9 x 95 and .2 x 5; foreign ones .1 x 90 and .85 x 10. AUPR by hand from the definitions.
    """
    score = [np.repeat([0.9, 0.2], [95, 5]), np.repeat([0.1, 0.85], [90, 10])]
    inside, outside = (predictions(np.stack([s, s - 9], axis=1), np.full(100, -1)) for s in score)
    asked = {"score": "max_logit"}
    assert value("ood_fpr95", inside, {**asked, "positive": "id"}, ood=outside) == 0.0
    assert value("ood_fpr95", inside, {**asked, "positive": "ood"}, ood=outside) == 0.05
    known = 0.95 * 1 + 0.05 * 100 / 110  # thresholds .9, then .2: 100 known among 110 taken
    foreign = 0.9 * 1 + 0.1 * 100 / 105  # from below: .1, then past .2 to .85
    assert value("ood_aupr", inside, {**asked, "positive": "in"}, ood=outside) == pytest.approx(known, abs=1e-12)
    assert value("ood_aupr", inside, {**asked, "positive": "out"}, ood=outside) == pytest.approx(foreign, abs=1e-12)
    assert "OOD = positive" in metric("ood_aupr").facts["convention"]


def test_tied_ood_scores_give_a_half_probly_540():
    """probly#540: ties gave 1 instead of 0.5. Perfect, reversed and constant scores give 1, 0 and 0.5."""
    sure, flat = predictions(np.full((30, 3), [8.0, 0, 0]), np.full(30, -1)), predictions(np.zeros((20, 3)), np.full(20, -1))
    for score in ("msp", "max_logit", "energy", "entropy"):
        found = [value("ood_auroc", a, {"score": score}, ood=b) for a, b in ((sure, flat), (flat, sure), (flat, flat))]
        assert found == [1.0, 0.0, 0.5]


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "weighted_f1", "nll", "brier", "top_k_accuracy"])
def test_batches_are_never_averaged_lm_eval_2890(name):
    """lm-eval#2890 and its kin: a mean of batch means is wrong with a short last batch. Sums are added, then divided once."""
    of, one = made(), metric(name, **({"k": 2} if name == "top_k_accuracy" else {}))
    cuts = [slice(0, 100), slice(100, 200), slice(200, 203), slice(203, 240)]
    total = sum(sums(tidy(one({"predictions": of.take(c)}), c.stop - c.start))[0] for c in cuts)
    whole = float(one.finish(sums(tidy(one({"predictions": of}), 240))[0] / 240))
    assert float(one.finish(total / 240)) == pytest.approx(whole, abs=1e-12)
    parts = [value(name, of.take(c), {"k": 2} if name == "top_k_accuracy" else None) for c in cuts]
    assert np.mean(parts) != pytest.approx(whole, abs=1e-6), "the mean of batch values is another number"


def test_ties_and_constant_scores_follow_the_stated_rule():
    """Catalogue 82: ties in top-k and argmax, constant scores. The lower index wins; AUROC is a half; and it is said."""
    label = np.arange(60) % 6
    of = predictions(np.zeros((60, 6)), label)
    assert value("accuracy", of) == pytest.approx(1 / 6), "class 0 wins every tie"
    for k in range(1, 6):
        assert value("top_k_accuracy", of, {"k": k}) == pytest.approx(k / 6), "classes 0 to k - 1"
    assert value("auroc", of) == 0.5
    assert value("auprc", of) == pytest.approx(1 / 6)
    assert np.isnan(value("mcc", of))
    assert "constant predictions" in metric("auroc").say("note", {"predictions": of})
    with pytest.raises(NotApplicable):
        value("top_k_accuracy", of, {"k": 6})
    for name, words in (("top_k_accuracy", "lower index"), ("accuracy", "lower class index"), ("auroc", "ties count half")):
        assert words in metric(name).facts["convention"]


def test_log_loss_of_a_certain_error_is_stated_and_nobody_has_no_number():
    """Catalogue 83: log loss with p = 0 (scikit-learn clips at the epsilon of the dtype), and 0 examples."""
    from sklearn.metrics import log_loss

    p = np.array([[1.0, 0.0]])
    clipped = log_loss([1], p, labels=[0, 1])
    found = value("nll", predictions(p, [1], kind="probabilities"))
    assert clipped == pytest.approx(36.04, abs=0.01)
    assert found == pytest.approx(87.34, abs=0.01)
    assert "87.3" in metric("nll").facts["convention"]
    assert value("nll", predictions([[500.0, 0.0]], [1])) == 500.0, "logits are not clipped"
    nobody = predictions(np.zeros((0, 3)), np.zeros(0, dtype=int))
    for name in ("auroc", "auprc"):
        with pytest.raises(Undefined):
            value(name, nobody)
    for name in ("macro_f1", "mcc", "balanced_accuracy"):
        one = metric(name)
        with np.errstate(invalid="ignore"):
            assert np.isnan(one.finish(sums(tidy(one({"predictions": nobody}), 0))[0] / np.float64(0)))
