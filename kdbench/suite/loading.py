"""The one way in: from a suite file to a checked and complete `Suite`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kdbench.nouns import Refusal, Suite
from kdbench.registry import Plugins
from kdbench.suite import build
from kdbench.suite.checks import check
from kdbench.suite.cursor import Cursor
from kdbench.suite.nodes import Where, compose
from kdbench.suite.overrides import locate, override
from kdbench.suite.source import read

CAP = 20_000
"""Rows (contenders x seeds x targets) that a suite may plan before it must be meant."""

_SHOWN = 20


def load(path: Path, plugins: Plugins, overrides: Sequence[str] = (), *, cap: int = CAP) -> Suite:
    """Read, check and complete a suite file. No plugin is imported and nothing is written.

    overrides: "path=value" texts of `--set`. cap: the most rows that it may plan.
    Raises Refusal with one line for each error: file, line, column, key, what was found, what is allowed, the nearest name.
    """
    root = compose(read(path), _in(str(path)))
    if root is None or root.value is None:
        raise Refusal(
            f"{_clean(str(path))}:1:1: the file is empty (allowed: a mapping with suite, data, teacher, contenders, ...)"
        )
    root = override(root, overrides)
    log: list[str] = []
    suite = build.suite(Cursor(root, "", log, path.resolve().parent), plugins)
    if not log:
        for place, text in check(suite, plugins, cap):
            where, shown = locate(root, place)
            log.append(f"{where}: {shown}: {text}" if shown else f"{where}: {text}")
    if log:
        raise Refusal(_report(log))
    return suite


def _in(name: str) -> Where:
    return lambda line, column: f"{name}:{line}:{column}"


def _report(log: Sequence[str]) -> str:
    """One line for each error, in the order in which they were found, without repetition."""
    lines = list(dict.fromkeys(_clean(line) for line in log))
    more = [f"... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join((*lines[:_SHOWN], *more))


def _clean(line: str) -> str:
    """The line with everything escaped that a terminal would act on or not show."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
