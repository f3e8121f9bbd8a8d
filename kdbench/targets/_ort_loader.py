"""Runs an ONNX file with ONNX Runtime on the CPU: what the target predicts with, and what the timing script loads.

Needs numpy and onnxruntime only, so that it can be copied to any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

MODEL, INPUTS = "model.onnx", "inputs.npz"


def session(model: bytes | str, threads: int, optimised: str = "") -> Any:
    """A session on the CPU: one operator after the other, `threads` threads in an operator, none of them spinning while it waits.

    optimised: where to write the graph that will really run. Raises what ONNX Runtime raises for a broken file.
    """
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    if optimised:
        options.optimized_model_filepath = optimised
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def read(folder: str) -> dict[str, np.ndarray]:
    """The inputs of one call, by name."""
    with np.load(Path(folder) / INPUTS, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def load(folder: str, threads: int) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """The model, ready to be called: {input: array (n, ...)} -> float32 array (n, classes)."""
    return caller(session(str(Path(folder) / MODEL), threads))


def caller(opened: Any) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """A call of a session; it gives the first output."""
    names = [opened.get_outputs()[0].name]

    def call(inputs: Mapping[str, np.ndarray]) -> Any:
        return opened.run(names, inputs)[0]

    return call
