"""A program of torch.export on the CPU."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target
from kdbench.targets import _program_loader as loader
from kdbench.targets._scopes import settled
from kdbench.targets._torch_rows import torch_facts, torch_predictor, using


@target(accepts=("torch",))
def torch_export(artefact: Artefact, example: Mapping[str, np.ndarray], *, threads: Count = 1) -> Runner:
    """The network captured by torch.export, saved as a .pt2 file and loaded again: predictions and timings come from that file.

    example: {input: array (n, ...)}, in the order of the network's arguments: traced through with two rows; the number of rows
    stays free. threads: of one operator. The program runs without a compiler, operator by operator, on the CPU.
    Raises Refusal where torch.export cannot capture the network, or not for any number of rows.
    """
    module = copy.deepcopy(artefact.module).cpu().eval().requires_grad_(False)
    saved, program = _captured(module, example)
    facts = torch_facts(module, "torch.export CPU", threads) | {"layout": "contiguous", "operators": _operators(program)}

    def inside(x: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with using(threads), torch.inference_mode():
            notes = _Notes(program)
            notes.run(*loader.ready(x))
        return settled(notes.steps)

    bundle = Bundle({loader.PROGRAM: saved}, Path(loader.__file__))
    return Runner(torch_predictor(loader.caller(program), threads), bundle, facts, inside)


def _captured(module: nn.Module, example: Mapping[str, np.ndarray]) -> tuple[bytes, torch.fx.GraphModule]:
    """The saved program and the one that is read back from there."""
    rows = tuple(loader.ready({name: np.resize(x, (2, *x.shape[1:])) for name, x in example.items()}))
    names = range(len(rows))
    try:
        with torch.inference_mode(), tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
            program = torch.export.export(module, rows, dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in names))
            path = Path(folder) / loader.PROGRAM
            torch.export.save(program, path)
            return path.read_bytes(), loader.opened(str(path))
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"torch_export: cannot be captured: {type(error).__name__}: {first}") from error


def _operators(program: torch.fx.GraphModule) -> int:
    return sum(node.op == "call_function" for node in program.graph.nodes)


class _Notes(torch.fx.Interpreter):
    """Runs a program and keeps what each operator gave, with the path of the module that it came from."""

    def __init__(self, program: torch.fx.GraphModule) -> None:
        super().__init__(program)
        self.steps: list[tuple[str, np.ndarray]] = []

    def run_node(self, n: torch.fx.Node) -> Any:
        """One operator; its value is copied, because a later one may work in place."""
        value = super().run_node(n)
        stack = list((n.meta.get("nn_module_stack") or {}).values())
        if n.op == "call_function" and stack and isinstance(value, torch.Tensor) and value.is_floating_point():
            self.steps.append((str(stack[-1][0]), np.array(value.float().numpy())))
        return value
