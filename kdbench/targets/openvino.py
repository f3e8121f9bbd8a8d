"""OpenVINO on the CPU."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov  # type: ignore[import-untyped]

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target
from kdbench.targets import _onnx_file
from kdbench.targets import _openvino_loader as loader
from kdbench.targets._rows import predictor
from kdbench.targets._tolerance import allowed

NAMES: Mapping[str, str] = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
PLAIN = frozenset({"Const", "Input", "Output", "Reorder", "Reshape", "Convert"})
"""Layers that move values and compute nothing."""
PRODUCTS = frozenset({
    "Convolution", "Deconvolution", "DeformableConvolution", "FullyConnected", "MatMul", "RNNCell", "RNNSeq", "AUGRUCell",
    "AUGRUSequence", "ScaledDotProductAttention", "QKVProjection", "LLMMLP", "MHA",
})  # fmt: skip
"""Layers that multiply, by OpenVINO's names: RNNCell and RNNSeq stand for LSTM and GRU too. Others hold u8 for booleans."""


@target(accepts=("torch", "onnx"), needs=("openvino", "onnx"))
def openvino(
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    precision: Literal["f32", "bf16", "f16"] = "f32",
    threads: Count = 1,
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
) -> Runner:
    """OpenVINO's CPU plugin: a torch network is exported to ONNX first, an ONNX artefact runs as it is.

    example: {input: array (n, ...)}: traced through where the network is exported. precision: in which floats are computed;
    OpenVINO's own default would be bf16 on processors that have it. threads: of one request; one request runs at a time.
    exporter: as of the target ort_cpu. No compiled model is kept on disk. The facts count the layers by the precision in which
    they really run. Raises Refusal for a file that OpenVINO does not take, for a precision that none of its layers runs in,
    and for an int8 artefact of which nothing would run in int8.
    """
    data = _onnx_file.file_of(artefact, example, exporter, "openvino")
    model = _read(data)
    compiled = _compiled(model, threads, precision)
    inputs = {one.get_any_name(): one.get_partial_shape()[0] for one in compiled.inputs}
    _onnx_file.offered(inputs, example, "openvino")
    layers, products = _layers(compiled)
    facts = {
        "runtime": f"openvino {version('openvino')}",
        "provider": ", ".join(compiled.get_property("EXECUTION_DEVICES")),
        "precision": _executed(products or layers, precision, artefact),
        "layers_by_precision": dict(sorted(layers.items())),
        "products_by_precision": dict(sorted(products.items())),
        "exporter": exporter if artefact.runtime == "torch" else "none",
        "streams": int(compiled.get_property("NUM_STREAMS")),
        "threads": int(compiled.get_property("INFERENCE_NUM_THREADS")),
        **_onnx_file.scales(data),
        **allowed(NAMES[precision]),
    }
    batch = next(iter(inputs.values()))
    predict = predictor(loader.caller(compiled), batch=batch.get_length() if batch.is_static else None)
    files = {loader.MODEL: data, loader.OPTIONS: json.dumps({"precision": precision}).encode()}
    return Runner(predict, Bundle(files, Path(loader.__file__)), facts, _insider(data, artefact, threads, precision))


def _read(data: bytes) -> Any:
    try:
        return ov.Core().read_model(data)
    except Exception as error:
        raise Refusal(f"openvino: refuses the file: {_last(error)}") from error


def _compiled(model: Any, threads: int, precision: str) -> Any:
    try:
        return loader.compiled(model, threads, precision)
    except Exception as error:
        raise Refusal(f"openvino: cannot compile the file: {_last(error)}") from error


def _last(error: Exception) -> str:
    """OpenVINO tells where in its own source first, and what is wrong last."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1][:200]


def _layers(compiled: Any) -> tuple[Counter[str], Counter[str]]:
    """How many layers compute in each precision, and how many of those that multiply: {"f32": 20, "i8": 3}."""
    facts = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ordered_ops()]
    told = [(str(one["layerType"].value), one) for one in facts]
    products = Counter(_multiplied(one) for layer, one in told if layer in PRODUCTS)
    others = Counter(str(one["runtimePrecision"].value) for layer, one in told if layer not in PLAIN | PRODUCTS)
    return products + others, products


def _multiplied(facts: Any) -> str:
    """In what a layer multiplies: the end of its kernel's name ("brgconv_avx512_i8"; "I8" for u8), which is what it reads.

    The precision beside it is that of the weights where these are smaller, also where they are turned into floats first.
    """
    return str(facts["primitiveType"].value).rpartition("_")[2].lower()


def _executed(layers: Counter[str], asked: str, artefact: Artefact) -> str:
    """The precision by name, from the layers that multiply, or all where none does.

    Raises Refusal where what was asked for is not what runs.
    """
    integer = layers["i8"] + layers["u8"]
    if artefact.facts.get("precision") == "int8" and not integer:
        raise Refusal("openvino: the artefact is int8, but OpenVINO would run none of its layers in int8 here")
    if not integer and not layers[asked]:
        ran = ", ".join(sorted(layers)) or "nothing"
        raise Refusal(f"openvino: none of its layers would run in {asked} on this processor, but in {ran}")
    return "int8" if integer else NAMES[asked]


def _insider(
    data: bytes, artefact: Artefact, threads: int, precision: str
) -> Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None:
    """Inner values by module path, of the same graph with more outputs; None where there is no network to name them by."""
    if artefact.runtime != "torch":
        return None

    def inside(x: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        opened, places = _onnx_file.opened_up(data, artefact)
        compiled = loader.compiled(_read(opened), threads, precision)
        request = compiled.create_infer_request()
        request.infer({one.get_any_name(): np.ascontiguousarray(x[one.get_any_name()]) for one in compiled.inputs})
        found = {name: np.array(request.get_tensor(one).data) for one in compiled.outputs for name in one.get_names()}
        return {path: found[name] for path, name in places.items() if name in found}

    return inside
