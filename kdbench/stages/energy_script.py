"""Measures the energy of a model's answers with the machine's own meters. One file, standard library and numpy: copy it to where
the model is, and run it there.

    python energy_script.py REQUEST.json        # the result is printed as one line of JSON

Request: {"model": {"folder", "loader"}, "inputs": npz with arrays (k, batch, ...), "threads": 1, "device": "cpu", "windows": 10,
"busy_seconds": 0.3, "idle_seconds": 0.2, "powercap": folder, "files": folder that `inputs` is relative to}; only the first two
have no default. A loader is one of `timing_script`.

Meters: RAPL, the counters of whole processor packages below /sys/class/powercap, each once (what is below a package is inside
it already, and "psys" is the whole board and holds the packages too); and for a model on an NVIDIA device the energy counter of
that device (NVML). Nothing is ever estimated: without a meter the result says what was looked for. Idle and busy windows take
turns: in the first the process waits with the model loaded, in the second it calls the model back to back.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = "/sys/class/powercap"
_ZONE = re.compile(r"intel-rapl(-mmio)?:\d+$")  # AMD's packages have this name too; "intel-rapl:0:0" is a part of a package

DEFAULTS = {"threads": 1, "device": "cpu", "windows": 10, "busy_seconds": 0.3, "idle_seconds": 0.2, "powercap": "", "files": ""}
WARM_UP = 3
"""Calls before the first window, at least; and as many as fill an idle window."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A meter that counts up. read: joules since some moment; span: joules after which it starts again from 0, None for never."""

    name: str
    read: Callable[[], float]
    span: float | None = None


class Meter:
    """The sum of some counters, in joules since it was made. `read` must be called before a counter comes round twice, which
    takes a package a quarter of an hour at its highest power.
    """

    def __init__(self, counters: list[Counter]) -> None:
        self.name = " + ".join(counter.name for counter in counters)
        self._counters, self._last, self._total = counters, [counter.read() for counter in counters], 0.0

    def read(self) -> float:
        """Joules so far; a counter that has come round in between is taken to have done so once."""
        for at, counter in enumerate(self._counters):
            now = counter.read()
            step = now - self._last[at]
            self._total += step + counter.span if step < 0 and counter.span is not None else step
            self._last[at] = now
        return self._total


def packages(root: str = POWERCAP) -> list[Path]:
    """The folders of the RAPL zones that are processor packages, each package once; readable or not."""
    zones = sorted((path for path in Path(root).glob("*") if _ZONE.fullmatch(path.name)), key=lambda path: (len(path.name), path))
    named = {name: zone for zone in reversed(zones) if (name := _text(zone / "name")).startswith("package")}
    return [named[name] for name in sorted(named)]


def without(device: str = "cpu", root: str | None = None) -> str:
    """Why no meter can be read for a model on a device ("cpu" or "cuda"), with what was looked for; "" where one can."""
    root = root or POWERCAP
    if device.startswith("cuda"):
        return "" if importlib.util.find_spec("pynvml") else "no meter: nvidia-ml-py (pynvml), which reads NVML, is not installed"
    zones = packages(root)
    closed = [zone for zone in zones if not os.access(zone / "energy_uj", os.R_OK)]
    if closed:
        return f"no meter: this user may not read {closed[0] / 'energy_uj'}"
    return "" if zones else f"no meter: there is no RAPL package below {root}"


def counters(device: str = "cpu", root: str | None = None) -> list[Counter]:
    """The counters for a model on a device; of a device's own model the packages come too where they can be read. ValueError
    "no meter: ..." where the device itself has none.
    """
    why, here = without(device, root), without("cpu", root)
    if why:
        raise ValueError(why)
    found = [] if here else [_rapl(zone) for zone in packages(root or POWERCAP)]
    return [*found, _nvml()] if device.startswith("cuda") else found


def _rapl(zone: Path) -> Counter:
    span = _text(zone / "max_energy_range_uj")
    name = f"RAPL {_text(zone / 'name')}"
    return Counter(name, lambda: int((zone / "energy_uj").read_bytes()) / 1e6, int(span) / 1e6 if span else None)


