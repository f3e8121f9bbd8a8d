"""Metrics of features: CKA and detectors of foreign inputs, each beside an independent judge."""

import numpy as np
import pytest
from asking import metric, predictions
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

from kdbench import Undefined

RNG = np.random.default_rng(5)


def features(n, p, q, seed=0):
    """Two sets of taps about the same examples, of different widths, related in part."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 6))
    x = np.maximum(hidden @ rng.normal(size=(6, p)) + 0.3, 0)
    y = np.tanh(hidden[:, :4] @ rng.normal(size=(4, q))) + 0.2 * rng.normal(size=(n, q))
    return x.astype(np.float32), y.astype(np.float32)


def gram_cka(x, y):
    """Kornblith et al. 2019, section 3: tr(KHLH) / sqrt(tr(KHKH) tr(LHLH)), with explicit kernels and centring matrix."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    k, other = x @ x.T, y @ y.T

    def hsic(a, b):
        return np.trace(a @ h @ b @ h) / (n - 1) ** 2

    return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


def cka(x, y, **params):
    x = x if isinstance(x, dict) else {"f": x}
    y = y if isinstance(y, dict) else {"g": y}
    return metric("cka", **params)({"features": x, "teacher_features": y})


@pytest.mark.parametrize(("n", "p", "q"), [(60, 5, 9), (60, 1, 1), (40, 90, 130), (7, 64, 3)])
def test_cka_equals_the_paper_with_explicit_kernels(n, p, q):
    x, y = features(n, p, q)
    assert cka(x, y) == pytest.approx(gram_cka(x, y), abs=1e-10)


def test_cka_is_that_of_the_last_tap_or_the_mean_of_pairs_from_the_deepest_back():
    (a, b), (c, d) = features(50, 4, 6, 1), features(50, 8, 5, 2)
    ours, theirs = {"stem": RNG.normal(size=(50, 3)), "mid": a, "end": c}, {"one": b, "two": d}
    assert cka(ours, theirs) == pytest.approx(gram_cka(c, d), abs=1e-10)
    assert cka(ours, theirs, tap="mean") == pytest.approx((gram_cka(c, d) + gram_cka(a, b)) / 2, abs=1e-10)


def test_cka_ignores_rotation_scale_and_shift_but_not_a_stretch():
    x, y = features(80, 6, 6)
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert cka(x @ rotation * 7 + 100, y) == pytest.approx(cka(x, y), abs=1e-5)
    assert cka(x, x @ rotation * 0.01) == pytest.approx(1.0, abs=1e-6)
    assert cka(x * np.array([1, 1, 1, 1, 1, 30]), y) != pytest.approx(cka(x, y), abs=1e-3)


def test_cka_of_a_student_that_is_its_teacher_is_one_and_of_orthogonal_features_zero():
    x, _ = features(50, 7, 2)
    assert cka(x, x) == pytest.approx(1.0, abs=1e-12)
    assert cka(x, x) <= 1.0
    a, b = np.tile([1.0, -1.0], 20), np.repeat([1.0, -1.0], 20)
    assert cka(a[:, None], b[:, None]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("tap", ["last", "mean"])
@pytest.mark.parametrize(("n", "p"), [(40, 5), (20, 70)])
def test_the_influence_of_cka_is_its_derivative(n, p, tap):
    """A weight of 1 + h on one example, by central differences of CKA with weighted kernels in plain numpy."""
    x, y = (v.astype(np.float64) for v in features(n, p, p + 3))

    def weighted(w):
        w = w / w.sum()
        a, b = x - w @ x, y - w @ y
        root = np.sqrt(w)[:, None]
        xy, xx, yy = (np.square((u * root).T @ (v * root)).sum() for u, v in ((a, b), (a, a), (b, b)))
        return xy / np.sqrt(xx * yy)

    assert weighted(np.ones(n)) == pytest.approx(gram_cka(x, y), abs=1e-10)
    found = metric("cka", tap=tap).influence({"features": {"f": x}, "teacher_features": {"g": y}})
    step = 1e-5
    judge = [n * (weighted(1 + step * e) - weighted(1 - step * e)) / (2 * step) for e in np.eye(n)]
    np.testing.assert_allclose(found, judge, atol=1e-6)
    assert found.mean() == pytest.approx(0.0, abs=1e-10)


def test_cka_of_features_that_do_not_vary_is_undefined():
    x, y = features(30, 4, 4)
    with pytest.raises(Undefined, match="this model's features are the same for all 30 examples"):
        cka(np.full((30, 4), 0.1, np.float32), y)
    with pytest.raises(Undefined, match="the teacher's features"):
        cka(x, np.zeros((30, 4)))
    with pytest.raises(Undefined):
        cka(x[:1], y[:1])


def detector(n=300, p=6, classes=3, seed=0):
    """Validation, test and foreign features: clusters by class with a common covariance, and wider ones."""
    rng = np.random.default_rng(seed)
    mix, middle = rng.normal(size=(p, p)), rng.normal(size=(classes, p)) * 2 + 3

    def known(size):
        label = rng.integers(0, classes, size)
        return label, (middle[label] + rng.normal(size=(size, p)) @ mix * 0.4).astype(np.float32)

    label, validation = known(n)
    _, test = known(160)
    foreign = (middle[rng.integers(0, classes, 80)] + rng.normal(size=(80, p)) @ mix * 0.8).astype(np.float32)
    return predictions(np.zeros((n, classes)), label), validation, test, foreign


def ask(name, made, weights=None, **params):
    said, validation, test, foreign = made
    offered = {
        "predictions": said, "ood": said, "validation": said,
        "features": {"early": test[:, :1], "last": test},
        "ood_features": {"early": foreign[:, :1], "last": foreign},
        "validation_features": {"early": validation[:, :1], "last": validation},
    }  # fmt: skip
    if weights is not None:
        offered |= {"weights": weights[0], "ood_weights": weights[1]}
    return metric(name, **params)(offered)


def by_neighbours(made, k):
    _, validation, *asked = made
    unit = [v.astype(np.float64) / np.linalg.norm(v.astype(np.float64), axis=1, keepdims=True) for v in (validation, *asked)]
    judge = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit[0])
    return [-judge.kneighbors(v)[0][:, -1] for v in unit[1:]]


