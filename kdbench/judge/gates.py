"""Conditions of the suite, decided on confidence bounds. What was not measured has not passed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdbench.nouns import Gate

COLUMNS = ("metric", "task", "contender", "target", "slice", "of", "bound", "low", "high", "verdict", "reason")
PASS, FAIL, NOT_EVALUATED = "PASS", "FAIL", "NOT EVALUATED"
COUNTED = frozenset({"memory", "compute", "size", "cost", "export"})
"""Axes whose numbers are read off, not estimated from a sample: where they have no interval, the value is its own bound."""


def gates(wanted: Sequence[Gate], scores: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every gate on every row over seeds that it is about; `scores`: those rows. A gate that is about no row has failed."""
    for gate in wanted:
        about = [row for row in scores if _about(gate, row)]
        for row in about:
            yield _decide(gate, row)
        if not about:
            where = {name: getattr(gate, name) for name in ("task", "contender", "target", "slice")}
            said = "not evaluated: the board has no such row"
            yield {**_head(gate), **where, "low": math.nan, "high": math.nan, "verdict": NOT_EVALUATED, "reason": said}


def _about(gate: Gate, row: Mapping[str, Any]) -> bool:
    plain = row["shift"] in ("", "ood:*") and row["slice"] == gate.slice
    named = all(not getattr(gate, name) or getattr(gate, name) == row[name] for name in ("contender", "task", "target"))
    return plain and named and row["metric"] == gate.metric and (row["contender"] != "teacher" or gate.contender == "teacher")


def _head(gate: Gate) -> dict[str, Any]:
    parts = [f"{word} {limit:g}" for word, limit in (("at least", gate.at_least), ("at most", gate.at_most)) if limit is not None]
    return {"metric": gate.metric, "of": gate.of, "bound": " and ".join(parts)}


def _decide(gate: Gate, row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("delta", "delta_low", "delta_high") if gate.of == "delta" else ("value", "low", "high")
    value, low, high = (float(row[name]) for name in names)
    if math.isnan(low) and row["axis"] in COUNTED:
        low = high = value
    verdict, reason = _judge(gate, row, (value, low, high))
    where = {name: row[name] for name in ("task", "contender", "target", "slice")}
    return {**_head(gate), **where, "low": low, "high": high, "verdict": verdict, "reason": reason}


def _judge(gate: Gate, row: Mapping[str, Any], found: tuple[float, float, float]) -> tuple[str, str]:
    value, low, high = found
    if math.isnan(value) or row["status"] not in ("ok", "noisy", "partial"):
        return NOT_EVALUATED, f"not evaluated: {row['status']}, {row['reason']}" if row["reason"] else "not evaluated"
    if row["status"] != "ok":
        return FAIL, f"{row['status']}: {row['reason']}"
    if math.isnan(low):
        return NOT_EVALUATED, "not evaluated: there is no interval"
    if gate.at_least is not None and low < gate.at_least:
        return FAIL, _missed(f"low end {low:.4g} is below {gate.at_least:g}", value >= gate.at_least)
    if gate.at_most is not None and high > gate.at_most:
        return FAIL, _missed(f"high end {high:.4g} is above {gate.at_most:g}", value <= gate.at_most)
    return PASS, ""


def _missed(said: str, point: bool) -> str:
    return f"{said}, though the value itself is not: more evidence is needed" if point else said
