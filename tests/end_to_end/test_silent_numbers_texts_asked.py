"""Questions of a user's own that lm-eval asks a language model: groups, order and answers that elsewhere gave a wrong number.

The numbers in the names are those of a catalogue of such inputs. The model is random: the rows of the board are judged.
"""

import math

import numpy as np
import pandas as pd
import pytest
from text_boards import LANGUAGE, World, row, said, sentences, table

SUITE = LANGUAGE.replace("length: 8", "length: 64")
TASK = """task: made
output_type: multiple_choice
test_split: test
doc_to_text: "{{q}}"
doc_to_target: "{{y}}"
doc_to_choice: ["no", "yes"]
metric_list: [{metric: acc}]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store in which the model is made once."""
    made = World(tmp_path_factory.mktemp("asked"))
    table(made.folder / "mine.csv", sentences(40))
    (made.folder / "task.yaml").write_text(TASK, encoding="utf-8")
    return made


def questions(n, y=lambda i: i // 2 % 2, **columns):
    """Questions of different lengths."""
    made = [{"q": f"is {one['text']} a film?", "y": y(i)} for i, one in enumerate(sentences(n, "q", 5))]
    return [{**one, **{name: of(i) for name, of in columns.items()}} for i, one in enumerate(made)]


def asked(world, rows, named="", limit=0, name="q.jsonl", **words):
    """The words of a suite in which these questions are asked. named: further parameters of the task."""
    table(world.folder / name, rows)
    file = f"{{path: task.yaml, data: {world.folder / name}{', ' + named if named else ''}}}"
    probe = f"harness: {{tasks: [{{yaml_task: {file}}}]{f', limit: {limit}' if limit else ''}}}"
    return {"suite": SUITE, "PROBES": probe, "AXES": "accuracy", **words}


def at(board, part="", **where):
    return row(board, **{"task": "texts asks yaml_task", "contender": "student", "metric": "accuracy", "slice": part, **where})


def by_group(world, board, rows):
    """The share of right answers of each group, by pandas from the stored answers."""
    held = world.store.open(at(board)["evidence"]).arrays("predictions.npz")
    frame = pd.DataFrame(rows).assign(right=held["pred"] == [one["y"] for one in rows])
    assert held["ids"].tolist() == [str(i) for i in range(len(rows))]
    return frame.groupby(frame["genre"].fillna("(missing)"))["right"].mean()


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_30_questions_without_a_group_are_a_group_of_their_own_fairlearn_1725(world, ending):
    """fairlearn#1155, #1698, #1725: a list made a group 'nan', as None was one here. Groups that a user names are compared."""
    rows = questions(120, genre=lambda i: (None, "tale", "news")[i % 3])
    board = world.board(**asked(world, rows, "groups: [genre]", name=f"q{ending}"))
    expected = by_group(world, board, rows)
    parts = {name: at(board, f"genre={name}") for name in ("(missing)", "news", "tale")}
    assert {name: part["value"] for name, part in parts.items()} == pytest.approx(expected.to_dict())
    assert [part["n"] for part in parts.values()] == [40, 40, 40]
    gap = at(board, "genre:gap")
    assert gap["value"] == pytest.approx(abs(expected["news"] - expected["tale"]))
    assert (gap["n"], "1 of 3 groups left out" in gap["reason"]) == (80, True)
    assert "'genre': 40 of 120 rows have no value and form the group (missing)" in said(board)
    assert not {"genre=None", "genre=nan", "genre="} & set(board.scores["slice"])


def test_25_questions_whose_right_choice_is_always_the_same_are_said(world):
    rows = questions(30, y=lambda i: 1)
    board = world.board(**asked(world, rows, AXES="accuracy, auroc"))
    assert "the right choice of all 30 questions is the same, number 2: who always takes it is right" in said(board)
    assert at(board, metric="auroc")["status"] == "undefined"
    assert "right choice of all" not in said(world.board(**asked(world, questions(30))))


def test_31_34_38_groups_of_questions_without_positives_alone_or_lost_in_a_draw_fairlearn_1441(world):
    """fairlearn#1441; fairness_pipeline_dev_toolkit#29: a group of one class, a column of one group, a group in one cluster."""
    rows = questions(60, y=lambda i: 0 if i < 6 else i // 2 % 2, genre=lambda i: "rare" if i < 6 else "usual",
                     book=lambda i: f"b{i // 6}", only=lambda i: "a")  # fmt: skip
    words = asked(world, rows, "groups: [genre, only], cluster: book", AXES="accuracy, auroc")
    board = world.board(**{**words, "suite": f"{SUITE}\nmin_group: 2"})
    assert at(board, "genre=rare", metric="auroc")["reason"] == "one class only among 6 labels"
    assert at(board, "genre:gap", metric="auroc")["status"] == "undefined"
    single = at(board, "only:gap")
    assert (single["status"], single["reason"]) == ("undefined", "one group only: nothing to compare")
    lost = int(at(board, "genre=rare")["reason"].split(" of 200 bootstrap draws are undefined")[0].split()[-1])
    assert lost == pytest.approx(200 * (1 - 1 / 10) ** 10, abs=25)


def test_32_33_a_group_of_one_question_is_shown_and_not_compared(world):
    rows = questions(61, genre=lambda i: ("a", "b")[i % 2] if i else "one")
    board = world.board(**asked(world, rows, "groups: [genre]"))
    one, gap, expected = at(board, "genre=one"), at(board, "genre:gap"), by_group(world, board, rows)
    assert (one["n"], one["value"]) == (1, expected["one"])
    assert "insufficient (n=1, fewer than 30): not part of the gap" in one["reason"]
    assert one["high"] - one["low"] > 0.7, "Wilson's interval of one answer"
    assert gap["value"] == pytest.approx(abs(expected["a"] - expected["b"]))


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (lambda i: f"g{i}", "group column 'genre' has 60 groups in 60 rows; at most 50; is it an id?"),
        (lambda i: i / 7, "group column 'genre' is continuous (60 numbers); say bins"),
    ],
    ids=["35_id", "36_number"],
)
def test_35_36_groups_of_questions_that_are_ids_or_numbers_are_refused(world, of, why):
    assert why in world.refused(**asked(world, questions(60, genre=of), "groups: [genre]"))


