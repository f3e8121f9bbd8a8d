"""The block `measure` of a suite: in which batch sizes and lengths models are timed, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kdbench.nouns import Gate, Measure, Suite
from kdbench.registry import Plugins, nearest
from kdbench.suite.blocks import MEASURE, given
from kdbench.suite.cursor import Cursor

Found = Iterator[tuple[tuple[str | int, ...], str]]

FEWEST = 3
"""Block pairs without which there is no median worth its name."""
SCENARIOS = 24
"""Combinations of batches and lengths that a suite may ask for: each is timed for every graph on every target."""
BY_SCENARIO = frozenset({"latency", "memory"})
"""Evidence that there is for each scenario."""


def measured(cursor: Cursor) -> Measure:
    """The record of the block; what is wrong with its structure goes to the log of the cursor."""
    if not cursor.mapping(MEASURE, what=f"a mapping with {', '.join(MEASURE)}"):
        return Measure()
    settings: dict[str, Any] = {key: value for key, value in given(cursor, MEASURE).items() if value is not None}
    for key in ("batches", "lengths", "decode"):
        settings[key] = tuple(settings.get(key) or ())
    return Measure(**settings)


def measuring(at: tuple[str | int, ...], suite: Suite, plugins: Plugins) -> Found:
    """What is wrong with the block beside the rest of the suite: (path, text) each."""
    asked = suite.measure
    for key, values in (("batches", asked.batches), ("lengths", asked.lengths), ("decode", asked.decode)):
        for i, value in enumerate(values):
            if value in values[:i]:
                yield (*at, key, i), f"{value} is given twice (allowed: each once)"
    if 1 in asked.batches:
        yield (*at, "batches", asked.batches.index(1)), "found 1 (allowed: from 2; one row a call is always measured)"
    if asked.pairs < FEWEST:
        yield (*at, "pairs"), f"found {asked.pairs} (allowed: from {FEWEST}; 60 are needed to tell 2 % apart)"
    homes = {task.name: plugins.about(task.data.dataset) for task in suite.tasks if not task.home}
    kinds = {name: str(facts.get("kind", "")) for name, facts in homes.items()}
    if asked.decode and not any(facts.get("answer") == "next" for facts in homes.values()):
        yield (*at, "decode"), "no task has a language model that could go on writing (allowed: no decode here)"
    if asked.lengths and not {"tokens", "text", ""} & set(kinds.values()):
        said = ", ".join(f"{name} has {kind} data" for name, kind in list(kinds.items())[:3])
        yield (*at, "lengths"), f"found lengths, but no task has tokens: {said} (allowed: no lengths here)"
    count = (1 + len(asked.batches)) * (1 + len(asked.lengths) + len(asked.decode))
    if count > SCENARIOS:
        yield at, f"{count} combinations of batches and lengths (allowed: at most {SCENARIOS}; each is timed for every model)"


def gate_scenario(at: tuple[str | int, ...], gate: Gate, suite: Suite, plugins: Plugins) -> Found:
    """A gate on a time or on memory names a scenario that is measured, or none for single rows."""
    asked = frozenset(plugins.get("metric", gate.metric).evidence) & BY_SCENARIO
    if not gate.slice or not asked:
        return
    known = [scenario.name for scenario in suite.measure.scenarios("tokens") if scenario.name]
    if gate.slice not in known:
        near = nearest(gate.slice, known) if known else " (allowed: none; measure.batches and measure.lengths are empty)"
        yield (*at, "slice"), f"{gate.slice!r} is not measured by this suite{near}"
