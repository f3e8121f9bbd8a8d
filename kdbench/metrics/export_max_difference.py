"""Largest change of a logit by export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric
from kdbench.metrics._parity_check import narrow, require


@metric(
    form="measured",
    better="lower",
    unit="logit",
    low=0.0,
    axis="export",
    title="Export: largest difference",
    equation="max_i max_k |z here(i, k) - z in eager(i, k)|",
    source="the parity check of the target",
    convention="largest absolute difference of any logit to eager torch, over the test split; failed where it is outside of the "
    "target's tolerance",
    reads="decisions",
)
def export_max_difference(parity: Mapping[str, Any]) -> float:
    """The largest |logit here - logit in eager|. Raises Failed for an export that does not pass its check."""
    require(parity)
    return float(parity["max_abs"])


def note(parity: Mapping[str, Any]) -> str:
    """The same over the rows that flip first, and why more is allowed than in float32."""
    return "; ".join(filter(None, (narrow(parity), str(parity.get("tolerance_reason") or ""))))
