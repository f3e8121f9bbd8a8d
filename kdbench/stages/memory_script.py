"""Measures what a model adds to a process. One file, standard library and numpy; run it in a process that has done nothing yet.

    python memory_script.py REQUEST.json        # the result is printed as one line of JSON

Request: {"model": {"folder", "loader"}, "inputs", "threads"}, with loader and inputs as in `timing_script`; the first call's
inputs are asked. Resident memory is read from the kernel's own
high-water mark (VmHWM), which knows peaks between two looks; getrusage would report the parent's. Writing 5 to
/proc/self/clear_refs sets the mark back to what is resident now; what the allocator keeps of freed memory is given back first, so
that a phase is not charged for the one before it. Idle is after the import of the loader and so of its libraries.
A loader of a device with memory of its own may have `device_peak() -> bytes`, the peak of its allocator so far.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import sys
from typing import Any

import numpy as np

CALLS = 3
"""Calls of the model: some libraries allocate their scratch memory on the second."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """{idle_bytes, peak_load_bytes, peak_infer_bytes, device_load_bytes, device_peak_bytes, how}: absolute, so idle is to be
    subtracted; of a device None, where the loader has no `device_peak`. OSError without /proc.
    """
    model = request["model"]
    spec = importlib.util.spec_from_file_location("kdbench_memory_loader", model["loader"])
    if spec is None or spec.loader is None:
        raise ValueError(f"{model['loader']} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = _inputs(os.path.join(request.get("files", ""), request["inputs"]))
    if hasattr(module, "ready"):
        inputs = module.ready(inputs)
    _give_back()
    resets = reset()
    idle, mark = status("VmRSS"), status("VmHWM")
    run = module.load(model["folder"], request.get("threads", 1))
    load, device = status("VmHWM"), getattr(module, "device_peak", lambda: None)
    device_load = device()
    _give_back()
    resets = resets and reset()
    for _ in range(CALLS):
        run(inputs)
    infer = status("VmHWM")
    how = (
        "VmHWM, set back before each phase"
        if resets
        else f"VmHWM of a fresh process, {mark - idle} bytes above idle before loading"
    )
    return {
        "idle_bytes": idle,
        "peak_load_bytes": load,
        "peak_infer_bytes": infer,
        "device_load_bytes": device_load,
        "device_peak_bytes": device(),
        "how": how,
        "hidden_bytes": 0 if resets else mark - idle,
    }


def _inputs(path: str) -> Any:
    """Those of the first call, by name."""
    with np.load(path, allow_pickle=False) as held:
        return {name: np.ascontiguousarray(held[name][0]) for name in held.files}


def status(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def reset() -> bool:
    """Set the high-water mark back to what is resident now; whether the kernel let us."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return status("VmHWM") <= status("VmRSS") + (1 << 20)


def _give_back() -> None:
    """Return freed memory to the system: what was freed but kept would hide the next allocations."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as request_file:
        print(json.dumps(main(json.load(request_file))))
