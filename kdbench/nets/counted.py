"""What a count of operations says: its parts, what it left out, and when that is too much for a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MOST = 0.05
"""Share of the run time that operators without a formula may take for the rest to be a lower bound, and not nothing."""


def counted(
    floats: Mapping[str, int], integers: Mapping[str, int], missed: Mapping[str, float | None], x: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The count as `size.json` holds it.

    floats, integers: operations by operator; missed: operators that multiply but have no formula, with their share of the run
    time (None: not known); x: the input it was made on, {name: array (n, ...)}.

    Gives flops (None, with flops_reason, where more than `MOST` of the time is missed, or where part of the products are of
    integers, so that the floating-point rest says little), flops_by_op; float_operations and integer_operations (None where
    too much is missed), integer_by_op; flops_at_least: whether the counts are lower bounds; uncounted [{op, share}]; input.
    """
    known = [share for share in missed.values() if share is not None]
    bound = bool(missed) and len(known) == len(missed) and sum(known) <= MOST
    total, whole = sum(floats.values()), sum(integers.values())
    if missed and not bound:
        return nothing(f"no formula for {_listed(missed)}", missed, x, floats, integers)
    reason = f"computes in int8: {whole} integer operations (see integer_operations) beside {total} of floating point"
    return {
        "flops": None if integers else total,
        "flops_reason": reason if integers else "",
        "flops_at_least": bound,
        **_parts(floats, integers, missed, x),
        "float_operations": total,
        "integer_operations": whole,
    }


def nothing(
    reason: str,
    missed: Mapping[str, float | None] | None = None,
    x: Mapping[str, np.ndarray] | None = None,
    floats: Mapping[str, int] | None = None,
    integers: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """No count, and why; by operator, what could be counted all the same."""
    return {
        "flops": None,
        "flops_reason": reason,
        "flops_at_least": False,
        **_parts(floats or {}, integers or {}, missed or {}, x or {}),
        "float_operations": None,
        "integer_operations": None,
    }


def _parts(
    floats: Mapping[str, int], integers: Mapping[str, int], missed: Mapping[str, float | None], x: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    return {
        "flops_by_op": dict(sorted(floats.items())),
        "integer_by_op": dict(sorted(integers.items())),
        "uncounted": [{"op": name, "share": share} for name, share in sorted(missed.items())],
        "input": {name: {"shape": list(value.shape), "dtype": str(value.dtype)} for name, value in x.items()},
    }


def _listed(missed: Mapping[str, float | None]) -> str:
    parts: Sequence[str] = [
        name if share is None else f"{name} ({share:.0%} of the run time)" for name, share in sorted(missed.items())
    ]
    return ", ".join(parts)
