"""Numbers that change over training: `{from: 5, to: 1}`."""

from __future__ import annotations

from typing import Any

from kdbench.nouns import Json
from kdbench.suite.blocks import SCHEDULE, SCHEDULE_DEFAULTS, given
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Kind, found


def schedule(cursor: Cursor, kind: Kind) -> Json:
    """`{from, to, shape, start, stop}` with its defaults filled in; both ends are of the kind."""
    cursor.mapping(("from", "to", *SCHEDULE))
    ends: dict[str, Any] = {}
    for key in ("from", "to"):
        if key in cursor:
            ends[key] = cursor[key].take(kind)
        else:
            cursor.missing(key, kind)
    result = {**ends, **SCHEDULE_DEFAULTS, **given(cursor, SCHEDULE)}
    if len(ends) < 2 or any(value is None for value in result.values()):
        return None
    if result["start"] >= result["stop"]:
        cursor.refuse(f"found start {result['start']:g} and stop {result['stop']:g} (allowed: start below stop)")
    if result["shape"] == "exponential" and result["from"] * result["to"] <= 0:
        cursor.refuse("the ends of an exponential schedule are both above 0 or both below 0")
    return result


def weight(cursor: Cursor) -> Json:
    """A finite number or a schedule."""
    if cursor.is_mapping():
        return schedule(cursor, Kind("float"))
    if isinstance(cursor.node.value, bool) or not isinstance(cursor.node.value, int | float):
        cursor.refuse(f"found {found(cursor.node)} (allowed: a weight, or a schedule {{from: ..., to: ...}})")
        return None
    value: Json = cursor.take(Kind("float"))
    return value
