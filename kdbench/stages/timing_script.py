"""Times two models side by side. Standard library and numpy: copy it to where the models are, and run it there.

    python timing_script.py REQUEST.json        # the result is printed as one line of JSON

Request: {"reference": {"folder", "loader"}, "contender": {"folder", "loader"}, "inputs", "scored"} and what DEFAULTS names.
`inputs`: {role: an npz of what it reads}, arrays (k, batch, ...), k calls' worth of rows, for both about the same examples (one
file may serve both); `scored`: an npz of both roles, (k, batch, classes), what the scored predictions say about these rows; all
in the folder `files` with timing_checks.py, unless it is "" and that lies beside this. `tolerance`: {role: {"answers", "batch"}}.
A loader is a Python file with `load(folder, threads) -> call` and, if {name: array} are not what `call` takes,
`ready(x) -> inputs`; `call(inputs)` gives an array (batch, classes).

Protocol (paired latency): both models live in one process and take turns in blocks, in the order A B, B A, A B, ...; a block
is `discard` untimed calls, then `calls` timed ones, all on the first call's inputs; a pair is one block of each. What disturbs
the machine disturbs both alike, so the ratio of two neighbouring blocks repeats where their absolute times do not. For each of
`rounds` parts (of fewer where that takes more than `reopen_seconds`) both models are opened anew, in swapped order, because where
a copy happens to lie in memory changes its time.
Garbage collection is off. The answer is in host memory before the clock stops. The time that the thread was ready to run and
waited for a processor is told beside the wall time, of which it is a part. Calls too short for the clock are timed several at a
time. Past `seconds` there are no further pairs, unless there are fewer than `fewest`; before `spare_seconds` there are up to
`most` times as many as `pairs`.

Honesty: the answers of the timed calls themselves are kept and, between blocks, compared with the scored ones and with each
other; the repeated input is timed against inputs never seen before; rows are asked alone, together and in reverse.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

CHECKS = "timing_checks.py"
ROLES = ("reference", "contender")
SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SAME = 1e-3  # two answers to the same inputs differ by no more than this share of the largest score
SETTLED = 0.05  # warm-up ends when the best of ten calls is within this share of the best of the ten before
RESOLVABLE = 50  # a timed sample lasts at least this many ticks of the clock
DEFAULTS = {
    "files": "", "threads": 1, "pairs": 60, "rounds": 3, "seconds": 12.0, "fewest": 10, "most": 1, "spare_seconds": 2.0,
    "calls": 5, "discard": 1, "warmup": 20, "warmup_limit": 200, "warmup_seconds": 1.0, "reopen_seconds": 1.5, "tolerance": {},
    "fresh_pairs": 8, "fresh_limit": 24,
}  # fmt: skip


class Model:
    """One model of the pair, and all that was seen of it. answers, repeats: what `timing_checks.compare` found."""

    def __init__(self, role: str, ask: Mapping[str, Any], scored: np.ndarray, checks: Any) -> None:
        inputs, self.scored, self.checks = _arrays(ask, ask["inputs"][role]), scored, checks
        by_call = zip(*inputs.values(), scored, strict=True)  # as many of each, or there is no pair
        self.calls = [dict(zip(inputs, one, strict=True)) for *one, _ in by_call]
        self.module = imported(ask[role]["loader"], f"kdbench_loader_{role}")
        self.folder, self.threads, self.waited = ask[role]["folder"], ask["threads"], ask["waited"]
        self.tolerance = {"answers": SAME, "batch": SAME, **ask["tolerance"].get(role, {})}
        self.first, self.run = self.ready(self.calls[0]), checks.nothing
        self.said: np.ndarray | None = None
        self.answers, self.repeats = checks.nothing(), checks.nothing()
        self.blocks: dict[str, list[Any]] = {name: [] for name in ("wall", "waited", "cpu", "switches")}
        self.warm: dict[str, Any] = {"calls": 0, "seconds": 0.0, "settled": True}

    def ready(self, x: Mapping[str, np.ndarray]) -> Any:
        """One call's inputs as the model takes them, in memory of their own."""
        x = {name: values.copy() for name, values in x.items()}
        return self.module.ready(x) if hasattr(self.module, "ready") else x

    def open(self) -> None:
        """Load the model again; the copy before it is gone first."""
        self.run = self.checks.nothing
        self.run = self.module.load(self.folder, self.threads)

    def timed(self, samples: Sequence[Sequence[Any]]) -> tuple[list[Any], list[Any], list[Any], list[Any], list[np.ndarray]]:
        """Of each sample (a list of inputs, timed as one) seconds per call, seconds of these that the thread waited for a
        processor, CPU seconds per call, and involuntary context switches; then all answers.
        """
        seen: tuple[list[Any], list[Any], list[Any], list[Any], list[np.ndarray]] = ([], [], [], [], [])
        run, clock, cpu_clock, now = self.run, time.perf_counter, time.process_time, self.waited
        for inputs in samples:
            switches, before, waited, cpu_start = _switches(), clock(), now(), cpu_clock()
            start = clock()
            said = [np.asarray(run(x)) for x in inputs]
            stop = clock()
            cpu_stop, waited, after = cpu_clock(), now() - waited, clock()
            waited -= after - before - (stop - start)  # at most so much of it was outside the timed region
            numbers = (stop - start, max(waited, 0.0), cpu_stop - cpu_start)
            for held, one in zip(seen, numbers, strict=False):
                held.append(one / len(inputs))
            seen[3].append(_switches() - switches)
            seen[4].extend(said)
        return seen

    def block(self, ask: Mapping[str, Any], inner: int) -> None:
        """One block of the protocol; its answers are compared afterwards."""
        for _ in range(ask["discard"]):
            self.run(self.first)
        *seen, outputs = self.timed([[self.first] * inner] * ask["calls"])
        for held, new in zip(self.blocks.values(), seen, strict=True):
            held.append(new)
        for said in outputs:
            self.checks.compare(self.answers, self.scored[0], said, self.tolerance["answers"])
            self.said = said.copy() if self.said is None else self.said
            self.checks.compare(self.repeats, self.said, said, SAME)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The raw samples. wall_* and cpu_*: seconds per call, one list of `calls` for each of the `pairs` blocks; waited_*: seconds
    of wall that the calling thread waited for a processor; cpu is time of the whole process; switches_*: involuntary context
    switches in each of them; honesty: what `kdbench.stages.honesty` judges, by role.
    """
    ask = {**DEFAULTS, **request}
    if ask["pairs"] < 3 or ask["calls"] < 1 or ask["discard"] < 0 or ask["warmup"] < 3:
        raise ValueError("pairs and warmup must be at least 3, calls at least 1, discard at least 0")
    scored = _arrays(ask, ask["scored"])
    checks = imported(os.path.join(ask["files"] or os.path.dirname(os.path.abspath(__file__)), CHECKS), "kdbench_timing_checks")
    result: dict[str, Any] = {"load_before": os.getloadavg()[0], "governor": _governor(), "timer_resolution": _resolution()}
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        with _waiting() as waited:
            models = [Model(role, {**ask, "waited": waited}, scored[role], checks) for role in ROLES]
            result |= _alternate(models, ask, result["timer_resolution"])
            fresh = checks.fresh(models[1], models[1].calls, ask, result["inner"])
        together = [checks.together(model, model.calls) for model in models]
    finally:
        if was:
            gc.enable()
    for role, model, batch in zip(ROLES, models, together, strict=True):
        result |= {f"{kind}_{role}": blocks for kind, blocks in model.blocks.items()}
        result.setdefault("warmup", {})[role] = model.warm
        seen = {"answers": model.answers, "repeatable": model.repeats, "batch": batch, "tolerance": model.tolerance}
        result.setdefault("honesty", {})[role] = seen
    result["honesty"]["contender"]["fresh"] = fresh
    result |= {"load_after": os.getloadavg()[0], "order": "ABBA", "python": sys.version.split()[0]}
    pairs = len(models[0].blocks["wall"])
    result |= {"pairs": pairs, "asked_pairs": ask["pairs"], "late": pairs < ask["pairs"]}
    settings = {name: os.environ.get(name) for name in SETTINGS}
    return {**result, "settings": settings, **{name: ask[name] for name in ("threads", "calls", "discard")}}


def _alternate(models: list[Model], ask: Mapping[str, Any], resolution: float) -> dict[str, Any]:
    """All rounds of all blocks, within the time that there is."""
    began = time.perf_counter()
    for model in models:
        model.open()
    opened = time.perf_counter()
    rounds = max(1, min(ask["rounds"], ask["pairs"] // 4, int(ask["reopen_seconds"] / (opened - began))))
    shortest = min(_warm_up(model, ask, 1) for model in models)
    inner = max(1, math.ceil(RESOLVABLE * resolution / max(shortest, 1e-9)))
    start = time.perf_counter()
    for turn in range(rounds):
        order = models if turn % 2 == 0 else models[::-1]
        for model in order if turn else []:
            model.open()
            _warm_up(model, ask, rounds)
        share = (turn + 1) / rounds
        while _goes_on(done := len(models[0].blocks["wall"]), time.perf_counter() - start, share, ask):
            for model in order if done % 2 == 0 else order[::-1]:
                model.block(ask, inner)
    return {"inner": inner, "rounds": rounds, "loop_seconds": time.perf_counter() - start, "opening_seconds": opened - began}


def _goes_on(done: int, taken: float, share: float, ask: Mapping[str, Any]) -> bool:
    """Whether a share of the measurement has room for another pair after so many, and so many seconds."""
    if done < round(share * ask["pairs"]):
        return bool(done < share * ask["fewest"] or taken <= share * ask["seconds"])
    return bool(done < round(share * ask["most"] * ask["pairs"]) and taken <= share * min(ask["spare_seconds"], ask["seconds"]))


def _warm_up(model: Model, ask: Mapping[str, Any], share: int) -> float:
    """Calls until they settle: at least `warmup` / share, at most `warmup_limit` or `warmup_seconds` / share. The shortest."""
    times: list[float] = []
    least, began = max(3, ask["warmup"] // share), time.perf_counter()
    while True:
        times += model.timed([[model.first]])[0]
        last, before = min(times[-10:]), min(times[-20:-10] or times)
        settled = len(times) >= least and abs(last - before) <= SETTLED * before
        taken = time.perf_counter() - began
        if settled or len(times) >= ask["warmup_limit"] or (taken > ask["warmup_seconds"] / share and len(times) >= 3):
            model.warm["calls"] += len(times)
            model.warm["seconds"] += taken
            model.warm["settled"] = model.warm["settled"] and settled
            return min(times)


def _resolution() -> float:
    """The smallest step of the clock seen in practice, in seconds."""
    steps = []
    for _ in range(200):
        start = stop = time.perf_counter()
        while stop == start:
            stop = time.perf_counter()
        steps.append(stop - start)
    return min(steps)


def imported(path: str, name: str) -> Any:
    """The module of a Python file."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _arrays(ask: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    with np.load(os.path.join(ask["files"], name), allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


def _governor() -> str | None:
    """How the first processor's frequency is chosen; None where the system does not say."""
    try:
        with open("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", encoding="ascii") as held:
            return held.read().strip()
    except OSError:
        return None


@contextmanager
def _waiting() -> Iterator[Callable[[], float]]:
    """Gives the seconds that this thread was ready to run and waited for a processor; 0 where the system does not count them."""
    try:
        held = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        yield lambda: 0.0
        return
    try:
        yield lambda: int(os.pread(held, 64, 0).split()[1]) / 1e9
    finally:
        os.close(held)


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))))
