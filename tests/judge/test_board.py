"""The board: every planned number has a row, ranks are tie groups, gates need bounds, equal evidence gives equal boards."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_evidence import Evidence, row

from kdbench.judge import judge
from kdbench.judge.axes import Axis
from kdbench.judge.gates import gates
from kdbench.judge.rows import COLUMNS
from kdbench.judge.standings import compare, holm, lines, ranks
from kdbench.nouns import Gate


def arena(root, skills, n=1000, seeds=3, classes=2, resamples=300):
    """A task with contenders of known skill; skill 9 is nearly always right."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, classes, n)
    made = Evidence(root, y, classes=classes, resamples=resamples)
    base = rng.normal(size=(n, classes))
    for name, skill in skills.items():
        for seed in range(1 if name == "teacher" else seeds):
            z = 0.7 * base + 0.7 * rng.normal(size=base.shape)
            z[np.arange(n), y] += skill
            made.predict(name, z, seed=seed)
    return made


@pytest.fixture
def made(tmp_path):
    return arena(tmp_path, {"teacher": 2.0, "strong": 4.0, "also strong": 4.0, "weak": 0.3, "twin": 2.0})


def test_scores_have_exactly_the_columns_of_the_contract(made):
    board = made.board("accuracy", "nll")
    assert tuple(board.scores.columns) == COLUMNS
    assert COLUMNS[:4] == ("suite", "task", "contender", "seed")
    assert set(board.scores["suite"]) == {"made"}
    assert board.scores["seed"].dtype == "int64"
    teacher = board.scores[board.scores["contender"] == "teacher"]
    assert teacher["delta"].isna().all()


def test_row_order_and_numbers_do_not_depend_on_the_order_of_the_evidence(made, tmp_path):
    first = made.board("accuracy", "nll", "auroc")
    made.cells.reverse()
    suite = made.suite("accuracy", "nll", "auroc")
    suite = replace(suite, tasks=first.suite.tasks)
    second = judge(suite, made.plan(), made.judged("nll", "auroc", "accuracy"), made.store, made.plugins)
    assert first.scores.equals(second.scores)
    assert first.standings.equals(second.standings)


def test_judging_twice_gives_equal_bytes(made):
    job = made.job("ece")
    made.run(job)
    before = {name: made.store.open(job.key).bytes(name) for name in ("rows.parquet", "curves.parquet", "replicates.npz")}
    made.store.drop(job.key)
    made.run(job)
    assert before == {name: made.store.open(job.key).bytes(name) for name in before}


def test_standings_are_tie_groups_with_the_teacher_as_reference(made):
    board = made.board("accuracy")
    of = board.standings.set_index("contender")
    assert list(board.standings["contender"])[0] == "teacher"
    assert (of.loc["teacher", "rank_low"], of.loc["teacher", "verdict"]) == (0, "reference")
    assert tuple(of.loc["strong", ["rank_low", "rank_high"]]) == tuple(of.loc["also strong", ["rank_low", "rank_high"]]) == (1, 2)
    assert tuple(of.loc["twin", ["rank_low", "rank_high"]]) == (3, 3)
    assert tuple(of.loc["weak", ["rank_low", "rank_high"]]) == (4, 4)
    assert of["verdict"].to_dict() == {
        "teacher": "reference",
        "strong": "BEATS",
        "also strong": "BEATS",
        "twin": "INCONCLUSIVE",
        "weak": "NO",
    }
    angle = {name: 2 * math.asin(math.sqrt(value)) for name, value in of["value"].items()}
    for name in ("strong", "twin", "weak"):
        assert of.loc[name, "effect"] == pytest.approx(angle[name] - angle["teacher"]), (
            "Cohen's h of the contender, not the teacher's"
        )
    assert of.loc["strong", "scope"] == "method: examples and seeds vary"
    assert of["complete"].all()
    assert len(board.pairs) == 10