def test_37_near_equal_groups_of_questions_are_said(world):
    rows = questions(40, genre=lambda i: ("B", "b ")[i % 2])
    board = world.board(**asked(world, rows, "groups: [genre]"))
    assert "group column 'genre': 'B' and 'b ' are two groups; is one a misspelling?" in said(board)


def test_39_a_field_that_questions_lack_is_refused_with_its_place(world):
    rows = questions(20, genre=lambda i: "ab"[i % 2], book=lambda i: "" if i == 8 else f"b{i // 4}")
    del rows[6]["genre"]
    assert "document 7 has no field 'genre'" in world.refused(**asked(world, rows, "groups: [genre]"))
    assert "did you mean 'book'" in world.refused(**asked(world, rows, "groups: [books]"))
    assert "document 9 has no value in the field 'book'" in world.refused(**asked(world, rows, "cluster: book"))


def test_47_the_first_questions_of_a_sorted_file_are_said_to_be_the_first_and_of_one_answer(world):
    """lm-eval takes the head of a file: what it leaves out is on the board, and so is that nothing is left to choose."""
    rows = sorted(questions(60), key=lambda one: one["y"])
    board = world.board(**asked(world, rows, limit=20))
    assert at(board)["n"] == 20
    assert "the first 20 documents only" in said(board)
    assert "the right choice of all 20 questions is the same, number 1: who always takes it is right" in said(board)


def test_60_every_question_is_scored_once_in_whatever_batch_pytorch_25162(world):
    """pytorch#25162, for 70 questions of unequal length, 32 at a time: turned round, each has the same likelihoods as before."""
    rows, found = questions(70), []
    for of in (rows, rows[::-1]):
        board = world.board(**asked(world, of))
        held = world.store.open(at(board)["evidence"]).arrays("predictions.npz")
        assert held["ids"].tolist() == [str(i) for i in range(70)]
        assert at(board)["n"] == len(held["logits"]) == 70
        assert held["label"].tolist() == [one["y"] for one in of]
        found.append(held["logits"])
    np.testing.assert_allclose(found[0], found[1][::-1], rtol=1e-4, atol=1e-4)
    assert len(np.unique(np.round(found[0], 4), axis=0)) > 60, "no question is another one's copy"
    assert math.isfinite(found[0].sum())
