"""Bytes of the contender over those of the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric

from ._size_counts import no_smaller, over_teacher


@metric(
    form="measured",
    better="lower",
    unit="ratio",
    low=0.0,
    axis="size",
    title="Bytes / teacher",
    equation="bytes of the contender's files / bytes of the teacher's",
    source="Han, Mao and Dally 2016 (Deep compression): their compression rate is its inverse",
    convention="below 1 is smaller; 1 / this is what papers call the compression ratio; files as shipped, uncompressed",
    reads="decisions",
)
def bytes_ratio(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None = None) -> float:
    """The count of the contender over the teacher's, both on this target."""
    return over_teacher(size, teacher_size, "bytes")


def note(size: Mapping[str, Any], teacher_size: Mapping[str, Any] | None = None) -> str:
    """That it is no compression: the teacher itself, or larger than it."""
    return no_smaller(size, teacher_size, "bytes")
