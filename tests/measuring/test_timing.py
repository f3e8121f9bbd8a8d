"""The timing script on models whose times are known."""

import gc
import json
import subprocess
import sys

import numpy as np
import pytest

from kdbench.stages import host, timing_script

from .toys import INSTANT, SLEEPER, WORKER, toy, two


def ratio(result):
    """The headline: median over blocks of the ratio of block minima."""
    reference, contender = (np.array(result[f"wall_{role}"]).min(axis=1) for role in ("reference", "contender"))
    return float(np.median(contender / reference))


def request(tmp_path, source, reference, contender, **more):
    (name,) = reference
    models = {
        "reference": toy(tmp_path / "reference", source, **{name: reference[name]}),
        "contender": toy(tmp_path / "contender", source, **{name: contender[name]}),
    }
    return {**two(tmp_path, models), **more}


def alike(tmp_path, source, **more):
    """A request for two copies of a toy that has no files."""
    return {**two(tmp_path, {role: toy(tmp_path / role, source) for role in ("reference", "contender")}), **more}


def test_a_sleeper_of_10_ms_reads_10_ms_and_costs_no_cpu(tmp_path):
    ask = request(tmp_path, SLEEPER, {"seconds": 0.005}, {"seconds": 0.010}, pairs=6, warmup=3, warmup_limit=5)
    result = timing_script.main(ask)
    contender = np.array(result["wall_contender"])
    assert contender.shape == (6, 5)
    assert 0.010 <= np.median(contender.min(axis=1)) < 0.0115
    assert ratio(result) == pytest.approx(2.0, rel=0.1)
    assert np.array(result["cpu_contender"]).mean() < 0.001


def test_a_model_that_does_a_quarter_more_work_reads_1_25(tmp_path):
    ask = request(tmp_path, WORKER, {"rounds": 8000}, {"rounds": 10000}, pairs=60)
    result = timing_script.main(ask)
    assert ratio(result) == pytest.approx(1.25, rel=0.05)
    cpu = np.array(result["cpu_contender"]).mean() / np.array(result["cpu_reference"]).mean()
    assert cpu == pytest.approx(1.25, rel=0.1)


def test_a_model_against_itself_reads_1(tmp_path):
    ask = request(tmp_path, WORKER, {"rounds": 8000}, {"rounds": 8000}, pairs=60)
    assert ratio(timing_script.main(ask)) == pytest.approx(1.0, abs=0.04)


def test_the_script_runs_in_another_interpreter_with_nothing_but_numpy(tmp_path):
    ask = request(tmp_path, WORKER, {"rounds": 1000}, {"rounds": 2000}, pairs=20)
    (tmp_path / "request.json").write_text(json.dumps(ask), encoding="utf-8")
    command = [sys.executable, "-I", timing_script.__file__, str(tmp_path / "request.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    result = json.loads(done.stdout)
    assert ratio(result) == pytest.approx(2.0, rel=0.15)
    assert len(result["wall_reference"]) == 20
    assert {"load_before", "load_after", "timer_resolution", "warmup", "order", "switches_reference"} <= result.keys()


def test_calls_alternate_in_abba_blocks(tmp_path):
    source = """
def load(folder, threads):
    name, log = folder[-1], folder[:-len(folder.split('/')[-1])] + "log"
    def call(inputs):
        with open(log, "a") as file: file.write(name)
        return inputs["x"]
    return call
"""
    models = {role: toy(tmp_path / name, source) for role, name in (("reference", "a"), ("contender", "b"))}
    timing_script.main({**two(tmp_path, models), "pairs": 4, "calls": 2, "discard": 1, "warmup": 3, "warmup_limit": 3})
    log = (tmp_path / "log").read_text()
    assert "aaa" + "bbb" + "bbb" + "aaa" + "aaa" + "bbb" + "bbb" + "aaa" in log


def test_a_call_too_short_for_the_clock_is_timed_several_at_a_time(tmp_path):
    ask = request(tmp_path, INSTANT, {"x": 0}, {"x": 0}, pairs=5)
    result = timing_script.main(ask)
    assert result["inner"] > 1
    wall = np.array(result["wall_reference"])
    assert (wall > 0).all()
    assert (wall * result["inner"]).min() > 10 * result["timer_resolution"]
    assert wall.min() < 1e-5


def test_garbage_collection_is_off_while_timing_and_on_afterwards(tmp_path):
    source = """
import gc
def load(folder, threads):
    calls = []
    def call(inputs):
        calls.append(gc.isenabled())
        if len(calls) > 1 and calls[-1]: raise RuntimeError("collected")
        return inputs["x"]
    return call
"""
    assert gc.isenabled()
    timing_script.main(alike(tmp_path, source, pairs=3))
    assert gc.isenabled()


def test_warm_up_goes_on_until_calls_settle_and_is_bounded(tmp_path):
    source = """
import time
def load(folder, threads):
    state = [0.004]
    def call(inputs):
        time.sleep(state[0]); state[0] = max(0.0005, state[0] * 0.9)
        return inputs["x"]
    return call
"""
    result = timing_script.main(alike(tmp_path, source, pairs=3))
    assert all(20 < warm["calls"] <= 200 and warm["settled"] for warm in result["warmup"].values())
    slower = tmp_path / "b"
    slower.mkdir()
    ask = alike(slower, source.replace("0.9", "0.99"), pairs=3, warmup_limit=25)
    assert [(warm["calls"], warm["settled"]) for warm in timing_script.main(ask)["warmup"].values()] == [(25, False)] * 2


@pytest.mark.parametrize("wrong", [{"pairs": 2}, {"calls": 0}, {"warmup": 0}, {"discard": -1}])
def test_too_few_calls_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="at least"):
        timing_script.main({**request(tmp_path, INSTANT, {"x": 0}, {"x": 0}), **wrong})


def test_the_fingerprint_is_plain_stable_and_tells_no_names():
    import getpass
    import socket

    from kdbench.nouns import canonical

    text = canonical(host.fingerprint())
    assert text == canonical(host.fingerprint())
    assert socket.gethostname() not in text
    assert getpass.getuser() not in text.split('"')
    assert host.fingerprint()["cores"] >= 1


def test_the_planner_can_read_the_host_without_numerical_libraries():
    code = "import sys, kdbench.stages.host; print({'numpy', 'torch', 'onnx'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
