"""The mutation check: does a test fail for each bug that is seeded into the metrics and the statistics?

    python tests/mutants/run_mutants.py [WORDS] [--jobs N]

The bugs stand in in_*.txt beside this file, as text that is replaced. Each is put, alone, into a fresh copy of the package, and
the test files of its room run against that copy. A bug is caught if a test fails; the same tests pass without it. WORDS choose
the bugs whose title or file holds them. Prints a table; the exit code is 1 if a bug survived or could not be judged.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = "kdbench"
CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"
SECONDS = 600
ENDED = 40
"""Added to the exit code of pytest (0: all passed, 1: a test failed), so that a crash before it counts for nothing."""

LOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pytest",
    "scipy.stats",
    "sklearn.metrics",
    "statsmodels.stats.proportion",
    "torch",
)
"""What nearly all tests load: once for all copies, which are forked from it. Nothing of the package is among it."""
OPTIONS = ("-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "not slow", "--tb=no", "--no-header")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in `file`, the text `old` becomes `new`. tests: names of the files in tests/judge that judge this room."""

    title: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def mutated(self) -> str:
        """The text of the file with the bug. Raises ValueError where the old text is not there exactly once."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.title}: its old text is {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bug. said: the first test that failed, or what went wrong."""

    mutant: Mutant
    outcome: str
    said: str


def mutants() -> list[Mutant]:
    """All seeded bugs, in the order of their files."""
    return [one for path in sorted(HERE.glob("in_*.txt")) for one in _read(path.read_text(encoding="utf-8"))]


def _read(text: str) -> Iterator[Mutant]:
    """Lines that begin with "= " name test files, "* " a bug, "@ " its file, "- " and "+ " what is replaced."""
    tests: tuple[str, ...] = ()
    for block in text.split("\n\n"):
        parts: dict[str, list[str]] = {}
        for line in block.splitlines():
            parts.setdefault(line[:2].rstrip(), []).append(line[2:])
        if "=" in parts:
            tests = tuple(parts["="][0].split())
        if "*" in parts:
            (title,), (file,) = parts["*"], parts["@"]
            yield Mutant(title, file, "\n".join(parts["-"]), "\n".join(parts["+"]), tests)


def judge(mutant: Mutant) -> Verdict:
    """Put the bug into a copy and run its tests there."""
    code, said = _run(mutant.tests, {mutant.file: mutant.mutated})
    return Verdict(mutant, {ENDED: SURVIVED, ENDED + 1: CAUGHT}.get(code, BROKEN), said)


def sound(chosen: Iterable[Mutant]) -> tuple[bool, str]:
    """Whether all tests of these bugs pass without any bug: what always fails has caught nothing."""
    code, said = _run(tuple(dict.fromkeys(name for mutant in chosen for name in mutant.tests)), {})
    return code == ENDED, said


def _run(tests: tuple[str, ...], changed: dict[str, str]) -> tuple[int, str]:
    """(ENDED + exit code of pytest, the first failure or the last line), in a copy where these files have another text."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy, heard = Path(folder).resolve() / "copy", Path(folder) / "heard"
        for name in (PACKAGE, "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for file, text in changed.items():
            (copy / file).write_text(text, encoding="utf-8")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        process = context.Process(target=_inside, args=(copy, heard, [*OPTIONS, *(f"tests/judge/{name}" for name in tests)]))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            return -1, f"no end in {SECONDS} s"
        lines = [line for line in heard.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return process.exitcode, (failed or lines[-1:] or [""])[0].removeprefix("FAILED tests/judge/").partition(" - ")[0]


def _inside(copy: Path, heard: Path, options: list[str]) -> None:
    """Run pytest in the copy, in a process of its own, once it is sure that the copy is judged and not what is installed."""
    out = os.open(heard, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}  # for what the tests start themselves
    sys.dont_write_bytecode = True
    package = importlib.import_module(PACKAGE)
    if Path(str(package.__file__)).parents[1] != copy:
        raise RuntimeError(f"not the copy: {package.__file__}")
    code = int(importlib.import_module("pytest").main(options))
    sys.stdout.flush()
    os._exit(ENDED + code)


def run(chosen: list[Mutant], jobs: int, tell: Callable[[str], None]) -> bool:
    """Judge these bugs and tell a table, one line a bug; whether all were caught."""
    fine, said = sound(chosen)
    if not fine:
        tell(f"{BROKEN}: without any bug: {said}")
        return False
    found = []
    with ThreadPoolExecutor(jobs) as pool:
        for verdict in pool.map(judge, chosen):
            found.append(verdict)
            tell(f"{verdict.outcome:8}  {verdict.mutant.file}: {verdict.mutant.title}\n{'':10}{verdict.said}")
    caught = sum(verdict.outcome == CAUGHT for verdict in found)
    tell(f"{caught} of {len(found)} seeded bugs caught")
    return caught == len(found)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only bugs whose title or file holds one of these")
    parser.add_argument("--jobs", type=int, default=2, help="copies that are judged at once (default: 2)")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in tests/conftest.py, which the copies read too late
    chosen = [m for m in mutants() if not args.words or any(word in f"{m.file} {m.title}" for word in args.words)]
    return 0 if run(chosen, args.jobs, lambda line: print(line, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
