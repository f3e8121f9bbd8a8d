"""A torch network as an ONNX file: the door to every runtime that is not torch."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench.nets.attention import plain_attention
from kdbench.nouns import Refusal

OPSET: Mapping[str, int] = {"torchscript": 17, "dynamo": 20}
"""The operator set that each exporter writes: the newest it knows by heart, so that no version converter runs."""

SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the dynamo exporter notes the modules of the network that a node is in."""


def to_onnx(module: nn.Module, example: Mapping[str, np.ndarray], exporter: str = "torchscript") -> bytes:
    """The network in evaluation mode as ONNX bytes; the module itself is left as it was.

    example: {input: array (n, ...)}, in the order of the module's arguments; its names become the input names, the output is
    "logits", and the first axis of all of them is dynamic, as is the length of tokens and of a
    prefix. Half-precision weights become float32, since the CPU kernels of ONNX Runtime want that. Equal weights give equal
    bytes. An input that the network never reads is not in the graph.

    exporter: "torchscript" (traced; a fraction of a second; where it has no form for an operator, "dynamo" takes over) or
    "dynamo" (torch.export; seconds, for graphs that tracing would get wrong, such as control flow that depends on values).
    Raises Refusal where the network cannot be exported.
    """
    if exporter not in OPSET:
        raise Refusal(f"unknown exporter {exporter!r} (allowed: {', '.join(OPSET)})")
    net = copy.deepcopy(module).cpu().float().eval().requires_grad_(False)
    # Two rows at least: a tracer may take a batch of one for a constant.
    rows = {name: torch.from_numpy(np.ascontiguousarray(np.resize(x, (2, *x.shape[1:])))) for name, x in example.items()}
    try:
        with _quiet(), torch.random.fork_rng(devices=()), plain_attention():
            if exporter == "torchscript":
                with suppress(torch.onnx.errors.UnsupportedOperatorError):
                    return _torchscript(net, rows)
            return _dynamo(net, rows)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"cannot be exported to ONNX ({exporter}): {type(error).__name__}: {first}") from error


class _Positional(nn.Module):
    """The network without its optional arguments: the tracer would turn their defaults into tensors."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *x: torch.Tensor) -> Any:
        return self.net(*x)


def _free_axes(name: str) -> dict[int, str]:
    """The axes of an input or output whose size the graph leaves open, and their names in it."""
    return {0: "batch", 1: _LENGTHS[name]} if name in _LENGTHS else {0: "batch"}


_LENGTHS: Mapping[str, str] = {"tokens": "length", "prefix": "said"}
"""Inputs that are sequences, and what the graph calls their length; logits of sequences are as long as the last of them."""


def _logits_axes(net: nn.Module, rows: Mapping[str, torch.Tensor]) -> dict[int, str]:
    """As `_free_axes`, of the output."""
    lengths = [_LENGTHS[name] for name in rows if name in _LENGTHS]
    if not lengths:
        return {0: "batch"}
    with torch.no_grad():
        return {0: "batch", 1: lengths[-1]} if net(*rows.values()).ndim == 3 else {0: "batch"}


def _torchscript(net: nn.Module, rows: Mapping[str, torch.Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.onnx.export(
        _Positional(net),
        tuple(rows.values()),
        buffer,  # type: ignore[arg-type]  # files are taken too
        dynamo=False,
        opset_version=OPSET["torchscript"],
        input_names=list(rows),
        output_names=["logits"],
        dynamic_axes={**{name: _free_axes(name) for name in rows}, "logits": _logits_axes(net, rows)},
        do_constant_folding=True,
    )
    return buffer.getvalue()


def _dynamo(net: nn.Module, rows: Mapping[str, torch.Tensor]) -> bytes:
    kinds = {
        "batch": torch.export.Dim.DYNAMIC,
        "length": torch.export.Dim.AUTO,
        "said": torch.export.Dim.AUTO,
    }  # a network may be made for one length
    program = torch.onnx.export(
        net,
        tuple(rows.values()),
        dynamo=True,
        opset_version=OPSET["dynamo"],
        input_names=list(rows),
        output_names=["logits"],
        dynamic_shapes=tuple({place: kinds[axis] for place, axis in _free_axes(name).items()} for name in rows),
        verbose=False,
    )
    if program is None:
        raise RuntimeError("the exporter gave no program")
    model = program.model_proto
    for node in model.graph.node:  # stack traces: paths of this machine, and nothing that runs
        scopes = [prop for prop in node.metadata_props if prop.key == SCOPES]
        del node.metadata_props[:]
        node.metadata_props.extend(scopes)
        node.doc_string = ""
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about its own future, and without the graph that it prints when it fails."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels, printer = [logger.level for logger in loggers], torch._C._jit_onnx_log
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        torch._C._jit_onnx_log = _silent  # torch 2.13 switches this log on whatever is asked
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._C._jit_onnx_log = printer
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _silent(*_: object) -> None:
    pass
