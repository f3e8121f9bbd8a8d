"""The harness catches a naive runner and passes a safe one; the pool and the store pass it."""

import sys
from pathlib import Path

import harness
import pytest

HERE = Path(__file__).parent
KINDS = ["killgroup", "killopen", "torn"]


def runner(name, tmp_path, *more):
    return harness.Harness([sys.executable, str(HERE / name), *more, "{out}"], root=tmp_path, limit=60)


def verdicts(tested, kinds, most=10**9, double=False):
    counts = tested.clean()
    assert counts["event"] >= 5
    return {fault: tested.trial(fault, double=double) for fault in harness.points(counts, kinds, most)}


def test_naive_runner_is_caught(tmp_path):
    found = verdicts(runner("toy_runner.py", tmp_path, "naive"), ["killgroup", "killopen"])
    wrong = {fault.kind for fault, verdict in found.items() if verdict == "differs"}
    assert wrong == {"killopen"}  # a kill between two events is not enough to show it
    assert "stuck" not in found.values()


def test_naive_runner_is_caught_by_a_torn_write(tmp_path):
    tested = runner("toy_runner.py", tmp_path, "naive")
    if not tested.torn:
        pytest.skip("no C compiler")
    assert "differs" in verdicts(tested, ["torn"]).values()


def test_safe_runner_passes(tmp_path):
    tested = runner("toy_runner.py", tmp_path, "safe")
    found = verdicts(tested, [kind for kind in KINDS if kind != "torn" or tested.torn])
    assert set(found.values()) == {"same"}


def test_runner_that_cannot_go_on_is_stuck(tmp_path):
    script = tmp_path / "stuck.py"
    script.write_text(
        "import os, sys\nos.mkdir(sys.argv[1] + '/a')\n"
        "open(sys.argv[1] + '/x', 'w')\nopen(sys.argv[1] + '/results.json', 'w').write('1')\n",
        encoding="utf-8",
    )
    tested = harness.Harness([sys.executable, str(script), "{out}"], root=tmp_path, limit=60)
    tested.clean()
    assert tested.trial(harness.Fault("killgroup", 2)) == "stuck"


def test_points_are_spread_over_all_events():
    found = harness.points({"event": 100, "torn": 3}, ["killopen", "torn"], 5)
    assert [fault.at for fault in found] == [1, 26, 51, 75, 100, 1, 2, 3]


def test_pool_survives_a_sample_of_faults(tmp_path):
    tested = runner("pool_runner.py", tmp_path)
    kinds = ["killgroup", "killopen", "enospc", "sigint", *(["torn"] if tested.torn else [])]
    found = verdicts(tested, kinds, most=3, double=False)
    assert {fault: verdict for fault, verdict in found.items() if verdict != "same"} == {}


@pytest.mark.slow
def test_pool_survives_a_fault_at_every_event(tmp_path):
    tested = runner("pool_runner.py", tmp_path)
    found = verdicts(tested, [kind for kind in KINDS if kind != "torn" or tested.torn])
    for _ in range(20):
        fault = harness.Fault("timed", tested.random.uniform(0, tested.wall))
        found[fault] = tested.trial(fault, double=True)
    assert {fault: verdict for fault, verdict in found.items() if verdict != "same"} == {}
