"""Whole runs of the pool: order, sharing, resuming, damage, disk full."""

import json
import os
import threading
import time

import pytest
import toys
from toys import add

from kdbench.execute import Site
from kdbench.execute import run as running
from kdbench.execute.lock import Quiet
from kdbench.nouns import Job, Refusal
from kdbench.store import Store


def trace(n, **more):
    fields = {k: more.pop(k) for k in ("needs", "uses", "together", "alone") if k in more}
    return Job("trace", {"n": n, **more}, label=f"trace{n}", **fields)


def seen(store, job):
    return store.open(job.key).json("trace.json")


def test_diamond_of_needs(tmp_path):
    a = add(1)
    b, c = add(10, [a]), add(100, [a])
    d = add(1000, [b, c])
    outcome, store, events = toys.go([a, b, c, d], tmp_path)
    assert toys.value(store, d) == 1112
    assert (outcome.done, outcome.ran, outcome.failed, outcome.stopped) == (4, 4, {}, "")
    assert [one.kind for one in events if one.key == d.key] == ["started", "finished"]
    assert (events[-1].done, events[-1].total) == (4, 4)


def test_second_run_starts_no_process(tmp_path, monkeypatch):
    jobs = [add(1), add(2)]
    toys.go(jobs, tmp_path)
    monkeypatch.setattr(running, "Pool", None)
    outcome, _, events = toys.go(jobs, tmp_path)
    assert (outcome.done, outcome.ran, events) == (2, 0, [])


def test_only_what_is_missing_runs(tmp_path):
    log = tmp_path / "log"
    a = add(1, log=str(log))
    b = add(2, [a], log=str(log))
    _, store, _ = toys.go([a, b], tmp_path / "kd")
    store.drop(b.key)
    outcome, *_ = toys.go([a, b], tmp_path / "kd")
    assert outcome.ran == 1
    assert log.read_text(encoding="utf-8").split() == ["add1", "add2", "add2"]


def test_failed_job_is_tried_again_by_the_next_run(tmp_path):
    log = tmp_path / "no" / "log"
    job = add(1, log=str(log))
    outcome, store, _ = toys.go([job], tmp_path / "kd")
    assert "No such file" in outcome.failed[job.key]
    log.parent.mkdir()
    outcome, *_ = toys.go([job], tmp_path / "kd")
    assert outcome.failed == {}
    assert store.failure(job.key) == ""


def test_skipped_jobs_say_why(tmp_path):
    bad = Job("bad", {"way": "base"}, label="the bad one")
    after = add(1, [bad])
    outcome, store, events = toys.go([bad, after], tmp_path)
    assert outcome.failed[after.key] == store.failure(after.key) == "needs the bad one: Base"
    assert [one.kind for one in events] == ["started", "failed", "skipped"]


def test_needs_that_go_round_in_a_circle_end(tmp_path, monkeypatch):
    a = add(1)
    b = add(2, uses={"x": (a.key,)})
    a = add(1, uses={"x": (b.key,)})
    outcome, *_ = toys.go([a, b], tmp_path)
    assert "needs a job that needs this one" in outcome.failed[a.key]
    assert len(outcome.failed) == 2


def test_together_shares_one_process_and_others_do_not(tmp_path):
    batch = [trace(n, together="t", sleep=0) for n in range(4)]
    single = [trace(n + 10, sleep=0) for n in range(2)]
    _, store, _ = toys.go([*batch, *single], tmp_path)
    assert len({seen(store, job)["pid"] for job in batch}) == 1
    assert len({seen(store, job)["pid"] for job in (batch[0], *single)}) == 3
    assert len({seen(store, job)["ppid"] for job in (*batch, *single)}) == 1


@pytest.mark.parametrize(("way", "memory"), [("error", 0), ("segv", 0), ("osexit", 0), ("oom", 512 << 20), ("threads", 0)])
def test_batch_goes_on_after_a_bad_member(way, memory, tmp_path):
    good = [trace(n, together="t", sleep=0) for n in range(4)]
    bad = Job("bad", {"way": way}, together="t")
    outcome, store, _ = toys.go([*good[:2], bad, *good[2:]], tmp_path, memory=memory)
    assert all(store.has(job.key) for job in good)
    assert set(outcome.failed) == ({bad.key} if way != "threads" else set())


def test_batch_members_do_not_inherit_folder_umask_or_environment(tmp_path):
    first, second = (Job("bad", {"way": way}, together="t") for way in ("chdir", "threads"))
    _, store, _ = toys.go([first, second], tmp_path, memory=0)
    held = store.open(second.key).json("value.json")
    assert held["mask"] == 0o022
    assert held["cwd"] != "/"


def test_alone_overlaps_nothing(tmp_path):
    loud = [trace(n) for n in range(4)]
    quiet = [trace(n + 10, alone=True, together="same") for n in range(3)]
    _, store, _ = toys.go([quiet[0], *loud, *quiet[1:]], tmp_path)
    spans = [seen(store, job) for job in (*loud, *quiet)]
    for one in spans[len(loud) :]:
        assert all(other is one or other["end"] <= one["start"] or other["start"] >= one["end"] for other in spans)
        assert all(other["end"] <= one["start"] for other in spans[: len(loud)])
    assert len({one["pid"] for one in spans}) == 7


