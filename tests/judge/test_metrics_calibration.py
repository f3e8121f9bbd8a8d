"""Metrics of calibration against torchmetrics, scikit-learn, scipy, published values, or the paper's equation in plain loops."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from asking import metric, predictions, value
from made_evidence import noisy_logits

from kdbench import Undefined, fit_temperature
from kdbench.judge.columns import dense, sums, tidy

TOP_LABEL = ("ece", "mce", "rms_calibration_error", "ece_unweighted")
BINNED = (*TOP_LABEL, "rms_calibration_error_debiased", "ece_equal_mass", "ece_classwise", "ace_nixon",
          "brier_reliability", "brier_resolution", "brier_within_bin")  # fmt: skip
SETS = tuple(name for name in BINNED if metric(name).form == "set")


@pytest.fixture(params=[(2, 400), (5, 333), (10, 90)], ids=str)
def made(request):
    classes, n = request.param
    rng = np.random.default_rng(classes)
    label = rng.integers(0, classes, n)
    return predictions((1.7 * noisy_logits(label, classes, 1.2, rng)).astype(np.float32), label)


def sure(confidence, right):
    """Two-class predictions with these confidences, exactly, and these hits."""
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=bool)
    held = predictions(np.tile([1.0, 0.0], (len(right), 1)), np.where(right, 0, 1))
    held.__dict__["confidence"] = confidence
    return held


def guo_bins(confidence, right, bins):
    """The gaps and shares of B_m = ((m-1)/M, m/M] in exact arithmetic, 0 in the first; empty bins left out."""
    found = []
    for m in range(1, bins + 1):
        low, high = Fraction(m - 1, bins), Fraction(m, bins)
        inside = [i for i, c in enumerate(confidence) if low < c <= high or (c == 0 and m == 1)]
        if inside:
            gap = abs(sum(Fraction(int(right[i])) - confidence[i] for i in inside)) / len(inside)
            found.append((gap, Fraction(len(inside), len(confidence))))
    return found


GUO = {
    "ece": lambda bins: float(sum(gap * share for gap, share in bins)),
    "mce": lambda bins: float(max(gap for gap, _ in bins)),
    "rms_calibration_error": lambda bins: float(sum(gap**2 * share for gap, share in bins)) ** 0.5,
    "ece_unweighted": lambda bins: float(sum(gap for gap, _ in bins) / len(bins)),
}


@pytest.mark.parametrize("name", TOP_LABEL)
@pytest.mark.parametrize("bins", [1, 2, 3, 5, 7, 10, 15, 20, 49, 100, 300])
def test_top_label_errors_equal_the_exact_equation_on_and_beside_every_edge(name, bins):
    rng = np.random.default_rng(bins)
    edges = np.arange(0, bins + 1) / bins
    near = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1), rng.random(30)])
    near = np.clip(rng.choice(near, min(len(near), 200), replace=False), 0, 1)
    right = rng.random(len(near)) < 0.6
    exact = [Fraction(round(c * bins), bins) if c == round(c * bins) / bins else Fraction(c) for c in near.tolist()]
    found = value(name, sure(near, right), {"bins": bins})
    assert found == pytest.approx(GUO[name](guo_bins(exact, right, bins)), abs=1e-12)


@pytest.mark.parametrize("name", TOP_LABEL)
@pytest.mark.parametrize("bins", [5, 10, 15])
def test_given_probabilities_on_an_edge_stay_on_it_when_kept_as_float32_logarithms(name, bins):
    """Votes of ten trees: .6 is the edge 9/15, though exp(float32(log .6)) is above it."""
    rng = np.random.default_rng(bins)
    votes = rng.integers(6, 11, 200)
    p = np.stack([votes / 10, 1 - votes / 10], axis=1)
    label = (rng.random(200) < 0.3).astype(int)
    held = predictions(p, label, kind="probabilities")
    held = replace(held, logits=held.logits.astype(np.float32))
    expected = GUO[name](guo_bins([Fraction(int(v), 10) for v in votes], label == 0, bins))
    assert (held.confidence > votes / 10).any()
    assert value(name, held, {"bins": bins}) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("name", "norm"), [("ece", "l1"), ("rms_calibration_error", "l2"), ("mce", "max")])
def test_top_label_errors_equal_torchmetrics(made, name, norm):
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    expected = multiclass_calibration_error(
        torch.tensor(made.probability), torch.tensor(made.label), num_classes=made.logits.shape[1], n_bins=15, norm=norm
    )
    assert value(name, made) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("ece", 0.2), ("rms_calibration_error", 0.2082), ("mce", 0.2333)])
def test_top_label_errors_equal_the_published_torchmetrics_example(name, expected):
    p = np.array([[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]])
    assert value(name, predictions(p, [0, 1, 2, 0], kind="probabilities"), {"bins": 3}) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("name", "expected"), [("ece", 0.29), ("rms_calibration_error", 0.2918), ("mce", 0.3167)])
def test_top_label_errors_equal_the_published_binary_torchmetrics_example(name, expected):
    """torchmetrics bins P(class 1) there: as confidences with hits, the same numbers."""
    held = sure([0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1])
    assert value(name, held, {"bins": 2}) == pytest.approx(expected, abs=5e-5)


def test_ece_diagram_comes_from_the_sums_of_the_number(made):
    one, n = metric("ece"), len(made.label)
    means = sums(tidy(one({"predictions": made}), n))[0] / n
    curve = one.curve(means)
    assert curve["name"] == "reliability"
    assert np.nansum(curve["share"] * np.abs(curve["y"] - curve["x"])) == pytest.approx(float(one.finish(means)), abs=1e-12)
    assert curve["share"].sum() == pytest.approx(1.0)
    known = curve["share"] > 0
    assert ((curve["low"] < curve["x"]) & (curve["x"] <= curve["high"] + 1e-12))[known].all()


def test_overconfidence_is_signed_and_bounded_by_ece(made):
    expected = np.mean([max(p) for p in made.probability.tolist()]) - np.mean(made.pred == made.label)
    assert value("overconfidence", made) == pytest.approx(expected, abs=1e-12)
    assert abs(expected) <= value("ece", made) + 1e-12
    assert value("overconfidence", sure([0.9, 0.9], [0, 1])) == pytest.approx(0.4)
    assert value("overconfidence", sure([0.6, 0.6], [1, 1])) == pytest.approx(-0.4)


# --- equal mass


def array_split_ece(confidence, right, bins):
    order = sorted(range(len(confidence)), key=lambda i: confidence[i])
    return sum(abs(sum(float(right[i]) - confidence[i] for i in part)) / len(confidence) for part in np.array_split(order, bins))


@pytest.mark.parametrize("bins", [1, 2, 4, 15])
@pytest.mark.parametrize("n", [1, 3, 10, 47, 300])
def test_ece_equal_mass_without_ties_equals_numpy_array_split(bins, n):
    rng = np.random.default_rng(n)
    confidence, right = rng.uniform(0.3, 1, n), rng.random(n) < 0.6
    expected = array_split_ece(confidence.tolist(), right, bins)
    assert value("ece_equal_mass", sure(confidence, right), {"bins": bins}) == pytest.approx(expected, abs=1e-12)


def test_ece_equal_mass_equals_the_published_torch_uncertainty_test():
    p, label = np.array([0.3, 0.24, 0.25, 0.2, 0.8]), [0, 0, 0, 1, 1]
    held = predictions(np.stack([1 - p, p], axis=1), label, kind="probabilities")
    assert value("ece_equal_mass", held, {"bins": 2}) == pytest.approx(0.278, abs=1e-7)


def test_ece_equal_mass_puts_ties_into_the_bin_in_which_they_begin_whatever_the_order():
    """6 in 2 bins would be cut after 3; .7 begins at place 1, so that all of it lies in the first bin."""
    confidence, right = np.array([0.6, 0.7, 0.7, 0.7, 0.7, 0.9]), np.array([1, 0, 1, 1, 0, 0])
    expected = (abs((1 + 2) - (0.6 + 4 * 0.7)) + abs(0 - 0.9)) / 6
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(6)
        held = sure(confidence[order], right[order])
        assert value("ece_equal_mass", held, {"bins": 2}) == pytest.approx(expected, abs=1e-12)
        draw = metric("ece_equal_mass", bins=2)({"predictions": held, "weights": np.ones((1, 6), dtype=np.float32)})
        assert draw == pytest.approx([expected], abs=1e-12)


def test_ece_equal_mass_diagram_gives_the_number(made):
    curve = metric("ece_equal_mass").curve({"predictions": made})
    assert curve["name"] == "reliability_equal_mass"
    assert np.nansum(curve["share"] * np.abs(curve["y"] - curve["x"])) == pytest.approx(value("ece_equal_mass", made), abs=1e-12)


# --- every class


def test_ace_nixon_equals_the_paper(made):
    n, classes = made.probability.shape
    expected = 0.0
    for k in range(classes):
        order = sorted(range(n), key=lambda i: made.probability[i, k])
        for part in np.array_split(order, 15):
            if len(part):
                frequency = sum(made.label[i] == k for i in part) / len(part)
                expected += abs(frequency - sum(made.probability[i, k] for i in part) / len(part)) / (classes * 15)
    assert value("ace_nixon", made) == pytest.approx(expected, abs=1e-12)


def class_bins(made, bins):
    """(k, forecasts, outcomes) of every bin of every class, by numpy's digitize."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    for k in range(made.probability.shape[1]):
        p, o = made.probability[:, k], (made.label == k).astype(float)
        where = np.digitize(p, edges, right=True)
        yield from ((k, p[where == m], o[where == m]) for m in range(bins) if (where == m).any())


