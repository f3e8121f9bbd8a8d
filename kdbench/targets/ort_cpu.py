"""ONNX Runtime on the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target
from kdbench.targets import _onnx_file
from kdbench.targets import _ort_loader as loader
from kdbench.targets._ort_inside import insider
from kdbench.targets._rows import predictor


@target(accepts=("torch", "onnx"), needs=("onnxruntime", "onnx"))
def ort_cpu(
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    threads: Count = 1,
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
) -> Runner:
    """ONNX Runtime's CPU provider: a torch network is exported first, an ONNX artefact runs as it is.

    example: {input: array (n, ...)}: traced through where the network is exported. threads: inside one
    operator; operators run one after the other and waiting threads do not spin. exporter: "dynamo" is slow and rarely needed.
    Predictions are made 256 rows at a time, or as many as a file with a fixed batch takes. The facts tell the provider and
    precision of the graph that runs after ONNX Runtime's own optimisation, and how many of its operators compute in int8.
    Raises Refusal for a file that ONNX Runtime does not take, and for an int8 artefact of which nothing would run in int8.
    """
    model = _onnx_file.file_of(artefact, example, exporter, "ort_cpu")
    opened, graph = _open(model, threads)
    nodes = [node.op_type for node in graph.graph.node]
    integer = sum(kind.startswith(_onnx_file.INT8) for kind in nodes)
    if artefact.facts.get("precision") == "int8" and not integer:
        raise Refusal("ort_cpu: the artefact is int8, but ONNX Runtime would run none of its operators in int8 here")
    inputs = {i.name: i.shape[0] for i in opened.get_inputs()}
    _onnx_file.offered(inputs, example, "ort_cpu")
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
    predict = predictor(loader.caller(opened), batch=next(iter(inputs.values())))
    return Runner(predict, Bundle({loader.MODEL: model}, Path(loader.__file__)), facts, insider(model, artefact, threads))


def _open(model: bytes, threads: int) -> tuple[Any, onnx.ModelProto]:
    """The session, and the graph that it really runs."""
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        path = str(Path(folder) / "optimised.onnx")
        try:
            opened = loader.session(model, threads, path)
        except Exception as error:
            raise Refusal(f"ort_cpu: ONNX Runtime refuses the file: {str(error).splitlines()[0][:200]}") from error
        return opened, onnx.load(path)
