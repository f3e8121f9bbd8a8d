"""Questions of lm-eval on the board: those without a single right answer, and what a guess among their choices is worth."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from asking import metric, predictions
from made_evidence import Evidence, row

from kdbench.judge.labelled import about_labels

CHOICES = np.array([2, 3, 4, 5] * 60)


class Questions(Evidence):
    """Evidence about questions: meta says how many choices there are."""

    @contextmanager
    def write(self, stage, *names):
        with super().write(stage, *names) as draft:

            def said(name, value):
                draft.json(name, value | MORE if name == "meta.json" else value)

            yield SimpleNamespace(json=said, array=draft.array, arrays=draft.arrays)


MORE = {"kind": "questions", "chance": float(np.mean(1 / CHOICES))}


def answered(root, label, **more):
    """The teacher is right half of the time where there is a right answer, the student about a third of the time."""
    rng = np.random.default_rng(0)
    made = Questions(root, label, classes=5, **more)
    for name, share in (("teacher", 0.5), ("student", 0.35)):
        logits = rng.normal(size=(len(label), 5))
        right = (rng.random(len(label)) < share) & (made.labels >= 0)
        logits[np.flatnonzero(right), made.labels[right]] = 9.0
        made.predict(name, logits)
    return made


@pytest.fixture
def label():
    some = np.arange(len(CHOICES)) % 2
    some[::3] = -1
    return some


def test_questions_with_several_right_answers_are_not_counted_as_wrong(tmp_path, label):
    made = answered(tmp_path, label, groups={"g": np.where(np.arange(len(label)) % 2, "a", "b")})
    names = ("accuracy", "macro_f1", "negative_flips", "positive_flips", "error_consistency", "agreement")
    board = made.board(*names)
    answers = {
        n: made.store.open(made.jobs[i].key).arrays("predictions.npz")["pred"] for i, n in ((1, "teacher"), (2, "student"))
    }
    known = label >= 0
    right = {name: (pred == label)[known] for name, pred in answers.items()}
    found = row(board, contender="student", metric="accuracy")
    assert (found["value"], found["n"]) == (pytest.approx(right["student"].mean(), abs=1e-12), 160)
    assert "80 of 240 questions have no single right answer: left out" in found["reason"]
    part = row(board, contender="student", metric="accuracy", slice="g=a")
    assert part["n"] == int((known & (np.arange(len(label)) % 2 == 1)).sum())
    lost = (right["teacher"] & ~right["student"]).mean()
    assert row(board, contender="student", metric="negative_flips")["value"] == pytest.approx(lost, abs=1e-12)
    agreed = row(board, contender="student", metric="agreement")
    assert (agreed["n"], "left out" in agreed["reason"]) == (240, False)  # whoever agrees needs no right answer
    assert agreed["value"] == pytest.approx((answers["teacher"] == answers["student"]).mean(), abs=1e-12)


def test_flips_mean_nothing_where_nothing_is_right(tmp_path, label):
    """No flips at all would look like a student that loses nothing."""
    board = answered(tmp_path, np.full(len(label), -1)).board("accuracy", "negative_flips", "inherited_errors", "agreement")
    for name in ("accuracy", "negative_flips", "inherited_errors"):
        found = row(board, contender="student", metric=name)
        assert (found["status"], found["reason"]) == ("not applicable", "no example has a right answer"), name
    assert row(board, contender="student", metric="agreement")["status"] == "ok"


def test_the_floor_of_retention_is_a_guess_among_the_choices_of_each_question(tmp_path):
    """Two to five choices: a guess is right in 32 % of them, not in one of five."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, len(CHOICES))
    made = Questions(tmp_path, label, classes=5)
    for name, share in (("teacher", 0.28), ("student", 0.2)):
        right = rng.permutation(len(label)) < share * len(label)
        made.predict(name, 9.0 * np.eye(5)[np.where(right, label, 4)])
    found = row(made.board("accuracy"), contender="student", metric="retention")
    assert found["status"] == "undefined"
    assert "(0.2833) is no better than a constant guess (0.3208)" in found["reason"]


def test_an_accuracy_that_guessing_gives_says_so():
    """As lm-eval's own accuracy does; of classes, which have no such column, nothing is said."""
    label, chance = np.zeros(200, int), np.full(200, 0.25)
    for right, said in ((50, "at chance (0.25): the interval covers it"), (120, ""), (5, "")):
        of = predictions(np.eye(4)[np.where(np.arange(200) < right, 0, 1)], label)
        assert metric("accuracy").say("note", {"predictions": replace(of, columns={"chance": chance})}) == said
        assert metric("accuracy").say("note", {"predictions": of}) == ""


def test_which_metrics_are_about_being_right():
    about = {
        name for name in ("accuracy", "ece", "aurc", "negative_flips", "relative_negative_flips", "inherited_errors",
                          "error_consistency", "agreement", "kl_to_teacher", "cohen_kappa_with_teacher", "logit_correlation",
                          "lm_eval", "exact_match", "bits_per_byte")
        if about_labels(metric(name))
    }  # fmt: skip
    assert about == {
        "accuracy", "ece", "aurc", "negative_flips", "relative_negative_flips", "inherited_errors", "error_consistency"
    }  # fmt: skip
