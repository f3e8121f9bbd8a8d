"""Operations of one forward pass, counted on the operators that really run.

Conventions: one multiply-add is 2 operations (so a "4.1 G" ResNet-50 of the vision papers, which count multiply-adds, reads
8.2 G here); batch 1; evaluation mode. Counted are matrix products, convolutions, attention and recurrent layers;
element-wise work, normalisation, softmax, pooling, biases and embedding look-ups are 0 by this convention. Causal attention
counts as full attention, and zeros in a weight count like any other number: that is what dense kernels compute. Products of
8-bit integers are counted apart from those of floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kdbench.nets.attention import plain_attention
from kdbench.nets.counted import counted
from kdbench.nets.flop_formulas import FORMULAS, INTEGER, multiplies

REPEATS = 5
"""Timed forward passes for the share of operators without a formula, after one that warms up."""


def count(module: nn.Module, example: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Operations of the network on the first row of the example.

    example: {input: array (n, ...)} in the order of the module's arguments, moved to where its parameters are (a network on
    the meta device is counted without a value being computed). Gives what `kdbench.nets.counted` says. The module, its mode
    and its random state are left as they were.
    """
    first = {name: np.ascontiguousarray(x[:1]) for name, x in example.items()}
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    row = [torch.from_numpy(x).to(device) for x in first.values()]
    seen = _Seen()
    counter = FlopCounterMode(display=False, custom_mapping=dict(FORMULAS))
    with _evaluation(module), plain_attention(), torch.no_grad(), torch.random.fork_rng(devices=()):
        with seen, counter:  # the counter comes first, and takes composed operators apart
            module(*row)
        by_op = {str(op): int(n) for op, n in counter.get_flop_counts().get("Global", {}).items()}
        covered = {str(op) for op in (*counter.flop_registry, *FORMULAS)}
        missed = sorted(name for name in seen.names if name not in covered and multiplies(name))
        shares = _shares(lambda: module(*row), missed) if missed and device.type != "meta" else dict.fromkeys(missed)
    integers = {name: n for name, n in by_op.items() if name.startswith(INTEGER)}
    return counted({name: n for name, n in by_op.items() if name not in integers}, integers, shares, first)


class _Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the name of every operator that runs, without its overload: "aten.mm"."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func.overloadpacket))
        return func(*args, **(kwargs or {}))


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for each submodule, and each one's own mode afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for m, mode in modes:
            m.training = mode


def _shares(call: Callable[[], Any], names: Iterable[str]) -> dict[str, float | None]:
    """The share of the CPU time that each operator takes, by torch's profiler, over a few calls.

    With all that it calls inside: an operator that is made of others does nothing itself. None for one that the profiler did
    not see.
    """
    call()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(REPEATS):
            call()
    events = profile.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    spent = {event.key: event.cpu_time_total for event in events}
    keys = {name: name.replace(".", "::", 1) for name in names}
    return {name: min(1.0, spent[key] / total) if total and key in spent else None for name, key in keys.items()}