def by_classes(made):
    """Lee et al. 2018: sklearn's covariance of the examples less their class mean, scipy's distance to each mean."""
    said, validation, *asked = made
    means = {c: validation[said.label == c].astype(np.float64).mean(axis=0) for c in np.unique(said.label)}
    less = np.stack([x - means[c] for x, c in zip(validation.astype(np.float64), said.label, strict=True)])
    inverse = EmpiricalCovariance(assume_centered=True).fit(less).precision_
    return [
        np.array([-min(mahalanobis(x, m, inverse) ** 2 for m in means.values()) for x in v.astype(np.float64)]) for v in asked
    ]


def area(known, foreign):
    return roc_auc_score(np.repeat([1, 0], [len(known), len(foreign)]), np.concatenate([known, foreign]))


@pytest.mark.parametrize("k", [1, 7, 50])
def test_feature_ood_auroc_equals_sklearn_neighbours(k):
    made = detector()
    assert ask("feature_ood_auroc", made, k=k) == pytest.approx(area(*by_neighbours(made, k)), abs=1e-12)


def test_feature_ood_auroc_equals_sklearn_covariance_and_scipy_mahalanobis():
    made = detector()
    assert ask("feature_ood_auroc", made, score="mahalanobis") == pytest.approx(area(*by_classes(made)), abs=1e-12)


def test_distances_equal_sklearn_and_scipy():
    from kdbench.metrics import _feature_scores

    made = detector(seed=3)
    taps = [{"last": v} for v in made[1:]]
    squared = _feature_scores.scores((taps[1], taps[2]), made[0], taps[0], "knn", 9)
    for mine, judge in zip(squared, by_neighbours(made, 9), strict=True):
        np.testing.assert_allclose(-np.sqrt(-mine), judge, atol=1e-5)
        np.testing.assert_allclose(mine, -np.square(judge), atol=1e-11)
    found = _feature_scores.scores((taps[1], taps[2]), made[0], taps[0], "mahalanobis", 9)
    for mine, judge in zip(found, by_classes(made), strict=True):
        np.testing.assert_allclose(mine, judge, rtol=1e-9)


@pytest.mark.parametrize("score", ["knn", "mahalanobis"])
@pytest.mark.parametrize("positive", ["id", "ood"])
def test_feature_ood_fpr95_equals_sklearn_roc_curve(score, positive):
    made = detector(seed=1)
    known, foreign = by_neighbours(made, 50) if score == "knn" else by_classes(made)
    value = np.concatenate([known, foreign])
    inside = np.repeat([1, 0], [len(known), len(foreign)])
    sides = (inside, value) if positive == "id" else (1 - inside, -value)
    fpr, tpr, _ = roc_curve(*sides, drop_intermediate=False)
    judge = fpr[np.argmax(tpr >= 0.95)]
    assert 0 < judge < 1
    assert ask("feature_ood_fpr95", made, score=score, positive=positive) == pytest.approx(judge, abs=1e-12)


