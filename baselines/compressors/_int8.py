"""Quantisation with ONNX Runtime, shared by the compressors of this folder: float graph in, int8 graph out."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

from kdbench import Artefact, Refusal, example, to_onnx

MODEL = "model.onnx"
LINEAR = ("MatMul", "Gemm")
INTEGER = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLSTM")


def float_graph(artefact: Artefact, who: str) -> bytes:
    """The artefact as a float32 ONNX file; a torch network is exported."""
    if artefact.runtime == "torch":
        return bytes(to_onnx(artefact.module, {name: x.numpy() for name, x in example(artefact.shape, 2).items()}))
    found = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if len(found) != 1:
        raise Refusal(f"{who}: an ONNX artefact has one .onnx file, this one has {len(found)}")
    if any(node.op_type in INTEGER for node in onnx.load_from_string(found[0]).graph.node):
        raise Refusal(f"{who}: the artefact is quantised already")
    return found[0]


def quantised(artefact: Artefact, who: str, quantise: Callable[[Path, Path], None]) -> Artefact:
    """An int8 artefact: the float graph is folded and its shapes inferred, as ONNX Runtime asks, before `quantise`.

    Raises Refusal where that fails, and where nothing was quantised. Equal weights give equal bytes.
    """
    before = float_graph(artefact, who)
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder, _quiet():
        raw, prepared, out = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "int8.onnx"))
        raw.write_bytes(before)
        try:
            quant_pre_process(str(raw), str(prepared), skip_symbolic_shape=True)
            quantise(prepared, out)
        except Refusal:
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0][:200]
            raise Refusal(f"{who}: ONNX Runtime cannot quantise this graph: {type(error).__name__}: {first}") from error
        model = onnx.load(str(out))
    model.producer_version = ""
    share = int8_share(model)
    if not share:
        kinds = sorted({node.op_type for node in onnx.load_from_string(before).graph.node} & {"Conv", "ConvTranspose", *LINEAR})
        raise Refusal(f"{who}: nothing was quantised; this graph multiplies in {', '.join(kinds) or 'no operator that can be'}")
    facts = {**artefact.facts, "precision": "int8", "int8_share": share}
    return Artefact("onnx", artefact.shape, None, None, (), {MODEL: model.SerializeToString(deterministic=True)}, facts)


def int8_share(model: onnx.ModelProto) -> float:
    """The share of the weights, in elements, that are stored in 8 bits."""
    sizes = {i.name: (int(np.prod(i.dims)), i.data_type) for i in model.graph.initializer if len(i.dims) > 1}
    small = sum(n for n, kind in sizes.values() if kind in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8))
    total = sum(n for n, kind in sizes.values() if kind != onnx.TensorProto.INT64)
    return small / total if total else 0.0


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser writes advice to the root logger, and its progress to standard output."""
    was = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was)
