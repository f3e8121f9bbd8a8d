"""Which value of an exported graph is the output of which module of the network."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set
from typing import TypeVar

import onnx

Value = TypeVar("Value")


def settled(steps: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Module path -> its value, from the steps (path of the module that takes it, value) of a graph in order.

    A module's value is that of the last step inside it. Where a child took the last step, only the child has the value: the
    module may have given something else.
    """
    last: dict[str, tuple[str, Value]] = {}
    for path, value in steps:
        parts = path.split(".")
        for depth in range(1, len(parts) + 1):
            last[".".join(parts[:depth])] = (path, value)
    return {path: value for path, (by, value) in last.items() if path and by == path}


def of_onnx(graph: onnx.GraphProto, modules: Set[str]) -> dict[str, str]:
    """Module path -> name of its value in the graph, for those of the network's `modules` that the exporter's names tell.

    The tracing exporter names a node "/<scope>/.../<operator>", a scope being the attribute or the whole path of a module,
    and gives the scope of a second call another name; the other one notes the path of each scope beside the node.
    """
    return settled((path, node.output[0]) for node in graph.node if (path := _path(node, modules)))


def _path(node: onnx.NodeProto, modules: Set[str]) -> str:
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            scopes = ast.literal_eval(prop.value)
            return next((str(one) for one in reversed(scopes) if one in modules), "")
    return _traced(node.name.strip("/").split("/")[:-1], modules)


def _traced(scopes: list[str], modules: Set[str]) -> str:
    """The module of scopes such as "net", "stages.0", "stages.0.1", "conv": stages.0.1.conv; "" where a scope is no module."""
    path = ""
    for scope in scopes[1:]:  # the first one is the wrapper around the network
        known = (f"{path}.{scope}".strip("."), scope, f"{path}.{scope.rpartition('.')[2]}".strip("."))
        path = next((one for one in known if one in modules), "")
        if not path:
            return ""
    return path