def _nvml() -> Counter:
    """The counter of the one device that this process may use."""
    import pynvml  # noqa: PLC0415 - only where a device is used

    try:
        pynvml.nvmlInit()
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        if seen.startswith("GPU-") and "," not in seen:
            handle = pynvml.nvmlDeviceGetHandleByUUID(seen)
        elif pynvml.nvmlDeviceGetCount() == 1:
            handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        else:
            raise ValueError("no meter: of several NVIDIA devices, set CUDA_VISIBLE_DEVICES to the UUID of the one to use")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        name = pynvml.nvmlDeviceGetName(handle)
    except pynvml.NVMLError as error:
        raise ValueError(f"no meter: NVML: {error}") from None
    name = name.decode() if isinstance(name, bytes) else str(name)
    return Counter(f"NVML {name}", lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """idle_* (windows + 1) and busy_* (windows): seconds and joules of each window; calls (windows), of `batch` rows; other_cpu,
    the share of the machine's CPU time that other work took; meter. {"meter": None, "reason"} where there is none.
    """
    ask = {**DEFAULTS, **request}
    try:
        found = counters(ask["device"], ask["powercap"])
    except ValueError as error:
        return {"meter": None, "reason": str(error)}
    call, batch = _open(ask)
    meter = Meter(found)
    windows: dict[str, list[float]] = {f"{kind}_{what}": [] for kind in ("idle", "busy") for what in ("seconds", "joules")}
    calls: list[int] = []
    load, cpu, began = _load(), cpu_seconds(), time.perf_counter()

    def window(kind: str, work: Callable[[], int]) -> None:
        joules, start = meter.read(), time.perf_counter()
        done = work()
        now = meter.read()
        windows[f"{kind}_seconds"].append(time.perf_counter() - start)
        windows[f"{kind}_joules"].append(now - joules)
        if kind == "busy":
            calls.append(done)

    window("idle", lambda: _wait(ask["idle_seconds"]))
    for _ in range(ask["windows"]):
        window("busy", lambda: _calls(call, ask["busy_seconds"]))
        window("idle", lambda: _wait(ask["idle_seconds"]))
    share = _share(cpu, cpu_seconds(), time.perf_counter() - began)
    facts = {"meter": meter.name, "batch": batch, "load_before": load, "load_after": _load(), "other_cpu": share}
    return {**windows, "calls": calls, **facts, "threads": ask["threads"], "device": ask["device"]}


def _wait(seconds: float) -> int:
    time.sleep(seconds)
    return 0


def _calls(call: Callable[[], object], seconds: float) -> int:
    """Calls until the time is over, at least one; how many."""
    end, done = time.perf_counter() + seconds, 0
    while done == 0 or time.perf_counter() < end:
        call()
        done += 1
    return done


def _open(ask: dict[str, Any]) -> tuple[Callable[[], object], int]:
    """A warm call of the model, which takes the inputs in turns, and the rows of each."""
    import numpy as np  # noqa: PLC0415 - the planner reads this file for its meters, and numpy would cost it a tenth of a second

    spec = importlib.util.spec_from_file_location("kdbench_energy_loader", ask["model"]["loader"])
    if spec is None or spec.loader is None:
        raise ValueError(f"{ask['model']['loader']} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ready = getattr(module, "ready", lambda x: x)
    with np.load(os.path.join(ask["files"], ask["inputs"]), allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    first = next(iter(arrays.values()))
    inputs = [ready({name: np.ascontiguousarray(values[k]) for name, values in arrays.items()}) for k in range(len(first))]
    run, turn = module.load(ask["model"]["folder"], ask["threads"]), iter(inputs)

    def call() -> float:
        nonlocal turn
        given = next(turn, None)
        if given is None:
            turn = iter(inputs)
            given = next(turn)
        return float(np.ravel(run(given))[0])

    for _ in range(WARM_UP):
        call()
    _calls(call, ask["idle_seconds"])
    return call, int(first.shape[1])


def cpu_seconds() -> tuple[float, float] | None:
    """CPU seconds that the machine has spent since it started, and those of this process; None where the system does not say."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        busy = sum(ticks) - ticks[3] - ticks[4]  # all but idle and waiting for disks
        return busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _share(before: tuple[float, float] | None, after: tuple[float, float] | None, seconds: float) -> float | None:
    """The share of the machine's CPU time that others took."""
    if before is None or after is None:
        return None
    others = (after[0] - before[0]) - (after[1] - before[1])
    return max(0.0, others / (seconds * (os.cpu_count() or 1)))


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as request_file:
        print(json.dumps(main(json.load(request_file))))
