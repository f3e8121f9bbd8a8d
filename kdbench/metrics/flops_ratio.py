"""FLOPs of the contender over those of the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import left_out, no_smaller, over_teacher


@metric(
    form="measured",
    better="lower",
    unit="ratio",
    low=0.0,
    axis="compute",
    title="FLOPs / teacher",
    equation="FLOPs of the contender / FLOPs of the teacher",
    source="Blalock et al. 2020 (What is the state of neural network pruning?): the theoretical speed-up is its inverse",
    convention="below 1 is cheaper; 1 / this is what papers call the theoretical speed-up, not that of a clock; "
    "batch of 1; undefined where either count is blind",
    reads="decisions",
)
def flops_ratio(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None = None) -> float:
    """The count of the contender over the teacher's, both on this target."""
    return over_teacher(size, teacher_size, "flops")


def note(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None = None) -> str:
    """Which of the two counts are lower bounds: the ratio is then one too, or an upper bound, or neither. Without any, that it is
    no compression: the teacher itself, or larger than it.
    """
    mine, reference = left_out(size), left_out(teacher_size or {})
    if mine and reference:
        return "both counts are lower bounds, so that this is no bound"
    if mine or reference:
        return f"at least ({mine})" if mine else f"at most (the teacher's count is a lower bound: {reference})"
    return no_smaller(size, teacher_size, "flops")
