"""Parameters that are not zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined, metric


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="size",
    title="Non-zero parameters",
    equation="number of stored weights != 0",
    source="numbers of unique storage, as the size stage counts them; Blalock et al. 2020 on why both are needed",
    convention="stored numbers other than 0, shared tensors once",
    reads="decisions",
)
def nonzeros(size: Mapping[str, Any]) -> float:
    """The count of the size stage."""
    if size.get("nonzeros") is None:
        raise Undefined(str(size.get("nonzeros_reason") or "this artefact does not tell its non-zero parameters"))
    return float(size["nonzeros"])