def test_lower_is_better_turns_the_verdicts(made):
    of = made.board("nll").standings.set_index("contender")
    assert of.loc["strong", "verdict"] == "BEATS"
    assert of.loc["weak", "rank_low"] == 4


def test_one_seed_is_a_verdict_about_checkpoints(tmp_path):
    board = arena(tmp_path, {"teacher": 2.0, "strong": 4.0}, seeds=1).board("accuracy")
    assert set(board.standings["scope"]) == {"checkpoint: examples vary"}
    assert any("one seed" in w for w in board.facts["warnings"])


def test_holm_equals_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).random(25) ** 4
    assert holm(list(p)) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_compare_over_seeds_alone_equals_scipy_paired_t_test(tmp_path):
    """With no spread over examples what is left is the paired t-test over seeds."""
    from scipy import stats

    from kdbench.judge.standings import Line

    a, b = np.array([0.9, 0.92, 0.95]), np.array([0.88, 0.91, 0.91])
    found = compare(*(Line(name, v, np.zeros(100), 50) for name, v in (("a", a), ("b", b))))
    theirs = stats.ttest_rel(a, b)
    low, high = theirs.confidence_interval()
    assert [found["p"], found["low"], found["high"]] == pytest.approx([theirs.pvalue, low, high])


def test_compare_of_checkpoints_equals_scipy_paired_t_test_over_examples(tmp_path):
    from scipy import stats

    made = arena(tmp_path, {"teacher": 1.0, "other": 1.3}, seeds=1, resamples=4000)
    job = made.judged("accuracy")[0]
    teacher, other = lines(made.store.open(job.key).arrays("replicates.npz"), "torch_cpu")
    right = [made.store.open(c.key).arrays("predictions.npz")["correct"].astype(float) for c in made.cells]
    theirs = stats.ttest_rel(right[1], right[0])
    found = compare(other, teacher)
    low, high = theirs.confidence_interval()
    assert found["p"] == pytest.approx(theirs.pvalue, abs=0.02)
    assert [found["low"], found["high"]] == pytest.approx([low, high], abs=0.05 * (high - low))


def test_ranks_of_a_chain_of_ties():
    """a beats c, but b cannot be told from either."""
    found = [
        {"a": "a", "b": "b", "verdict": "INCONCLUSIVE"},
        {"a": "c", "b": "a", "verdict": "NO"},
        {"a": "b", "b": "c", "verdict": "INCONCLUSIVE"},
    ]
    assert ranks(["a", "b", "c"], found) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_a_failed_seed_makes_the_contender_partial_and_unranked(made):
    """Survivors alone would look better: the seed that diverged might have been the bad one."""
    victim = next(i for i, c in enumerate(made.cells) if (c.contender, c.seed) == ("strong", 1))
    key = "f" * 64
    made.jobs.append(replace(made.jobs[1], spec={"lost": True}))
    key = made.jobs[-1].key
    made.store.fail(key, "invalid output: 3 of 1000 rows are not finite")
    made.cells[victim] = replace(made.cells[victim], key=key)
    board = made.board("accuracy", gates=[Gate("accuracy", at_least=0.1, contender="strong")])
    over = row(board, contender="strong", metric="accuracy")
    assert over["status"] == "partial"
    assert over["reason"].startswith("2 of 3 seeds: predict: invalid output")
    lost = row(board, contender="strong", metric="accuracy", seed=1)
    assert (lost["status"], lost["reason"]) == ("failed", "predict: invalid output: 3 of 1000 rows are not finite")
    assert math.isnan(lost["value"])
    standing = board.standings.set_index("contender").loc["strong"]
    assert not standing["complete"]
    assert (standing["rank_low"], standing["verdict"]) == (0, "no result")
    assert board.standings.set_index("contender").loc["also strong", "rank_low"] == 1
    assert board.gates["verdict"].tolist() == ["FAIL"]
    assert any("2 of 3 seeds" in w for w in board.facts["warnings"])


