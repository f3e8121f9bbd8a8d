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
"""Types of tensors that tell a node's precision, by ONNX Runtime's names; the first one that a node touches decides."""

HEAVY = ("Conv", "MatMul", "Gemm", "Einsum", "LSTM", "GRU", "RNN", "Attention", "MoE")
"""What the names of the operators that multiply, and so take the time of a network, have in them."""

FUSED = ("subgraph", "executionprovider", "trtkernel", "coreml", "qnn", "dnnl", "migraphx", "mgxkernel")
"""What the names have in them, in lower case, under which a provider runs many nodes of the graph as one."""


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
    named = [(re.sub(r"[_\d]+$", "", one["op_name"]), one) for one in facts]
    return [Node(operator, one["provider"], _precision(operator, one)) for operator, one in named]


def _precision(operator: str, facts: Mapping[str, Any]) -> str:
    """In what a node computes.

    One that multiplies does so in the type of its first input, whatever its weights are stored in, but for those that quantise
    that input themselves. What many nodes run as is int8 only where it touches no float: it may read bytes of an image.
    """
    places = [*facts.get("input_type_shape", ()), *facts.get("output_type_shape", ())]
    order = list(TYPES.items())
    if operator.startswith("DynamicQuantize"):
        return "int8"
    if _heavy(operator) and facts.get("input_type_shape") and TYPES.keys() & places[0].keys():
        places = places[:1]
    elif _fused(operator):
        order = [*order[2:], *order[:2]]
    touched = {kind for shapes in places for kind in shapes}
    return next((name for kind, name in order if kind in touched), "")


def _heavy(operator: str) -> bool:
    return any(part in operator for part in HEAVY)


def _fused(operator: str) -> bool:
    return any(part in operator.lower() for part in FUSED)


def on_cpu(found: Sequence[Node]) -> list[str]:
    """The operators that take the time of a network and ran on the CPU, each once."""
    return sorted({one.operator for one in found if one.provider == loader.CPU and _heavy(one.operator)})


def counted(found: Sequence[Node]) -> dict[str, Any]:
    """Facts: nodes by provider, by precision, and by operator on each provider.

    precision: int8 where any node that multiplies computes so, else that of the nodes that multiply; where none is seen to,
    that of the floats, or "" without any.
    """
    precisions = Counter(one.precision for one in found if one.precision)
    products = Counter(one.precision for one in found if one.precision and (_heavy(one.operator) or _fused(one.operator)))
    providers = Counter(one.provider for one in found)
    operators = {name: dict(sorted(Counter(n.operator for n in found if n.provider == name).items())) for name in providers}
    return {
        "precision": "int8" if products["int8"] else ", ".join(sorted({*(products or precisions)} - {"int8"})),
        "nodes_by_provider": dict(sorted(providers.items())),
        "nodes_by_precision": dict(sorted(precisions.items())),
        "products_by_precision": dict(sorted(products.items())),
        "operators": operators,
    }
