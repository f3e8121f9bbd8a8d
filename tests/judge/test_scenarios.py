"""Scenarios (batch sizes, lengths) on the board: one row each, never taken for groups of people; failed and late timings."""

from dataclasses import replace

import numpy as np
import pytest
from made_evidence import Evidence, noisy_logits, row

from kdbench.nouns import Gate, Measure
from kdbench.sections._slices import columns

BATCH = "batch=32"


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 120)
    return Evidence(tmp_path, labels, groups={"batch": np.where(np.arange(120) % 2, "32", "8")})


def timing(made, contender, seconds, reference=1e-3, scenario="", null=1.0, **facts):
    """A latency of 60 blocks of 5 calls with a little noise that both sides share; the teacher's is its null pair."""
    rng = np.random.default_rng(len(contender) + len(scenario))
    shared = 1 + 0.05 * rng.random((60, 1)) + 0.002 * rng.random((60, 5))
    batch = int(scenario.partition("=")[2] or 1)
    with made.write("latency", contender, scenario) as draft:
        ref = reference * shared
        of = (reference * null if contender == "teacher" else seconds) * shared * (1 + 0.001 * rng.random((60, 1)))
        draft.arrays("latency.npz", {"wall_reference": ref, "wall_contender": of, "cpu_reference": ref, "cpu_contender": of})
        draft.json("latency.json", {"batch": batch, "load_before": 0.1, "load_after": 0.1, **facts})
    made.cell("latency", contender, 0, scenario=scenario)
    return float(ref.mean()), float(of.mean())


def both(made, **facts):
    """The mean seconds of the teacher and of the contender beside it, by scenario."""
    timing(made, "teacher", 1e-3)
    timing(made, "teacher", 1e-2, 1e-2, BATCH, **facts)
    return {"": timing(made, "small", 5e-4), BATCH: timing(made, "small", 8e-3, 1e-2, BATCH)}


def test_each_scenario_has_rows_of_its_own(made):
    both(made)
    board = made.board("latency_ratio", "latency", "throughput")
    assert row(board, contender="small", metric="latency_ratio").value == pytest.approx(0.5, rel=0.01)
    assert row(board, contender="small", metric="latency_ratio", slice=BATCH).value == pytest.approx(0.8, rel=0.01)
    of = board.scores[board.scores["slice"] == BATCH]
    assert set(of["axis"]) == {"latency"}
    assert set(board.timings["scenario"]) == {"", BATCH}


@pytest.mark.parametrize("scenario", ["", BATCH])
def test_throughput_times_latency_is_the_batch(made, scenario):
    both(made)
    board = made.board("latency", "throughput")
    latency, throughput = (row(board, contender="small", metric=m, slice=scenario) for m in ("latency", "throughput"))
    assert throughput.value * latency.value / 1e6 == pytest.approx(32 if scenario else 1, rel=1e-12)
    assert throughput.low < throughput.value < throughput.high


def test_the_noise_floor_is_that_of_the_null_pair_of_the_same_scenario(made):
    both(made, null=1.05)
    board = made.board("latency_ratio")
    quiet, noisy = (row(board, contender="small", metric="latency_ratio", slice=s) for s in ("", BATCH))
    assert (quiet.status, noisy.status) == ("ok", "noisy")
    assert "the teacher against itself reads 1.05" in noisy.reason
    assert any("Latency / teacher, batch=32 is noisy" in warning for warning in board.facts["warnings"])


def test_a_scenario_ranks_nothing_and_is_no_group(made):
    both(made)
    rng = np.random.default_rng(1)
    for contender, skill in (("teacher", 2.0), ("small", 1.0)):
        made.predict(contender, noisy_logits(made.labels, 2, skill, rng))
    board = made.board("accuracy", "latency_ratio")
    found = columns(board.scores)
    assert [column.name for column in found] == ["batch"], "the data have a group column of that name, too"
    assert set(found[0].rows["metric"]) == {"accuracy"}
    assert len(board.standings) == 2
    assert set(board.pareto["contender"]) == {"small", "teacher"}


def test_a_gate_may_name_a_scenario(made):
    both(made)
    gates = [Gate("latency_ratio", at_most=0.6), Gate("latency_ratio", at_most=0.6, slice=BATCH)]
    board = made.board("latency_ratio", gates=gates)
    assert list(zip(board.gates["slice"], board.gates["verdict"], strict=True)) == [("", "PASS"), (BATCH, "FAIL")]


def test_scenarios_stand_in_the_order_of_the_suite(made, monkeypatch):
    for name in ("", "batch=8", "batch=32"):
        timing(made, "teacher", 1e-3, scenario=name)
        timing(made, "small", 5e-4, scenario=name)
    suite = made.suite

    monkeypatch.setattr(made, "suite", lambda *args, **more: replace(suite(*args, **more), measure=Measure((8, 32))))
    board = made.board("latency")
    of = board.scores[(board.scores["contender"] == "small") & (board.scores["seed"] == -1)]
    assert list(of["slice"]) == ["", "batch=8", "batch=32"]


