"""How a run ends early, what is left behind (nothing), and how the next one goes on."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import runner
import toys

from kdbench.execute.lock import Quiet, hold
from kdbench.nouns import Refusal
from kdbench.store import Store

RUNNER = str(Path(__file__).parent / "runner.py")


def start(root, *more, until="started"):
    """A run that has begun its first job."""
    process = subprocess.Popen(
        [sys.executable, RUNNER, str(root), *more], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stdout:
        if line.startswith(until):
            return process
    raise AssertionError("the run ended at once")


def left(root):
    """Processes that know the folder: the server has it in its working files, jobs in their folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(place / "cwd").startswith(str(root)) and place.name != str(os.getpid()):
                found.append(place.name)
        except OSError:
            continue
    return found


def gone(root, seconds=3.0):
    end = time.monotonic() + seconds
    while left(root) and time.monotonic() < end:
        time.sleep(0.02)
    return left(root) == []


def resume(root, sleep, count=8):
    """Run on, and insist on the right result with each finished job done once."""
    store = Store(root)
    before = {job.key for job in runner.jobs(root, sleep, count) if store.has(job.key)}
    log = Path(root) / "log"
    log.unlink(missing_ok=True)
    outcome, store, _ = toys.go(runner.jobs(root, sleep, count), root)
    assert outcome.failed == {}
    assert toys.value(store, runner.jobs(root, sleep, count)[-1]) == 1000 + sum(range(count))
    ran = Counter(log.read_text(encoding="utf-8").split())
    assert set(ran.values()) == {1}
    assert len(ran) == count + 1 - len(before)
    assert list((Path(root) / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_first_signal_lets_running_jobs_end(number, tmp_path):
    process = start(tmp_path, "0.5")
    began = time.monotonic()
    process.send_signal(number)
    out = process.communicate(timeout=10)[0]
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    finished = [line for line in out.splitlines() if line.startswith("finished")]
    assert 1 <= len(finished) <= 2
    assert out.splitlines()[-1] == f"outcome {len(finished)} True"
    assert gone(tmp_path, 0)
    resume(tmp_path, 0.5)


def test_first_signal_ends_long_jobs_within_five_seconds(tmp_path):
    process = start(tmp_path, "30")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert 3.5 < time.monotonic() - began < 5.5
    assert process.returncode == 130
    assert gone(tmp_path, 0)


def test_second_signal_stops_at_once(tmp_path):
    process = start(tmp_path, "30")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert time.monotonic() - began < 2
    assert process.returncode == 130
    assert gone(tmp_path, 0)


def test_signal_of_the_terminal_reaches_the_whole_group(tmp_path):
    """Ctrl-C goes to the server too, which leaves the decision to the run."""
    process = start(tmp_path, "0.5")
    os.killpg(process.pid, signal.SIGINT)
    out = process.communicate(timeout=10)[0]
    assert process.returncode == 130
    assert "finished" in out
    assert gone(tmp_path, 0)


def test_signal_before_the_first_job(tmp_path):
    process = start(tmp_path, "0.1", until="locked")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode in (130, -signal.SIGINT)  # caught by the run, or before it began
    assert gone(tmp_path, 1)
    resume(tmp_path, 0.1)


@pytest.mark.parametrize("group", [False, True])
def test_kill_of_the_parent_ends_all_and_loses_only_jobs_in_flight(group, tmp_path):
    process = start(tmp_path, "0.2", until="finished")
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    assert gone(tmp_path, 2)
    resume(tmp_path, 0.2)


def test_kill_of_the_server_costs_nothing(tmp_path):
    process = start(tmp_path, "0.3")
    server = next(int(pid) for pid in children(process.pid))
    os.kill(server, signal.SIGKILL)
    out = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert out.splitlines()[-1] == "outcome 9 False"


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def test_second_run_on_a_folder_is_refused_in_one_line(tmp_path):
    process = start(tmp_path, "5")
    second = subprocess.run([sys.executable, RUNNER, str(tmp_path)], capture_output=True, text=True, check=False)
    process.kill()
    process.communicate()
    assert second.returncode == 2
    assert second.stdout.count("\n") == 1
    assert f"{tmp_path} is in use by process {process.pid} on {os.uname().nodename} since 2" in second.stdout


def test_lock_of_a_dead_process_hinders_nobody(tmp_path):
    (tmp_path / "lock").write_text("process 1 on elsewhere since 1999\n", encoding="utf-8")
    with hold(tmp_path), pytest.raises(Refusal, match=f"process {os.getpid()} on"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="cannot use"), hold(tmp_path / "file" / "kd"):
        pass


def test_only_one_at_a_time_has_quiet(tmp_path):
    first, second = Quiet(tmp_path), Quiet(tmp_path)
    assert first.take()
    assert first.take()
    assert not second.take()
    first.leave()
    assert second.take()
    second.leave()


def test_many_share_a_machine_that_nobody_times_on(tmp_path):
    first, second, timer = Quiet(tmp_path), Quiet(tmp_path), Quiet(tmp_path)
    assert first.share()
    assert second.share()
    assert not timer.take()
    timer.leave()
    first.leave()
    assert second.take()  # from working to timing, in its own hands
    assert not first.share()
    first.leave()
    second.leave()
    assert timer.take()
    timer.leave()


def test_who_waits_to_time_something_keeps_new_work_out_and_gets_its_turn(tmp_path):
    worker, timer, late = Quiet(tmp_path), Quiet(tmp_path), Quiet(tmp_path)
    assert worker.share()
    assert not timer.take()
    assert not worker.share()  # no further job of the one that works
    assert not late.share()
    worker.leave()
    late.leave()
    assert timer.take()
    assert not late.share()
    timer.leave()
    assert not timer.take()  # one timing after the other does not keep the others out for ever
    assert late.share()
    late.leave()
    assert timer.take()
    other = Quiet(tmp_path)
    assert not other.take()
    timer.leave()
    assert not timer.take()
    assert other.take()
    other.leave()
    timer.leave()
