"""Decisions changed by export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="export",
    title="Export: flipped decisions",
    equation="sum_i 1[argmax of logits here(i) != argmax of logits in eager(i)]",
    source="the parity check of the target",
    convention="test examples whose predicted class differs from eager torch",
    reads="decisions",
)
def export_flips(parity: Mapping[str, Any]) -> float:
    """Number of examples with another top class than in eager."""
    return float(parity["flips"])


def note(parity: Mapping[str, Any]) -> str:
    """Of how many."""
    return f"of {parity['n']} examples"