@pytest.mark.parametrize("bins", [10, 15])
def test_ece_classwise_equals_kull(made, bins):
    n, classes = made.probability.shape
    expected = sum(len(p) / n * abs(o.mean() - p.mean()) for _, p, o in class_bins(made, bins)) / classes
    assert value("ece_classwise", made, {"bins": bins}) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_brier_parts_equal_murphy_and_stephenson(made, bins):
    n, base = len(made.label), np.bincount(made.label, minlength=made.logits.shape[1]) / len(made.label)
    found = list(class_bins(made, bins))
    expected = {
        "brier_reliability": sum(len(p) / n * (p.mean() - o.mean()) ** 2 for _, p, o in found),
        "brier_resolution": sum(len(p) / n * (o.mean() - base[k]) ** 2 for k, p, o in found),
        "brier_within_bin": sum(
            ((p - p.mean()) ** 2).sum() / n - 2 * ((p - p.mean()) * (o - o.mean())).sum() / n for _, p, o in found
        ),
    }
    for name, number in expected.items():
        assert value(name, made, {"bins": bins}) == pytest.approx(number, abs=1e-12)
    assert value("brier_uncertainty", made) == pytest.approx(sum(b * (1 - b) for b in base), abs=1e-12)


@pytest.mark.parametrize("bins", [1, 2, 10, 15, 300])
def test_brier_parts_add_up_to_brier(made, bins):
    rel, res, within = (value(f"brier_{p}", made, {"bins": bins}) for p in ("reliability", "resolution", "within_bin"))
    assert rel - res + value("brier_uncertainty", made) + within == pytest.approx(value("brier", made), abs=1e-12)


