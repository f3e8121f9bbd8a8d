"""Fairness numbers that shipped silently wrong in public tools: here they are right, or said to be undefined."""

import math

import fairlearn.metrics as fl
import numpy as np
import pytest
from asking import PLUGINS, over_groups, predictions
from made_evidence import Evidence, row

from kdbench.judge.ask import open_metric
from kdbench.nouns import Gate

ALL = (
    "demographic_parity_difference", "demographic_parity_ratio", "equal_opportunity_difference", "equal_opportunity_ratio",
    "equalized_odds_difference", "equalized_odds_ratio",
)  # fmt: skip
OF_RATES = ALL[2:]


def decisions(pred):
    return 3.0 * np.eye(2)[np.asarray(pred)]


def board_of(folder, label, pred, group, *metrics, min_group=1, gates=()):
    made = Evidence(folder, label, positive=1, groups={"sf": group}, min_group=min_group)
    made.predict("teacher", decisions(pred))
    return made.board(*metrics, gates=gates)


def at(board, metric, part):
    return row(board, contender="teacher", metric=metric, slice=part)


def test_a_missing_group_is_a_row_of_its_own_fairlearn_1155(tmp_path):
    """fairlearn#1155, #1698: such rows were in `overall` and in no group, 7 in and 6 counted; a list made a group 'nan'."""
    rng = np.random.default_rng(0)
    label, pred = rng.integers(0, 2, (2, 90))
    group = np.where(np.arange(90) % 9 == 0, "", np.where(np.arange(90) % 2 == 0, "a", "b"))
    board = board_of(tmp_path, label, pred, group, "selection_rate", "demographic_parity_difference")
    parts = [at(board, "selection_rate", f"sf={level}") for level in ("a", "b", "(missing)")]
    assert [p["n"] for p in parts] == [40, 40, 10]
    assert sum(p["n"] for p in parts) == at(board, "selection_rate", "")["n"] == 90
    assert sum(p["n"] * p["value"] for p in parts) == pytest.approx(pred.sum())
    known = group != ""
    expected = fl.demographic_parity_difference(label[known], pred[known], sensitive_features=group[known])
    gap = at(board, "demographic_parity_difference", "sf")
    assert gap["value"] == pytest.approx(expected, abs=1e-12)
    assert gap["n"] == 80
    assert "1 of 3 groups left out" in gap["reason"]


def test_fairlearns_own_groups_and_overall_are_of_the_same_rows_fairlearn_1698():
    """fairlearn#1698: through MetricFrame too, every row has a level, and the counts of the levels are the count of all."""
    rng = np.random.default_rng(1)
    label, pred, group = rng.integers(0, 2, 60), rng.integers(0, 2, 60), rng.integers(0, 3, 60)
    held = {"predictions": predictions(decisions(pred), label, 1), "group": group, "compared": np.array([True, True, False])}
    found = open_metric(PLUGINS, "fairlearn", {"name": "count"})(held)
    assert found[-1] == sum(found[g] for g in range(3)) == 60


def test_equalized_odds_without_positives_in_a_group_are_undefined_fairness_pipeline_29(tmp_path):
    """fairness_pipeline_dev_toolkit#29: equalized odds difference 0, interval [0, 0], and the gate passes."""
    label = np.r_[np.zeros(40), np.tile([0, 1], 20)].astype(int)
    pred = np.zeros(80, dtype=int)
    group = ["without"] * 40 + ["with"] * 40
    assert fl.equalized_odds_difference(label, pred, sensitive_features=group) == 0.0, "the trap is still there"
    board = board_of(tmp_path, label, pred, group, *OF_RATES)
    for name in OF_RATES:
        found = at(board, name, "sf")
        assert found["status"] == "undefined", name
        assert math.isnan(found["value"])
        assert math.isnan(found["low"])
        assert "without positive" in found["reason"]


def test_a_gap_of_a_rate_of_nothing_is_undefined_fairness_pipeline_29():
    """As #29, where the other group has true positives: fairlearn's gap is then that group's whole rate."""
    label = np.r_[np.zeros(40), np.tile([0, 1], 20)].astype(int)
    group = np.repeat([0, 1], 40)
    assert fl.equal_opportunity_difference(label, label, sensitive_features=group) == 1.0, "the trap is still there"
    assert np.isnan(over_groups("equal_opportunity_difference", predictions(decisions(label), label, 1), group))


