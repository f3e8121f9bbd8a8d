"""Every metric against someone else's code or a published number."""

import numpy as np
import pytest
import torch
from asking import metric, predictions, value
from made_evidence import noisy_logits

from kdbench import Undefined
from kdbench.judge.columns import sums, tidy


@pytest.fixture(params=[(2, 200), (5, 333), (10, 80)], ids=str)
def made(request):
    classes, n = request.param
    rng = np.random.default_rng(classes)
    label = rng.integers(0, classes, n)
    return predictions(noisy_logits(label, classes, 1.5, rng), label, 1 if classes == 2 else None)


def test_accuracy_equals_sklearn(made):
    from sklearn.metrics import accuracy_score

    assert value("accuracy", made) == pytest.approx(accuracy_score(made.label, made.pred), abs=1e-12)


@pytest.mark.parametrize("absent", [False, True])
def test_macro_f1_equals_sklearn_with_labels(made, absent):
    from sklearn.metrics import f1_score

    keep = made.label != 0 if absent else slice(None)
    of = predictions(made.logits[keep], made.label[keep])
    expected = f1_score(of.label, of.pred, labels=list(range(made.logits.shape[1])), average="macro", zero_division=np.nan)
    assert value("macro_f1", of) == pytest.approx(expected, abs=1e-12)


def test_auroc_equals_sklearn(made):
    from sklearn.metrics import roc_auc_score

    score = made.probability[:, 1] if made.logits.shape[1] == 2 else made.probability
    assert value("auroc", made) == pytest.approx(roc_auc_score(made.label, score, multi_class="ovr"), abs=1e-9)


def test_auroc_with_weights_equals_sklearn_with_sample_weight(made):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    n, classes = made.logits.shape
    rounded = predictions(np.round(made.logits), made.label)  # many ties
    weights = rng.multinomial(n, np.full(n, 1 / n), size=20).astype(np.float32)
    found = metric("auroc")({"predictions": rounded, "weights": weights})
    for draw, w in zip(found, weights, strict=True):
        areas = []
        for k in [1] if classes == 2 else range(classes):
            if 0 < w[made.label == k].sum() < n:
                areas.append(roc_auc_score(made.label == k, rounded.probability[:, k].round(12), sample_weight=w))
        assert draw == pytest.approx(np.mean(areas), abs=1e-6)


def test_auroc_of_saturated_scores_keeps_its_order():
    label = np.arange(100) % 2
    z = np.stack([np.zeros(100), 800.0 + label * 100 + np.arange(100) * 0.01], axis=1)
    assert value("auroc", predictions(z, label)) == 1.0


def test_auroc_of_constant_scores_is_a_half_and_of_one_class_undefined():
    label = np.arange(60) % 3
    assert value("auroc", predictions(np.zeros((60, 3)), label)) == 0.5
    with pytest.raises(Undefined, match="one class only"):
        value("auroc", predictions(np.zeros((60, 3)), np.zeros(60, dtype=int)))


def test_nll_equals_sklearn_log_loss_and_scipy(made):
    from scipy.special import log_softmax
    from sklearn.metrics import log_loss

    assert value("nll", made) == pytest.approx(
        log_loss(made.label, made.probability, labels=range(made.logits.shape[1])), abs=1e-9
    )
    exact = -log_softmax(made.logits.astype(float), axis=1)[np.arange(len(made.label)), made.label].mean()
    assert value("nll", made) == pytest.approx(exact, abs=1e-12)


def test_nll_equals_the_published_classic():
    p = np.array([0.9, 0.9, 0.8, 0.65])
    z = np.log(np.stack([p, 1 - p], axis=1))
    assert value("nll", predictions(z, np.zeros(4, dtype=int))) == pytest.approx(0.2161619, abs=1e-6)


def test_nll_of_a_certain_error_is_finite():
    assert value("nll", predictions([[2000.0, 0.0]], [1])) == 2000.0


def test_brier_equals_sklearn(made):
    from sklearn.metrics import brier_score_loss

    if made.logits.shape[1] == 2:
        assert value("brier", made) == pytest.approx(2 * brier_score_loss(made.label, made.probability[:, 1]), abs=1e-12)
    else:
        expected = brier_score_loss(made.label, made.probability, labels=range(made.logits.shape[1]), scale_by_half=False)
        assert value("brier", made) == pytest.approx(expected, abs=1e-12)


