"""Static 8-bit quantisation with ONNX Runtime, calibrated on training examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    calibrate,
    quantize_static,
)

from kdbench import Artefact, Count, compressor

from . import _int8

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
CHUNK = 32
ENTROPY = {"num_bins": 512, "num_quantized_bins": 128}
"""ONNX Runtime's own default, 128 bins of each, leaves the search one candidate: the extremes."""


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    """The calibration rows, some at a time: only the inputs that the graph reads."""

    def __init__(self, rows: Mapping[str, np.ndarray]) -> None:
        n = len(next(iter(rows.values())))
        self._chunks = iter([{k: np.ascontiguousarray(v[i : i + CHUNK]) for k, v in rows.items()} for i in range(0, n, CHUNK)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._chunks, None)


@compressor(accepts=("torch", "onnx"), gives="onnx", graph="parameters")
def static_int8(
    artefact: Artefact,
    examples: Mapping[str, np.ndarray],
    *,
    calibration: Count = 256,
    method: Literal["minmax", "entropy", "percentile"] = "minmax",
    per_channel: bool = True,
    ops: Literal["all", "linear"] = "all",
) -> Artefact:
    """Weights and activations in 8 bits, the ranges of the activations fixed beforehand on examples (QDQ; Jacob et al. 2018).

    examples: the calibration rows, {input: array (n, ...)}; the engine draws `calibration` of them from the training split,
    by the seed alone, the same ones for every contender. method: how a range is read off them: the extremes ("minmax"), the
    range that loses least information ("entropy", slow), or the middle 99.999 % ("percentile"). Weights are symmetric int8,
    activations uint8: that is what ONNX Runtime fuses throughout; on processors older than VNNI such sums may saturate.
    per_channel: one scale per output channel of a weight. ops: "linear" quantises matrix products only, which suits
    transformers; "all" every operator that has an 8-bit form, which suits convolutional networks.
    Raises Refusal where nothing can be quantised.
    """

    def quantise(prepared: Path, out: Path) -> None:
        wanted = {i.name for i in onnx.load(str(prepared)).graph.input}
        reader = _Rows({name: x for name, x in examples.items() if name in wanted})
        kinds = list(_int8.LINEAR) if ops == "linear" else None
        ranges = _entropy_ranges(prepared, reader, kinds) if method == "entropy" else None
        quantize_static(
            str(prepared),
            str(out),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=kinds,
            per_channel=per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=METHODS[method],
            calibration_cache_path=ranges,
        )

    return _int8.quantised(artefact, "static_int8", quantise)


def _entropy_ranges(prepared: Path, reader: CalibrationDataReader, kinds: list[str] | None) -> Path:
    """The ranges by entropy, as the file that `quantize_static` takes: it does not pass the number of bins on."""
    calibrator = calibrate.create_calibrator(
        prepared,
        kinds,
        augmented_model_path=str(prepared.with_name("augmented.onnx")),
        calibrate_method=CalibrationMethod.Entropy,
        extra_options=ENTROPY,
    )
    calibrator.collect_data(reader)
    path = prepared.with_name("ranges.json")
    calibrate.save_tensors_data(calibrator.compute_data(), path)
    return path