def test_every_planned_number_has_a_row_with_a_reason(made):
    made.cell("predictions", "blind", 0, key="", split="test", reason="ort_cpu runs onnx artefacts; this one is torch")
    made.cell(
        "predictions",
        "blind",
        0,
        key="",
        split="test",
        shift="blur",
        severity=3,
        reason="ort_cpu runs onnx artefacts; this one is torch",
    )
    made.cell("size", "strong", 0, key="0" * 64)
    jobs = made.judged("accuracy")
    suite = made.suite("accuracy", "auroc", "flops")
    board = judge(suite, made.plan(), jobs, made.store, made.plugins)
    blind = row(board, contender="blind", metric="accuracy")
    assert (blind["status"], blind["reason"]) == ("not applicable", "ort_cpu runs onnx artefacts; this one is torch")
    assert row(board, contender="blind", metric="accuracy", shift="blur", severity=3)["axis"] == "robustness"
    assert row(board, contender="strong", metric="auroc", seed=2)["reason"] == "was not judged"
    assert (
        row(board, contender="strong", metric="flops")["status"],
        row(board, contender="strong", metric="flops")["reason"],
    ) == ("skipped", "was not run")
    assert not board.standings.set_index("contender").loc["blind", "complete"]


def test_a_judge_job_that_failed_costs_its_metric_only(made):
    jobs = [made.job("accuracy"), made.job("nll")]
    made.run(jobs[0])
    made.store.fail(jobs[1].key, "ImportError: no module named 'x'")
    board = judge(made.suite("accuracy", "nll"), made.plan(), jobs, made.store, made.plugins)
    assert row(board, contender="weak", metric="nll")["reason"] == "judge: ImportError: no module named 'x'"
    assert row(board, contender="weak", metric="accuracy")["status"] == "ok"


def test_a_failure_upstream_is_the_reason(made):
    fit = replace(made.jobs[0], stage="fit", spec={"seed": 0})
    predict = replace(made.jobs[1], spec={"of": "lost"}, needs={"artefact": fit.key})
    made.jobs += [fit, predict]
    made.store.fail(fit.key, "loss is not finite in epoch 2")
    made.cell("predictions", "lost", 0, split="test")
    assert row(made.board("accuracy"), contender="lost", metric="accuracy")["reason"] == "fit: loss is not finite in epoch 2"


def test_gates_pass_on_the_bound_and_never_on_nothing(made):
    """great_expectations#2726, #7432, #8548: a check of a metric that was not computed, or of 0 rows, passed."""
    for seed in range(3):
        made.json("size", "weak", {"bytes": 1000}, seed=seed)
    wanted = [
        Gate("accuracy", at_least=0.9, contender="strong"),
        Gate("accuracy", at_least=0.99, contender="twin"),
        Gate("accuracy", at_least=-0.5, of="delta", contender="twin"),
        Gate("macro_f1", at_least=0.0),
        Gate("bytes_on_disk", at_most=1000),
        Gate("bytes_on_disk", at_most=999),
        Gate("accuracy", at_most=0.1, slice="sex:gap"),
    ]
    board = made.board("accuracy", "bytes_on_disk", gates=wanted)
    found = board.gates
    assert found["verdict"].tolist() == ["PASS", "FAIL", "PASS", "NOT EVALUATED", "PASS", "FAIL", "NOT EVALUATED"]
    assert "not evaluated" in found["reason"].iloc[3]
    assert found["bound"].iloc[0] == "at least 0.9"


def test_a_gate_whose_point_passes_and_bound_does_not_says_so():
    base = {
        "metric": "accuracy",
        "task": "t",
        "contender": "c",
        "target": "x",
        "slice": "",
        "shift": "",
        "axis": "quality",
        "reason": "",
    }
    held = {
        **base,
        "status": "ok",
        "value": 0.91,
        "low": 0.88,
        "high": 0.94,
        "delta": math.nan,
        "delta_low": math.nan,
        "delta_high": math.nan,
    }
    gate = Gate("accuracy", at_least=0.9)
    assert "more evidence is needed" in next(gates([gate], [held]))["reason"]
    for status, verdict in (("noisy", "FAIL"), ("undefined", "NOT EVALUATED"), ("failed", "NOT EVALUATED")):
        assert next(gates([Gate("accuracy", at_least=0.1)], [{**held, "status": status}]))["verdict"] == verdict
    nothing = {**held, "low": math.nan, "high": math.nan}
    assert next(gates([Gate("accuracy", at_least=0.1)], [nothing]))["verdict"] == "NOT EVALUATED"


