"""ONNX Runtime on any of its execution providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime  # type: ignore[import-untyped]

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target
from kdbench.targets import _onnx_file, _ort_ran
from kdbench.targets import _ort_loader as loader
from kdbench.targets._ort_inside import insider
from kdbench.targets._rows import predictor
from kdbench.targets._tolerance import allowed

PROVIDERS: Mapping[str, str] = {
    "cpu": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt", "openvino": "OpenVINO", "dnnl": "Dnnl", "xnnpack": "Xnnpack",
    "coreml": "CoreML", "directml": "Dml", "migraphx": "MIGraphX", "rocm": "ROCM", "qnn": "QNN", "acl": "ACL",
}  # fmt: skip


@target(accepts=("torch", "onnx"), needs=("onnxruntime", "onnx"), requires=("provider",))
def ort(
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    provider: Literal[
        "cpu", "cuda", "tensorrt", "openvino", "dnnl", "xnnpack", "coreml", "directml", "migraphx", "rocm", "qnn", "acl"
    ] = "cpu",
    threads: Count = 1,
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
) -> Runner:
    """ONNX Runtime on one execution provider: a torch network is exported first, an ONNX artefact runs as it is.

    example: {input: array (n, ...)}: traced through, and run once under ONNX Runtime's profiler, which tells the provider and
    the precision of every node that ran: these are the facts. threads: of the host, inside one operator. exporter: as of the
    target ort_cpu. Floats are computed in float32 (no TF32). Where a provider is missing or fails to start, ONNX Runtime goes on
    with its CPU provider and says so in a log only; here that is a Refusal, and so is a convolution, matrix product or attention
    that ran on the CPU beside another provider. Shapes and indices may be computed there: the facts count them. An int8 artefact
    of which no product ran in int8 is refused too.
    """
    name = f"{PROVIDERS[provider]}ExecutionProvider"
    data = _onnx_file.file_of(artefact, example, exporter, "ort")
    opened = _session(data, threads, name)
    inputs = {i.name: i.shape[0] for i in opened.get_inputs()}
    _onnx_file.offered(inputs, example, "ort")
    predict = predictor(loader.caller(opened), batch=next(iter(inputs.values())))
    found = _ran(data, threads, name, example)
    counted = _ort_ran.counted(found)
    if artefact.facts.get("precision") == "int8" and counted["precision"] != "int8":
        raise Refusal(f"ort: the artefact is int8, but no product of it ran in int8 on {name}")
    facts: dict[str, Any] = {
        "runtime": _runtime(),
        "provider": name,
        "exporter": exporter if artefact.runtime == "torch" else "none",
        "threads": threads,
        **counted,
        **allowed(counted["precision"]),
    }
    files = {loader.MODEL: data, loader.PROVIDER: name.encode()}
    return Runner(predict, Bundle(files, Path(loader.__file__)), facts, insider(data, artefact, threads, name))


def _session(data: bytes, threads: int, provider: str) -> Any:
    """A session on that provider. Raises Refusal where it is missing, or is not among those of the session."""
    known = onnxruntime.get_available_providers()
    if provider not in known:
        raise Refusal(f"ort: {_runtime()} has no {provider} (it has: {', '.join(known)})")
    try:
        opened = loader.session(data, threads, provider=provider)
    except Exception as error:
        raise Refusal(f"ort: ONNX Runtime refuses the file: {str(error).splitlines()[0][:200]}") from error
    if provider not in opened.get_providers():
        raise Refusal(f"ort: {provider} did not start; ONNX Runtime fell back to {', '.join(opened.get_providers())}")
    return opened


def _ran(data: bytes, threads: int, provider: str, example: Mapping[str, np.ndarray]) -> list[_ort_ran.Node]:
    found = _ort_ran.ran(data, threads, provider, example)
    if why := _elsewhere(found, provider):
        raise Refusal(f"ort: {why}")
    return found


def _elsewhere(found: Sequence[_ort_ran.Node], provider: str) -> str:
    """Why what ran is not that provider's work; "" if it is."""
    if not any(one.provider == provider for one in found):
        return f"none of the {len(found)} nodes ran on {provider}: ONNX Runtime fell back to its CPU provider"
    heavy = _ort_ran.on_cpu(found) if provider != loader.CPU else []
    return f"{', '.join(heavy)} ran on the CPU, not on {provider}" if heavy else ""


def _runtime() -> str:
    return f"onnxruntime {onnxruntime.__version__}"
