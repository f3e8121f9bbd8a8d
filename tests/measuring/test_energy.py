"""Energy against a simulated counter of known wattage, and the arithmetic of meters that come round."""

import importlib.machinery
import json
import sys
import threading
import time
import types

import numpy as np
import pytest

from kdbench import Bundle, Runner
from kdbench.judge.ask import open_metric
from kdbench.registry import discover
from kdbench.stages import energy, energy_script, running

from .toys import rows

IDLE, BUSY, CALL = 20.0, 30.0, 0.02
LOADER = f"""
import os, time
def load(folder, threads):
    flag = open(folder + "/flag").read()
    def call(inputs):
        open(flag, "w").close()
        time.sleep({CALL})
        os.remove(flag)
        return inputs["x"]
    return call
"""


def zone(root, name, said, joules=0.0, span=20.0):
    folder = root / name
    folder.mkdir()
    (folder / "name").write_text(said + "\n")
    (folder / "max_energy_range_uj").write_text(f"{int(span * 1e6)}\n")
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    return folder


@pytest.fixture
def machine(tmp_path):
    """A package that takes 20 W, and 30 W more while the flag is there; parts of it and a second view of it count along."""
    root = tmp_path / "powercap"
    root.mkdir()
    zones = [
        zone(root, name, said)
        for name, said in (
            ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:1", "psys"),
            ("intel-rapl-mmio:0", "package-0"),
        )
    ]  # fmt: skip
    flag, stop, spent = tmp_path / "busy", threading.Event(), [15.0]

    def run():
        last = time.perf_counter()
        while not stop.is_set():
            now = time.perf_counter()
            spent[0] += (now - last) * (IDLE + BUSY * flag.exists())
            last = now
            for one in zones:
                with open(one / "energy_uj", "r+b") as file:  # in place: a reader never sees an empty file
                    file.write(b"%-12d" % int(spent[0] % 20.0 * 1e6))
            time.sleep(0.0005)

    worker = threading.Thread(target=run)
    worker.start()
    yield root, flag
    stop.set()
    worker.join()


def runner_of(tmp_path, flag, **more):
    loader = tmp_path / "loader.py"
    loader.write_text(LOADER)
    return Runner(lambda x: x["x"], Bundle({"flag": str(flag).encode()}, loader), {}, **more)


def number(name, **evidence):
    plugins = discover()
    about = plugins.get("metric", name)
    one = open_metric(plugins, name, {p.name: p.default for p in about.params})
    found = one(evidence)
    return float(one.finish(np.asarray(found)[None])[0]) if isinstance(found, np.ndarray) else float(found)


def test_joules_of_a_prediction_against_a_counter_of_known_wattage_that_comes_round(tmp_path, machine):
    root, flag = machine
    windows = {"windows": 4, "busy_seconds": 0.25, "idle_seconds": 0.12, "powercap": str(root)}
    found = energy.of_runner(runner_of(tmp_path, flag), {"x": rows()[:, 0]}, running.Ask(), **windows)
    assert found["meter"] == "RAPL package-0"
    assert sum(found["busy_joules"]) + sum(found["idle_joules"]) > 20.0, "the counter came round at least once"
    assert np.sum(found["idle_joules"]) / np.sum(found["idle_seconds"]) == pytest.approx(IDLE, rel=0.05)
    assert number("energy", energy=found) == pytest.approx(1000 * BUSY * CALL, rel=0.12)
    assert min(found["calls"]) > 0
    assert found["batch"] == 1
    json.dumps(found, allow_nan=False)


def test_where_the_model_runs_elsewhere_the_script_travels(tmp_path):
    seen = {}

    def elsewhere(script, request, bundles, arrays):
        seen.update(script=script, request=request, bundles=bundles, arrays=arrays)
        return {"meter": None, "reason": "no meter: there"}

    runner = runner_of(tmp_path, tmp_path / "flag", elsewhere=elsewhere)
    assert energy.of_runner(runner, {"x": rows()[:, 0]}, running.Ask())["reason"] == "no meter: there"
    assert seen["script"].name == "energy_script.py"
    assert seen["request"]["inputs"] in seen["arrays"]
    assert set(seen["bundles"]) == {"model"}


def test_a_meter_adds_whole_turns_against_plain_arithmetic():
    rng = np.random.default_rng(0)
    steps = rng.uniform(0, 9.9, 200)
    truth = np.cumsum(steps)
    said = iter([0.0, *(truth % 10.0)])
    meter = energy_script.Meter([energy_script.Counter("made up", lambda: next(said), 10.0)])
    for expected in truth:
        assert meter.read() == pytest.approx(expected)