def test_brier_parts_equal_twice_the_published_murphy_example():
    f, o = np.array([0.1, 0.1, 0.4, 0.4, 0.4, 0.8, 0.8, 0.8, 0.8, 1.0]), [0, 0, 0, 1, 0, 1, 1, 0, 1, 1]
    held = predictions(np.stack([1 - f, f], axis=1), o, kind="probabilities")
    found = {p: value(f"brier_{p}", held, {} if p == "uncertainty" else {"bins": 10}) / 2
             for p in ("reliability", "resolution", "uncertainty", "within_bin")}  # fmt: skip
    assert found["reliability"] == pytest.approx(0.0043333, abs=1e-7)
    assert found["resolution"] == pytest.approx(0.1083333, abs=1e-7)
    assert found["uncertainty"] == pytest.approx(0.25, abs=1e-12)
    assert found["within_bin"] == pytest.approx(0.0, abs=1e-12)
    assert value("brier", held) / 2 == pytest.approx(0.146, abs=1e-7)


# --- debiased


@pytest.mark.parametrize("bins", [5, 15])
def test_debiased_error_equals_kumars_equation(made, bins):
    n, total = len(made.label), 0.0
    where = np.digitize(made.confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    for m in range(bins):
        c, o = made.confidence[where == m], made.correct[where == m].astype(float)
        if len(o) > 1:
            total += len(o) / n * ((o.mean() - c.mean()) ** 2 - o.mean() * (1 - o.mean()) / (len(o) - 1))
    expected = max(total, 0.0) ** 0.5
    assert value("rms_calibration_error_debiased", made, {"bins": bins}) == pytest.approx(expected, abs=1e-9)


def test_debiased_square_is_unbiased_in_a_simulation():
    """Confidences .55, .75 and .95 with accuracies .50, .75 and .85: the true mean square gap is known."""
    rng = np.random.default_rng(0)
    confidence = np.repeat([0.55, 0.75, 0.95], 40)
    truth = np.repeat([0.50, 0.75, 0.85], 40)
    debiased, plain = [], []
    for _ in range(1500):
        held = sure(confidence, rng.random(120) < truth)
        debiased.append(value("rms_calibration_error_debiased", held) ** 2)
        plain.append(value("rms_calibration_error", held) ** 2)
    exact = (0.05**2 + 0 + 0.1**2) / 3
    error = np.std(debiased) / np.sqrt(1500)
    assert np.mean(plain) > exact + 0.003
    assert abs(np.mean(debiased) - exact) < 4 * error + 0.0008  # the clip at 0 leaves a little


def test_debiased_error_of_single_examples_is_undefined():
    with pytest.raises(Undefined, match="none of 15 bins holds two of the 2 examples"):
        value("rms_calibration_error_debiased", sure([0.6, 0.9], [1, 0]))


# --- temperature


def test_temperature_equals_scipy_minimize(made):
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    z, rows = made.logits.astype(float), np.arange(len(made.label))
    found = fit_temperature(made)
    best = minimize_scalar(
        lambda t: -log_softmax(z / np.exp(t), axis=1)[rows, made.label].mean(), bracket=(-1, 1), method="brent", tol=1e-12
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-6)
    assert value("temperature", made, validation=made) == found


@pytest.mark.parametrize("seed", range(12))
def test_temperature_has_slope_zero_and_never_raises_the_nll(seed):
    """Judged by torch's gradient of the cross-entropy, over logits of very different scales."""
    import torch

    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 12)), int(rng.integers(30, 400))
    label = rng.integers(0, classes, n)
    scale = 10 ** rng.uniform(-1.5, 1.5)
    made = predictions((scale * noisy_logits(label, classes, 1.0, rng)).astype(np.float32), label)
    b = torch.tensor(1 / fit_temperature(made), dtype=torch.float64, requires_grad=True)
    z, y = torch.tensor(made.logits).double(), torch.tensor(made.label)
    loss = torch.nn.functional.cross_entropy(b * z, y)
    (slope,) = torch.autograd.grad(loss, b)
    assert abs(slope.item() * b.item()) < 1e-9
    before, after = value("nll", made), value("nll_temperature_scaled", made, validation=made)
    assert after == pytest.approx(loss.item(), abs=1e-12)
    assert after <= before + 1e-12
    scaled = replace(made, logits=made.logits.astype(float) / fit_temperature(made))
    assert (scaled.logits.argmax(axis=1) == made.pred).all()


