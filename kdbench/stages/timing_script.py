"""Times two models side by side. One file, standard library only: copy it to where the models are, and run it there.

    python timing_script.py REQUEST.json        # the result is printed as one line of JSON

Request: {"reference": {"folder", "loader"}, "contender": {"folder", "loader"}, "threads": 1, "pairs": 60, "calls": 5,
"discard": 1, "warmup": 20, "warmup_limit": 200, "warmup_seconds": 5}; only the two models have no default. A loader is a
Python file with `read(folder) -> inputs`, `load(folder, threads) -> call` and `call(inputs) -> output`, the output a
(nested) sequence of numbers.

Protocol (paired latency): both models live in one process and take turns in blocks, in the order A B, B A, A B, ...; a block
is `discard` untimed calls, then `calls` timed ones; a pair is one block of each. What disturbs the machine disturbs both
alike, so the ratio of two neighbouring blocks repeats where their absolute times do not. Garbage collection is off. Within
the timed region the first number of the output is read, so that lazy work is paid for. Calls too short for the clock are
timed several at a time.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

try:
    import resource
except ImportError:  # not a Unix: context switches are unknown there
    resource = None  # type: ignore[assignment]

SETTLED = 0.05
"""Warm-up ends when the best call of ten is within this share of the best of the ten before."""

RESOLVABLE = 50
"""A timed sample lasts at least this many ticks of the clock."""

DEFAULTS = {"threads": 1, "pairs": 60, "calls": 5, "discard": 1, "warmup": 20, "warmup_limit": 200, "warmup_seconds": 5.0}


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The raw samples. wall_* and cpu_*: seconds per call, one list of `calls` for each of the `pairs` blocks; cpu is time
    of the whole process; switches_*: involuntary context switches in each block, None where the system does not count them.
    """
    ask = {**DEFAULTS, **request}
    if ask["pairs"] < 3 or ask["calls"] < 1 or ask["discard"] < 0 or ask["warmup"] < 3:
        raise ValueError("pairs and warmup must be at least 3, calls at least 1, discard at least 0")
    models = [_open(ask[role], ask["threads"], f"kdbench_loader_{role}") for role in ("reference", "contender")]
    result: dict[str, Any] = {"load_before": _load(), "timer_resolution": _resolution()}
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        warm = [_warm_up(model, ask) for model in models]
        shortest = min(best for _, best in warm)
        result["inner"] = inner = max(1, math.ceil(RESOLVABLE * result["timer_resolution"] / max(shortest, 1e-9)))
        blocks = _alternate(models, ask, inner)
    finally:
        if was:
            gc.enable()
    for at, role in enumerate(("reference", "contender")):
        result[f"wall_{role}"] = [wall for wall, _, _ in blocks[at]]
        result[f"cpu_{role}"] = [cpu for _, cpu, _ in blocks[at]]
        result[f"switches_{role}"] = [switches for _, _, switches in blocks[at]]
    result.update(load_after=_load(), warmup=[calls for calls, _ in warm], order="ABBA", python=sys.version.split()[0])
    return {**result, **{name: ask[name] for name in ("threads", "pairs", "calls", "discard")}}


def _alternate(models: list[Callable[[], object]], ask: dict[str, Any], inner: int) -> tuple[list[Any], list[Any]]:
    """All blocks of both models, in the order A B, B A, A B, ..."""
    blocks: tuple[list[Any], list[Any]] = ([], [])
    for pair in range(ask["pairs"]):
        for at in (0, 1) if pair % 2 == 0 else (1, 0):
            blocks[at].append(_block(models[at], ask["calls"], ask["discard"], inner))
    return blocks


def _block(call: Callable[[], object], calls: int, discard: int, inner: int) -> tuple[list[float], list[float], int | None]:
    for _ in range(discard):
        call()
    wall, cpu = [], []
    before = _switches()
    again = range(inner)
    for _ in range(calls):
        cpu_start = time.process_time()
        start = time.perf_counter()
        for _ in again:
            call()
        stop = time.perf_counter()
        cpu_stop = time.process_time()
        wall.append((stop - start) / inner)
        cpu.append((cpu_stop - cpu_start) / inner)
    after = _switches()
    return wall, cpu, None if before is None or after is None else after - before


def _open(model: dict[str, str], threads: int, name: str) -> Callable[[], object]:
    """A call without arguments that runs the model on its own inputs and touches the answer."""
    spec = importlib.util.spec_from_file_location(name, model["loader"])
    if spec is None or spec.loader is None:
        raise ValueError(f"{model['loader']} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = module.read(model["folder"])
    run = module.load(model["folder"], threads)
    depth = _depth(run(inputs))

    def call() -> object:
        output = run(inputs)
        for _ in range(depth):
            output = output[0]
        return float(output)

    return call


def _depth(output: Any) -> int:
    """How often [0] must be taken until a number is left."""
    depth = 0
    while True:
        try:
            output = output[0]
        except (TypeError, IndexError):
            return depth
        depth += 1


def _warm_up(call: Callable[[], object], ask: dict[str, Any]) -> tuple[int, float]:
    """Calls until they settle: at least `warmup`, at most `warmup_limit` or `warmup_seconds`. Gives (calls, shortest in s)."""
    times: list[float] = []
    end = time.perf_counter() + ask["warmup_seconds"]
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        times.append(now - start)
        if len(times) < ask["warmup"]:
            continue
        last, before = min(times[-10:]), min(times[-20:-10] or times[:-1])
        if abs(last - before) <= SETTLED * before or len(times) >= ask["warmup_limit"] or now > end:
            return len(times), min(times)


def _resolution() -> float:
    """The smallest step of the clock seen in practice, in seconds."""
    steps = []
    for _ in range(200):
        start = stop = time.perf_counter()
        while stop == start:
            stop = time.perf_counter()
        steps.append(stop - start)
    return min(steps)


def _load() -> float | None:
    """The load average of the last minute."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


def _switches() -> int | None:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else None


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))))
