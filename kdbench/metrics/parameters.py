"""Numbers that the model stores."""

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
    title="Parameters",
    convention="stored numbers, shared tensors once, zeros counted",
)
def parameters(size: Mapping[str, Any]) -> float:
    """The count of the size stage, zeros included; `parameters_unique` where it is told apart."""
    count = size.get("parameters_unique", size.get("parameters"))
    if count is None:
        raise Undefined(str(size.get("parameters_reason") or "this artefact does not tell its parameters"))
    return float(count)
