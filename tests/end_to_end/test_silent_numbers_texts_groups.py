"""Groups of texts and of documents that elsewhere gave a gap out of nothing, or were dropped without a word.

The numbers in the names are those of a catalogue of such inputs. From the user's file to the board: classes are answered by a
file of known answers or by a small model, documents by a small language model; the judges are fairlearn, pandas, sums by hand.
"""

import math

import fairlearn.metrics as fl
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint
from text_boards import CLASSES, LANGUAGE, World, answers, row, said, sentences, table

BOTH = pytest.mark.parametrize("suite", [CLASSES, LANGUAGE], ids=["class", "next"])
RATES = ("equal_opportunity_difference", "equalized_odds_difference", "equal_opportunity_ratio", "equalized_odds_ratio")
MISSING = "group column 'g': {} of {} rows have no value and form the group (missing)"


class Groups:
    """Texts of a test split of their own, in groups; every fifth of them is answered wrongly by the student."""

    def __init__(self, folder, group, label=lambda i: i % 2, train=lambda i: "ab"[i % 2], **columns):
        self.world, n = World(folder), len(group)
        rows = sentences(n + 60)
        for i, one in enumerate(rows):
            place = i - 60
            one |= {"split": "train" if i < 48 else "validation" if i < 60 else "test"}
            one |= {"label": ("neg", "pos")[i % 2 if place < 0 else label(place)], "g": train(i) if place < 0 else group[place]}
            one |= {name: f"train{i // 8}" if place < 0 else of[place] for name, of in columns.items()}
        table(folder / "mine.csv", rows)
        wrong = {one["id"]: ("pos", "neg")[one["label"] == "pos"] for i, one in enumerate(rows) if i >= 60 and i % 5 == 0}
        table(folder / "teacher.csv", answers(rows))
        table(folder / "student.csv", answers(rows, lambda _, one: wrong.get(one["id"], one["label"])))
        self.frame = pd.DataFrame(rows[60:]).assign(said=[wrong.get(one["id"], one["label"]) for one in rows[60:]])

    def board(self, suite, metric="", more="", **words):
        """The board of the student, whose answers are known, or of a language model; groups of any size are compared."""
        axes = metric or ("accuracy" if suite is CLASSES else "bits_per_byte")
        words = {"DATA": "split: split, positive: pos, groups: [g]", "CONTENDER": "load: student.csv", "AXES": axes, **words}
        if suite is LANGUAGE:
            words["DATA"] = words["DATA"].replace("positive: pos, ", "")
        self.metric = axes.partition(",")[0]
        return self.world.board(f"{suite}\n{more}", **words)

    def at(self, board, part, **where):
        return row(board, **{"contender": "student", "metric": self.metric, "slice": part, **where})

    def values(self, board):
        """By group, from the stored evidence: (value, weight in the whole), by pandas."""
        evidence = self.world.store.open(self.at(board, "")["evidence"]).arrays("predictions.npz")
        held = pd.DataFrame({"id": evidence["ids"]})
        if self.metric == "accuracy":
            held = held.assign(up=evidence["pred"] == evidence["label"], down=1.0)
        else:
            held = held.assign(up=evidence["column.nll"] / math.log(2), down=evidence["column.bytes"])
        whole = held.merge(self.frame[["id", "g"]], on="id", validate="one_to_one")
        assert len(whole) == len(self.frame)
        sums = whole.groupby(whole["g"].str.strip())[["up", "down"]].sum()
        return sums["up"] / sums["down"], sums["down"] / sums["down"].sum()


