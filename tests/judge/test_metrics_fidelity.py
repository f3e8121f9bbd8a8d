"""Metrics of fidelity to the teacher against scikit-learn, scipy, torch, torchmetrics or the paper's equation in plain loops."""

import numpy as np
import pytest
from asking import metric, predictions, value
from made_evidence import noisy_logits

from kdbench.judge.columns import dense, tidy

NAMES = (
    "agreement", "agreement_over_chance", "churn", "cohen_kappa_with_teacher", "error_consistency", "inherited_errors",
    "jensen_shannon_divergence", "kl_to_teacher", "logit_correlation", "negative_flips", "positive_flips",
    "relative_negative_flips", "reverse_kl_to_teacher",
)  # fmt: skip


@pytest.fixture(params=[(2, 200), (5, 333), (10, 80)], ids=str)
def pair(request):
    """A student and a teacher whose errors go together."""
    classes, n = request.param
    rng = np.random.default_rng(classes)
    label = rng.integers(0, classes, n)
    shared = noisy_logits(label, classes, 1.0, rng)
    student, teacher = (shared + 0.8 * noisy_logits(label, classes, skill, rng) for skill in (0.2, 1.0))
    return predictions(student.astype(np.float32), label), predictions(teacher.astype(np.float32), label)


def decided(student, teacher, label, classes=None):
    classes = classes or max(max(student), max(teacher), max(label)) + 1
    eye = 5.0 * np.eye(classes)
    return predictions(eye[list(student)], label), predictions(eye[list(teacher)], label)


def rows(of, teacher):
    return list(zip(of.pred.tolist(), teacher.pred.tolist(), of.label.tolist(), strict=True))


def test_agreement_and_churn_equal_a_plain_count(pair):
    student, teacher = pair
    same = sum(s == t for s, t, _ in rows(student, teacher))
    assert value("agreement", student, teacher=teacher) == same / len(student.label)
    assert value("churn", student, teacher=teacher) == pytest.approx(1 - same / len(student.label), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_agreement_holds_stantons_bounds(seed):
    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 6)), int(rng.integers(1, 40))
    label, student, teacher = rng.integers(0, classes, (3, n))
    s, t = decided(student, teacher, label, classes)
    found, right, of_teacher = value("agreement", s, teacher=t), value("accuracy", s), value("accuracy", t)
    assert max(0.0, right + of_teacher - 1) - 1e-12 <= found <= 1 - abs(right - of_teacher) + 1e-12


