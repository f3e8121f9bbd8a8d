"""kdbench: the referee for small models. This is all that a plugin author imports.

Nothing heavy is loaded here; what needs torch is looked up when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from kdbench.declare import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    ProperFraction,
    Whole,
    compressor,
    dataset,
    harness,
    method,
    metric,
    model,
    relabeler,
    section,
    shift,
    target,
    tokenizer,
    view,
)
from kdbench.nouns import (
    ALTERNATIVE,
    IGNORED,
    Artefact,
    Batch,
    Bundle,
    Cells,
    Edit,
    Failed,
    NotApplicable,
    Outputs,
    Predictions,
    Refusal,
    Relabelled,
    Runner,
    Samples,
    Shape,
    TopK,
    Undefined,
    Writer,
)

__version__ = "0.1.0"

_LAZY = {
    "Columns": "kdbench.nets.columns",
    "apply_edit": "kdbench.nets.edits",
    "area_under_curve": "kdbench.judge.ranks",
    "average_precision": "kdbench.judge.ranks",
    "channels": "kdbench.nets.edits",
    "kit": "kdbench.report",
    "example": "kdbench.nets.build",
    "fit_temperature": "kdbench.judge.temperature",
    "inner_values": "kdbench.nets.inside",
    "mask": "kdbench.nets.edits",
    "masks": "kdbench.nets.edits",
    "precision_influence": "kdbench.judge.ranks",
    "ranking": "kdbench.judge.ranks",
    "roc_area": "kdbench.judge.ranks",
    "roc_influence": "kdbench.judge.ranks",
    "Sampling": "kdbench.nets.writing",
    "sample": "kdbench.nets.writing",
    "step_precision": "kdbench.judge.ranks",
    "temperature_draws": "kdbench.judge.temperature",
    "temperature_influence": "kdbench.judge.temperature",
    "to_onnx": "kdbench.nets.export",
}
"""Tools for networks and for sections of the report, by the module that holds them."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'kdbench' has no attribute {name!r}")


__all__ = [
    "ALTERNATIVE", "IGNORED",
    "Artefact", "Batch", "Bundle", "Cells", "Count", "Edit", "Failed", "Fraction", "NonNegative", "NotApplicable", "Outputs",
    "Positive", "Predictions", "ProperFraction", "Refusal", "Relabelled",
    "Runner", "Samples", "Shape", "TopK", "Undefined", "Whole", "Writer", "compressor", "dataset",
    "harness", "method", "metric", "model", "relabeler", "section", "shift", "target", "tokenizer", "view",
]  # fmt: skip