@BOTH
def test_30_texts_without_a_group_are_a_row_of_their_own_fairlearn_1155(tmp_path, suite):
    """Dropped from the groups and kept in the total: fairlearn#1155, #1698, #1725. White space is no group either."""
    made = Groups(tmp_path, [("a", "b", "", " ")[i % 4] for i in range(80)])
    board = made.board(suite, more="min_group: 5")
    values, weight = made.values(board)
    parts = {name: made.at(board, f"g={name or '(missing)'}") for name in ("a", "b", "")}
    assert {name: part["n"] for name, part in parts.items()} == {"a": 20, "b": 20, "": 40}
    assert sum(part["n"] for part in parts.values()) == made.at(board, "")["n"] == 80
    assert {name: part["value"] for name, part in parts.items()} == pytest.approx(values.to_dict())
    assert sum(part["value"] * weight[name] for name, part in parts.items()) == pytest.approx(made.at(board, "")["value"])
    gap = made.at(board, "g:gap")
    assert gap["value"] == pytest.approx(abs(values["a"] - values["b"]), abs=1e-9)
    assert (gap["n"], "1 of 3 groups left out" in gap["reason"]) == (40, True)
    assert MISSING.format(40, 140) in said(board)


def test_30_a_missing_group_of_a_probe_is_kept_in_the_total_fairlearn_1698(tmp_path):
    """fairlearn#1698: rows in `overall` and in no group. Here the identity of a probe's sentences, as JSON's null."""
    made = Groups(tmp_path, ["a", "b"] * 20)
    other = [
        {**one, "label": ("neg", "pos")[i % 2], "who": (None, "x", "y")[i % 3]} for i, one in enumerate(sentences(90, "o", 1))
    ]
    table(tmp_path / "other.jsonl", other)
    probe = "probes: [{texts: {path: other.jsonl, id: id, groups: [who]}}]"
    board = made.board(CLASSES, PROBES=probe, CONTENDER="fit: scratch")
    parts = [made.at(board, f"who={name}", task="texts on texts") for name in ("(missing)", "x", "y")]
    assert [part["n"] for part in parts] == [30, 30, 30]
    whole = made.at(board, "", task="texts on texts")
    assert (whole["n"], whole["value"]) == (90, pytest.approx(np.mean([part["value"] for part in parts])))
    assert "'who': 30 of 90 rows have no value and form the group (missing)" in said(board)


def test_31_a_group_of_texts_without_positives_has_no_rate_and_no_gap_fairness_pipeline_29(tmp_path):
    """fairness_pipeline_dev_toolkit#29; fairlearn gives a gap out of nothing: a true positive rate of 0 of 0."""
    made = Groups(tmp_path, ["without"] * 40 + ["with"] * 40, lambda i: 0 if i < 40 else i % 2)
    board = made.board(CLASSES, ", ".join(("true_positive_rate", *RATES)), "min_group: 5")
    truth, decided = (made.frame[name].eq("pos").astype(int) for name in ("label", "said"))
    trap = fl.equal_opportunity_difference(truth, decided, sensitive_features=made.frame["g"])
    assert trap == pytest.approx(0.8), "the trap is still there"
    for name in RATES:
        found = made.at(board, "g", metric=name)
        assert (found["status"], math.isnan(found["value"]), math.isnan(found["low"])) == ("undefined", True, True), name
    assert made.at(board, "g=without")["status"] == made.at(board, "g:gap")["status"] == "undefined"
    assert made.at(board, "g=with")["value"] == pytest.approx(0.8)


def test_31_a_group_of_a_probe_without_positives_has_no_rate_fairness_pipeline_29(tmp_path):
    """As fairness_pipeline_dev_toolkit#29, where the groups are identities in sentences that a model is asked about."""
    made = Groups(tmp_path, ["a", "b"] * 20)
    names, other = ("x", "y"), sentences(80, "o", 1)
    table(
        tmp_path / "other.csv",
        [{**one, "label": "neg" if i % 2 or i < 20 else "pos", "who": names[i % 2]} for i, one in enumerate(other)],
    )
    probe = "probes: [{texts: {path: other.csv, id: id, groups: [who]}}]"
    board = made.board(CLASSES, ", ".join(("true_positive_rate", *RATES)), PROBES=probe, CONTENDER="fit: scratch")
    for name in RATES:
        assert made.at(board, "who", metric=name, task="texts on texts")["status"] == "undefined", name
    assert made.at(board, "who=y", task="texts on texts")["status"] == "undefined"
    assert made.at(board, "who=x", task="texts on texts")["status"] == "ok"