def test_brier_equals_twice_the_published_binary_classic():
    p = np.array([0.1, 0.9, 0.8, 0.3])
    assert value("brier", predictions(np.log(np.stack([1 - p, p], axis=1)), [0, 1, 1, 0])) == pytest.approx(2 * 0.0375, abs=1e-7)


def test_ece_equals_torchmetrics(made):
    from torchmetrics.functional.classification import multiclass_calibration_error

    expected = multiclass_calibration_error(
        torch.tensor(made.probability), torch.tensor(made.label), num_classes=made.logits.shape[1], n_bins=15, norm="l1"
    )
    assert value("ece", made) == pytest.approx(float(expected), abs=1e-6)


def test_ece_equals_the_published_torchmetrics_example():
    p = np.array([[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]])
    assert value("ece", predictions(np.log(p), [0, 1, 2, 0]), params={"bins": 3}) == pytest.approx(0.2, abs=1e-6)


def test_ece_has_no_phantom_bin():
    """Confidence 1.0 belongs to the last bin: textbook .475 where torchmetrics gives .525."""
    z = [[np.log(0.95), np.log(0.05)], [1000.0, 0.0]]
    assert value("ece", predictions(z, [0, 1])) == pytest.approx(0.475, abs=1e-7)


@pytest.mark.parametrize("bins", [1, 2, 4, 5, 8, 10, 15, 20])
def test_ece_equals_guo_equation_at_every_edge(bins):
    """B_m = ((m-1)/M, m/M] in exact arithmetic: confidences on the edges themselves."""
    from fractions import Fraction

    rng = np.random.default_rng(bins)
    edges = [Fraction(m, bins) for m in range(1, bins + 1) if Fraction(m, bins) > Fraction(1, 2)]
    confidence = [edges[i] for i in rng.integers(0, len(edges), 40)]
    right = rng.random(40) < 0.7
    one = metric("ece", bins=bins)
    held = predictions(np.zeros((40, 2)), np.zeros(40, dtype=int))
    held.__dict__.update(confidence=np.array([float(c) for c in confidence]), correct=right)
    expected = Fraction(0)
    for m in range(1, bins + 1):
        inside = [i for i, c in enumerate(confidence) if Fraction(m - 1, bins) < c <= Fraction(m, bins)]
        expected += abs(sum((Fraction(int(right[i])) - confidence[i] for i in inside), Fraction(0))) / 40
    assert float(one.finish(sums(tidy(one({"predictions": held}), 40))[0] / 40)) == pytest.approx(float(expected), abs=1e-12)


def test_ece_and_its_diagram_come_from_the_same_sums(made):
    one = metric("ece")
    n = len(made.label)
    means = sums(tidy(one({"predictions": made}), n))[0] / n
    curve = one.curve(means)
    assert np.nansum(curve["share"] * np.abs(curve["y"] - curve["x"])) == pytest.approx(float(one.finish(means)), abs=1e-12)
    assert curve["share"].sum() == pytest.approx(1.0)


def test_kl_to_teacher_equals_torch_and_torchmetrics(made):
    from torchmetrics.functional import kl_divergence

    rng = np.random.default_rng(3)
    teacher = predictions(made.logits + rng.normal(size=made.logits.shape), made.label)
    found = value("kl_to_teacher", made, teacher=teacher)
    log_s = torch.log_softmax(torch.tensor(made.logits).double(), dim=1)
    log_t = torch.log_softmax(torch.tensor(teacher.logits).double(), dim=1)
    assert found == pytest.approx(
        float(torch.nn.functional.kl_div(log_s, log_t, reduction="batchmean", log_target=True)), abs=1e-12
    )
    assert found == pytest.approx(float(kl_divergence(log_t.exp(), log_s.exp())), abs=1e-6)


