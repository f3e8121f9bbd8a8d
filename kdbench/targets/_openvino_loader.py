"""Runs an ONNX file with OpenVINO on the CPU: what the target predicts with, and what the measuring scripts load.

Needs numpy and openvino only, so that it can be copied to any machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov  # type: ignore[import-untyped]

MODEL, OPTIONS = "model.onnx", "options.json"


def load(folder: str, threads: int) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """The model, ready to be called: {input: array (n, ...)} -> float32 array (n, classes)."""
    options = json.loads((Path(folder) / OPTIONS).read_text(encoding="ascii"))
    model = ov.Core().read_model(str(Path(folder) / MODEL))
    return caller(compiled(model, threads, options["precision"]))


def compiled(model: Any, threads: int, precision: str) -> Any:
    """One request at a time, `threads` threads, floats computed in that precision ("f32", "bf16", "f16"), nothing kept on disk.

    Precision is asked for, because the default is bfloat16 wherever the processor has instructions for it.
    """
    asked = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "CACHE_DIR": "",
    }
    return ov.Core().compile_model(model, "CPU", asked)


def caller(model: Any) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """A call of a compiled model with the inputs that it asks for; gives a copy of the first output, which is reused."""
    request, wanted = model.create_infer_request(), [one.get_any_name() for one in model.inputs]

    def call(inputs: Mapping[str, np.ndarray]) -> Any:
        request.infer({name: inputs[name] for name in wanted}, share_inputs=True)
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)

    return call