def test_what_was_planned_and_not_measured_has_a_reason_by_scenario(made):
    both(made)
    made.cell("latency", "large", 0, key="", reason="not available on this machine: openvino is not installed", scenario=BATCH)
    made.cell("latency", "large", 0, key="", reason="not available on this machine: openvino is not installed")
    board = made.board("latency")
    for scenario in ("", BATCH):
        found = row(board, contender="large", slice=scenario)
        assert (found.status, found.axis) == ("skipped", "latency")


def test_a_number_from_two_kinds_says_why_the_first_is_not_there(made):
    both(made)
    for contender in ("teacher", "small", "large"):
        with made.write("cost", contender) as draft:
            draft.json("record.json", {"chain": {"cpu_seconds": 1.0, "through": []}, "cpu_seconds": 1.0})
        made.cell("cost", contender, 0)
    for scenario in ("", BATCH):
        made.cell("latency", "large", 0, key="", reason="torch_cpu runs torch artefacts; this one is onnx", scenario=scenario)
    board = made.board("break_even")
    for scenario in ("", BATCH):
        found = row(board, contender="large", slice=scenario)
        assert (found.status, found.reason) == ("not applicable", "torch_cpu runs torch artefacts; this one is onnx")


def test_a_cheating_model_has_no_times(made):
    said = "small says something else when it is timed: up to 0.3 off its scored answers (call 17)"
    checks = {"answers": {"passed": False, "text": said}, "batch": {"passed": True, "text": "fine"}}
    timing(made, "teacher", 1e-3)
    timing(made, "small", 5e-4, checks=checks)
    board = made.board("latency_ratio", "cpu_time_ratio", "latency", "throughput", "latency_percentile")
    for metric in ("latency_ratio", "cpu_time_ratio", "latency", "throughput", "latency_percentile"):
        found = row(board, contender="small", metric=metric)
        assert (found.status, found.reason) == ("failed", said)
        assert np.isnan(found.value)
        assert row(board, contender="teacher", metric=metric).status == "ok"
    assert any(said in warning for warning in board.facts["warnings"])


def test_a_late_timing_is_marked_and_stays_a_number(made):
    timing(made, "teacher", 1e-3)
    timing(made, "small", 5e-4, late=True, pairs=23, asked_pairs=60)
    found = row(made.board("latency_ratio"), contender="small")
    assert found.status == "ok"
    assert "23 of 60 block pairs: the calls are too slow for more in the time given" in found.reason


def test_what_has_no_scenario_stands_beside_each_of_them(made):
    means = both(made)
    for contender, seconds in (("teacher", 50.0), ("small", 8.0)):
        with made.write("cost", contender) as draft:
            draft.json("record.json", {"chain": {"cpu_seconds": seconds, "through": []}, "cpu_seconds": seconds})
        made.cell("cost", contender, 0)
    board = made.board("break_even")
    single, batch = (row(board, contender="small", metric="break_even", slice=s) for s in ("", BATCH))
    (teacher, small), (teachers, smalls) = means[""], means[BATCH]
    assert single.value == pytest.approx(8.0 / (teacher - small), rel=1e-9)
    assert batch.value == pytest.approx(8.0 / ((teachers - smalls) / 32), rel=1e-9)
    assert single.low < single.value < single.high


def test_a_teacher_that_fails_its_own_checks_spoils_every_ratio_and_no_absolute(made):
    timing(made, "teacher", 1e-3, checks={"fresh": {"passed": False, "text": "it answers from memory"}})
    timing(made, "small", 5e-4)
    board = made.board("latency_ratio", "cpu_time_ratio", "latency")
    for name in ("latency_ratio", "cpu_time_ratio"):
        found = row(board, contender="small", metric=name)
        assert (found.status, found.reason) == ("failed", "the teacher beside it: it answers from memory")
    assert row(board, contender="small", metric="latency").status == "ok"


@pytest.mark.parametrize(("there", "status"), [({"cpu": "A", "load": 3.0}, "ok"), ({"cpu": "B", "load": 0.1}, "noisy")])
def test_a_null_pair_of_another_machine_is_noticed_and_another_load_is_not(made, there, status):
    timing(made, "teacher", 1e-3, host={"cpu": "A", "load": 0.1})
    timing(made, "small", 5e-4, host=there)
    found = row(made.board("latency_ratio"), contender="small", metric="latency_ratio")
    assert found.status == status
    assert ("another machine" in found.reason) == (status == "noisy")


def test_calls_timed_several_at_once_have_no_percentile(made):
    timing(made, "teacher", 1e-3)
    timing(made, "small", 5e-7, inner=40)
    found = row(made.board("latency_percentile"), contender="small", metric="latency_percentile")
    assert (found.status, "too short for the clock" in found.reason) == ("undefined", True)