@pytest.mark.parametrize("name", ["feature_ood_auroc", "feature_ood_fpr95"])
@pytest.mark.parametrize("score", ["knn", "mahalanobis"])
def test_weights_are_copies_of_rows(name, score):
    made = detector()
    said, validation, test, foreign = made
    rng = np.random.default_rng(2)
    weights = [
        np.stack([np.bincount(rng.integers(0, len(v), len(v)), minlength=len(v)) for _ in range(5)]) for v in (test, foreign)
    ]
    found = ask(name, made, [w.astype(np.float32) for w in weights], score=score)
    assert found.shape == (5,)
    for b in range(5):
        copied = (said, validation, np.repeat(test, weights[0][b], axis=0), np.repeat(foreign, weights[1][b], axis=0))
        assert found[b] == pytest.approx(ask(name, copied, score=score), abs=1e-6)


@pytest.mark.parametrize("score", ["knn", "mahalanobis"])
def test_perfect_reversed_and_equal_detectors(score):
    """OpenOOD#206 and #211 (which side is positive): far foreign inputs give 1 and 0, near ones 0 and 1, equal ones 0.5."""
    said, validation, test, _ = detector()
    far, at_home = (said, validation, test, -50 - test), (said, validation, -50 - test[:80], test[:80])
    assert ask("feature_ood_auroc", far, score=score) == 1.0
    assert ask("feature_ood_fpr95", far, score=score) == 0.0
    assert ask("feature_ood_auroc", at_home, score=score) == 0.0
    assert ask("feature_ood_fpr95", at_home, score=score, positive="ood") == 1.0
    assert ask("feature_ood_auroc", (said, validation, test, test), score=score) == pytest.approx(0.5, abs=1e-9)


def test_features_that_collapsed_tell_nothing_apart():
    """All features equal: every score is tied, not decided by rounding."""
    said, validation, test, foreign = detector()
    same = [np.full(v.shape, 0.1, np.float32) for v in (validation, test, foreign)]
    assert ask("feature_ood_auroc", (said, *same)) == 0.5
    assert ask("feature_ood_fpr95", (said, *same)) == 1.0
    direction, size = RNG.normal(size=6), np.random.default_rng(1)
    scaled = [(size.uniform(1, 9, (len(v), 1)) * direction).astype(np.float32) for v in (validation, test, foreign)]
    assert ask("feature_ood_auroc", (said, *scaled)) == 0.5  # of length 1 they are equal, but for the rounding of float32
    with pytest.raises(Undefined, match="too few for 0 features that vary"):
        ask("feature_ood_auroc", (said, *same), score="mahalanobis")


def test_dead_and_dependent_features_do_not_decide_the_mahalanobis_distance():
    """A unit that is always 0, and one that repeats another up to the rounding of float32."""
    said, validation, test, foreign = detector()
    plain = ask("feature_ood_auroc", (said, validation, test, foreign), score="mahalanobis")
    wider = [
        np.concatenate([v, np.full((len(v), 1), 0.3, np.float32), v[:, :1] / np.float32(3)], axis=1)
        for v in (validation, test, foreign)
    ]
    found = ask("feature_ood_auroc", (said, *wider), score="mahalanobis")
    assert found == pytest.approx(plain, abs=1e-4)


def test_a_class_that_validation_lacks_and_rows_without_a_label_are_left_out():
    said, validation, test, foreign = detector()
    gone = said.label == 1
    part = (predictions(np.zeros((int((~gone).sum()), 3)), said.label[~gone]), validation[~gone], test, foreign)
    unknown = predictions(np.zeros((len(gone), 3)), np.where(gone, -1, said.label))
    found = ask("feature_ood_auroc", (unknown, validation, test, foreign), score="mahalanobis")
    assert found == pytest.approx(ask("feature_ood_auroc", part, score="mahalanobis"), abs=1e-12)
    assert found == pytest.approx(area(*by_classes(part)), abs=1e-12)


def test_too_few_validation_examples_are_undefined():
    """Where a class has fewer than k, a far input may have nearer k-th neighbours than one at home: an area far below 0.5."""
    made = detector(n=140)
    with pytest.raises(Undefined, match="k = 50, and validation has 46.7 examples a class: choose k of at most 46"):
        ask("feature_ood_auroc", made)
    assert 0 < ask("feature_ood_auroc", made, k=46) < 1
    unlabelled = (predictions(np.zeros((140, 3)), np.full(140, -1)), *made[1:])
    with pytest.raises(Undefined, match="140 validation examples, fewer than k = 141"):
        ask("feature_ood_auroc", unlabelled, k=141)
    said, validation, test, foreign = detector(n=8)
    with pytest.raises(Undefined, match="8 validation examples of 3 classes are too few for 6 features that vary"):
        ask("feature_ood_fpr95", (said, validation, test, foreign), score="mahalanobis")


def test_nothing_foreign_is_undefined():
    said, validation, test, foreign = detector()
    with pytest.raises(Undefined, match="no examples on one side"):
        ask("feature_ood_auroc", (said, validation, test, foreign[:0]))
