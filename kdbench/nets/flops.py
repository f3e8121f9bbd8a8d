"""Floating-point operations of one forward pass, counted on the operators that really run.

Conventions: one multiply-add is 2 operations (so a "4.1 G" ResNet-50 of the vision papers, which count multiply-adds, reads
8.2 G here); batch 1; evaluation mode. Counted are matrix products, convolutions, attention and recurrent layers;
element-wise work, normalisation, softmax, biases and embedding look-ups are 0 by this convention. Causal attention counts
as full attention, and zeros in a weight count like any other number: that is what dense kernels compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kdbench.nets.attention import plain_attention

aten = torch.ops.aten

HEAVY = frozenset((
    "_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_trilinear", "_cdist_forward", "_euclidean_dist", "addr",
    "ger", "_fft_c2c", "_fft_r2c", "_fft_c2r", "linalg_inv_ex", "_linalg_solve_ex", "_linalg_svd", "_linalg_eigh", "cholesky",
    "mkldnn_linear", "mkldnn_convolution", "lstm", "gru", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_sparse_mm",
    "_sparse_addmm", "_weight_int8pack_mm", "_weight_int4pack_mm_for_cpu", "_int_mm", "_cslt_sparse_mm", "_grouped_mm",
    "_scaled_grouped_mm", "quantized_lstm", "quantized_gru", "_linalg_det", "linalg_lu_factor_ex",
))  # fmt: skip
"""Operators that multiply and that have no formula here: a network that runs one has no FLOPs, rather than too few."""


def count(module: nn.Module, example: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """FLOPs of the network on the first row of the example.

    example: {input: array (n, ...)} in the order of the module's arguments. Gives {flops: int or None, flops_reason: text,
    flops_by_op: {operator: int}, uncounted: [operators that multiply but have no formula]}; where anything is uncounted, flops
    is None and the reason names it. The module, its mode and its random state are left as they were.
    """
    row = [torch.from_numpy(np.ascontiguousarray(x[:1])) for x in example.values()]
    seen = _Seen()
    counter = FlopCounterMode(display=False, custom_mapping=dict(FORMULAS))
    with _evaluation(module), plain_attention(), torch.no_grad(), torch.random.fork_rng(devices=()), counter, seen:
        module(*row)
    counted = counter.get_flop_counts().get("Global", {})
    by_op = {str(op): int(n) for op, n in counted.items()}
    covered = {str(op) for op in (*counter.flop_registry, *FORMULAS)}
    uncounted = sorted(name for name in seen.names if name not in covered and _matters(name))
    total = None if uncounted else sum(by_op.values())
    reason = f"no formula for {', '.join(uncounted)}" if uncounted else ""
    return {"flops": total, "flops_reason": reason, "flops_by_op": dict(sorted(by_op.items())), "uncounted": uncounted}


def _matters(name: str) -> bool:
    """Whether an operator may multiply: known heavy ones, and all that torch itself does not define."""
    space, _, op = name.partition(".")
    return op in HEAVY if space in ("aten", "prim", "prims") else True


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


def _attention(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Q K^T and A V. query (..., h, s_q, d), key (..., h_kv, s_k, d), value (..., h_kv, s_k, d_v); grouped heads broadcast."""
    *heads, s_q, d = query
    s_k, d_v = key[-2], value[-1]
    return int(2 * math.prod(heads) * s_q * s_k * (d + d_v))


def _rnn_layer(x: Any, w_input: Any, w_hidden: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """One layer and direction of a fused recurrent network. x (steps, batch, features); all gates are rows of the two weights."""
    return int(2 * x[0] * x[1] * (math.prod(w_input) + math.prod(w_hidden)))


def _matrix_vector(matrix: Any, vector: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return int(2 * math.prod(matrix))


def _add_matrix_vector(bias: Any, matrix: Any, vector: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return int(2 * math.prod(matrix))


def _dot(left: Any, right: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return int(2 * math.prod(left))


def _add_batches(bias: Any, left: Any, right: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """addbmm: left (b, m, k) times right (b, k, n), summed over b."""
    return int(2 * math.prod(left) * right[-1])


_BY_NAME: Mapping[str, Callable[..., int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _attention,  # torch 2.13 leaves it out: attention on CPU would count 0
    "_scaled_dot_product_attention_math_for_mps": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "mkldnn_rnn_layer": _rnn_layer,
    "mv": _matrix_vector,
    "addmv": _add_matrix_vector,
    "dot": _dot,
    "vdot": _dot,
    "addbmm": _add_batches,
}
FORMULAS: Mapping[Any, Callable[..., int]] = {getattr(aten, name): f for name, f in _BY_NAME.items() if hasattr(aten, name)}
"""What torch's own counter lacks: formulas over the shapes of an operator's arguments."""
