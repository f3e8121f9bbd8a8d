"""Runs an ONNX file with ONNX Runtime: what the targets predict with, and what the measuring scripts load.

Needs numpy and onnxruntime only, so that it can be copied to any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

MODEL, PROVIDER = "model.onnx", "provider.txt"
CPU = "CPUExecutionProvider"


def options(threads: int) -> Any:
    """One operator after the other, `threads` threads in an operator, none of them spinning while it waits."""
    asked = ort.SessionOptions()
    asked.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    asked.intra_op_num_threads = threads
    asked.inter_op_num_threads = 1
    asked.add_session_config_entry("session.intra_op.allow_spinning", "0")
    asked.add_session_config_entry("session.inter_op.allow_spinning", "0")
    asked.log_severity_level = 3
    return asked


def session(model: bytes | str, threads: int, optimised: str = "", provider: str = CPU) -> Any:
    """A session on a provider; what that one does not know runs on the CPU. Raises what ONNX Runtime raises for a broken file.

    optimised: where to write the graph that will really run.
    """
    asked = options(threads)
    if optimised:
        asked.optimized_model_filepath = optimised
    return opened(model, asked, provider)


def opened(model: bytes | str, asked: Any, provider: str) -> Any:
    """A session with these options on a provider, and on the CPU for what that one does not know."""
    own = {name: str(value) for name, value in exact(provider, asked.intra_op_num_threads).items()}
    return ort.InferenceSession(model, asked, providers=[(provider, own), *([] if provider == CPU else [CPU])])


def exact(provider: str, threads: int) -> dict[str, object]:
    """What a provider must be told so that it computes in float32 and with that many threads, as the other ones do unasked."""
    told: dict[str, dict[str, object]] = {
        "CUDAExecutionProvider": {"use_tf32": 0},
        "OpenVINOExecutionProvider": {"device_type": "CPU", "precision": "FP32", "num_of_threads": threads, "num_streams": 1},
        "XnnpackExecutionProvider": {"intra_op_num_threads": threads},
    }
    return told.get(provider, {})


def load(folder: str, threads: int) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """The model, ready to be called: {input: array (n, ...)} -> float32 array (n, classes)."""
    named = Path(folder) / PROVIDER
    provider = named.read_text(encoding="ascii") if named.exists() else CPU
    return caller(session(str(Path(folder) / MODEL), threads, provider=provider))


def caller(opened: Any) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """A call of a session with the inputs that its graph asks for, which may be fewer than there are; gives the first output."""
    names, wanted = [opened.get_outputs()[0].name], [i.name for i in opened.get_inputs()]

    def call(inputs: Mapping[str, np.ndarray]) -> Any:
        return opened.run(names, {name: inputs[name] for name in wanted})[0]

    return call