def test_kl_to_teacher_equals_the_published_direction():
    teacher, uniform = predictions(np.log([[0.36, 0.48, 0.16]]), [0]), predictions(np.zeros((1, 3)), [0])
    assert value("kl_to_teacher", uniform, teacher=teacher) == pytest.approx(0.0852996, abs=1e-6)
    assert value("kl_to_teacher", teacher, teacher=uniform) == pytest.approx(0.0974550, abs=1e-6)


def test_agreement_holds_stantons_bounds(made):
    rng = np.random.default_rng(4)
    teacher = predictions(made.logits + 2 * rng.normal(size=made.logits.shape), made.label)
    a, s, t = value("agreement", made, teacher=teacher), value("accuracy", made), value("accuracy", teacher)
    assert max(0.0, s + t - 1) <= a <= 1 - abs(s - t)
    assert a == np.mean(made.pred == teacher.pred)


GUIDE = {  # fairlearn's user guide
    "y": [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    "pred": [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
    "group": list("bbabbcccaacabccbcc"),
}


def test_rates_equal_the_published_fairlearn_guide():
    pred = np.array(GUIDE["pred"])
    of = predictions(np.stack([1.0 - pred, pred], axis=1), GUIDE["y"], positive=1)
    assert value("selection_rate", of) == pytest.approx(0.555556, abs=1e-6)
    assert value("true_positive_rate", of) == pytest.approx(0.5)
    assert value("false_positive_rate", of) == pytest.approx(0.666667, abs=1e-6)


def flat(score):
    """Two-class predictions whose MSP is `score`."""
    score = np.asarray(score)
    return predictions(np.log(np.stack([score, 1 - score], axis=1)), np.zeros(len(score), dtype=int))


def test_ood_auroc_equals_sklearn(made):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(5)
    other = predictions(0.7 * rng.normal(size=(150, made.logits.shape[1])), np.full(150, -1))
    inside = np.concatenate([np.ones(len(made.label)), np.zeros(150)])
    msp = np.concatenate([made.confidence, other.confidence])
    energy = torch.logsumexp(torch.tensor(np.concatenate([made.logits, other.logits])).double(), dim=1).numpy()
    assert value("ood_auroc", made, ood=other) == pytest.approx(roc_auc_score(inside, msp), abs=1e-12)
    assert value("ood_auroc", made, ood=other, params={"score": "energy"}) == pytest.approx(
        roc_auc_score(inside, energy), abs=1e-12
    )


@pytest.mark.parametrize(("name", "best", "worst"), [("ood_auroc", 1.0, 0.0), ("ood_fpr95", 0.0, 1.0)])
def test_ood_perfect_reversed_and_constant(name, best, worst):
    high, low = flat(np.full(50, 0.99)), flat(np.full(60, 0.6))
    assert value(name, high, ood=low) == best
    assert value(name, low, ood=high) == worst
    assert value(name, low, ood=low) == (0.5 if name == "ood_auroc" else 1.0)


def test_ood_fpr95_equals_the_published_values_both_ways():
    inside, outside = flat([0.9] * 95 + [0.55] * 5), flat([0.52] * 90 + [0.85] * 10)
    assert value("ood_fpr95", inside, ood=outside) == 0.0
    assert value("ood_fpr95", inside, ood=outside, params={"positive": "ood"}) == pytest.approx(0.05)


def test_ood_fpr95_equals_the_published_torch_uncertainty_test():
    assert value("ood_fpr95", flat([0.9] * 100), ood=flat([0.95] * 50 + [0.85] * 50)) == 0.5


def test_ood_fpr95_equals_sklearn_roc_curve():
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(6)
    inside, outside = flat(rng.uniform(0.6, 0.99, 137).round(2)), flat(rng.uniform(0.51, 0.9, 211).round(2))
    y = np.r_[np.ones(137), np.zeros(211)]
    fpr, tpr, _ = roc_curve(y, np.r_[inside.confidence, outside.confidence].round(9), drop_intermediate=False)
    assert value("ood_fpr95", inside, ood=outside) == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-12)
    fpr, tpr, _ = roc_curve(1 - y, -np.r_[inside.confidence, outside.confidence].round(9), drop_intermediate=False)
    assert value("ood_fpr95", inside, ood=outside, params={"positive": "ood"}) == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-12)


