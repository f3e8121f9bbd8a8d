"""A model that someone names by its path, as an artefact. It is not trusted: it is opened in a job's process, with its limits."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdbench.measure import graph
from kdbench.nouns import Artefact, Refusal, Shape
from kdbench.registry import Plugins, nearest
from kdbench.stages import load
from kdbench.stages.load import LARGEST_FILE

GRAPH = "model.onnx"
FLOATING = ("image", "numeric", "audio")
"""Inputs of a network of ours that are numbers; the others are codes."""


def open_model(path: Path, plugins: Plugins) -> tuple[Artefact, dict[str, dict[str, Any]]]:
    """The artefact, and what it takes: {input: {"dims", "dtype"} and, for codes, "levels"}. Raises Refusal for whatever is not as
    it must be: no file, no graph, a foreign operator, weights that do not fit their network.
    """
    if path.is_dir():
        shape, classes = load.declared(path)
        artefact = load.open_folder(path, plugins, shape, classes)
    else:
        artefact = _graph(path)
    files = [data for name, data in artefact.files.items() if name.endswith(".onnx")]
    if artefact.runtime == "onnx" and len(files) == 1:
        return artefact, graph.declared(path.name, files[0])
    return artefact, _of_shape(artefact.shape)


def _graph(path: Path) -> Artefact:
    from kdbench.nets.onnx_check import check  # noqa: PLC0415 - only for a graph

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"{path}: cannot be opened: {error.strerror}") from None
    with open(handle, "rb") as file:
        held = os.fstat(file.fileno())
        if not stat.S_ISREG(held.st_mode):
            raise Refusal(f"{path}: not a regular file")
        if held.st_size > LARGEST_FILE:
            raise Refusal(f"{path}: {held.st_size} bytes, more than {LARGEST_FILE}")
        data = file.read(LARGEST_FILE + 1)
    check(path.name, data)
    return Artefact("onnx", Shape("graph", {}, 0), None, None, (), {GRAPH: data}, {"made_elsewhere": True})


def _of_shape(shape: Shape) -> dict[str, dict[str, Any]]:
    found = {}
    for name, size in shape.inputs.items():
        codes = name not in FLOATING
        found[name] = {"dims": ["rows", *size], "dtype": "int64" if codes else "float32", "levels": list(shape.levels) * codes}
    return found


def alike(
    artefact: Artefact, own: dict[str, Any], other: dict[str, Any], names: tuple[str, str]
) -> tuple[Artefact, dict[str, str]]:
    """The artefact with inputs called as those of the model that it is compared with, and {old: new} of those renamed.

    Where the names differ, inputs belong together by their order, if rank and type agree. Only a graph can be renamed. Raises
    Refusal where the two cannot be given the same rows. names: of this model and of the other.
    """
    if set(own) == set(other):
        return artefact, {}
    pairs = dict(zip(own, other, strict=False))
    fits = len(own) == len(other) and all(
        own[a]["dtype"] == other[b]["dtype"] and len(own[a]["dims"]) == len(other[b]["dims"]) for a, b in pairs.items()
    )
    if not fits or artefact.runtime != "onnx":
        first = next(iter(set(own) - set(other)), next(iter(own)))
        said = f"{names[0]} takes {_listed(own)}, {names[1]} takes {_listed(other)}"
        raise Refusal(f"the two models do not take the same inputs: {said}{nearest(first, list(other))}")
    changed = {old: new for old, new in pairs.items() if old != new}
    files = {name: graph.renamed(names[0], data, changed) for name, data in artefact.files.items()}
    return replace(artefact, files=files), changed


def _listed(inputs: dict[str, Any]) -> str:
    return ", ".join(f"{name[:60]} {sized(about['dims'])} {about['dtype']}" for name, about in inputs.items())


def sized(dims: list[int | str]) -> str:
    """`rows x 3 x 224 x 224`."""
    return " x ".join(map(str, dims))
