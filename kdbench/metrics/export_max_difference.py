"""Largest change of a logit by export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="logit",
    low=0.0,
    axis="export",
    title="Export: largest difference",
    equation="max_i max_k |z here(i, k) - z in eager(i, k)|",
    source="the parity check of the target",
    convention="largest absolute difference of any logit to eager torch, over the test split",
    reads="decisions",
)
def export_max_difference(parity: Mapping[str, Any]) -> float:
    """The largest |logit here - logit in eager|."""
    return float(parity["max_abs"])


def doubt(parity: Mapping[str, Any]) -> str:
    """Why the export is not to be trusted: it is outside of its tolerance."""
    return "" if parity.get("passed", True) else f"outside of the tolerance {parity.get('tolerance')}"