def test_alone_waits_for_the_machine(tmp_path, monkeypatch):
    """Another run of this user that is timing something holds the lock; ours starts when it lets go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = Quiet()
    assert other.take()
    monkeypatch.setattr("kdbench.execute.turn.NOTICED", 0.3)
    timer = threading.Timer(1.2, other.leave)
    timer.start()
    started = time.monotonic()
    outcome, _, events = toys.go([trace(1, alone=True, sleep=0)], tmp_path / "kd")
    assert outcome.done == 1
    assert time.monotonic() - started > 1.2
    said = [event.reason for event in events if event.kind == "waiting"]
    assert said == ["another run of kdbench works on this machine"]


def test_work_waits_while_another_run_times_something(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = Quiet()
    assert other.take()
    threading.Timer(0.8, other.leave).start()
    started = time.monotonic()
    outcome, *_ = toys.go([trace(1, sleep=0)], tmp_path / "kd")
    assert outcome.done == 1
    assert time.monotonic() - started > 0.8


def test_a_timed_job_waits_while_another_run_works_and_plain_work_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = Quiet()
    assert other.share()
    threading.Timer(2.0, other.leave).start()
    started = time.monotonic()
    _, store, _ = toys.go([plain := trace(1, sleep=0), timed := trace(2, alone=True, sleep=0)], tmp_path / "kd")
    assert time.monotonic() - started > 2.0
    assert seen(store, plain)["end"] < seen(store, timed)["start"]
    assert seen(store, timed)["start"] - seen(store, plain)["end"] > 0.3  # the plain one did not wait for the other run


def test_uses_falls_back_when_the_first_fails(tmp_path):
    bad, good = Job("bad", {"way": "base"}), add(5)
    job = add(1, uses={"a": (bad.key, good.key)})
    outcome, store, _ = toys.go([bad, good, job], tmp_path)
    assert toys.value(store, job) == 6
    assert store.open(job.key).manifest["made"]["used"] == {"a": good.key}
    assert set(outcome.failed) == {bad.key}


def test_manifest_says_what_it_took(tmp_path):
    job = add(1, sleep=0.2)
    _, store, _ = toys.go([job], tmp_path)
    made = store.open(job.key).manifest["made"]
    assert made["seconds"] >= 0.2
    assert 0 < made["cpu_seconds"] < 0.2
    assert 1 << 20 < made["idle_bytes"] <= made["peak_bytes"] < 1 << 30
    assert made["versions"]["kdbench"]
    assert os.uname().nodename not in json.dumps(made) or len(os.uname().nodename) < 4


def test_jobs_in_the_store_count_as_done_inputs_from_outside_the_plan(tmp_path):
    a = add(1)
    toys.go([a], tmp_path)
    b = add(2, [a])
    outcome, store, _ = toys.go([b], tmp_path)
    assert toys.value(store, b) == 3


def test_damaged_input_from_outside_the_plan_fails_with_a_reason(tmp_path):
    a = add(1)
    _, store, _ = toys.go([a], tmp_path)
    place = store.place(a.key) / "bytes.bin"
    os.chmod(place, 0o644)
    place.write_bytes(bytes(1024))
    b = add(2, [a])
    outcome, *_ = toys.go([b], tmp_path)
    assert outcome.failed[b.key] == (
        f"input {a.key[:12]} is damaged (bytes.bin does not match its checksum) and is not made by this plan"
    )


def test_full_disk_stops_the_run_and_loses_nothing(tmp_path):
    """RLIMIT_FSIZE of the whole run stands for the disk: the third job writes more than it allows."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)); sys.path.insert(0, sys.argv[1])\n"
        "import toys; from kdbench.nouns import Job\n"
        "jobs = [toys.add(1), toys.add(2), Job('big', {}), toys.add(3, [Job('big', {})])]\n"
        "outcome, store, _ = toys.go(jobs, sys.argv[2], workers=1)\n"
        "print(outcome.done, len(outcome.failed), outcome.interrupted, outcome.stopped)\n"
    )
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-c", code, str(toys.HERE), str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(f"2 0 False cannot write to {tmp_path}: File too large (")
    assert "MiB free" in ran.stdout
    big = Job("big", {})
    outcome, store, _ = toys.go([add(1), add(2), big], tmp_path)
    assert (outcome.done, outcome.ran, outcome.failed) == (3, 1, {})
    assert store.open(big.key)


def test_plan_without_jobs_is_done(tmp_path):
    outcome, *_ = toys.go([], tmp_path)
    assert (outcome.done, outcome.failed) == (0, {})


def test_job_twice_in_the_plan_runs_once(tmp_path):
    outcome, *_ = toys.go([add(1), add(1)], tmp_path)
    assert (outcome.done, outcome.ran) == (1, 1)


def test_execute_in_another_thread(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(toys.go([add(1)], tmp_path)[0]))
    thread.start()
    thread.join(30)
    assert found[0].done == 1


def test_error_of_the_watcher_leaves_no_process(tmp_path):
    def tell(event):
        raise RuntimeError("the screen is gone")

    job = trace(1, sleep=30)
    with pytest.raises(RuntimeError, match="the screen is gone"):
        toys.go([job], tmp_path, tell=tell)
    assert not Store(tmp_path).has(job.key)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"workers": -1}, {"workers": 10**9}, {"timeout": 0}, {"timeout": float("nan")}, {"memory": -5}]
)
def test_impossible_sites_are_refused(wrong):
    with pytest.raises(Refusal, match="allowed is"):
        Site(**wrong)
