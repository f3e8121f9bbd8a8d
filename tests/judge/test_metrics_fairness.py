"""Fairness between groups, judged by fairlearn; and fairlearn's own metrics by name."""

import itertools

import fairlearn.metrics as fl
import numpy as np
import pytest
from asking import PLUGINS, metric, over_groups, predictions

from kdbench import NotApplicable, Undefined
from kdbench.judge.ask import open_metric
from kdbench.judge.columns import sums, take, tidy
from kdbench.suite.kinds import parse

DIFFERENCES = ("demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference")
RATIOS = ("demographic_parity_ratio", "equalized_odds_ratio", "equal_opportunity_ratio")
GUIDE = (
    [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
    list("bbabbcccaacabccbcc"),
)
"""The example of fairlearn's user guide."""


def decided(label, pred, classes=2, positive=1):
    return predictions(3.0 * np.eye(classes)[np.asarray(pred)], label, positive)


def made(seed, n=600, groups=3, classes=2):
    """Labels, decisions that depend on the group, and groups of unequal size that hold every label."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(groups, 2.0))
    group, label = rng.choice(groups, n, p=share), rng.integers(0, classes, n)
    both = np.repeat(np.arange(groups * classes), 2)
    group[: len(both)], label[: len(both)] = both // classes, both % classes
    pred = np.where(rng.random(n) < 0.4 + 0.5 * group / groups, label, rng.integers(0, classes, n))
    return label, pred, group


def guide():
    label, pred, text = GUIDE
    return np.array(label), np.array(pred), np.unique(text, return_inverse=True)[1]


@pytest.mark.parametrize("name", DIFFERENCES + RATIOS)
@pytest.mark.parametrize("groups", [2, 3, 12, 60])
def test_the_positive_class_equals_fairlearn(name, groups):
    for seed in range(3):
        label, pred, group = made(seed, 900, groups)
        expected = getattr(fl, name)(label, pred, sensitive_features=group)
        assert over_groups(name, decided(label, pred), group) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["equalized_odds_difference", "equalized_odds_ratio"])
def test_the_mean_of_equalized_odds_equals_fairlearn(name):
    label, pred, group = made(4, groups=5)
    expected = getattr(fl, name)(label, pred, sensitive_features=group, agg="mean")
    assert over_groups(name, decided(label, pred), group, {"agg": "mean"}) == pytest.approx(expected, abs=1e-12)
    assert expected != getattr(fl, name)(label, pred, sensitive_features=group)


@pytest.mark.parametrize("name", DIFFERENCES + RATIOS)
def test_class_0_can_be_the_positive_one_as_in_fairlearn(name):
    label, pred, group = made(5)
    expected = getattr(fl, name)(1 - label, 1 - pred, sensitive_features=group)
    assert over_groups(name, decided(label, pred, positive=0), group) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", DIFFERENCES + RATIOS)
@pytest.mark.parametrize(("classes", "positive"), [(2, None), (4, None), (7, None), (4, 2)])
def test_many_classes_equal_the_extreme_of_fairlearn_one_vs_rest(name, classes, positive):
    for seed in range(2):
        label, pred, group = made(seed, 900, 4, classes)
        judged = [
            getattr(fl, name)((label == k).astype(int), (pred == k).astype(int), sensitive_features=group)
            for k in (range(classes) if positive is None else [positive])
        ]
        expected = max(judged) if name in DIFFERENCES else min(judged)
        assert over_groups(name, decided(label, pred, classes, positive), group) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_has_no_label_anywhere_is_left_out():
    label, pred, group = made(3, classes=3)
    for name in ("equalized_odds_difference", "equal_opportunity_difference", "equal_opportunity_ratio"):
        four = over_groups(name, decided(label, pred, 4, None), group)
        assert four == over_groups(name, decided(label, pred, 3, None), group)


def test_a_class_that_one_group_lacks_makes_it_undefined():
    label, pred, group = made(3, classes=3)
    label[(group == 1) & (label == 2)] = 0
    assert np.isnan(over_groups("equal_opportunity_difference", decided(label, pred, 3, None), group))
    assert np.isfinite(over_groups("demographic_parity_difference", decided(label, pred, 3, None), group))


def test_rare_negatives_keep_their_digits():
    """One negative among a million: 1 - share of positives would be off by 1e-10."""
    n = 1_000_000
    label, group = np.ones(n, dtype=int), np.arange(n) % 2
    label[[0, 2, 4, 1, 3, 5]] = 0
    pred = label.copy()
    pred[[0, 1, 3]] = 1
    for classes, positive in ((2, 1), (2, None)):
        found = over_groups("equalized_odds_difference", decided(label, pred, classes, positive), group)
        assert found == pytest.approx(2 / 3 - 1 / 3, abs=1e-15)


@pytest.mark.parametrize("name", DIFFERENCES + RATIOS)
@pytest.mark.parametrize("positive", [1, None])
def test_draws_are_finished_together(name, positive):
    one = metric(name)
    label, pred, group = made(7, groups=4, classes=2 if positive else 3)
    columns = tidy(one({"predictions": decided(label, pred, 2 if positive else 3, positive)}), len(label))
    rng, means = np.random.default_rng(0), []
    for _ in range(20):
        rows = rng.integers(0, len(label), len(label))
        means.append(sums(take(columns, rows), group[rows], 4) / np.bincount(group[rows], minlength=4)[:, None])
    together = one.finish(np.stack(means).reshape(4, 5, 4, -1))
    assert together.shape == (4, 5)
    assert together.ravel().tolist() == [float(one.finish(m)) for m in means]


def test_the_number_of_ratios_without_true_positives_is_undefined():
    label, _, group = made(1)
    nobody = decided(label, np.zeros_like(label))
    for name in RATIOS:
        assert np.isnan(over_groups(name, nobody, group)), name
    for name in DIFFERENCES:
        assert over_groups(name, nobody, group) == 0.0


def named(name):
    return open_metric(PLUGINS, "fairlearn", {"name": name})


def frame(name, label, pred, group, **options):
    compared = options.pop("compared", np.ones(int(group.max()) + 1, dtype=bool))
    return named(name)({"predictions": decided(label, pred, **options), "group": group, "compared": compared})


NAMES = parse(PLUGINS.get("metric", "fairlearn").params[0].annotation).values


def test_the_names_are_those_that_fairlearn_exports():
    tools = {"MetricFrame", "make_derived_metric", "plot_model_comparison", "plot_roc_curve_by_group"}
    assert set(NAMES) == set(fl.__all__) - tools
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", sorted(n for n in NAMES if not n.startswith(("log_loss", "roc_auc"))))
def test_every_name_gives_what_fairlearn_gives(name):
    label, pred, group = made(9, groups=5)
    found = frame(name, label, pred, group)
    if isinstance(found, float):
        assert found == getattr(fl, name)(label, pred, sensitive_features=group)
        return
    judged = fl.MetricFrame(metrics=getattr(fl, name), y_true=label, y_pred=pred, sensitive_features=group)
    assert found == {-1: judged.overall, **judged.by_group.to_dict()}


@pytest.mark.parametrize("name", ["log_loss_group_max", "roc_auc_score_group_min"])
def test_scores_are_what_fairlearn_gets_where_it_reads_scores(name):
    label, _, group = made(9, groups=5)
    of = predictions(np.random.default_rng(0).normal(size=(len(label), 2)), label, 1)
    found = named(name)({"predictions": of, "group": group, "compared": np.ones(5, dtype=bool)})
    assert found == getattr(fl, name)(label, of.probability[:, 1], sensitive_features=group)


@pytest.mark.parametrize("name", ["mean_absolute_error_group_max", "r2_score_group_min", "mean_prediction"])
def test_a_regression_is_judged_by_its_numbers_as_fairlearn_does(name):
    rng = np.random.default_rng(3)
    label, group = rng.normal(size=90), np.arange(90) % 3
    of = predictions(label + rng.normal(size=90), label, kind="values")
    found = named(name)({"predictions": of, "group": group, "compared": np.ones(3, dtype=bool)})
    if name == "mean_prediction":
        assert found[1] == pytest.approx(of.logits[group == 1, 0].mean(), abs=1e-12)
        return
    assert found == getattr(fl, name)(label, of.logits[:, 0], sensitive_features=group)
    with pytest.raises(NotApplicable, match="about decisions"):
        named("selection_rate")({"predictions": of, "group": group, "compared": np.ones(3, dtype=bool)})


def test_many_classes_have_the_numbers_that_need_no_positive_class_as_in_fairlearn():
    label, pred, group = made(2, classes=4)
    found = frame("accuracy_score_difference", label, pred, group, classes=4, positive=None)
    assert found == fl.accuracy_score_difference(label, pred, sensitive_features=group)
    with pytest.raises(NotApplicable, match="in favour"):
        frame("selection_rate", label, pred, group, classes=4, positive=None)


def test_groups_that_are_not_compared_are_left_out_of_comparisons_only():
    label, pred, group = made(2, groups=3)
    compared = np.array([True, False, True])
    rows = group != 1
    expected = fl.demographic_parity_difference(label[rows], pred[rows], sensitive_features=group[rows])
    assert frame("demographic_parity_difference", label, pred, group, compared=compared) == expected
    assert set(frame("selection_rate", label, pred, group, compared=compared)) == {-1, 0, 1, 2}
    with pytest.raises(Undefined, match="fewer than two groups"):
        frame("demographic_parity_difference", label, pred, group, compared=np.array([True, False, False]))


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("true_positive_rate", 1), ("false_negative_rate", 1), ("true_negative_rate", 0), ("false_positive_rate", 0)],
)
def test_a_rate_of_nothing_is_undefined_where_fairlearn_gives_0(name, lacking):
    label, pred, group = made(6)
    label[group == 2] = 1 - lacking
    found = frame(name, label, pred, group)
    assert np.isnan(found[2])
    assert all(np.isfinite(found[g]) for g in (-1, 0, 1))
    with pytest.raises(Undefined, match="has no"):
        frame(f"{name}_difference", label, pred, group)


@pytest.mark.parametrize("name", ["recall_score_group_min", "precision_score_group_min", "f1_score_group_min"])
def test_what_scikit_learn_warns_about_is_undefined(name):
    label, pred, group = made(6)
    label[group == 2] = pred[group == 2] = 0
    with pytest.raises(Undefined):
        frame(name, label, pred, group)


def test_the_guide_of_fairlearn_is_reproduced():
    label, pred, group = guide()
    of = decided(label, pred)
    assert over_groups("demographic_parity_difference", of, group) == pytest.approx(0.25, abs=1e-12)
    assert over_groups("demographic_parity_ratio", of, group) == pytest.approx(2 / 3, abs=1e-12)
    assert over_groups("equalized_odds_difference", of, group) == pytest.approx(1.0, abs=1e-12)
    assert over_groups("equalized_odds_ratio", of, group) == 0.0
    assert over_groups("equal_opportunity_difference", of, group) == pytest.approx(0.2, abs=1e-12)
    assert frame("count", label, pred, group) == {-1: 18, 0: 4, 1: 6, 2: 8}
    assert frame("true_positive_rate", label, pred, group) == pytest.approx({-1: 0.5, 0: 0.5, 1: 0.6, 2: 0.4})
    assert frame("false_positive_rate", label, pred, group) == pytest.approx({-1: 2 / 3, 0: 1, 1: 0, 2: 2 / 3})
    assert frame("selection_rate", label, pred, group) == pytest.approx({-1: 10 / 18, 0: 0.75, 1: 0.5, 2: 0.5})
    assert frame("accuracy_score_group_min", label, pred, group) == 0.25


def test_it_does_not_matter_how_groups_are_numbered():
    label, pred, group = made(8, groups=3)
    for order in itertools.permutations(range(3)):
        renamed = np.array(order)[group]
        for name in DIFFERENCES + RATIOS:
            of = decided(label, pred)
            assert over_groups(name, of, renamed) == pytest.approx(over_groups(name, of, group), abs=1e-15)
