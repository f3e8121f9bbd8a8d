"""Opens an ONNX file and answers rows, on the machine where it is run: one file, standard library and numpy.

    python _ssh_predict.py REQUEST.json        # the facts are printed as one line of JSON

Request: {"model": {"folder", "loader"}, "threads", "optimised": where to write the graph that really runs} and, to answer,
"rows": the file with `predictor`, "inputs": an npz of {input: array (n, ...)} and "answers": a file for the float32 logits, row
after row. What can be foreseen to be wrong is printed as {"missing": package, "why"} or {"refused": why}.
"""

from __future__ import annotations

import collections
import importlib
import importlib.util
import json
import os
import sys
from typing import Any

OPERATOR = (7, 1, 4)
"""The fields of ModelProto.graph, GraphProto.node and NodeProto.op_type in onnx.proto."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """{runtime, providers, operators: {kind: count}, inputs: {name: first axis or None}}, and `rows` where any were answered."""
    for name in ("numpy", "onnxruntime"):
        try:
            importlib.import_module(name)
        except Exception as error:  # a library for another processor may raise anything
            return {"missing": name, "why": f"{type(error).__name__}: {error}"[:500]}
    loader = _module(request["model"]["loader"])
    path = os.path.join(request["model"]["folder"], loader.MODEL)
    try:
        opened = loader.session(path, request["threads"], request["optimised"])
    except Exception as error:
        return {"refused": f"{error}".replace(request["model"]["folder"] + "/", "")[:2000]}
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - may be missing, which is an answer

    axes = {one.name: one.shape[0] if one.shape and isinstance(one.shape[0], int) else None for one in opened.get_inputs()}
    result = {"runtime": onnxruntime.__version__, "providers": opened.get_providers(), "inputs": axes}
    with open(request["optimised"], "rb") as file:
        result["operators"] = dict(collections.Counter(kind.decode() for kind in walk(file.read(), OPERATOR)))
    os.unlink(request["optimised"])
    if "inputs" in request:
        result["rows"] = _answer(loader.caller(opened), request, next(iter(axes.values())))
    return result


def _answer(call: Any, request: dict[str, Any], batch: int | None) -> int:
    import numpy as np  # noqa: PLC0415 - may be missing, which is an answer

    with np.load(request["inputs"], allow_pickle=False) as held:
        x = {name: held[name] for name in held.files}
    logits = _module(request["rows"]).predictor(call, batch=batch)(x)
    with open(request["answers"], "wb") as file:
        file.write(np.ascontiguousarray(logits, dtype="<f4").tobytes())
    return len(logits)


def walk(data: bytes | memoryview, fields: tuple[int, ...]) -> list[bytes]:
    """The values at a path of length-delimited fields of a protobuf message: so the onnx package is not asked for here."""
    data, found, at = memoryview(data), [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if tag >> 3 == fields[0]:
                found += walk(value, fields[1:]) if len(fields) > 1 else [bytes(value)]
        else:
            at += 8 if kind == 1 else 4
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _module(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("kdbench_remote_loader", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as request_file:
        print(json.dumps(main(json.load(request_file))))
