"""Dynamic 8-bit quantisation with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

from kdbench import Artefact, compressor

from . import _int8

OPS = {"linear": (*_int8.LINEAR, "Gather", "Attention", "LSTM"), "all": (*_int8.LINEAR, "Gather", "Attention", "LSTM", "Conv")}


@compressor(accepts=("torch", "onnx"), gives="onnx", graph="parameters")
def dynamic_int8(artefact: Artefact, *, per_channel: bool = False, ops: Literal["linear", "all"] = "linear") -> Artefact:
    """Weights in 8 bits, activations quantised while the model runs; no examples are needed.

    Weights are symmetric int8, activations uint8. per_channel: one scale per output channel of a weight instead of one per
    weight. ops: "linear" quantises matrix products and embeddings and leaves convolutions in float32; "all" quantises
    convolutions too, which makes a convolutional network smaller but 9 to 13 times SLOWER on a CPU (there is no fast kernel for
    a dynamic integer convolution): use `static_int8` for those. The fact `int8_share` tells how much was quantised.
    Raises Refusal where nothing was: a network of convolutions alone under "linear".
    """

    def quantise(prepared: Path, out: Path) -> None:
        quantize_dynamic(
            str(prepared), str(out), op_types_to_quantize=list(OPS[ops]), per_channel=per_channel, weight_type=QuantType.QInt8
        )

    return _int8.quantised(artefact, "dynamic_int8", quantise)