@pytest.mark.parametrize("n", [200_000])
def test_temperature_of_a_large_set_equals_the_scale_that_made_it(n):
    rng = np.random.default_rng(1)
    z = 2.0 * rng.normal(size=(n, 4))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    label = (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    assert fit_temperature(predictions(3.0 * z, label)) == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize(
    ("logits", "label", "said"),
    [
        ([[2.0, 0.0], [0.0, 3.0]], [0, 1], "no errors among 2 examples"),
        ([[2.0, 0.0], [0.0, 3.0]], [1, 0], "above 1000"),
        ([[1.0, 1.0], [4.0, 4.0]], [1, 0], "no errors among 2 examples"),
        ([[1e-5, 0.0], [1e-5, 0.0], [1e-5, 0.0]], [0, 0, 1], "below 0.001"),
        ([[3e4, 0.0], [3e4, 0.0], [3e4, 0.0]], [0, 0, 1], "above 1000"),
    ],
)
def test_temperature_without_a_best_value_is_undefined(logits, label, said):
    made = predictions(logits, label)
    for _ in range(2):  # also where the answer is remembered
        with pytest.raises(Undefined, match=said):
            fit_temperature(made)
    for name in ("ece_temperature_scaled", "nll_temperature_scaled", "brier_temperature_scaled", "temperature"):
        with pytest.raises(Undefined, match=said):
            value(name, made, validation=made)
    with pytest.raises(Undefined, match=said):
        value("temperature_ratio", made, validation=made, teacher_validation=made)


def test_scaled_metrics_equal_sklearn_and_torchmetrics_on_scaled_logits(made):
    import torch
    from scipy.special import softmax
    from sklearn.metrics import brier_score_loss, log_loss
    from torchmetrics.functional.classification import multiclass_calibration_error

    half = len(made.label) // 2
    validation, test = made.take(slice(0, half)), made.take(slice(half, None))
    p = softmax(test.logits.astype(float) / fit_temperature(validation), axis=1)
    classes = list(range(p.shape[1]))
    found = {n: value(f"{n}_temperature_scaled", test, validation=validation) for n in ("ece", "nll", "brier")}
    assert found["nll"] == pytest.approx(log_loss(test.label, p, labels=classes), abs=1e-9)
    if len(classes) > 2:
        expected = brier_score_loss(test.label, p, labels=classes, scale_by_half=False)
    else:
        expected = 2 * brier_score_loss(test.label, p[:, 1])
    assert found["brier"] == pytest.approx(expected, abs=1e-12)
    expected = multiclass_calibration_error(torch.tensor(p), torch.tensor(test.label), num_classes=len(classes), n_bins=15)
    assert found["ece"] == pytest.approx(float(expected), abs=1e-6)


def test_temperature_draws_equal_the_temperature_of_the_drawn_rows(made):
    n = len(made.label)
    teacher = replace(made, logits=made.logits * 2 + np.roll(made.logits, 1, axis=1))
    weights = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=40).astype(np.float32)
    found = metric("temperature")({"validation": made, "weights": weights})
    ratios = metric("temperature_ratio")({"validation": made, "teacher_validation": teacher, "weights": weights})
    for b, draw in enumerate(weights):
        drawn = np.repeat(np.arange(n), draw.astype(int))
        one, other = fit_temperature(made.take(drawn)), fit_temperature(teacher.take(drawn))
        assert found[b] == pytest.approx(one, rel=1e-6)
        assert ratios[b] == pytest.approx(one / other, rel=2e-6)


