"""The small parts of the pool, without processes of their own: reasons, channel, what is imported ahead, signals, host."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
import toys

from kdbench.execute import host, reason, warm
from kdbench.execute.channel import Channel
from kdbench.execute.heed import heeded
from kdbench.execute.pool import environment
from kdbench.nouns import Job, Refusal
from kdbench.plan.keys import runtime


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a\nb\r\nc\td", "a b c d"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x9b", "red x"),
        ("left\u202eright\u2066", "leftright"),
        ("<object at 0x7f00deadbeef>", "<object at 0x…>"),
        ("/a/kd/tmp/12-345-0123456789ab/value.json is there", "(temporary folder)/value.json is there"),
        ("0x12 stays", "0x12 stays"),
        ("x" * 501, "x" * 499 + "…"),
    ],
)
def test_reason_is_one_clean_line(text, want):
    assert reason.line(text) == want


def test_reason_hides_the_home_folder():
    assert reason.line(os.path.expanduser("~/data/x.csv")) == "~/data/x.csv"


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (Refusal("no method named 'x'"), "no method named 'x'"),
        (MemoryError(), "memory: over the cap of 2.0 GiB"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory: over the cap of 2.0 GiB"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
    ],
)
def test_reason_for_an_exception(error, want):
    assert reason.of(error, 2 << 30) == want


def test_abort_for_want_of_memory_names_the_cap():
    aborted = signal.SIGABRT
    assert reason.ended(aborted, "terminate called after std::bad_alloc", 1 << 30) == "memory: over the cap of 1.0 GiB"
    assert reason.ended(aborted, "assertion failed", 1 << 30) == "killed by signal 6 (SIGABRT)"


def test_channel_never_blocks_and_keeps_every_message():
    ends = [Channel(end) for end in socket.socketpair()]
    sent = [{"n": n, "text": "é" * 5000} for n in range(200)]  # 2 MB: far more than a socket holds
    for message in sent:
        ends[0].send(message)
    assert ends[0].waiting
    got = []
    while len(got) < len(sent):
        got += ends[1].receive()
        ends[0].flush()
    assert got == sent
    ends[0].close()
    assert ends[1].receive() == []
    assert not ends[1].open
    ends[1].close()


def test_channel_drops_an_unfinished_line():
    a, b = socket.socketpair()
    a.sendall(b'{"n": 1}\n{"n": ')
    a.close()
    channel = Channel(b)
    assert channel.receive() == [{"n": 1}]
    assert not channel.open
    channel.close()


def test_stages_of_pending_jobs_decide_what_is_imported():
    def job(stage, target=""):
        return Job(stage, {"target": {"name": target, "params": {}}} if target else {}, runtime=runtime(stage))

    def heavy(jobs):
        return [name for name in warm.choose(jobs, "kdbench.stages", ()) if "." not in name]

    assert heavy([job("data"), job("judge")]) == ["numpy"]
    assert heavy([job("fit")]) == ["numpy", "torch"]
    assert heavy([job("predict", "torch_cpu")]) == ["numpy", "torch"]
    assert heavy([job("predict", "ort_cpu")]) == ["numpy", "torch", "onnxruntime"]
    assert heavy([job("predict", "no_such_target")]) == ["numpy", "torch"]
    assert heavy([Job("predict", {}, runtime=runtime("predict", "toy"))]) == ["numpy"]
    assert warm.choose([toys.add(1)], "toystages", ()) == ["toystages.add"]


def test_environment_of_jobs_is_calm_and_holds_no_secret(monkeypatch):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "https_proxy", "KDBENCH_API_KEY", "SOME_OTHER"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    got = environment()
    assert "canary" not in got.values()
    assert got["PYTHONPATH"] == "/here"
    assert (got["OMP_NUM_THREADS"], got["OMP_WAIT_POLICY"], got["HF_HUB_OFFLINE"]) == ("1", "PASSIVE", "1")


def test_signals_are_counted_and_then_what_they_were():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with heeded() as heed:
        for number in before:
            signal.raise_signal(number)
        assert heed.asked == 3
    assert {number: signal.getsignal(number) for number in before} == before


def test_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeded() as heed:
            signal.raise_signal(signal.SIGHUP)
            assert heed.asked == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_catches_no_signals():
    found = []

    def inside():
        with heeded() as heed:
            found.append((heed.asked, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join(10)
    assert found == [(0, signal.getsignal(signal.SIGTERM))]


def test_host_facts_name_no_machine():
    facts = host.facts()
    assert facts["cores"]
    assert len(facts["id"]) == 16
    if len(os.uname().nodename) > 3:
        assert os.uname().nodename not in str(facts)


def test_execute_imports_nothing_heavy():
    code = "import sys, kdbench.execute; print([m for m in ('torch', 'numpy', 'pandas', 'multiprocessing') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