def test_agreement_over_chance_equals_the_equation(pair):
    student, teacher = pair
    n, classes = student.logits.shape
    right, of_teacher = (sum(p == y for p, y in zip(o.pred, o.label, strict=True)) / n for o in pair)
    chance = right * of_teacher + (1 - right) * (1 - of_teacher) / (classes - 1)
    expected = value("agreement", student, teacher=teacher) - chance
    assert value("agreement_over_chance", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_agreement_over_chance_of_independent_errors_is_zero():
    rng = np.random.default_rng(0)
    n, classes = 200_000, 7
    label = rng.integers(0, classes, n)
    student, teacher = (np.where(rng.random(n) < a, label, (label + rng.integers(1, classes, n)) % classes) for a in (0.6, 0.8))
    s, t = decided(student, teacher, label, classes)
    assert abs(value("agreement_over_chance", s, teacher=t)) < 0.005
    assert value("agreement_over_chance", t, teacher=t) > 0.3


def test_cohen_kappa_with_teacher_equals_sklearn(pair):
    from sklearn.metrics import cohen_kappa_score

    student, teacher = pair
    expected = cohen_kappa_score(teacher.pred, student.pred)
    assert value("cohen_kappa_with_teacher", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_error_consistency_equals_sklearn_kappa_of_right_and_wrong(pair):
    from sklearn.metrics import cohen_kappa_score

    student, teacher = pair
    expected = cohen_kappa_score(teacher.pred == teacher.label, student.pred == student.label)
    assert value("error_consistency", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_error_consistency_equals_geirhos_equations(pair):
    student, teacher = pair
    n = len(student.label)
    observed = sum((s == y) == (t == y) for s, t, y in rows(student, teacher)) / n
    p, q = (sum(o.pred[i] == o.label[i] for i in range(n)) / n for o in pair)
    chance = p * q + (1 - p) * (1 - q)
    expected = (observed - chance) / (1 - chance)
    assert value("error_consistency", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_flips_equal_yans_counts_and_add_up_to_the_change_of_accuracy(pair):
    student, teacher = pair
    n = len(student.label)
    negative = sum(t == y != s for s, t, y in rows(student, teacher)) / n
    positive = sum(s == y != t for s, t, y in rows(student, teacher)) / n
    assert negative > 0
    assert positive > 0
    assert value("negative_flips", student, teacher=teacher) == pytest.approx(negative, abs=1e-12)
    assert value("positive_flips", student, teacher=teacher) == pytest.approx(positive, abs=1e-12)
    assert positive - negative == pytest.approx(value("accuracy", student) - value("accuracy", teacher), abs=1e-12)


def test_relative_negative_flips_equal_yans_equation(pair):
    student, teacher = pair
    nfr = value("negative_flips", student, teacher=teacher)
    error, of_teacher = 1 - value("accuracy", student), 1 - value("accuracy", teacher)
    expected = nfr / ((1 - of_teacher) * error)
    assert value("relative_negative_flips", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_inherited_errors_equal_a_plain_count(pair):
    student, teacher = pair
    wrong = [(s, t) for s, t, y in rows(student, teacher) if t != y]
    expected = sum(s == t for s, t in wrong) / len(wrong)
    assert value("inherited_errors", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_inherited_errors_count_the_same_wrong_class_only():
    student, teacher = decided([1, 2, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0])
    assert value("inherited_errors", student, teacher=teacher) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "student", "teacher", "label"),
    [
        ("inherited_errors", [0, 1, 1], [0, 1, 0], [0, 1, 0]),  # the teacher makes no error
        ("relative_negative_flips", [0, 1, 0], [1, 1, 0], [0, 1, 0]),  # the student makes no error
        ("relative_negative_flips", [0, 1, 1], [1, 0, 1], [0, 1, 0]),  # the teacher is never right
        ("error_consistency", [0, 1, 0], [0, 1, 0], [0, 1, 0]),  # both are right everywhere
        ("error_consistency", [1, 0, 1], [1, 0, 1], [0, 1, 0]),  # both are wrong everywhere
        ("cohen_kappa_with_teacher", [1, 1, 1], [1, 1, 1], [0, 1, 0]),  # one class only
    ],
)
def test_what_has_no_meaning_is_undefined_and_never_0(name, student, teacher, label):
    s, t = decided(student, teacher, label, 3)
    with np.errstate(all="raise"):
        assert np.isnan(value(name, s, teacher=t))
    assert metric(name).facts["undefined"]


def test_kl_both_ways_equal_torch_and_torchmetrics(pair):
    import torch
    from torchmetrics.functional import kl_divergence

    student, teacher = pair
    log_s, log_t = (torch.log_softmax(torch.tensor(o.logits).double(), dim=1) for o in pair)
    for name, p, q in (("kl_to_teacher", log_t, log_s), ("reverse_kl_to_teacher", log_s, log_t)):
        exact = float(torch.nn.functional.kl_div(q, p, reduction="batchmean", log_target=True))
        found = value(name, student, teacher=teacher)
        assert found == pytest.approx(exact, abs=1e-12)
        assert found == pytest.approx(float(kl_divergence(p.exp(), q.exp())), abs=1e-6)


def test_kl_equals_the_published_directions():
    teacher, uniform = predictions(np.log([[0.36, 0.48, 0.16]]), [0]), predictions(np.zeros((1, 3)), [0])
    for of, beside, expected in ((uniform, teacher, 0.0852996), (teacher, uniform, 0.0974550)):
        assert value("kl_to_teacher", of, teacher=beside) == pytest.approx(expected, abs=1e-6)
        assert value("reverse_kl_to_teacher", beside, teacher=of) == pytest.approx(expected, abs=1e-6)


def test_jensen_shannon_divergence_equals_the_square_of_scipys_distance(pair):
    from scipy.spatial.distance import jensenshannon

    student, teacher = pair
    expected = np.mean(jensenshannon(student.probability, teacher.probability, axis=1) ** 2)
    assert value("jensen_shannon_divergence", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_jensen_shannon_divergence_is_bounded_by_ln_2_and_symmetric():
    apart, other = predictions([[5000.0, 0.0, 0.0]], [0]), predictions([[0.0, 5000.0, 0.0]], [0])
    with np.errstate(all="raise", under="ignore"):
        assert value("jensen_shannon_divergence", apart, teacher=other) == np.log(2)
        assert value("jensen_shannon_divergence", apart, teacher=apart) == 0.0
    rng = np.random.default_rng(1)
    a, b = (predictions(3 * rng.normal(size=(50, 4)), np.zeros(50, dtype=int)) for _ in range(2))
    there, back = value("jensen_shannon_divergence", a, teacher=b), value("jensen_shannon_divergence", b, teacher=a)
    assert there == pytest.approx(back, abs=1e-12)


def test_logit_correlation_equals_scipy_pearsonr_row_by_row(pair):
    from scipy.stats import pearsonr

    student, teacher = pair
    z = zip(student.logits.astype(float), teacher.logits.astype(float), strict=True)
    expected = np.mean([pearsonr(a, b).statistic for a, b in z])
    assert value("logit_correlation", student, teacher=teacher) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e6, -3e37])
def test_logit_correlation_leaves_constant_logits_out_and_counts_them(offset):
    from scipy.stats import pearsonr

    rng = np.random.default_rng(2)
    z, t = rng.normal(size=(2, 6, 3))
    z[2], t[4] = offset, -offset
    student, teacher = predictions(z, np.zeros(6, dtype=int)), predictions(t, np.zeros(6, dtype=int))
    expected = np.mean([pearsonr(z[i], t[i]).statistic for i in (0, 1, 3, 5)])
    assert value("logit_correlation", student, teacher=teacher) == pytest.approx(expected, abs=1e-12)
    said = metric("logit_correlation").say("note", {"predictions": student, "teacher": teacher})
    assert said == "2 of 6 examples have constant logits: left out"
    assert np.isnan(value("logit_correlation", student.take([2]), teacher=teacher.take([2])))


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_the_teacher_is_as_faithful_as_can_be(name, pair):
    found = value(name, pair[1], teacher=pair[1])
    best = {"agreement_over_chance": None, "positive_flips": 0.0, "inherited_errors": 1.0}
    one = metric(name)
    expected = best.get(name, one.facts["high"] if one.better == "higher" else one.facts["low"])
    assert found > 0.05 if expected is None else found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_finish_takes_many_draws_at_once_and_each_row_stands_alone(name, pair):
    student, teacher = pair
    one, n = metric(name), len(student.label)
    whole = dense(tidy(one({"predictions": student, "teacher": teacher}), n))
    weights = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=6).reshape(2, 3, n)
    found = one.finish(weights @ whole / n)
    assert found.shape == (2, 3)
    for at in np.ndindex(2, 3):
        drawn = np.repeat(np.arange(n), weights[at])
        expected = value(name, student.take(drawn), teacher=teacher.take(drawn))
        assert found[at] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    half = [np.arange(0, n // 3), np.arange(n // 3, n)]
    parts = [dense(tidy(one({"predictions": student.take(r), "teacher": teacher.take(r)}), len(r))) for r in half]
    assert np.allclose(np.concatenate(parts), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_classes_cost_few_columns(name):
    rng = np.random.default_rng(4)
    of = predictions(rng.normal(size=(3, 1000)), [1, 2, 3])
    assert dense(tidy(metric(name)({"predictions": of, "teacher": of}), 3)).shape[1] <= 3000
