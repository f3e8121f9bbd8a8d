"""What ONNX Runtime really ran, and where: read from its own profile of one call, not from what it was asked for."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.targets import _ort_loader as loader

TYPES: Mapping[str, str] = {
    "int8": "int8", "uint8": "int8", "float16": "float16", "bfloat16": "bfloat16", "float": "float32", "double": "float64",
}  # fmt: skip
"""Types of tensors that tell a node's precision, by ONNX Runtime's names; the first one that a node reads decides."""

HEAVY = (
    "Conv",
    "Gemm",
    "MatMul",
    "QLinear",
    "LSTM",
    "GRU",
    "RNN",
    "Attention",
    "MultiHeadAttention",
    "Fused",
    "QGemm",
    "QAttention",
)
"""How the operators begin that take the time of a network."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node as it ran. precision: "" where it touches no number that has one (shapes, indices)."""

    operator: str
    provider: str
    precision: str


def ran(model: bytes, threads: int, provider: str, inputs: Mapping[str, np.ndarray]) -> list[Node]:
    """The nodes of one call, in order. A provider may run many nodes of the graph as one, under a name of its own."""
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        asked = loader.options(threads)
        asked.enable_profiling = True
        asked.profile_file_prefix = str(Path(folder) / "profile")
        session = loader.opened(model, asked, provider)
        loader.caller(session)(inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return nodes(events)


def nodes(events: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The nodes among the events of a profile; a subgraph that a provider runs as one loses the number at the end of its name."""
    facts = [one["args"] for one in events if one.get("cat") == "Node" and "provider" in one.get("args", {})]
    return [Node(re.sub(r"[_\d]+$", "", one["op_name"]), one["provider"], _precision(one)) for one in facts]


def _precision(facts: Mapping[str, Any]) -> str:
    read = {kind for shapes in (*facts.get("input_type_shape", ()), *facts.get("output_type_shape", ())) for kind in shapes}
    return next((name for kind, name in TYPES.items() if kind in read), "")


def on_cpu(found: Sequence[Node]) -> list[str]:
    """The operators that take the time of a network and ran on the CPU, each once."""
    return sorted({one.operator for one in found if one.provider == loader.CPU and one.operator.startswith(HEAVY)})


def counted(found: Sequence[Node]) -> dict[str, Any]:
    """Facts: nodes by provider, by precision, and by operator on each provider; precision is int8 where any node computes so."""
    precisions = Counter(one.precision for one in found if one.precision)
    providers = Counter(one.provider for one in found)
    operators = {name: dict(sorted(Counter(n.operator for n in found if n.provider == name).items())) for name in providers}
    return {
        "precision": "int8" if precisions["int8"] else ", ".join(sorted(precisions)),
        "nodes_by_provider": dict(sorted(providers.items())),
        "nodes_by_precision": dict(sorted(precisions.items())),
        "operators": operators,
    }
