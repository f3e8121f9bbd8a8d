"""Calibration numbers that public tools got quietly wrong: one test an issue, with the value that ours must have."""

import numpy as np
import pytest
from asking import metric, predictions, value

from kdbench.judge.columns import sums, tidy


def test_torchmetrics_3510_confidence_1_has_no_bin_of_its_own():
    """Lightning-AI/torchmetrics#3510: a phantom 16th bin for 1.0 gives .525; the textbook says .475."""
    held = predictions([[np.log(0.95), np.log(0.05)], [1000.0, 0.0]], [0, 1])
    assert held.confidence.max() == 1.0
    assert value("ece", held) == pytest.approx(0.475, abs=1e-7)
    assert float(metric("ece").curve(_means("ece", held))["share"][-1]) == 1.0


def test_torchmetrics_1646_confidence_1_is_no_crash_and_a_perfect_predictor_has_error_0():
    """Lightning-AI/torchmetrics#1646: an index outside the bins."""
    held = predictions(1000.0 * np.eye(3), [0, 1, 2])
    for name in ("ece", "mce", "rms_calibration_error", "ece_unweighted", "ece_equal_mass", "ece_classwise", "ace_nixon"):
        assert value(name, held) == 0.0


def test_torchmetrics_1744_probability_0_lies_in_the_first_bin():
    """Lightning-AI/torchmetrics#1744: 0.0 fell below the first edge. Here class 1 has probability 0 and half the labels."""
    held = predictions(np.array([[1000.0, 0.0]] * 4), [0, 1, 0, 1])
    assert (held.probability[:, 1] == 0.0).all()
    assert value("ece_classwise", held) == 0.5
    assert value("ece_classwise", held, {"bins": 1}) == 0.5


def test_pycalib_4_a_bin_is_compared_by_its_mean_confidence_and_not_its_centre():
    """classifier-calibration/PyCalib#4: bin (.9, 1] with confidences .96 and .98, all right: gap .03, by the centre .05."""
    held = predictions(np.array([[0.96, 0.04], [0.98, 0.02]]), [0, 0], kind="probabilities")
    assert value("ece", held, {"bins": 10}) == pytest.approx(0.03, abs=1e-9)
    assert value("mce", held, {"bins": 10}) == pytest.approx(0.03, abs=1e-9)


def test_gnosis_nll_reads_the_labels_of_its_own_rows():
    """gnosis eval_epoch (T1): -log_softmax(z)[..., targets].mean() averages a B x B matrix of other rows' labels."""
    from scipy.special import log_softmax

    z, label = np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 2, 3, 1, 2])
    held = predictions(3 * z, label)
    exact = float(np.mean([-log_softmax(row)[y] for row, y in zip(3 * z, label, strict=True)]))
    theirs = float(-log_softmax(3 * z, axis=1)[..., label].mean())
    assert abs(theirs - exact) > 0.1
    assert value("nll", held) == pytest.approx(exact, abs=1e-12)
    validation = predictions(3 * z, z.argmax(axis=1) * (np.arange(6) > 0))  # one error at most
    t = value("temperature", held, validation=validation)
    scaled = float(np.mean([-log_softmax(row)[y] for row, y in zip(3 * z / t, label, strict=True)]))
    assert value("nll_temperature_scaled", held, validation=validation) == pytest.approx(scaled, abs=1e-12)


@pytest.mark.parametrize("name", ["kl_to_teacher", "reverse_kl_to_teacher", "jensen_shannon_divergence"])
def test_gnosis_kl_is_a_mean_of_examples_and_not_of_batch_means(name):
    """gnosis (T1): with a short last batch the mean of the means of batches is another number."""
    rng = np.random.default_rng(1)
    held, teacher = (predictions(3 * rng.normal(size=(10, 4)), np.zeros(10, dtype=int)) for _ in range(2))
    each = [value(name, held.take(slice(i, i + 1)), teacher=teacher.take(slice(i, i + 1))) for i in range(10)]
    of_batches = np.mean([np.mean(each[:4]), np.mean(each[4:8]), np.mean(each[8:])])
    assert abs(of_batches - np.mean(each)) > 1e-3
    assert value(name, held, teacher=teacher) == pytest.approx(np.mean(each), abs=1e-12)


