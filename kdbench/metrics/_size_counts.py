"""What the size stage counted, and what it counted over the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined

NAMES = {
    "parameters": ("parameters_unique", "parameters"),
    "bytes": ("bytes",),
    "flops": ("flops",),
    "integer_operations": ("integer_operations",),
}
UNKNOWN = {
    "parameters": "this artefact does not tell its parameters",
    "bytes": "this artefact does not tell its bytes",
    "flops": "the counter cannot see into this graph",
    "integer_operations": "the counter cannot see into this graph",
}


def count(size: Mapping[str, Any], what: str) -> float:
    """A count: "parameters" (unique where that is told apart), "bytes", "flops" or "integer_operations".

    Raises Undefined with the stage's reason.
    """
    found = next((size[name] for name in NAMES[what] if name in size), None)
    if found is None:
        reason = size.get("flops_reason" if what == "integer_operations" else f"{what}_reason")
        raise Undefined(str(reason or UNKNOWN[what]))
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


def no_smaller(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None, what: str) -> str:
    """Why a ratio to the teacher is that of no compression: the teacher itself, or a student as large; else nothing."""
    if teacher_size is None:
        return ""
    if size.get("key") is not None and size.get("key") == teacher_size.get("key"):
        return "no compression: it is the teacher itself"
    mine, reference = count(size, what), count(teacher_size, what)
    how = "larger than" if mine > reference else "as large as"
    return f"no compression: {how} the teacher ({mine:.0f} {what} to {reference:.0f})" if mine >= reference else ""


def left_out(size: Mapping[str, Any]) -> str:
    """For a count that is a lower bound, that it is one, and what it leaves out; else nothing."""
    if not size.get("flops_at_least"):
        return ""
    missed = ", ".join(f"{one['op']} ({one['share']:.1%} of the run time)" for one in size["uncounted"])
    return f"at least: no formula for {missed}"


def told_input(size: Mapping[str, Any]) -> str:
    """The input that operations were counted on; nothing where the evidence does not say."""
    held = size.get("input") or {}
    return ", ".join(f"{name} {'x'.join(map(str, one['shape']))} {one['dtype']}" for name, one in held.items())
