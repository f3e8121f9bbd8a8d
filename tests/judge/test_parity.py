"""What differs between recipes, who is not ranked for it, and predictions that look wrong."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_evidence import Evidence

from kdbench.judge import judge
from kdbench.judge.board import DISCOVERY_COLUMNS, PAIR_COLUMNS, Board
from kdbench.judge.cut_off import cut_off
from kdbench.judge.parity import apart, parity
from kdbench.judge.standings import COLUMNS as STANDINGS
from kdbench.judge.suspicions import permuted
from kdbench.nouns import Compare, Compress, Contender, Data, Fit, Job, Load, Start, Suite, Task, Term, Train, Use
from kdbench.registry import discover
from kdbench.store import Store

PLUGINS = discover()


def fit(method="kd", teacher="teacher", **train):
    return Fit((Term(Use(method)),), Train(**train), Use("mlp"), teacher)


def made_suite(compare=None, **contenders):
    steps = {name: (of if isinstance(of, tuple) else (of,)) for name, of in contenders.items()}
    rows = tuple(Contender(name, of) for name, of in steps.items())
    task = Task("task", Data(Use("made")), Contender("teacher", (fit("scratch"),)), rows)
    return Suite("made", (0,), (task,), (Use("torch_cpu"),), (Use("accuracy"),), compare=compare or Compare())


def table(suite, recipes=(), scores=()):
    long = pd.DataFrame(list(recipes), columns=["task", "contender", "key", "value"])
    frame = pd.DataFrame(list(scores), columns=["task", "contender", "seed", "metric", "slice", "shift", "value", "status"])
    return parity(suite, long, frame, PLUGINS)


def fact(rows, contender, name):
    (found,) = [r for r in rows if (r["contender"], r["fact"]) == (contender, name)]
    return found["value"], found["usual"], found["unlike"]


def test_facts_of_each_recipe_beside_what_is_usual():
    suite = made_suite(
        kd=fit(epochs=8), scratch=fit("scratch", epochs=8),
        pruned=(Start("kd"), Compress(Use("magnitude_pruning")), fit(epochs=2)),
        ours=Load("folder"), views=fit(epochs=8, views=(Use("flip"),)),
    )  # fmt: skip
    seen = [
        ("task", "kd", "examples_seen", "8000"),
        ("task", "kd", "teacher_passes", "1000"),
        ("task", "scratch", "teacher_passes", "0"),
    ]
    best = [("task", "kd", -1, "best_minus_last", "", "", 0.004, "ok"), ("task", "kd", 0, "best_minus_last", "", "", 0.1, "ok")]
    rows = table(suite, seen, best)
    assert fact(rows, "pruned", "epochs") == ("8 + 2", "8", True)
    assert fact(rows, "kd", "examples") == ("8000", "8000", False)
    assert fact(rows, "scratch", "examples") == ("not recorded", "8000", False)
    assert fact(rows, "kd", "tuning_trials") == ("1 recipe, no tuning recorded",) * 2 + (False,)
    assert fact(rows, "views", "augmentation") == ("flip", "none", True)
    assert fact(rows, "ours", "teacher") == ("not recorded", "teacher", False)
    assert fact(rows, "scratch", "teacher") == ("none", "teacher", False)
    assert fact(rows, "pruned", "start") == ("kd", "initial weights from the seed", True)
    assert fact(rows, "kd", "best_minus_last") == ("0.004", "", False)
    assert apart(rows, suite) == {}


def test_another_checkpoint_rule_or_teacher_than_usual_is_apart():
    suite = made_suite(
        kd=fit(), kd2=fit(), medium=fit("scratch"), ta=fit(teacher="medium"), best=fit("scratch", select="best_validation"),
        int8=(Start("best"), Compress(Use("dynamic_int8"))), posttraining=(Start("teacher"), Compress(Use("dynamic_int8"))),
    )  # fmt: skip
    found = apart(table(suite), suite)
    assert set(found) == {("task", "ta"), ("task", "best"), ("task", "int8")}
    assert found["task", "ta"] == "not ranked: teacher medium, of most others teacher"
    assert found["task", "best"] == "not ranked: checkpoint rule best_validation, of most others last"


def test_where_two_rules_are_as_common_the_teachers_own_is_usual():
    suite = made_suite(best=fit("scratch", select="best_validation"), last=fit("scratch"))
    assert set(apart(table(suite), suite)) == {("task", "best")}


def test_who_is_apart_at_home_is_apart_wherever_its_answers_are_asked():
    """A probe trains nothing: its task holds the contenders of its home, and repeats no fact of their recipes."""
    suite = made_suite(kd=fit(), scratch=fit("scratch"), best=fit("scratch", select="best_validation"))
    (home,) = suite.tasks
    probe = replace(home, name="probe", home="task")
    elsewhere = replace(home, name="another", contenders=(Contender("best", (fit("scratch"),)),))
    suite = replace(suite, tasks=(home, probe, elsewhere))
    rows = table(suite)
    assert {row["task"] for row in rows} == {"task", "another"}
    found = apart(rows, suite)
    assert set(found) == {("task", "best"), ("probe", "best")}
    assert found["probe", "best"] == found["task", "best"]


def test_a_teacher_of_another_task_is_named_and_is_another_teacher():
    suite = made_suite(kd=fit(), hint=fit("fitnets"), far=fit(teacher="fine/teacher"))
    rows = table(suite)
    assert fact(rows, "far", "teacher") == ("fine/teacher", "teacher", True)
    assert apart(rows, suite) == {("task", "far"): "not ranked: teacher fine/teacher, of most others teacher"}


def skilled(root, skills, n=600, seeds=3):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, n)
    made = Evidence(root, y, classes=3, resamples=200)
    base = rng.normal(size=(n, 3))
    for name, skill in skills.items():
        for seed in range(1 if name == "teacher" else seeds):
            z = 0.7 * base + 0.7 * rng.normal(size=base.shape)
            z[np.arange(n), y] += skill
            made.predict(name, z, seed=seed)
            made.json("size", name, {"parameters": 10 * round(skill), "nonzeros": 5, "bytes": 7, "dtypes": {}}, seed=seed)
    return made


@pytest.fixture
def board_of(tmp_path):
    """A judged board of made-up contenders whose steps are given."""

    def make(compare=None, axes=("accuracy", "parameters"), **contenders):
        made = skilled(tmp_path / "store", {"teacher": 3.0, **{name: skill for name, (skill, _) in contenders.items()}})
        jobs = made.judged(*axes)
        suite = made_suite(compare, **{name: of for name, (_, of) in contenders.items()})
        suite = replace(suite, seeds=(0, 1, 2), axes=tuple(made.use(a) for a in axes))
        return judge(suite, made.plan(), jobs, made.store, made.plugins)

    return make


STUDENTS = {"kd": (2.0, fit()), "weak": (0.5, fit()), "ta": (4.0, fit(teacher="weak"))}


def test_who_is_apart_has_no_rank_and_a_reason_until_the_suite_says_together(board_of):
    board = board_of(**STUDENTS)
    assert tuple(board.standings.columns) == STANDINGS
    assert tuple(board.pairs.columns) == PAIR_COLUMNS
    of = board.standings.set_index("contender")
    assert tuple(of.loc["ta", ["rank_low", "rank_high", "verdict"]]) == (0, 0, "apart")
    assert of.loc["ta", "reason"].startswith("not ranked: teacher weak, of most others teacher")
    assert of.loc["ta", "complete"]
    assert math.isnan(of.loc["ta", "p_holm"])
    assert tuple(of.loc["kd", ["rank_low", "rank_high"]]) == (1, 1)
    assert list(of.index) == ["teacher", "kd", "weak", "ta"], "who is apart stands below the ranked"
    pairs = board.pairs.set_index(["a", "b"])
    assert pairs.loc[("kd", "ta"), "verdict"] == "apart"
    front = board.pareto.set_index("contender")
    assert (front.loc["ta", "front"], front.loc["ta", "join"][:10]) == (False, "not ranked")
    assert board.parity[board.parity["unlike"] & (board.parity["fact"] == "teacher")]["contender"].tolist() == ["ta"]


def test_together_ranks_them_all(board_of):
    of = board_of(Compare(unlike="together"), **STUDENTS).standings.set_index("contender")
    assert tuple(of.loc["ta", ["rank_low", "rank_high"]]) == (1, 1)
    assert tuple(of.loc["kd", ["rank_low", "rank_high"]]) == (2, 2)
    assert of.loc["ta", "verdict"] == "BEATS"
    assert of.loc["weak", "verdict"] == "NO"
    assert of.loc["weak", "effect"] < 0 < of.loc["ta", "effect"]
    assert of.loc["kd", "margin"] == 0.01


def test_the_suite_names_the_metric_the_margin_and_the_front(board_of):
    compare = Compare(metric="nll", margin=5.0, pareto=("accuracy", "nll", "parameters"))
    board = board_of(compare, ("accuracy", "nll", "parameters"), kd=(2.0, fit()), weak=(1.9, fit()))
    assert set(board.standings["metric"]) == set(board.pairs["metric"]) == {"nll"}
    assert set(board.pairs["verdict"]) == {"EQUIVALENT"}
    assert set(board.standings.set_index("contender").loc[["kd", "weak"], "rank_high"]) == {2}
    assert set(board.pareto["axes"]) == {"accuracy, nll, parameters"}
    assert board.standings["p_front"].notna().all()


def test_a_board_made_without_the_new_tables_has_them_empty():
    empty = pd.DataFrame()
    board = Board(made_suite(kd=fit()), *[empty] * 7, {})
    assert list(board.discoveries.columns) == list(DISCOVERY_COLUMNS)
    assert list(board.pareto.columns)[:3] == ["task", "target", "contender"]
    assert (len(board.datasets), len(board.parity)) == (0, 0)


def test_constant_and_permuted_predictions_are_named(tmp_path):
    """huggingface/transformers#10203 (label order of MNLI), haitongli/knowledge-distillation-pytorch#16 (order of rows)."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    y[:60] = 0
    made = Evidence(tmp_path, y, classes=3)
    right = np.eye(3)[y] * 4 + rng.normal(size=(300, 3))
    made.predict("teacher", right)
    made.predict("permuted", right[:, [1, 2, 0]])
    made.predict("constant", np.tile([0.0, 1.0, 0.0], (300, 1)))
    made.predict("majority", np.tile([1.0, 0.0, 0.0], (300, 1)))
    made.predict("weak", np.eye(3)[y] * 0.8 + rng.normal(size=(300, 3)))
    said = "\n".join(made.board("accuracy").facts["warnings"])
    truth = (right.argmax(axis=1) == y).mean()
    assert (
        f"permuted, seed 0: accuracy {(right[:, [1, 2, 0]].argmax(axis=1) == y).mean():.3f} is at or below chance (0.333)" in said
    )
    assert f"labels permuted? The best permutation of the classes gives {truth:.3f}" in said
    assert "constant, seed 0: constant predictions: every example is called 'c1'" in said
    assert "majority, seed 0: constant predictions: every example is called 'c0'" in said
    assert "weak" not in said
    assert "one seed" in said


