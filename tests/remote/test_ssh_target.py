"""The target `ssh` against a real OpenSSH server: what comes back equals what the same file says here."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from kdbench import Artefact, Refusal, to_onnx
from kdbench.stages import memory_script, parity, running, timing_checks, timing_script
from kdbench.targets import _ssh_session

ECHO = "import json, os, sys\nrequest = json.load(open(sys.argv[1]))\n"


def script(tmp_path, body):
    path = tmp_path / "script.py"
    path.write_text(ECHO + body, encoding="utf-8")
    return path


def test_predictions_equal_those_of_onnx_runtime_here_against_ort_cpu(far, plugins, artefact, x):
    here = plugins.load("target", "ort_cpu")[0](artefact, x).predict(x)
    there = far().predict(x)
    assert there.dtype == np.float32
    np.testing.assert_array_equal(there, here)


def test_predictions_agree_with_eager_torch(far, artefact, x):
    found = parity.compare(parity.eager(artefact.module, x), far().predict(x), np.arange(300))
    assert found["passed"]


def test_no_rows_and_many_pieces(far, x, monkeypatch):
    from kdbench.targets import _ssh_model

    runner = far()
    whole = runner.predict(x)
    monkeypatch.setattr(_ssh_model, "PIECE", 1)
    np.testing.assert_array_equal(runner.predict(x), whole)
    assert runner.predict({"image": x["image"][:0]}).shape == (0, 4)


def test_an_onnx_file_with_a_fixed_batch(far, plugins, artefact, x):
    model = onnx.load_from_string(to_onnx(artefact.module, x))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 7
    fixed = Artefact("onnx", artefact.shape, files={"model.onnx": model.SerializeToString()})
    here = plugins.load("target", "ort_cpu")[0](fixed, running.first_rows(x, 7)).predict(x)
    np.testing.assert_array_equal(far(fixed).predict(x), here)


def test_facts_are_those_of_ort_cpu_and_of_the_far_machine(far, plugins, artefact, x):
    from kdbench.stages.host import fingerprint

    facts, here = dict(far(threads=2).facts), dict(plugins.load("target", "ort_cpu")[0](artefact, x, threads=2).facts)
    host = facts.pop("host")
    assert facts == here
    told = fingerprint()
    assert {name: host[name] for name in ("cpu", "cores", "memory_gib", "os", "arch")} == {
        name: told[name] for name in ("cpu", "cores", "memory_gib", "os", "arch")
    }
    assert host["python"] == sys.version.split()[0]
    assert set(told["isa"]) <= set(host["isa"])
    assert host["load"] >= 0
    assert os.uname().nodename not in json.dumps(host).split('"')


def test_an_int8_artefact_runs_in_int8_there(far, plugins, artefact, x):
    int8 = plugins.load("compressor", "dynamic_int8")[0](artefact)
    runner = far(int8)
    assert runner.facts["precision"] == "int8"
    np.testing.assert_array_equal(runner.predict(x), plugins.load("target", "ort_cpu")[0](int8, x).predict(x))


def test_timing_samples_come_back(far, x):
    runner = far()
    scored = running.npz({role: runner.predict(x)[:4].reshape(4, 1, 4) for role in ("reference", "contender")})
    files = {"inputs.npz": running.npz({"image": x["image"][:4].reshape(4, 1, 3, 8, 8)}), "scored.npz": scored}
    files["timing_checks.py"] = Path(timing_checks.__file__).read_bytes()
    bundles = {"reference": runner.bundle, "contender": runner.bundle}
    request = {"threads": 1, "pairs": 5, "inputs": dict.fromkeys(bundles, "inputs.npz"), "scored": "scored.npz"}
    said = runner.elsewhere(Path(timing_script.__file__), request, bundles, files)
    wall = np.array(said["wall_reference"])
    assert wall.shape == (5, 5)
    assert (wall > 0).all()
    assert (wall < 1).all()


def test_peak_memory_comes_back(far, x):
    files = {"inputs.npz": running.npz({"image": x["image"][:1][None]})}
    runner = far()
    request = {"threads": 1, "inputs": "inputs.npz"}
    said = runner.elsewhere(Path(memory_script.__file__), request, {"model": runner.bundle}, files)
    assert 10**6 < said["idle_bytes"] <= said["peak_infer_bytes"] < 10**9


def test_a_script_sees_its_files_threads_and_no_spinning(far, tmp_path):
    body = """
