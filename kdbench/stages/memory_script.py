"""Measures what a model adds to a process. One file, standard library only; run it in a process that has done nothing yet.

    python memory_script.py REQUEST.json        # the result is printed as one line of JSON

Request: {"folder", "loader", "threads"}; the loader is one of `timing_script`. Resident memory is read from the kernel's own
high-water mark (VmHWM), which knows peaks between two looks; getrusage would report the parent's. Writing 5 to
/proc/self/clear_refs sets the mark back to what is resident now. Idle is after the import of the loader and
so of its libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import sys
from typing import Any

CALLS = 3
"""Calls of the model: some libraries allocate their scratch memory on the second."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """{idle_bytes, peak_load_bytes, peak_infer_bytes, how}: absolute, so idle is to be subtracted. OSError without /proc."""
    spec = importlib.util.spec_from_file_location("kdbench_memory_loader", request["loader"])
    if spec is None or spec.loader is None:
        raise ValueError(f"{request['loader']} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = module.read(request["folder"])
    _give_back()
    resets = reset()
    idle, mark = status("VmRSS"), status("VmHWM")
    run = module.load(request["folder"], request["threads"])
    load = status("VmHWM")
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
        "how": how,
        "hidden_bytes": 0 if resets else mark - idle,
    }


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