@pytest.mark.parametrize("name", ["ood_auroc", "ood_fpr95"])
def test_ood_draws_equal_the_value_of_the_drawn_rows(name):
    rng = np.random.default_rng(7)
    inside, outside = flat(rng.uniform(0.6, 0.99, 40).round(2)), flat(rng.uniform(0.51, 0.9, 30).round(2))
    w, v = (rng.multinomial(n, np.full(n, 1 / n), size=25).astype(np.float32) for n in (40, 30))
    for params in ({}, {"positive": "ood"}) if name == "ood_fpr95" else ({},):
        one = metric(name, **params)
        found = one({"predictions": inside, "ood": outside, "weights": w, "ood_weights": v})
        for b, draw in enumerate(found):
            drawn = {"predictions": inside.take(np.repeat(np.arange(40), w[b].astype(int)))}
            drawn["ood"] = outside.take(np.repeat(np.arange(30), v[b].astype(int)))
            assert draw == pytest.approx(one(drawn), abs=1e-6)


def latency_of(seconds, reference=None):
    seconds = np.asarray(seconds, dtype=float)
    reference = seconds if reference is None else np.asarray(reference)
    return {"wall_contender": seconds, "wall_reference": reference, "cpu_contender": seconds, "cpu_reference": reference}


@pytest.mark.parametrize(("p", "fewest"), [(90, 64), (99, 662)])
def test_latency_percentiles_need_the_published_number_of_calls(p, fewest):
    calls = np.arange(1.0, fewest + 1)[:, None]
    assert metric("latency_percentile", p=p)({"latency": latency_of(calls)}) == pytest.approx(fewest * 1e6)
    with pytest.raises(Undefined, match=f"not enough calls: {fewest - 1}"):
        metric("latency_percentile", p=p)({"latency": latency_of(calls[:-1])})


@pytest.mark.parametrize("p", [90, 99])
def test_latency_percentiles_equal_the_binomial_bound_of_scipy(p):
    """mlcommons/inference#1083: at 100,000 calls the bound of LoadGen collapsed."""
    from scipy.stats import binom

    count = 100_000
    found = metric("latency_percentile", p=p)({"latency": latency_of(np.arange(1.0, count + 1)[:, None])}) / 1e6
    t, p = count + 1 - round(found), p / 100
    assert binom.cdf(t, count, 1 - p) <= 0.01 < binom.cdf(t + 1, count, 1 - p)
    assert p * count < found < p * count + 400


def test_latency_ratio_is_the_median_of_the_ratios_of_block_minima():
    rng = np.random.default_rng(8)
    reference, contender = rng.uniform(1, 2, (120, 5)), rng.uniform(2, 4, (120, 5))
    one = metric("latency_ratio")
    blocks = one({"latency": latency_of(contender, reference)})
    expected = np.median([min(c) / min(r) for c, r in zip(contender.tolist(), reference.tolist(), strict=True)])
    assert float(one.finish(blocks)) == expected
    assert one.say("doubt", {"null": latency_of(reference, reference)}) == ""
    assert "1.030" in one.say("doubt", {"null": latency_of(1.03 * reference, reference)})
    assert "unknown" in one.say("doubt", {})


def test_cpu_time_ratio_is_a_ratio_of_means_over_all_calls_and_no_mean_of_ratios():
    rng = np.random.default_rng(9)
    reference, contender = rng.gamma(0.5, 1.0, (120, 5)), rng.gamma(0.5, 2.0, (120, 5))
    one = metric("cpu_time_ratio")
    blocks = one({"latency": latency_of(contender, reference)})
    assert float(one.finish(blocks)) == pytest.approx(
        sum(contender.ravel().tolist()) / sum(reference.ravel().tolist()), rel=1e-12
    )
    assert one.finish(np.stack([blocks, blocks[:, ::-1]])) * one.finish(np.stack([blocks[:, ::-1], blocks])) == pytest.approx(1.0)


def test_flops_of_a_blind_counter_are_undefined():
    with pytest.raises(Undefined, match="int8 graph"):
        metric("flops")({"size": {"flops": None, "flops_reason": "int8 graph"}})
    assert metric("flops")({"size": {"flops": 10}}) == 10.0