print(json.dumps({
    "files": sorted(os.listdir(request["files"])), "here": sorted(os.listdir()), "model": os.listdir(request["m"]["folder"]),
    "omp": [os.environ[name] for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")],
    "mode": os.stat(os.path.dirname(request["files"])).st_mode & 0o777,
}))"""
    said = far().elsewhere(script(tmp_path, body), {"threads": 2}, {"m": far().bundle}, {"a.npy": b"1", "b.npy": b"2"})
    assert said["files"] == said["here"] == ["a.npy", "b.npy"]
    assert said["model"] == ["model.onnx"]
    assert said["omp"] == ["2", "PASSIVE"]
    assert said["mode"] == 0o700


def test_one_connection_and_nothing_sent_twice(far, x, server, monkeypatch):
    logins = server.log.read_text(encoding="utf-8").count("Accepted publickey")
    threads = threading.active_count()  # those of the tests' own runner
    runner = far()
    sent = []
    put = _ssh_session.Link.put
    monkeypatch.setattr(_ssh_session.Link, "put", lambda link, path, data: (sent.append(Path(path).name), put(link, path, data)))
    for _ in range(2):
        far()
        runner.predict(x)
    assert "model.onnx" not in sent
    assert "_ort_loader.py" not in sent
    assert server.log.read_text(encoding="utf-8").count("Accepted publickey") == logins + 1
    assert threading.active_count() == threads  # a job with a second thread is the last one of its process


def test_two_measurements_are_kept_apart(far, server, tmp_path):
    """Each writes when it began and ended; by another process, as another run would."""
    body = "import time\nbegan = time.monotonic()\ntime.sleep(0.4)\nprint(json.dumps({'span': [began, time.monotonic()]}))"
    path, runner = script(tmp_path, body), far()
    pid = os.fork()
    if pid == 0:
        try:
            span = far().elsewhere(path, {}, {}, {})["span"]
            (tmp_path / "span").write_text(json.dumps(span), encoding="utf-8")
        finally:
            os._exit(0)
    mine = runner.elsewhere(path, {}, {}, {})["span"]
    os.waitpid(pid, 0)
    other = json.loads((tmp_path / "span").read_text(encoding="utf-8"))
    first, second = sorted((mine, other))
    assert first[1] <= second[0]


def test_a_fork_leaves_the_connection_of_its_parent_alone(far, x):
    runner = far()
    before = runner.predict(x)
    pid = os.fork()
    if pid == 0:
        same = False
        try:
            same = np.array_equal(runner.predict(x), before)
        finally:
            os._exit(0 if same else 1)
    assert os.waitpid(pid, 0)[1] == 0
    np.testing.assert_array_equal(runner.predict(x), before)


def test_a_connection_lost_between_two_jobs_is_made_again(far, x, server):
    runner = far()
    before = runner.predict(x)
    server.cut()
    np.testing.assert_array_equal(runner.predict(x), before)


def test_what_a_killed_end_left_behind_is_removed_by_the_next(far, server):
    left = server.far / "kdbench-remote-left"
    left.mkdir()
    (left / "in-use").touch()
    (server.far / "kdbench-remote-other").mkdir()  # not marked: perhaps just being made
    far()
    assert not left.exists()
    (server.far / "kdbench-remote-other").rmdir()


def test_nothing_is_left_when_this_end_is_killed(server, tmp_path):
    code = f"""
import os, pathlib, signal
from kdbench.targets import _ssh_place, _ssh_session
held = _ssh_session.session(_ssh_place.place("far", None, {server.python()!r}, 60))
pathlib.Path({str(tmp_path / "up")!r}).touch()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert (tmp_path / "up").exists()
    assert server.left() == []


def test_importing_the_target_loads_nothing_heavy():
    code = "import kdbench.targets.ssh, sys; print([n for n in ('torch', 'onnx', 'numpy', 'asyncssh') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_scripts_that_travel_are_readable_by_the_oldest_python_that_is_allowed():
    import ast

    from kdbench.targets import _ort_loader, _rows, _ssh_agent, _ssh_place, _ssh_predict

    for module in (_ssh_agent, _ssh_predict, _ort_loader, _rows, timing_script, timing_checks, memory_script):
        ast.parse(Path(module.__file__).read_text(encoding="utf-8"), feature_version=_ssh_place.OLDEST)


def test_a_script_that_takes_too_long_is_ended_there(far, tmp_path):
    path = script(tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nimport time\ntime.sleep(60)")
    runner = far(timeout=1.5)
    began = time.monotonic()
    with pytest.raises(Refusal, match=r"script.py was not done after 1.5 s"):
        runner.elsewhere(path, {}, {}, {})
    assert time.monotonic() - began < 10
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