def test_temperature_draws_without_errors_are_undefined():
    z = np.array([[3.0, 0.0]] * 5 + [[2.0, 0.0]])
    made = predictions(z, [0, 0, 0, 0, 0, 1])
    weights = np.array([[2, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]], dtype=np.float32)
    found = metric("temperature")({"validation": made, "weights": weights})
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(fit_temperature(made), rel=1e-9)


# --- all of them


def evidence(made, names):
    other = replace(made, logits=made.logits * 2 + np.roll(made.logits, 1, axis=1))
    held = {"predictions": made, "validation": made, "teacher_validation": other}
    return {k: v for k, v in held.items() if k in names}


@pytest.mark.parametrize("name", [*SETS, "temperature", "temperature_ratio"])
def test_unit_weights_give_the_value_itself(name, made):
    one = metric(name)
    held = evidence(made, one.asks)
    weights = np.ones((2, len(made.label)), dtype=np.float32)
    assert one({**held, "weights": weights}) == pytest.approx(np.full(2, float(one(held))), abs=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_draws_equal_the_value_of_the_drawn_rows_and_an_empty_draw_is_undefined(name, made):
    n, one = len(made.label), metric(name)
    weights = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=12).astype(np.float32)
    weights[-1] = 0
    found = one({"predictions": made, "weights": weights})
    for b in range(11):
        drawn = made.take(np.repeat(np.arange(n), weights[b].astype(int)))
        assert found[b] == pytest.approx(float(one({"predictions": drawn})), abs=1e-9)
    assert np.isnan(found[-1])


