"""Breaks a resumable command at every file event, runs it again, and compares the result with an undisturbed run.

    python harness.py [options] -- COMMAND ... {out} ...

{out} becomes a fresh folder per trial. Faults: the process group killed before each file event (killgroup), or just after a
file was opened and before it was written (killopen); half of a write and then the kill (torn); disk full once (enospc); kills at
random times, of the first run and of the run after it (--double). After a fault the command runs again without one; that run
must end with one of the allowed codes and give the same results: "same". Otherwise it is "differs" (the worst) or "stuck".

--results names a file below {out}: .json is compared but for the keys of --ignore, anything else byte by byte.
--reader is a command that prints the result instead; it may hold {out}, too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
IGNORED = "seconds,cpu_seconds,wall_s,cpu_s,memory,idle_bytes,peak_bytes,started,finished,host,pid"


@dataclass(frozen=True)
class Fault:
    """kind: killgroup | killopen | kill | enospc | sigint | torn (at: the number of the event), or timed (at: seconds)."""

    kind: str
    at: float


@dataclass
class Harness:
    command: list[str]
    results: str = "results.json"
    reader: list[str] = field(default_factory=list)
    ignore: frozenset[str] = frozenset(IGNORED.split(","))
    limit: float = 600.0
    codes: tuple[int, ...] = (0,)
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="kdbench-crash-")))
    seed: int = 0
    wall: float = 0.0
    want: str = ""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.torn = self._compile()

    def clean(self) -> dict[str, int]:
        """An undisturbed run: the result to compare with, and the number of events of each sort."""
        out = self._folder("clean")
        began = time.monotonic()
        code = self._run(out, {"PYTHONPATH": self._path(), **self._counting(out, "events")})
        self.wall = time.monotonic() - began
        if code not in self.codes:
            raise SystemExit(f"the clean run ended with {code}")
        self.want = self._result(out)
        counts = {"event": self._counted("events")}
        if self.torn:
            out = self._folder("clean-writes")
            self._run(out, {"LD_PRELOAD": self.torn, **self._counting(out, "writes")})
            counts["torn"] = self._counted("writes")
        return counts

    def trial(self, fault: Fault, *, double: bool = False) -> str:
        """One fault, then a run without: "same", "differs" or "stuck"."""
        name = f"{fault.kind}-{fault.at:g}"
        out = self._folder(name)
        if fault.kind == "timed":
            self._run(out, {}, kill_after=fault.at)
        else:
            at = str(int(fault.at))
            more = {"LD_PRELOAD": self.torn, "KDBENCH_TORN_AT": at} if fault.kind == "torn" else {
                "PYTHONPATH": self._path(), "KDBENCH_FAULT_AT": at, "KDBENCH_FAULT_ACT": fault.kind}  # fmt: skip
            self._run(out, {**more, **self._counting(out, f"count-{name}")})
        if double:
            self._run(out, {}, kill_after=self.random.uniform(0, self.wall))
        code = self._run(out, {})
        try:
            got = self._result(out)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            got = f"unreadable: {error}"
        verdict = "stuck" if code not in self.codes else "same" if got == self.want else "differs"
        if verdict == "same":
            shutil.rmtree(out, ignore_errors=True)
        return verdict

    def _run(self, out: Path, more: dict[str, str], kill_after: float | None = None) -> int:
        """The exit code; what is left of the process group is killed in any case."""
        command = [one.replace("{out}", str(out)) for one in self.command]
        environment = {**os.environ, **more}
        process = subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.limit if kill_after is None else kill_after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def _result(self, out: Path) -> str:
        if self.reader:
            command = [one.replace("{out}", str(out)) for one in self.reader]
            return subprocess.run(command, capture_output=True, check=True, text=True).stdout
        path = out / self.results
        if path.suffix != ".json":
            return path.read_bytes().hex()
        return json.dumps(self._strip(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True)

    def _strip(self, value: object) -> object:
        if isinstance(value, dict):
            return {k: self._strip(v) for k, v in value.items() if k not in self.ignore}
        return [self._strip(v) for v in value] if isinstance(value, list) else value

    def _folder(self, name: str) -> Path:
        out = self.root / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return out.resolve()

    def _counting(self, out: Path, name: str) -> dict[str, str]:
        (self.root / name).unlink(missing_ok=True)
        return {"KDBENCH_FAULT_UNDER": f"{out}{os.sep}", "KDBENCH_FAULT_COUNT": str(self.root / name)}

    def _counted(self, name: str) -> int:
        path = self.root / name
        return path.stat().st_size if path.exists() else 0

    def _path(self) -> str:
        return os.pathsep.join(filter(None, [str(HERE / "fault"), os.environ.get("PYTHONPATH", "")]))

    def _compile(self) -> str:
        """The library that tears writes; "" where there is no C compiler."""
        compiler, library = shutil.which("cc") or shutil.which("gcc"), self.root / "torn.so"
        if compiler is None:
            return ""
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "torn.c"), "-ldl"]
        return str(library) if subprocess.run(command, capture_output=True, check=False).returncode == 0 else ""


def points(counts: dict[str, int], kinds: list[str], most: int) -> list[Fault]:
    """Every event for every kind; spread evenly where there are more than `most` of a kind."""
    found = []
    for kind in kinds:
        count = counts.get("torn", 0) if kind == "torn" else counts["event"]
        chosen = range(1, count + 1) if count <= most else sorted({1 + round(n * (count - 1) / (most - 1)) for n in range(most)})
        found += [Fault(kind, at) for at in chosen]
    return found


def main(arguments: list[str]) -> int:
    """Exit code 0 when all trials gave the same results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results.json")
    parser.add_argument("--reader", default="", help="command line, split at spaces")
    parser.add_argument("--ignore", default=IGNORED)
    parser.add_argument("--kinds", default="killgroup,killopen,torn")
    parser.add_argument("--most", type=int, default=10**9, help="at most so many points per kind")
    parser.add_argument("--timed", type=int, default=0, help="so many kills at random times")
    parser.add_argument("--double", action="store_true", help="kill the next run at a random time, too")
    parser.add_argument("--codes", default="0", help="exit codes that count as an end")
    parser.add_argument("--limit", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    harness = Harness(
        [one for one in given.command if one != "--"], given.results, given.reader.split(), frozenset(given.ignore.split(",")),
        given.limit, tuple(int(code) for code in given.codes.split(",")), seed=given.seed,
    )  # fmt: skip
    counts = harness.clean()
    faults = points(counts, given.kinds.split(","), max(2, given.most))
    faults += [Fault("timed", harness.random.uniform(0, harness.wall)) for _ in range(given.timed)]
    print(
        f"clean run: {harness.wall:.2f} s, {counts}; {len(faults)} trials"
        + ("" if harness.torn else "; no C compiler: nothing torn")
    )
    tally: Counter[str] = Counter()
    for fault in faults:
        verdict = harness.trial(fault, double=given.double or fault.kind == "timed")
        tally[verdict] += 1
        if verdict != "same":
            print(f"{verdict}: {fault.kind} at {fault.at:g}, see {harness.root}")
    print(json.dumps({"trials": len(faults), **tally}))
    if tally["same"] == len(faults):
        shutil.rmtree(harness.root, ignore_errors=True)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
