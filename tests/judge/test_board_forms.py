"""Metrics without a number for each seed or for all examples have exactly their rows on the board, and rank nothing."""

from dataclasses import replace

import numpy as np
import pytest
from made_evidence import Evidence, noisy_logits, row

from kdbench.judge import axes as axis
from kdbench.registry import discover

PLUGINS = discover()


def of_form(form):
    """The first metric of a form that reads predictions of students alone."""
    for about in PLUGINS.describe("metric"):
        asked = set(getattr(about, "evidence", ())) - {"weights"}
        if getattr(about, "facts", {}).get("form") == form and asked == {"predictions"}:
            return about.name
    return pytest.skip(f"no metric of form {form} that reads predictions alone")


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    made = Evidence(tmp_path, y, positive=1, groups={"sex": rng.choice(["f", "m"], 400)}, resamples=100)
    for name, skill in (("teacher", 2.0), ("kd", 1.5), ("weak", 0.5)):
        for seed in range(1 if name == "teacher" else 3):
            made.predict(name, noisy_logits(y, 2, skill, rng), seed=seed)
    return made


def test_a_metric_over_seeds_has_one_row_and_is_whole(made):
    name = of_form("seeds")
    board = made.board(name, "accuracy")
    own = board.scores[(board.scores["metric"] == name) & (board.scores["contender"] == "kd") & (board.scores["slice"] == "")]
    assert own["seed"].tolist() == [-1]
    assert own["status"].tolist() == ["ok"]
    assert set(board.standings["metric"]) == {"accuracy"}, "it cannot rank: it has no number for each seed"


def test_a_metric_over_seeds_is_partial_where_a_seed_failed(made):
    name = of_form("seeds")
    victim = next(i for i, c in enumerate(made.cells) if (c.contender, c.seed) == ("kd", 1))
    made.jobs.append(replace(made.jobs[1], spec={"lost": True}))
    made.store.fail(made.jobs[-1].key, "killed")
    made.cells[victim] = replace(made.cells[victim], key=made.jobs[-1].key)
    found = row(made.board(name, "accuracy"), contender="kd", metric=name)
    assert found["status"] == "partial"
    assert found["reason"].startswith("2 of 3 seeds")


def test_a_metric_between_groups_has_its_row_by_column_and_ranks_nothing(made):
    name = of_form("groups")
    board = made.board(name, "accuracy")
    assert row(board, contender="kd", metric=name, slice="sex")["status"] == "ok"
    assert row(board, contender="kd", metric=name)["status"] == "not applicable"
    assert set(board.standings["metric"]) == {"accuracy"}


def test_a_metric_that_failed_still_ranks(made):
    """A judge job that broke must not hand the ranking to the next metric in silence."""
    jobs = [made.job("accuracy"), made.job("nll")]
    made.store.fail(jobs[0].key, "broken")
    made.run(jobs[1])
    from kdbench.judge import judge

    board = judge(made.suite("accuracy", "nll"), made.plan(), jobs, made.store, made.plugins)
    assert set(board.standings["metric"]) == {"accuracy"}
    assert not board.standings["complete"].any()


def test_ids_of_axes_are_those_of_the_tables(made):
    from kdbench.judge.axes import metric_id

    suite = made.suite("accuracy", ("ece", {"bins": 10}), "nll")
    ids = [metric_id(PLUGINS.get("metric", use.name), use.params) for use in suite.axes]
    assert [a.id for a in axis.axes(suite, PLUGINS)] == ids == ["accuracy", "ece{bins=10}", "nll"]
