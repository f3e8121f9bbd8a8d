"""Quality metrics against scikit-learn, scipy, fairlearn, or the equation of the paper in plain loops."""

import warnings

import numpy as np
import pytest
from asking import PLUGINS, metric, predictions, value

from kdbench import NotApplicable, Undefined
from kdbench.judge.columns import dense, sums, tidy

DECIDED = [
    "accuracy", "balanced_accuracy", "macro_f1", "macro_precision", "macro_recall", "mcc", "micro_f1", "weighted_f1",
]  # fmt: skip
RATES = ["false_negative_rate", "false_positive_rate", "precision", "selection_rate", "true_positive_rate"]
ERRORS = ["mean_absolute_error", "r_squared", "root_mean_squared_error"]
OTHERS = ["auprc", "auroc", "brier", "nll", "top_k_accuracy"]


def drawn(classes, n, seed, *, decimals=None):
    """Logits that know something of the labels; rounded to few decimals they tie often."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    z = rng.normal(size=(n, classes)) * 1.5
    z[np.arange(n), label] += 1
    return predictions(z if decimals is None else np.round(z, decimals), label, 1 if classes == 2 else None)


@pytest.fixture(params=[(2, 211), (5, 333), (10, 80)], ids=str)
def made(request):
    return drawn(*request.param, seed=request.param[0])


def without(of, lost, among):
    """The examples whose label (or decision) is not this class."""
    held = getattr(of, among)
    return of.take(np.flatnonzero(held != lost))


def sliced(of):
    """The whole, and slices in which a class has no labels, or is never decided, or both."""
    neither = without(without(of, 0, "label"), 0, "pred")
    return [of, without(of, 0, "label"), without(of, 0, "pred"), neither]


SKLEARN = {
    "accuracy": ("accuracy_score", {}),
    "macro_f1": ("f1_score", {"average": "macro", "zero_division": np.nan}),
    "macro_precision": ("precision_score", {"average": "macro", "zero_division": np.nan}),
    "macro_recall": ("recall_score", {"average": "macro", "zero_division": np.nan}),
    "micro_f1": ("f1_score", {"average": "micro"}),
    "weighted_f1": ("f1_score", {"average": "weighted", "zero_division": np.nan}),
}


@pytest.mark.parametrize("name", sorted(SKLEARN))
def test_metrics_of_decisions_equal_sklearn_with_all_classes(name, made):
    import sklearn.metrics

    function, params = SKLEARN[name]
    if "average" in params:
        params = {**params, "labels": range(made.logits.shape[1])}
    for of in sliced(made):
        if len(of.label):
            expected = getattr(sklearn.metrics, function)(of.label, of.pred, **params)
            assert value(name, of) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_balanced_accuracy_and_mcc_equal_sklearn(made):
    from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef

    for of in sliced(made):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class without labels is left out there too, with a warning
            expected = balanced_accuracy_score(of.label, of.pred)
        assert value("balanced_accuracy", of) == pytest.approx(expected, abs=1e-12)
        if len(set(of.label)) > 1 < len(set(of.pred)):
            assert value("mcc", of) == pytest.approx(matthews_corrcoef(of.label, of.pred), abs=1e-12)


@pytest.mark.parametrize("name", ["macro_f1", "macro_precision", "micro_f1", "weighted_f1", "macro_recall", "mcc"])
def test_missing_labels_count_as_sklearn_counts_a_label_outside_its_list(name, made):
    import sklearn.metrics

    label = made.label.copy()
    label[::7] = -1
    of = predictions(made.logits, label)
    if name == "mcc":
        expected = sklearn.metrics.matthews_corrcoef(label, of.pred)
    else:
        function, params = SKLEARN[name]
        expected = getattr(sklearn.metrics, function)(label, of.pred, labels=range(of.logits.shape[1]), **params)
    assert value(name, of) == pytest.approx(expected, abs=1e-12)


def test_a_missing_label_is_never_right_and_never_the_last_class():
    """-1 indexes the last class in numpy: no metric may read it so."""
    of = predictions(np.eye(3)[[2, 2, 2, 2]] * 4, [-1, -1, 2, 2])
    assert value("accuracy", of) == 0.5
    assert value("top_k_accuracy", of, {"k": 2}) == 0.5
    for name in ("nll", "brier", "auroc", "auprc"):
        with pytest.raises(Undefined, match="label"):
            value(name, of)


def test_mcc_equals_gorodkin_equation_of_the_confusion_matrix(made):
    """R_K = sum_klm C_kk C_lm - C_kl C_mk over the roots, in loops (Gorodkin 2004, eq. 8)."""
    count = made.logits.shape[1]
    c = [[int(np.sum((made.label == k) & (made.pred == m))) for m in range(count)] for k in range(count)]
    every = range(count)
    top = sum(c[k][k] * c[m][l] - c[l][k] * c[k][m] for k in every for m in every for l in every)  # noqa: E741
    rows, columns = [sum(r) for r in c], [sum(c[k][m] for k in every) for m in every]
    n = sum(rows)
    below = sum(r * (n - r) for r in rows), sum(m * (n - m) for m in columns)
    assert value("mcc", made) == pytest.approx(top / (below[0] * below[1]) ** 0.5, abs=1e-12)


def test_mcc_equals_numpy_correlation_of_two_classes():
    of = drawn(2, 400, 8)
    assert value("mcc", of) == pytest.approx(np.corrcoef(of.label, of.pred)[0, 1], abs=1e-12)


@pytest.mark.parametrize(("label", "pred"), [([0, 0, 0], [0, 1, 0]), ([0, 1, 2], [1, 1, 1]), ([1, 1, 1], [1, 1, 1])])
def test_mcc_of_one_class_is_undefined_not_zero_as_sklearn_says(label, pred):
    from sklearn.metrics import matthews_corrcoef

    assert matthews_corrcoef(label, pred) == 0.0
    assert np.isnan(value("mcc", predictions(np.eye(3)[pred], label)))


def test_mcc_of_one_other_example_among_many_is_defined():
    label = np.zeros(1_000_000, dtype=int)
    label[0] = 1
    assert value("mcc", predictions(np.eye(2, dtype=np.float32)[label], label)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_accuracy_equals_sklearn(made, k):
    from sklearn.metrics import top_k_accuracy_score

    classes = made.logits.shape[1]
    if k >= classes:
        with pytest.raises(NotApplicable, match=f"the top {k} of {classes} classes hold every label"):
            value("top_k_accuracy", made, {"k": k})
        return
    score = made.logits[:, 1] if classes == 2 else made.logits  # of two classes scikit-learn takes the decision at 0.5
    if classes > 2:
        expected = top_k_accuracy_score(made.label, score, k=k, labels=range(classes))
        assert value("top_k_accuracy", made, {"k": k}) == expected
    if k == 1:
        assert value("top_k_accuracy", made, {"k": 1}) == value("accuracy", made)


def test_top_k_accuracy_equals_a_stable_sort_where_logits_tie():
    of = drawn(7, 500, 3, decimals=0)
    for k in range(1, 7):
        first = [np.argsort(-z, kind="stable")[:k] for z in of.logits]
        expected = np.mean([y in f for y, f in zip(of.label, first, strict=True)])
        assert value("top_k_accuracy", of, {"k": k}) == expected
    assert value("top_k_accuracy", of, {"k": 1}) == value("accuracy", of)


FAIRLEARN = ["true_positive_rate", "false_positive_rate", "false_negative_rate", "selection_rate"]


@pytest.mark.parametrize("name", FAIRLEARN)
@pytest.mark.parametrize("positive", [0, 1])
def test_rates_equal_fairlearn(name, positive):
    import fairlearn.metrics

    made = drawn(2, 211, 5)
    of = predictions(made.logits, made.label, positive)
    expected = getattr(fairlearn.metrics, name)(of.label, of.pred, pos_label=positive)
    assert value(name, of) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("positive", [0, 1])
def test_precision_equals_sklearn(positive):
    from sklearn.metrics import precision_score

    made = drawn(2, 211, 6)
    of = predictions(made.logits, made.label, positive)
    assert value("precision", of) == pytest.approx(precision_score(of.label, of.pred, pos_label=positive), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "label", "pred"),
    [
        ("true_positive_rate", [0, 0], [0, 1]),
        ("false_negative_rate", [0, 0], [0, 1]),
        ("false_positive_rate", [1, 1], [0, 1]),
        ("precision", [0, 1], [0, 0]),
    ],
)
def test_a_rate_of_nobody_is_undefined_not_zero(name, label, pred):
    assert np.isnan(value(name, predictions(np.eye(2)[pred], label, 1)))
    assert metric(name).facts["undefined"].startswith("no ")
    with pytest.raises(NotApplicable, match="no class means a decision in favour"):
        value(name, predictions(np.eye(2)[pred], label))


@pytest.mark.parametrize("name", ["auroc", "auprc"])
@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_areas_equal_sklearn(name, decimals, classes):
    of = drawn(classes, 300, classes, decimals=decimals)
    assert value(name, of) == pytest.approx(_areas_of_sklearn(name, of), abs=1e-9)
    some = without(of, 0, "label") if classes > 2 else of
    assert value(name, some) == pytest.approx(_areas_of_sklearn(name, some), abs=1e-9), "a class is absent"


def _areas_of_sklearn(name, of, weights=None):
    from sklearn.metrics import average_precision_score, roc_auc_score

    judge = {"auroc": roc_auc_score, "auprc": average_precision_score}[name]
    count = of.logits.shape[1]
    classes = [k for k in ([1] if count == 2 else range(count)) if (of.label == k).any()]
    p = of.probability.round(12)
    if weights is not None:
        classes = [k for k in classes if weights[of.label == k].sum()]
    return np.mean([judge(of.label == k, p[:, k], sample_weight=weights) for k in classes])


@pytest.mark.parametrize("name", ["auroc", "auprc"])
@pytest.mark.parametrize("classes", [2, 4])
def test_draws_of_areas_equal_sklearn_with_sample_weight(name, classes):
    of = drawn(classes, 120, 9, decimals=0)
    rng = np.random.default_rng(2)
    weights = rng.multinomial(120, np.full(120, 1 / 120), size=15).astype(np.float32)
    found = metric(name)({"predictions": of, "weights": weights})
    assert found == pytest.approx([_areas_of_sklearn(name, of, w) for w in weights], abs=1e-6)


@pytest.mark.parametrize("name", ["auroc", "auprc"])
def test_a_draw_of_one_class_is_undefined_not_zero(name):
    of = drawn(2, 50, 1)
    weights = np.stack([of.label == 0, np.ones(50)]).astype(np.float32)
    found = metric(name)({"predictions": of, "weights": weights})
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(value(name, of), abs=1e-6)


def test_auroc_is_of_the_positive_class():
    made = drawn(2, 200, 4)
    first = predictions(made.logits, made.label, 0)
    assert value("auroc", first) == pytest.approx(value("auroc", made), abs=1e-12), "the same by symmetry"
    from sklearn.metrics import average_precision_score

    assert value("auprc", first) == pytest.approx(average_precision_score(made.label == 0, made.logits[:, 0] - made.logits[:, 1]))


def test_auprc_of_a_constant_is_the_share_of_positives_and_of_a_perfect_score_one():
    label = np.array([1] * 3 + [0] * 9)
    assert value("auprc", predictions(np.zeros((12, 2)), label, 1)) == 0.25
    assert value("auprc", predictions(9.0 * np.eye(2)[label], label, 1)) == 1.0


def test_areas_of_given_probabilities_equal_sklearn_on_them_with_their_ties():
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(3)
    label = rng.integers(0, 4, 400)
    p = rng.multinomial(10, np.full((4, 4), 0.2)[label] + 0.2 * np.eye(4)[label]) / 10  # tenths: many ties, zeros, and ones
    of = predictions(p, label, kind="probabilities")
    roc = np.mean([roc_auc_score(label == k, p[:, k]) for k in range(4)])
    pr = np.mean([average_precision_score(label == k, p[:, k]) for k in range(4)])
    assert value("auroc", of) == pytest.approx(roc, abs=1e-9)
    assert value("auprc", of) == pytest.approx(pr, abs=1e-9)


def test_given_probabilities_tie_as_given_though_their_rows_do_not_sum_to_one():
    """Normalised again, .7 beside .2 and .10001 would fall below .7 beside .15 and .15."""
    p = np.array([[0.7, 0.2, 0.10001], [0.7, 0.15, 0.15], [0.7, 0.2, 0.10001], [0.1, 0.45, 0.45]])
    of = predictions(p, [1, 0, 2, 1], kind="probabilities")
    from sklearn.metrics import roc_auc_score

    assert value("auroc", of) == pytest.approx(np.mean([roc_auc_score(of.label == k, p[:, k]) for k in range(3)]), abs=1e-12)


@pytest.mark.parametrize("name", ["auroc", "auprc", "r_squared"])
@pytest.mark.parametrize("decimals", [None, 0])
def test_influence_equals_finite_differences_of_the_weighted_value(name, decimals):
    """n (v(1 + h e_i) - v(1 - h e_i)) / 2 h, every row."""
    if name == "r_squared":
        rng = np.random.default_rng(1)
        label = rng.normal(size=60)
        of = predictions(label + rng.normal(size=60), label, kind="values")
    else:
        of = drawn(3, 60, 2, decimals=decimals)
    n, h = 60, 1e-5
    one = metric(name)
    up = one({"predictions": of, "weights": np.ones((n, n)) + h * np.eye(n)})
    down = one({"predictions": of, "weights": np.ones((n, n)) - h * np.eye(n)})
    found = one.companions["influence"](of)
    assert found == pytest.approx(n * (up - down) / (2 * h), abs=1e-5)
    assert found.mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("decimals", [None, 0])
def test_influence_of_auroc_has_the_variance_of_delong(decimals):
    """var = S10 / m + S01 / n from the structural components (DeLong et al. 1988, eq. 5), in loops."""
    of = drawn(2, 150, 11, decimals=decimals)
    score = (of.logits[:, 1] - of.logits[:, 0]).round(9)
    x, y = score[of.label == 1], score[of.label == 0]
    m, n = len(x), len(y)
    won = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x]
    v10 = [sum(row) / n for row in won]
    v01 = [sum(row[j] for row in won) / m for j in range(n)]
    area = sum(v10) / m
    s10 = sum((v - area) ** 2 for v in v10) / (m - 1)
    s01 = sum((v - area) ** 2 for v in v01) / (n - 1)
    found = metric("auroc").companions["influence"](of)
    mine = (found[of.label == 1] ** 2).sum() * m / (m - 1) + (found[of.label == 0] ** 2).sum() * n / (n - 1)
    assert mine / (m + n) ** 2 == pytest.approx(s10 / m + s01 / n, rel=1e-9)
    assert value("auroc", of) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("name", ["auroc", "auprc"])
def test_draws_by_influence_spread_as_draws_by_weights(name):
    of = drawn(3, 3000, 12)
    rng = np.random.default_rng(4)
    weights = rng.multinomial(3000, np.full(3000, 1 / 3000), size=400).astype(np.float32)
    one = metric(name)
    exact = one({"predictions": of, "weights": weights})
    linear = value(name, of) + weights @ one.companions["influence"](of) / 3000
    assert linear.std() == pytest.approx(exact.std(), rel=0.02)
    assert np.corrcoef(linear, exact)[0, 1] > 0.999


def test_areas_of_one_class_are_undefined_and_absent_classes_are_named():
    of = predictions(np.zeros((9, 3)), np.zeros(9, dtype=int))
    for name in ("auroc", "auprc"):
        with pytest.raises(Undefined, match="one class only among 9 labels"):
            value(name, of)
    two = predictions(np.zeros((9, 3)), np.arange(9) % 2)
    for name in ("auroc", "auprc", "balanced_accuracy", "macro_f1", "macro_recall"):
        assert metric(name).say("note", {"predictions": two}) == "no labels of c2; constant predictions: every decision is c0"
        assert metric(name).say("note", {"predictions": predictions(np.eye(3), np.arange(3))}) == ""


@pytest.fixture(params=[1.0, 1e6], ids=["centred", "far from 0"])
def regression(request):
    rng = np.random.default_rng(1)
    label = request.param - 1 + rng.normal(size=200)
    return predictions(label + 0.6 * rng.normal(size=200), label, kind="values")


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("mean_absolute_error", "mean_absolute_error"),
        ("root_mean_squared_error", "root_mean_squared_error"),
        ("r_squared", "r2_score"),
    ],
)
def test_errors_of_a_regression_equal_sklearn(name, judge, regression):
    import sklearn.metrics

    expected = getattr(sklearn.metrics, judge)(regression.label, regression.logits[:, 0])
    assert value(name, regression) == pytest.approx(expected, rel=1e-9)


def test_draws_of_r_squared_equal_sklearn_with_sample_weight(regression):
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(5)
    weights = rng.multinomial(200, np.full(200, 1 / 200), size=20).astype(np.float32)
    found = metric("r_squared")({"predictions": regression, "weights": weights})
    expected = [r2_score(regression.label, regression.logits[:, 0], sample_weight=w) for w in weights]
    assert found == pytest.approx(expected, rel=1e-7)


def test_r_squared_of_equal_labels_is_undefined_where_sklearn_says_one_or_zero():
    from sklearn.metrics import r2_score

    for found in ([3.0, 3.0], [3.0, 4.0]):
        assert r2_score([3.0, 3.0], found) in (0.0, 1.0)
        with pytest.raises(Undefined, match="all 2 labels are equal"):
            value("r_squared", predictions(np.array(found), np.array([3.0, 3.0]), kind="values"))
    of = predictions(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.1, 0.3]), kind="values")
    draws = metric("r_squared")({"predictions": of, "weights": np.array([[2, 1, 0], [1, 1, 1]], dtype=np.float32)})
    assert np.isnan(draws[0])
    assert np.isfinite(draws[1])


@pytest.mark.parametrize("name", [*DECIDED, *RATES, "top_k_accuracy", "nll", "brier"])
def test_columns_of_a_row_do_not_depend_on_the_others(name):
    of, one = drawn(2 if name in RATES else 7, 150, 13), metric(name)
    whole = dense(tidy(one({"predictions": of}), 150))
    parts = [of.take(slice(0, 1)), of.take(slice(1, 60)), of.take(slice(60, 150))]
    found = np.concatenate([dense(tidy(one({"predictions": p}), len(p.ids))) for p in parts])
    assert np.array_equal(found, whole)


@pytest.mark.parametrize("name", [*DECIDED, "true_positive_rate", "precision"])
def test_finish_takes_leading_axes_and_says_nan_for_nobody(name):
    of, one = drawn(2, 90, 14), metric(name)
    columns = tidy(one({"predictions": of}), 90)
    unit = np.arange(90) % 3
    means = sums(columns, unit, 3) / 30
    found = one.finish(np.stack([means, means[::-1]]))
    expected = [value(name, of.take(np.flatnonzero(unit == g))) for g in range(3)]
    assert found == pytest.approx(np.array([expected, expected[::-1]]), abs=1e-12)
    with np.errstate(invalid="ignore"):
        assert np.isnan(one.finish(np.full(means.shape[1], np.nan)))


@pytest.mark.parametrize("name", [*DECIDED, *RATES, *ERRORS, *OTHERS])
def test_each_says_its_equation_source_and_what_it_reads(name):
    facts = PLUGINS.get("metric", name).facts
    assert len(facts["equation"]) > 10
    assert len(facts["source"]) > 8
    expected = "decisions" if name in (*DECIDED, *RATES) else "values" if name in ERRORS else "probabilities"
    assert facts["reads"] == expected


def test_nll_of_a_given_probability_of_zero_is_the_stated_87_nats():
    of = predictions(np.array([[1.0, 0.0], [0.5, 0.5]]), [1, 0], kind="probabilities")
    from scipy.special import log_softmax

    assert value("nll", of) == pytest.approx((-np.log(float(np.finfo(np.float32).tiny)) + np.log(2)) / 2, rel=1e-9)
    assert value("nll", of) == pytest.approx(-np.mean(log_softmax(of.logits, axis=1)[[0, 1], [1, 0]]), rel=1e-12)
    assert "87.3" in metric("nll").facts["convention"]


def test_brier_is_never_below_zero_by_rounding():
    z = np.random.default_rng(0).normal(size=(500, 10))
    z[:, 3] += np.linspace(0, 60, 500)
    of = predictions(z, np.full(500, 3))
    found = metric("brier")({"predictions": of})
    exact = [sum((float(p) - (k == 3)) ** 2 for k, p in enumerate(row)) for row in of.probability]
    assert found == pytest.approx(exact, abs=1e-14)
    assert found.min() >= 0
