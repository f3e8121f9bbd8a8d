"""Numbers that the model stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import count


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="size",
    title="Parameters",
    equation="number of stored weights",
    source="numbers of unique storage, as the size stage counts them",
    convention="stored numbers, shared tensors once, zeros counted",
    reads="decisions",
)
def parameters(size: Mapping[str, Any]) -> float:
    """The count of the size stage, zeros included; `parameters_unique` where told apart. Raises Undefined with its reason."""
    return count(size, "parameters")