def test_t2_torchmetrics_itself_still_disagrees_only_because_of_the_phantom_bin():
    """T2: the same two predictions by torchmetrics, .525 or, once #3510 is fixed, .475. Ours does not depend on it."""
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    theirs = float(binary_calibration_error(torch.tensor([0.95, 1.0]), torch.tensor([1, 0]), n_bins=15, norm="l1"))
    held = predictions([[np.log(0.05), np.log(0.95)], [0.0, 1000.0]], [1, 0])
    assert theirs == pytest.approx(0.525, abs=1e-6) or theirs == pytest.approx(0.475, abs=1e-6)
    assert value("ece", held) == pytest.approx(0.475, abs=1e-7)


@pytest.mark.parametrize("bins", [2, 10, 15])
def test_dirichletcal_asked_for_15_bins_there_are_15(bins):
    """dirichletcal experiments_dnn (T3): np.linspace(0, 1, 15) has 14 bins. The diagram shows how many there are."""
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 1, 500)
    held = predictions(np.stack([p, 1 - p], axis=1), rng.integers(0, 2, 500), kind="probabilities")
    curve = metric("ece", bins=bins).curve(_means("ece", held, bins=bins))
    assert len(curve["share"]) == bins
    assert np.allclose(curve["high"], np.linspace(0, 1, bins + 1)[1:], rtol=0, atol=1e-15)
    for name in ("ece_classwise", "ece_equal_mass"):
        one = predictions(np.array([[0.97, 0.03], [0.93, 0.07]]), [0, 1], kind="probabilities")
        assert value(name, one, {"bins": 15}) == pytest.approx((0.03 + 0.93) / 2, abs=1e-7)  # 14: |0.97 + 0.93 - 1| / 2


def test_netcal_and_torch_uncertainty_three_errors_named_ace_have_three_names_and_values():
    """netcal ACE, Nixon's ACE and torch-uncertainty's adaptive error (T4) are three numbers; each stands under its own name."""
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    held = predictions(p, [0, 1, 0, 1], kind="probabilities")
    # equal-width bins of the confidence: {.9, .9}: |.5 - .9| = .4, {.8}: .2, {.6}: .6
    assert value("ece_unweighted", held, {"bins": 10}) == pytest.approx((0.4 + 0.2 + 0.6) / 3, abs=1e-7)
    # two bins of equal mass: {.6, .8}: |.5 - .7| = .2, {.9, .9}: .4
    assert value("ece_equal_mass", held, {"bins": 2}) == pytest.approx((0.2 + 0.4) / 2, abs=1e-7)
    # the same two ranges for each of the two classes, here with the same gaps
    assert value("ace_nixon", held, {"ranges": 2}) == pytest.approx((0.2 + 0.4) / 2, abs=1e-7)
    # four: {.6}: .6, {.8}: .2, {.9, .9}: .4, none; Nixon's weighs each range alike (class 1: {.1, .1}, none, {.2}, {.4})
    assert value("ece_equal_mass", held, {"bins": 4}) == pytest.approx((0.6 + 0.2 + 2 * 0.4) / 4, abs=1e-7)
    assert value("ace_nixon", held, {"ranges": 4}) == pytest.approx((0.6 + 0.2 + 0.4 + 0.4 + 0.2 + 0.6) / 8, abs=1e-7)
    for name in ("ece_unweighted", "ece_equal_mass", "ace_nixon"):
        said = metric(name).facts["convention"]
        assert all(other in said for other in {"ece_unweighted", "ece_equal_mass", "ace_nixon"} - {name})


def _means(name, held, **params):
    n = len(held.label)
    return sums(tidy(metric(name, **params)({"predictions": held}), n))[0] / n
