"""What the size stage counted, and what it counted over the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined

NAMES = {"parameters": ("parameters_unique", "parameters"), "bytes": ("bytes",), "flops": ("flops",)}
UNKNOWN = {
    "parameters": "this artefact does not tell its parameters",
    "bytes": "this artefact does not tell its bytes",
    "flops": "the counter cannot see into this graph",
}


def count(size: Mapping[str, Any], what: str) -> float:
    """A count: "parameters" (unique where that is told apart), "bytes" or "flops". Raises Undefined with the stage's reason."""
    found = next((size[name] for name in NAMES[what] if name in size), None)
    if found is None:
        raise Undefined(str(size.get(f"{what}_reason") or UNKNOWN[what]))
    return float(found)


def over_teacher(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None, what: str) -> float:
    """The count over the teacher's. Raises Undefined where either is not known, or the teacher's is 0."""
    mine = count(size, what)
    if teacher_size is None:
        raise Undefined("the size of the teacher is not known on this target")
    try:
        reference = count(teacher_size, what)
    except Undefined as error:
        raise Undefined(f"of the teacher: {error}") from None
    if reference == 0:
        raise Undefined(f"the teacher has 0 {what}")
    return mine / reference
