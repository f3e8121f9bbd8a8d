"""ONNX Runtime on the CPU."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target, to_onnx
from kdbench.targets import _ort_loader as loader

CHUNK = 256
_INT8 = ("QLinear", "QGemm", "QAttention", "DynamicQuantize", "ConvInteger", "MatMulInteger")


@target(accepts=("torch", "onnx"), needs=("onnxruntime", "onnx"))
def ort_cpu(
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    threads: Count = 1,
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
) -> Runner:
    """ONNX Runtime's CPU provider: a torch network is exported first, an ONNX artefact runs as it is.

    example: {input: array (n, ...)}: traced through where the network is exported, and what is timed. threads: inside one
    operator; operators run one after the other and waiting threads do not spin. exporter: "dynamo" is slow and rarely needed.
    Predictions are made 256 rows at a time, or as many as a file with a fixed batch takes. The facts tell the provider and
    precision of the graph that runs after ONNX Runtime's own optimisation, and how many of its operators compute in int8.
    Raises Refusal for a file that ONNX Runtime does not take, and for an int8 artefact of which nothing would run in int8.
    """
    model = to_onnx(artefact.module, example, exporter) if artefact.runtime == "torch" else _only_file(artefact)
    opened, graph = _open(model, threads)
    nodes = [node.op_type for node in graph.graph.node]
    integer = sum(kind.startswith(_INT8) for kind in nodes)
    if artefact.facts.get("precision") == "int8" and not integer:
        raise Refusal("ort_cpu: the artefact is int8, but ONNX Runtime would run none of its operators in int8 here")
    inputs = {i.name: i.shape[0] for i in opened.get_inputs()}
    if foreign := sorted(set(inputs) - set(example)):
        raise Refusal(f"ort_cpu: the graph asks for input {foreign[0]!r} (allowed: {', '.join(example)})")
    call = loader.caller(opened)

    def predict(x: Mapping[str, np.ndarray]) -> np.ndarray:
        return _chunks(call, {name: x[name] for name in inputs}, next(iter(inputs.values())))

    facts = {
        "runtime": f"onnxruntime {version('onnxruntime')}",
        "provider": ", ".join(opened.get_providers()),
        "precision": "int8" if integer else "float32",
        "int8_operators": integer,
        "operators": len(nodes),
        "exporter": exporter if artefact.runtime == "torch" else "none",
        "opset": next(o.version for o in graph.opset_import if not o.domain),
        "threads": threads,
    }
    held = io.BytesIO()
    np.savez(held, allow_pickle=False, **{name: np.ascontiguousarray(example[name]) for name in inputs})
    return Runner(predict, Bundle({loader.MODEL: model, loader.INPUTS: held.getvalue()}, Path(loader.__file__)), facts)


def _chunks(call: Callable[[Mapping[str, np.ndarray]], Any], x: Mapping[str, np.ndarray], batch: object) -> np.ndarray:
    """All rows, some at a time. For a fixed batch the last chunk is filled up with copies of a row, whose answers are dropped."""
    n = len(next(iter(x.values())))
    size = batch if isinstance(batch, int) else CHUNK
    parts = []
    for start in range(0, max(n, 1), size):
        rows = {name: np.ascontiguousarray(values[start : start + size]) for name, values in x.items()}
        real = min(size, n - start)
        if isinstance(batch, int) and 0 < real < size:
            rows = {name: np.concatenate([v, np.repeat(v[-1:], size - real, axis=0)]) for name, v in rows.items()}
        parts.append(np.asarray(call(rows), dtype=np.float32)[:real])
    return np.concatenate(parts)


def _open(model: bytes, threads: int) -> tuple[Any, onnx.ModelProto]:
    """The session, and the graph that it really runs."""
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        path = str(Path(folder) / "optimised.onnx")
        try:
            opened = loader.session(model, threads, path)
        except Exception as error:
            raise Refusal(f"ort_cpu: ONNX Runtime refuses the file: {str(error).splitlines()[0][:200]}") from error
        return opened, onnx.load(path)


def _only_file(artefact: Artefact) -> bytes:
    found = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if len(found) != 1:
        raise Refusal(f"ort_cpu: an ONNX artefact has one .onnx file, this one has {len(found)}")
    return found[0]