def test_only_whole_packages_count_and_each_once(tmp_path):
    for name, said in (
        ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram"), ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"), ("intel-rapl-mmio:0", "package-0"), ("intel-rapl", ""), ("dtpm", "package-7"),
    ):  # fmt: skip
        zone(tmp_path, name, said)
    assert [one.name for one in energy_script.packages(str(tmp_path))] == ["intel-rapl:0", "intel-rapl:1"]
    assert [one.name for one in energy_script.counters("cpu", str(tmp_path))] == ["RAPL package-0", "RAPL package-1"]


def test_without_a_meter_it_says_what_was_looked_for(tmp_path, monkeypatch):
    assert energy_script.without("cpu", str(tmp_path)) == f"no meter: there is no RAPL package below {tmp_path}"
    closed = zone(tmp_path, "intel-rapl:0", "package-0") / "energy_uj"
    monkeypatch.setattr(energy_script.os, "access", lambda path, mode: path != closed)
    assert energy_script.without("cpu", str(tmp_path)) == f"no meter: this user may not read {closed}"
    found = energy_script.main({"powercap": str(tmp_path)})
    assert found == {"meter": None, "reason": f"no meter: this user may not read {closed}"}


class Nvml:
    """What pynvml offers, for a device of 100 W."""

    class NVMLError(Exception):
        pass

    def __init__(self, devices=1, broken=False):
        self.devices, self.broken = devices, broken

    def module(self):
        made = types.ModuleType("pynvml")
        made.__spec__ = importlib.machinery.ModuleSpec("pynvml", None)
        made.NVMLError = self.NVMLError
        made.nvmlInit = lambda: None
        made.nvmlDeviceGetCount = lambda: self.devices
        made.nvmlDeviceGetHandleByIndex = lambda i: i
        made.nvmlDeviceGetHandleByUUID = lambda name: name
        made.nvmlDeviceGetName = lambda handle: b"Example GPU"
        made.nvmlDeviceGetTotalEnergyConsumption = self.energy
        return made

    def energy(self, handle):
        if self.broken:
            raise self.NVMLError("Not Supported")
        return time.perf_counter() * 100e3


def test_the_counter_of_a_device_stands_beside_the_packages(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0")
    monkeypatch.setitem(sys.modules, "pynvml", Nvml().module())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    meter = energy_script.Meter(energy_script.counters("cuda", str(tmp_path)))
    assert meter.name == "RAPL package-0 + NVML Example GPU"
    start = time.perf_counter()
    time.sleep(0.02)
    assert meter.read() == pytest.approx(100 * (time.perf_counter() - start), rel=0.2)
    assert [one.name for one in energy_script.counters("cuda", str(tmp_path / "none"))] == ["NVML Example GPU"]


@pytest.mark.parametrize(("nvml", "words"), [(Nvml(2), "of several NVIDIA devices"), (Nvml(broken=True), "NVML: Not Supported")])
def test_a_device_whose_energy_cannot_be_told_has_no_meter(nvml, words, tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0")
    monkeypatch.setitem(sys.modules, "pynvml", nvml.module())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert words in energy_script.main({"device": "cuda", "powercap": str(tmp_path)})["reason"]


def spent_of(monkeypatch, root, machine_seconds, own_seconds, joules=5.0):
    """A piece of work during which the package took some joules, and the machine and this process some CPU seconds."""
    folder = root / "intel-rapl:0"
    clock = iter([(100.0, 10.0), (100.0 + machine_seconds, 10.0 + own_seconds)])
    monkeypatch.setattr(energy_script, "POWERCAP", str(root))
    monkeypatch.setattr(energy_script, "cpu_seconds", lambda: next(clock))
    spent = energy.Spent()
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}")
    return spent


def test_the_energy_of_training_is_what_the_meter_says_where_nobody_else_worked(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0", joules=1.0)
    assert spent_of(monkeypatch, tmp_path, 4.1, 4.0).record() == {"joules": 4.0, "reason": "", "meter": "RAPL package-0"}


def test_a_meter_that_other_jobs_share_says_nothing_about_one_of_them(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0", joules=1.0)
    found = spent_of(monkeypatch, tmp_path, 8.0, 4.0).record()
    assert found["joules"] is None
    assert found["reason"] == "shared with other jobs: they took 4.0 s of CPU time beside its 4.0 s"


def test_a_fit_that_was_resumed_does_not_know_its_energy(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0", joules=1.0)
    assert "resumed" in spent_of(monkeypatch, tmp_path, 4.0, 4.0).record(resumed=True)["reason"]


def test_without_a_meter_the_energy_of_training_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(energy_script, "POWERCAP", str(tmp_path))
    assert energy.Spent().record()["reason"] == f"no meter: there is no RAPL package below {tmp_path}"
