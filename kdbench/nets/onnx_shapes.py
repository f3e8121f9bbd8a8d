"""The shapes of all values of an ONNX graph on a stated input: inferred, and where that fails, by running it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, shape_inference

Shapes = dict[str, tuple[int, ...]]
REPEATS = 5
"""Timed runs for the share of operators without a formula, after one that warms up."""
_SUFFIX, _TIMED = "/kdbench_shape", "kdbench_node_"


def fix_inputs(model: onnx.ModelProto, example: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give every input of the graph its sizes, in place, and an array of them.

    The first axis is 1 unless the file fixes it; other free axes are those of the example's array of the same name, and a free
    axis of another input is as long as the one that shares its name. Gives {input: first rows of the example, or zeros}, without
    the inputs whose shape stays open.
    """
    held = {i.name for i in model.graph.initializer}
    named: dict[str, int] = {}
    inputs = [value for value in model.graph.input if value.name not in held]
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        given = example[value.name].shape if value.name in example else ()
        for place, dim in enumerate(dims):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            size = 1 if place == 0 else given[place] if len(given) == len(dims) else named.get(dim.dim_param)
            if dim.dim_param and size:
                named.setdefault(dim.dim_param, size)
            if size:
                dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    shapes = _known(inputs)
    kinds = {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in inputs}
    return {name: _rows(example.get(name), shape, kinds[name]) for name, shape in shapes.items()}


def _rows(given: np.ndarray | None, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    if given is None or given.shape[1:] != shape[1:]:
        return np.zeros(shape, dtype)
    return np.resize(given, shape).astype(dtype)


def inferred(model: onnx.ModelProto) -> Shapes:
    """What follows from the graph alone."""
    try:
        whole = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a graph that contradicts itself, or is too large for the checker: running it will say
        whole = model
    graph = whole.graph
    known = _known((*graph.input, *graph.value_info, *graph.output))
    return {**known, **{i.name: tuple(i.dims) for i in graph.initializer}}


def executed(model: onnx.ModelProto, x: Mapping[str, np.ndarray], names: Iterable[str]) -> Shapes:
    """The shapes of these values when the graph runs on x, without optimisation; {} where ONNX Runtime does not run it."""
    wanted = list(names)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for name in wanted:
        probe.graph.node.append(helper.make_node("Shape", [name], [name + _SUFFIX]))
        probe.graph.output.append(helper.make_tensor_value_info(name + _SUFFIX, TensorProto.INT64, None))
    try:
        found = _session(probe, ort.SessionOptions()).run(None, dict(x))
    except Exception:  # whatever the reason, what is not known stays unknown
        return {}
    return {name: tuple(int(n) for n in shape) for name, shape in zip(wanted, found, strict=True)}


def shares(model: onnx.ModelProto, x: Mapping[str, np.ndarray], ops: Iterable[str]) -> dict[str, float | None]:
    """The share of the run time that operators of these types take, by ONNX Runtime's profiler; None where it does not run."""
    names = list(ops)
    timed = onnx.ModelProto()
    timed.CopyFrom(model)
    for i, node in enumerate(timed.graph.node):
        node.name = f"{_TIMED}{i}"  # so that nodes of inner graphs, whose time is within that of their loop, are told apart
    options = ort.SessionOptions()
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        try:
            session = _session(timed, options)
            for _ in range(1 + REPEATS):
                session.run(None, dict(x))
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        except Exception:  # as above
            return dict.fromkeys(names)
    first = next((event for event in events if event.get("name") == "model_run"), {"ts": 0, "dur": 0})
    since = first["ts"] + first["dur"]
    spent: Counter[str] = Counter()
    for event in events:
        name = event.get("name", "")
        if name.startswith(_TIMED) and name.endswith("_kernel_time") and event["ts"] >= since:
            spent[event["args"].get("op_name", "")] += event["dur"]
    total = sum(spent.values())
    return {name: spent[name] / total if total and name in spent else None for name in names}


def _session(model: onnx.ModelProto, options: Any) -> Any:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _known(values: Iterable[onnx.ValueInfoProto]) -> Shapes:
    known = {}
    for value in values:
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            known[value.name] = tuple(d.dim_value for d in dims)
    return known