def test_52_inputs_that_were_cut_off_are_said_for_every_task_and_contender(tmp_path):
    """EleutherAI/lm-evaluation-harness#3115, #3421: a number about beginnings of texts looks like any other."""
    store, jobs = Store(tmp_path), []
    lost = {"home": {"a": 5, "b": 1}, "home on probe": {"a": 0}, "home asks blimp": {"a": 100, "b": 2, "c": None}}
    for task, of in lost.items():
        layout, needs = [], {}
        for i, (contender, n) in enumerate(of.items()):
            with store.write(job := Job("predict", {"made": [task, contender]})) as draft:
                known = {} if n is None else {"column.truncated": np.arange(100) < n}
                draft.arrays("predictions.npz", {"ids": np.arange(100).astype(str), **known})
            needs[f"e{i}"] = job.key
            layout.append([f"e{i}", contender, 0, "torch_cpu", "predictions", "test", "", 0, ""])
        jobs += [Job("judge", {"task": task, "metric": metric, "layout": layout}, needs) for metric in ("one", "two")]
    said = list(cut_off(jobs, store))
    assert [one.partition(":")[0] for one in said] == ["home", "home asks blimp"]
    assert said[0].endswith(": a 5.0% of the test rows")
    assert said[1].endswith(": a 100.0%, b 2.0% of the test rows")


def test_a_board_warns_of_inputs_that_were_cut_off(tmp_path):
    made = Evidence(tmp_path, np.arange(100) % 2)
    made.predict("teacher", np.eye(2)[made.labels])
    with made.write("predict", "short") as draft:
        held = {"ids": made.ids, "label": made.labels, "logits": np.eye(2, dtype=np.float32)[made.labels], "pred": made.labels}
        draft.arrays("predictions.npz", held | {"column.truncated": np.arange(100) < 40})
        draft.json("predictions.json", {"n": 100, "split": "test"})
    made.cell("predictions", "short", 0, split="test")
    said = "\n".join(made.board("accuracy").facts["warnings"])
    assert "task: inputs are cut off, and their numbers are about what was left: short 40.0% of the test rows" in said


def test_best_permutation_equals_all_permutations_tried():
    from itertools import permutations

    rng = np.random.default_rng(3)
    label, pred = rng.integers(0, 5, (2, 200))
    best = max(np.mean(np.array(names)[pred] == label) for names in permutations(range(5)))
    assert permuted(label, pred, 5) == pytest.approx(best)
