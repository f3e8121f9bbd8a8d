"""Peak memory of allocators whose size is known."""

import json
import subprocess
import sys

import pytest

from kdbench import Refusal
from kdbench.stages import memory, memory_script

from .toys import ALLOCATOR, asked

MB = 10**6


def test_an_allocator_of_100_mb_reads_100_mb_under_a_large_parent(tmp_path):
    """The parent holds 700 MB, and has freed another 200 that its allocator may have kept."""
    model = asked(tmp_path, ALLOCATOR, load=100, infer=50)
    held = bytearray(b"p" * (700 * MB))
    freed = [bytes(100_000) for _ in range(2000)]
    del freed
    found = memory.measure(model)
    assert len(held) == 700 * MB
    assert found["idle_bytes"] > 0
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(100 * MB, abs=5 * MB)
    assert found["peak_infer_bytes"] - found["idle_bytes"] == pytest.approx(150 * MB, abs=5 * MB)


def test_a_peak_of_loading_that_is_freed_again_is_not_carried_into_inference(tmp_path):
    source = ALLOCATOR.replace("    scratch =", "    held = held[:1000]\n    scratch =")
    found = memory.measure(asked(tmp_path, source, load=200, infer=30))
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(200 * MB, abs=8 * MB)
    assert found["peak_infer_bytes"] - found["idle_bytes"] == pytest.approx(30 * MB, abs=5 * MB)


def test_what_loading_freed_into_a_hole_of_the_heap_is_not_carried_into_inference(tmp_path):
    """A hole that the parent left within its heap serves the child's 200 MB, and keeps its pages when they are freed."""
    source = ALLOCATOR.replace("    scratch =", "    held = held[:1000]\n    scratch =")
    model = asked(tmp_path, source, load=200, infer=30)
    hole = [bytes(100_000) for _ in range(3000)]
    lid = [bytes(100_000) for _ in range(20)]
    del hole
    found = memory.measure(model)
    assert len(lid) == 20
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(200 * MB, abs=8 * MB)
    assert found["peak_infer_bytes"] - found["idle_bytes"] == pytest.approx(30 * MB, abs=5 * MB)


def test_without_a_reset_a_fresh_interpreter_reads_the_same(tmp_path, monkeypatch):
    """As in a container whose /proc/self/clear_refs cannot be written. rbx#726, bun#43304, panbench#196: there the peak that
    getrusage tells of a program is that of its parent.
    """
    model = asked(tmp_path, ALLOCATOR, load=100, infer=50)
    monkeypatch.setattr(memory_script, "reset", lambda: False)
    held = bytearray(b"p" * (300 * MB))
    found = memory.measure(model)
    assert len(held) == 300 * MB
    assert found["idle_bytes"] < 60 * MB
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(100 * MB, abs=5 * MB)


def test_a_model_hidden_below_the_libraries_is_refused_where_the_mark_cannot_be_set_back(tmp_path, monkeypatch):
    source = "bulk = len(b'z' * 90_000_000)\n" + ALLOCATOR
    monkeypatch.setattr(memory_script, "reset", lambda: False)
    monkeypatch.setattr(memory, "_fresh_interpreter", lambda request: memory.in_child(lambda: memory_script.main(dict(request))))
    with pytest.raises(Refusal, match="hidden below"):
        memory.measure(asked(tmp_path, source, load=5, infer=1))


def test_the_script_runs_in_another_interpreter(tmp_path):
    model = asked(tmp_path, ALLOCATOR, load=60, infer=1)
    (tmp_path / "request.json").write_text(json.dumps(model), encoding="utf-8")
    command = [sys.executable, "-I", memory_script.__file__, str(tmp_path / "request.json")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout)
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(60 * MB, abs=5 * MB)


def test_what_happens_in_the_child_is_told():
    def dies():
        import os

        os.kill(os.getpid(), 9)

    def raises():
        raise ValueError("first line\nsecond line")

    with pytest.raises(Refusal, match="signal 9"):
        memory.in_child(dies)
    with pytest.raises(Refusal, match="ValueError: first line$"):
        memory.in_child(raises)
    assert memory.in_child(lambda: {"x": 1}) == {"x": 1}