@BOTH
def test_32_a_group_of_texts_that_the_test_lacks_is_listed_with_0(tmp_path, suite):
    made = Groups(tmp_path, [("a", "b")[i % 2] for i in range(60)], train=lambda i: "abc"[i % 3])
    board = made.board(suite)
    gone = made.at(board, "g=c")
    assert (gone["n"], gone["status"], gone["reason"]) == (0, "undefined", "no examples")
    assert math.isnan(gone["value"])
    values, _ = made.values(board)
    gap = made.at(board, "g:gap")
    assert gap["value"] == pytest.approx(values.max() - values.min(), abs=1e-9)
    assert "1 of 3 groups left out" in gap["reason"]


@BOTH
def test_33_a_group_of_one_text_is_shown_and_not_compared(tmp_path, suite):
    made = Groups(tmp_path, ["c", *(("a", "b")[i % 2] for i in range(60))])
    board = made.board(suite)
    values, _ = made.values(board)
    one = made.at(board, "g=c")
    assert (one["n"], one["value"]) == (1, pytest.approx(values["c"]))
    assert "insufficient (n=1, fewer than 30): not part of the gap" in one["reason"]
    if suite is CLASSES:
        assert (one["low"], one["high"]) == pytest.approx(proportion_confint(one["value"], 1, method="wilson"), abs=1e-9)
    else:
        assert math.isnan(one["low"]), "of one document nobody knows how another one would do"
    gap = made.at(board, "g:gap")
    assert gap["value"] == pytest.approx(abs(values["a"] - values["b"]), abs=1e-9)
    assert gap["n"] == 60


@BOTH
def test_34_texts_of_a_single_group_have_no_gap_and_pass_no_gate(tmp_path, suite):
    """fairlearn: a difference of 0, perfectly fair, whatever the model does."""
    made = Groups(tmp_path, ["a"] * 40, train=lambda i: "a")
    gates = 'gates: [{metric: METRIC, slice: "g:gap", at_most: 0.5}]'
    board = made.board(suite, more=gates.replace("METRIC", "accuracy" if suite is CLASSES else "bits_per_byte"))
    gap = made.at(board, "g:gap")
    assert (gap["status"], gap["reason"]) == ("undefined", "one group only: nothing to compare")
    assert board.gates["verdict"].tolist() == ["NOT EVALUATED"]
    assert "group column 'g': only one group, 'a': gaps are undefined" in said(board)


@BOTH
def test_38_draws_of_texts_in_clusters_without_a_group_are_counted_fairlearn_1441(tmp_path, suite):
    """fairlearn#1441: a draw without a group broke the bootstrap. Authors are drawn here, and one of ten wrote all of a group."""
    authors = [f"author{i // 6}" for i in range(60)]
    made = Groups(tmp_path, ["rare" if author == "author3" else "usual" for author in authors], who=authors)
    board = made.board(suite, more="min_group: 2", DATA="split: split, positive: pos, groups: [g], cluster: who")
    values, _ = made.values(board)
    rare, gap = made.at(board, "g=rare"), made.at(board, "g:gap")
    lost = int(rare["reason"].split(" of 200 bootstrap draws are undefined")[0].split()[-1])
    assert lost == pytest.approx(200 * (1 - 1 / 10) ** 10, abs=25), "by rows it would be none: (1 - 1/10) ** 60"
    assert gap["value"] == pytest.approx(abs(values["rare"] - values["usual"]), abs=1e-9)
    assert math.isnan(rare["low"]), "one author: nobody knows how another one would do"
