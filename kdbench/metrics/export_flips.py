"""Decisions changed by export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric
from kdbench.metrics._parity_check import require


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="export",
    title="Export: flipped decisions",
    equation="sum_i 1[argmax of logits here(i) != argmax of logits in eager(i)]",
    source="the parity check of the target",
    convention="test examples whose predicted class differs from eager torch; failed where it is outside of the tolerance",
    reads="decisions",
)
def export_flips(parity: Mapping[str, Any]) -> float:
    """Number of examples with another top class than in eager. Raises Failed for an export that does not pass its check."""
    require(parity)
    return float(parity["flips"])


def note(parity: Mapping[str, Any]) -> str:
    """Of how many, and how many of those that flip first."""
    few = f", {parity['narrow_flips']} of the {parity['narrow_n']} narrowest decisions" if "narrow_n" in parity else ""
    return f"of {parity['n']} examples{few}"