def test_a_small_group_is_not_dropped_without_a_word_fairness_pipeline_29(tmp_path):
    """fairness_pipeline_dev_toolkit#29: two groups of 30 and one selected member of a third gave 0, [0, 0], the third omitted."""
    label, pred = np.zeros(61, dtype=int), np.r_[np.zeros(60), 1].astype(int)
    group = ["a"] * 30 + ["b"] * 30 + ["minority"]
    board = board_of(tmp_path, label, pred, group, "demographic_parity_difference", "selection_rate", min_group=30)
    gap = at(board, "demographic_parity_difference", "sf")
    assert gap["n"] == 60
    assert "1 of 3 groups left out" in gap["reason"]
    minority = at(board, "selection_rate", "sf=minority")
    assert (minority["value"], minority["n"]) == (1.0, 1)
    assert minority["low"] < 0.5


@pytest.mark.parametrize("name", ALL)
def test_a_single_group_has_nothing_to_compare_fairlearn(name, tmp_path):
    """fairlearn gives a difference of 0 and a ratio of 1 for a single group: perfectly fair, whatever the model does."""
    label, pred = np.random.default_rng(3).integers(0, 2, (2, 60))
    assert getattr(fl, name)(label, pred, sensitive_features=["only"] * 60) in (0.0, 1.0), "the trap is still there"
    assert np.isnan(over_groups(name, predictions(decisions(pred), label, 1), np.zeros(60, dtype=int)))
    limit = {"at_least": 0.8} if name.endswith("ratio") else {"at_most": 0.1}
    board = board_of(tmp_path, label, pred, ["only"] * 60, name, gates=[Gate(name, contender="teacher", slice="sf", **limit)])
    found = at(board, name, "sf")
    assert found["status"] == "undefined"
    assert "one group only" in found["reason"]
    assert board.gates["verdict"].tolist() == ["NOT EVALUATED"], "which is no pass"


def test_a_draw_without_a_group_is_counted_fairlearn_1441(tmp_path):
    """fairlearn#1441: a bootstrap sample without a group broke MetricFrame; a 0 in its place would be a wrong quantile."""
    label, pred = np.random.default_rng(4).integers(0, 2, (2, 80))
    group = ["large"] * 78 + ["tiny"] * 2
    board = board_of(tmp_path, label, pred, group, "demographic_parity_difference")
    found = at(board, "demographic_parity_difference", "sf")
    expected = fl.demographic_parity_difference(label, pred, sensitive_features=group)
    assert found["value"] == pytest.approx(expected, abs=1e-12)
    lost = int(found["reason"].split(" of 300 bootstrap draws are undefined")[0].split()[-1])
    assert 300 * math.exp(-2) == pytest.approx(lost, abs=25)
    assert found["low"] <= found["value"] <= found["high"]


def test_the_guide_of_fairlearn_is_on_the_board(tmp_path):
    """The numbers of fairlearn's user guide, from stored predictions to rows."""
    label = np.array([0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    pred = np.array([0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0])
    board = board_of(tmp_path, label, pred, list("bbabbcccaacabccbcc"), *ALL, "selection_rate", "true_positive_rate")
    expected = {
        "demographic_parity_difference": 0.25, "demographic_parity_ratio": 2 / 3, "equal_opportunity_difference": 0.2,
        "equal_opportunity_ratio": 2 / 3, "equalized_odds_difference": 1.0, "equalized_odds_ratio": 0.0,
    }  # fmt: skip
    assert {name: at(board, name, "sf")["value"] for name in ALL} == pytest.approx(expected, abs=1e-12)
    for name, values in {"selection_rate": (0.75, 0.5, 0.5), "true_positive_rate": (0.5, 0.6, 0.4)}.items():
        assert [at(board, name, f"sf={g}")["value"] for g in "abc"] == pytest.approx(values, abs=1e-12)
        assert [at(board, name, f"sf={g}")["n"] for g in "abc"] == [4, 6, 8]