def test_recipes_facts_and_statistics_reach_the_board(made):
    record = {
        "chain": {"cpu_seconds": 2.0, "examples": 1200, "teacher_passes": 0},
        "selected_epoch": 3,
        "parity": {"same_batches": True},
    }
    made.json("cost", "weak", record)
    board = made.board("accuracy", "training_cpu_seconds", statistics={"plan": {"jobs": 7}, "warnings": ["slow disk"]})
    held = board.recipes[board.recipes["contender"] == "weak"].set_index("key")["value"].to_dict()
    assert held == {
        "steps": "load a folder", "starts_from": "folder made",
        "examples_seen": "1200", "teacher_passes": "0", "selected_epoch": "3", "same_batches": "yes",
    }  # fmt: skip
    assert board.facts["plan"] == {"jobs": 7}
    assert board.facts["host"] == {"cpu": "made up", "cores": 2}
    assert board.facts["versions"] == {"numpy": np.__version__}
    assert board.facts["tasks"]["task"]["licence"] == "CC0"
    assert {"task: made up", "slow disk"} <= set(board.facts["warnings"])


def test_the_recipe_of_a_fit_is_told_term_by_term():
    from kdbench.judge.recipes import _asked
    from kdbench.nouns import Compress, Contender, Data, Fit, Start, Task, Term, Train, Use

    terms = (Term(Use("ce"), 0.1), Term(Use("kd", {"temperature": {"from": 5, "to": 1}}), 0.9, stop=0.5))
    pruned = Contender(
        "pruned", (Start("teacher"), Compress(Use("prune", {"sparsity": 0.9})), Fit(terms, Train(epochs=3, clip=1.0)))
    )
    facts = _asked(Task("t", Data(Use("d")), Contender("teacher", ()), (pruned,)), pruned)
    assert facts["steps"] == "start from teacher, then compress with prune(sparsity=0.9), then fit ce + kd"
    assert facts["terms"] == "0.1 ce, 0.9 kd(temperature=5 to 1) from 0 to 0.5 of training"
    assert (facts["starts_from"], facts["epochs"], facts["clip"], facts["warmup"]) == ("teacher", "3", "1.0", "0.0")


def test_curves_hold_the_reliability_diagram_of_each_seed_and_of_their_mean(made):
    board = made.board("ece")
    of = board.curves[(board.curves["contender"] == "weak") & (board.curves["curve"] == "reliability")]
    assert sorted(of["seed"].unique()) == [-1, 0, 1, 2]
    assert (of.groupby("seed")["n"].sum() - 1000).abs().max() <= 8, "the mean of three seeds is rounded per bin"
    one = of[of["seed"] == 1]
    gap = (one["n"] / 1000 * (one["x"] - one["y"]).abs()).sum()
    assert gap == pytest.approx(row(board, contender="weak", metric="ece", seed=1)["value"], abs=1e-6)


@pytest.mark.parametrize(("better", "unit", "of", "smaller"), [
    ("lower", "ratio", "size", True), ("higher", "ratio", "size", False), ("lower", "ratio", "latency", False),
    ("lower", "bytes", "size", False),
])  # fmt: skip
def test_only_a_ratio_of_counts_that_falls_with_compression_leaves_out_who_is_as_large(better, unit, of, smaller):
    """Four times smaller is 4 where the teacher stands above: no reason to leave anybody out."""
    assert Axis("x", "x", better, unit, axis=of).compresses is smaller
