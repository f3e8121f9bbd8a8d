"""`kdbench run`, broken at file events and run again: the same scores, to the byte."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))
import harness

KINDS = ["killgroup", "killopen", "torn"]


def a_run(toy, tmp_path, suite="suite.yaml", results="r/toy/scores.csv", plugins=True):
    command = [sys.executable, "-m", "kdbench", "run", str(toy / suite), "--store", "{out}/s", "--reports", "{out}/r"]
    command += ["--plugins", str(toy / "plugins")] if plugins else []
    return harness.Harness(command, results=results, root=tmp_path, limit=120)


def kinds(run):
    return [kind for kind in KINDS if kind != "torn" or run.torn]


def test_a_sample_of_faults_changes_no_score(toy, tmp_path):
    run = a_run(toy, tmp_path)
    counts = run.clean()
    assert counts["event"] > 50
    found = {fault: run.trial(fault) for fault in harness.points(counts, kinds(run), 2)}
    assert {fault: verdict for fault, verdict in found.items() if verdict != "same"} == {}


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_a_fault_at_every_event_changes_no_score(toy, tmp_path):
    run = a_run(toy, tmp_path)
    found = {fault: run.trial(fault) for fault in harness.points(run.clean(), kinds(run), 10**9)}
    for _ in range(20):
        fault = harness.Fault("timed", run.random.uniform(0, run.wall))
        found[fault] = run.trial(fault, double=True)
    print(f"{len(found)} trials")
    assert {fault: verdict for fault, verdict in found.items() if verdict != "same"} == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_faults_in_a_torch_suite_change_no_score(toy, tmp_path):
    run = a_run(toy, tmp_path, "torch.yaml", "r/torch/scores.csv", plugins=False)
    counts = run.clean()
    found = {fault: run.trial(fault) for fault in harness.points(counts, kinds(run), 6)}
    for _ in range(4):
        fault = harness.Fault("timed", run.random.uniform(0, run.wall))
        found[fault] = run.trial(fault, double=True)
    assert {fault: verdict for fault, verdict in found.items() if verdict != "same"} == {}
