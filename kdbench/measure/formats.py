"""Timings in the formats of other tools: a function `(suite name, timings) -> text` each. Another format is one more of them."""

from __future__ import annotations

import csv
import datetime
import io
import json
import platform
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, median, stdev
from typing import Any

import kdbench
from kdbench.measure.timings import Timing
from kdbench.nouns import plain
from kdbench.report.words import clean

LAYOUT = "5.3.1"
"""The version of pytest-benchmark whose files these are like."""


def pytest_benchmark(suite: str, timings: Sequence[Timing]) -> str:
    """A file that `pytest-benchmark compare` reads: a benchmark for each timing, a round for each timed call."""
    host = {**dict.fromkeys(("cpu", "arch", "os", "cores", "isa")), **(timings[0].host if timings else {})}
    now = datetime.datetime.now(datetime.UTC)
    body = {
        "machine_info": {
            "processor": host["cpu"],
            "machine": host["arch"],
            "system": host["os"],
            "python_implementation": platform.python_implementation(),
            "python_version": platform.python_version(),
            "cpu": {"brand_raw": host["cpu"], "count": host["cores"], "flags": host["isa"]},
        },
        "commit_info": {"id": "unversioned", "time": None, "dirty": False, "project": clean(suite), "branch": "(unknown)"},
        "benchmarks": [_benchmark(suite, one, timings) for one in timings],
        "datetime": now.isoformat(),
        "version": LAYOUT,
    }
    return json.dumps(body, indent=4, allow_nan=False) + "\n"


def _benchmark(suite: str, one: Timing, among: Sequence[Timing]) -> dict[str, Any]:
    twins = [o for o in among if (o.contender, o.place) == (one.contender, one.place)]
    params = {**one.place, **({"seed": str(one.seed)} if len(twins) > 1 else {})}
    name = f"{clean(one.contender)}[{'-'.join(params.values())}]"
    data = [float(value) for value in one.seconds.ravel()]
    inner = int(one.how.get("inner", 1))
    return {
        "group": " ".join(one.place.values()),
        "name": name,
        "fullname": f"{clean(suite)}::{name}",
        "params": params,
        "param": "-".join(params.values()),
        "extra_info": plain({**one.how, **one.ran, "kdbench": kdbench.__version__}),
        "options": {"disable_gc": True, "timer": "perf_counter", "min_rounds": len(data), "warmup": True},
        "stats": {**stats(data), "data": data, "iterations": inner},
    }


def stats(data: Sequence[float]) -> dict[str, Any]:
    """The statistics of pytest-benchmark, by its definitions (pytest_benchmark.stats.Stats): quartiles are medians of halves, or
    for odd counts mixtures of two neighbours; outliers lie beyond one standard deviation, and beyond 1.5 IQR of the quartiles.
    """
    ordered, spread = sorted(data), stdev(data) if len(data) > 1 else 0.0
    middle, (q1, q3) = mean(data), _quartiles(ordered)
    iqr = q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    far = sum(value < middle - spread or value > middle + spread for value in data)
    beyond = sum(value < low or value > high for value in data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": middle,
        "stddev": spread,
        "rounds": len(data),
        "median": median(data),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond,
        "stddev_outliers": far,
        "outliers": f"{far};{beyond}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": len(data) / sum(data) if sum(data) else 0,
        "total": sum(data),
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    n, rest = divmod(len(ordered), 4)
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    if len(ordered) % 2 == 0:
        half = len(ordered) // 2
        return median(ordered[:half]), median(ordered[half:])
    if rest == 1:
        return 0.25 * ordered[n - 1] + 0.75 * ordered[n], 0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1]
    return 0.75 * ordered[n] + 0.25 * ordered[n + 1], 0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2]


def as_csv(suite: str, timings: Sequence[Timing]) -> str:
    """One line for each timed call: of which model, the number of the block and of the call in it, seconds of the model and of
    the teacher in the same place of the same pair of blocks.
    """
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["suite", "task", "contender", "seed", "target", "scenario", "block", "call", "seconds", "teacher_seconds"])
    for one in timings:
        head = [_cell(suite), _cell(one.task), _cell(one.contender), one.seed, _cell(one.target), _cell(one.scenario)]
        for block, (calls, beside) in enumerate(zip(one.seconds.tolist(), one.reference.tolist(), strict=True)):
            for call, (seconds, teacher) in enumerate(zip(calls, beside, strict=True)):
                out.writerow([*head, block, call, repr(seconds), repr(teacher)])
    return text.getvalue()


def _cell(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    shown = clean(name)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown


def as_json(suite: str, timings: Sequence[Timing]) -> str:
    """The records as they are: seconds (pairs, calls) of each model and of the teacher beside it, and how they were taken."""
    rows = [
        {
            **{"task": one.task, "contender": one.contender, "seed": one.seed, "target": one.target, "scenario": one.scenario},
            **{"how": plain(one.how), "ran": plain(one.ran), "failed_checks": one.broken},
            **{"seconds": one.seconds.tolist(), "teacher_seconds": one.reference.tolist()},
        }
        for one in timings
    ]
    body = {
        "format": 1,
        "suite": suite,
        "kdbench": kdbench.__version__,
        "host": dict(timings[0].host) if timings else {},
        "timings": rows,
    }
    return json.dumps(body, indent=1, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[str, Sequence[Timing]], str]] = {
    "pytest-benchmark": pytest_benchmark,
    "csv": as_csv,
    "json": as_json,
}