SMOOTH = ("ece_classwise", "brier_reliability", "brier_resolution", "brier_within_bin", "temperature", "temperature_ratio")


@pytest.mark.parametrize("name", SMOOTH)
def test_influence_is_the_derivative_with_respect_to_the_weights(name, made):
    """A central difference in a random direction; columns of nothing but weights are judged by the weighted value."""
    n, one = len(made.label), metric(name)
    held = evidence(made, one.asks)
    found = one.companions["influence"](**held)
    assert found.shape == (n,)
    assert abs(found.mean()) < 1e-9
    rng = np.random.default_rng(4)
    for _ in range(3):
        direction = rng.normal(size=n)
        direction -= direction.mean()
        h = 1e-4
        up, down = one({**held, "weights": np.stack([1 + h * direction, 1 - h * direction])})
        assert (up - down) / (2 * h) == pytest.approx(float(found @ direction) / n, rel=5e-3, abs=1e-6)


@pytest.mark.parametrize("name", ["ece_equal_mass", "ace_nixon"])
def test_influence_of_equal_mass_bins_has_the_spread_of_the_bootstrap(name):
    """Over-confident predictions; the edges move with the weights."""
    rng = np.random.default_rng(5)
    label = rng.integers(0, 3, 4000)
    made = predictions(4.0 * noisy_logits(label, 3, 1.0, rng), label)
    one = metric(name)
    weights = rng.multinomial(4000, np.full(4000, 1 / 4000), size=300).astype(np.float32)
    drawn = one({"predictions": made, "weights": weights})
    linear = weights @ one.companions["influence"](predictions=made) / 4000
    assert np.std(linear) == pytest.approx(np.std(drawn), rel=0.1)
    assert np.corrcoef(linear, drawn)[0, 1] > 0.9


@pytest.mark.parametrize("name", BINNED)
@pytest.mark.parametrize("bins", [1, 3, 300])
def test_values_are_in_range_and_blind_to_the_order_of_rows(name, bins, made):
    params = {"ranges" if name == "ace_nixon" else "bins": bins}
    try:
        found = value(name, made, params)
    except Undefined:
        assert name == "rms_calibration_error_debiased"
        return
    facts = metric(name).facts
    assert facts["low"] <= found <= facts["high"]
    shuffled = made.take(np.random.default_rng(6).permutation(len(made.label)))
    assert value(name, shuffled, params) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("name", TOP_LABEL)
def test_finish_takes_many_draws_at_once(name, made):
    n, one = len(made.label), metric(name)
    columns = dense(tidy(one({"predictions": made}), n))
    weights = np.random.default_rng(7).multinomial(n, np.full(n, 1 / n), size=6).reshape(2, 3, n)
    found = one.finish(weights @ columns / n)
    for at in np.ndindex(2, 3):
        assert found[at] == pytest.approx(value(name, made.take(np.repeat(np.arange(n), weights[at]))), abs=1e-12)
    assert np.isnan(one.finish(np.full(columns.shape[1], np.nan)))
