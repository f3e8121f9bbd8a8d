"""Small ONNX graphs for tests of measuring: a perceptron of some width, a table of embeddings, and graphs that are refused."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES, CLASSES = 32, 10


def save(path: Path, nodes, inputs, outputs, weights=(), domains=()) -> Path:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def value(name, kind, dims):
    return helper.make_tensor_value_info(name, kind, dims)


def perceptron(path: Path, width: int, *, layers: int = 2, name: str = "x", batch: int | str = "rows") -> Path:
    """FEATURES -> width -> ... -> CLASSES with ReLU between, without biases."""
    rng = np.random.default_rng(0)
    sizes = [FEATURES, *[width] * layers, CLASSES]
    weights, nodes, last = [], [], name
    for i, (before, after) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weights.append(numpy_helper.from_array((rng.standard_normal((before, after)) / before**0.5).astype(np.float32), f"w{i}"))
        out = "y" if i == layers else f"m{i}"
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [out]))
        if i < layers:
            nodes.append(helper.make_node("Relu", [out], [f"r{i}"]))
            last = f"r{i}"
    inputs, outputs = [value(name, TensorProto.FLOAT, [batch, FEATURES])], [value("y", TensorProto.FLOAT, [batch, CLASSES])]
    return save(path, nodes, inputs, outputs, weights)


def multiplications(width: int, layers: int = 2) -> int:
    """Weights of `perceptron`, each used once a row."""
    sizes = [FEATURES, *[width] * layers, CLASSES]
    return sum(before * after for before, after in zip(sizes[:-1], sizes[1:], strict=True))


def embeddings(path: Path, name: str = "ids") -> Path:
    """Mean of looked-up vectors: codes (rows, length) of 100 -> 16."""
    table = numpy_helper.from_array(np.random.default_rng(0).standard_normal((100, 16)).astype(np.float32), "table")
    nodes = [
        helper.make_node("Gather", ["table", name], ["looked"]),
        helper.make_node("ReduceMean", ["looked"], ["y"], axes=[1], keepdims=0),
    ]
    inputs, outputs = [value(name, TensorProto.INT64, ["rows", "length"])], [value("y", TensorProto.FLOAT, ["rows", 16])]
    return save(path, nodes, inputs, outputs, [table])


def foreign(path: Path) -> Path:
    """An operator of a library of native code."""
    nodes = [helper.make_node("Steal", ["x"], ["y"], domain="my.ops")]
    return save(
        path, nodes, [value("x", TensorProto.FLOAT, ["n", 3])], [value("y", TensorProto.FLOAT, ["n", 3])], domains=["my.ops"]
    )


def maps(path: Path) -> Path:
    """Scores for each place of an image of any size: an output of four dimensions."""
    dims = ["n", 3, "height", "width"]
    nodes = [helper.make_node("Sigmoid", ["pixels"], ["y"])]
    return save(path, nodes, [value("pixels", TensorProto.FLOAT, dims)], [value("y", TensorProto.FLOAT, dims)])
