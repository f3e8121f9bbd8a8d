"""Which metrics prediction files can answer: all that there are, less those that ask for what no file holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdbench.judge import requires
from kdbench.nouns import Refusal, Suite, Use
from kdbench.nouns.predictions import INPUTS, lacks
from kdbench.predictions.table import Table
from kdbench.registry import Plugins, nearest
from kdbench.signature import Description
from kdbench.suite.axes import AXES
from kdbench.suite.cursor import Cursor
from kdbench.suite.nodes import compose
from kdbench.suite.uses import uses

ORDER = ("quality", "fidelity", "calibration", "selective", "robustness", "ood", "bias")
RANKED_BY = {False: "accuracy", True: "root_mean_squared_error"}
"""What ranks contenders where nobody says: of classifications, and of regressions."""


def axes(plugins: Plugins, suite: Suite, tables: Mapping[str, Table]) -> tuple[Use, ...]:
    """Every metric, with its default parameters, that these files can answer; also as the usual axes of a suite ask for it."""
    usual: list[Any] = list(AXES)
    made = [Use(one) if isinstance(one, str) else Use(*next(iter(one.items()))) for one in usual]
    named = dict.fromkeys(one.name for one in made)
    every = [*made, *(Use(name) for name in plugins.names("metric") if name not in named)]
    found: list[tuple[int, Use]] = []
    for use in every:
        about = plugins.get("metric", use.name)
        if answered(about, suite, tables):
            axis = str(about.facts.get("axis", "quality"))
            full = Use(use.name, {p.name: p.default for p in about.params} | dict(use.params))
            if all(full != other for _, other in found):
                found.append((ORDER.index(axis) if axis in ORDER else len(ORDER), full))
    return tuple(use for _, use in sorted(found, key=lambda one: one[0]))


def ranked_by(name: str, given: tuple[Use, ...], plugins: Plugins, *, regression: bool) -> tuple[Use, ...]:
    """The axes with the ranking metric first: the one of that name, else accuracy or the error of a regression, if it is there.

    Raises Refusal for a name that is not among them, or has no direction.
    """
    names = [use.name for use in given]
    wanted = name or RANKED_BY[regression]
    if name and name not in names:
        raise Refusal(f"--metric {name!r}: these files do not answer it{nearest(name, names)}")
    if name and plugins.get("metric", name).facts.get("better") == "none":
        raise Refusal(f"--metric {name!r} has no direction; choose one that is better when higher or lower")
    return tuple(sorted(given, key=lambda use: use.name != wanted))


def answered(about: Description, suite: Suite, tables: Mapping[str, Table]) -> bool:
    """Whether these files hold what a metric asks for: its evidence, enough of the answers, groups, seeds."""
    form = about.facts.get("form", "mean")
    if any(p.required for p in about.params) or about.name == "fairlearn" or form == "measured":
        return False
    if (form == "groups" and not suite.tasks[0].data.groups) or (form == "seeds" and len(suite.seeds) < 2):
        return False
    students = [t for name, t in tables.items() if name != "teacher"]
    beside = [tables["teacher"]] if "teacher" in tables else []
    asked = requires(about)
    of_teacher = any(name.startswith("teacher") for name in asked)
    able = [t for t in (students if of_teacher else [*beside, *students]) if _reads(about, t)]
    held = {name for table in able for name in _evidence(table)}
    held |= {
        f"teacher{name}" for t in beside if _reads(about, t) for name in ("", "_validation") if name != "_validation" or _has(t)
    }
    return bool(able) and asked <= held


def _evidence(table: Table) -> Iterator[str]:
    yield "predictions"
    if _has(table):
        yield "validation"
    if any(where.foreign for where in table.sets):
        yield "ood"


def _has(table: Table) -> bool:
    return any(where.split == "validation" for where in table.sets)


def _reads(about: Description, table: Table) -> bool:
    """Whether a file says enough about each example for this metric."""
    reads = str(about.facts.get("reads") or "logits")
    return reads != INPUTS and not lacks(table.kind, reads)


def listed(text: str, plugins: Plugins) -> tuple[Use, ...]:
    """The metrics of `--axes`, written as in a suite: `accuracy, {ece: {bins: 10}}`. Raises Refusal, a line for each error."""
    root = compose(f"[{text}]", lambda _line, _column: "--axes")
    log: list[str] = []
    found = uses(Cursor(root, "", log, Path.cwd()), "metric", plugins) if root is not None else ()
    if not found and not log:
        log.append("--axes: no metric is named")
    if log:
        raise Refusal("\n".join(dict.fromkeys(log)))
    return found
