"""What each torch operator computes: 2 per multiply-add, from the shapes of its arguments.

Torch's own counter (`torch.utils.flop_counter`) has the matrix products and convolutions; here is what it lacks, and the list
of operators that multiply and have no formula at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

aten = torch.ops.aten

HEAVY = frozenset((
    "_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_triton_multi_head_attention",
    "_triton_scaled_dot_attention", "_trilinear", "_cdist_forward", "_euclidean_dist", "_pdist_forward", "_foreach_mm",
    "_compute_linear_combination", "_fft_c2c", "_fft_r2c", "_fft_c2r", "addr", "ger", "linear", "matmul", "einsum",
    "conv_tbc", "linalg_inv_ex", "_linalg_solve_ex", "_linalg_svd", "_linalg_eigh", "_linalg_eigvals", "_linalg_det",
    "_linalg_slogdet", "linalg_lu", "linalg_lu_factor_ex", "linalg_lu_solve", "linalg_qr", "linalg_eig", "linalg_lstsq",
    "linalg_matrix_exp", "linalg_pinv", "linalg_ldl_factor_ex", "linalg_ldl_solve", "linalg_solve_triangular",
    "linalg_cholesky_ex", "linalg_householder_product", "triangular_solve", "cholesky", "cholesky_solve", "cholesky_inverse",
    "geqrf", "ormqr", "mkldnn_linear", "mkldnn_convolution", "_conv_depthwise2d", "conv_depthwise3d", "slow_conv3d_forward",
    "slow_conv_dilated2d", "slow_conv_dilated3d", "slow_conv_transpose2d", "slow_conv_transpose3d",
    "_nnpack_spatial_convolution", "cudnn_convolution_transpose", "cudnn_convolution_relu", "cudnn_convolution_add_relu",
    "miopen_convolution", "_mps_convolution", "lstm", "gru", "rnn_tanh", "rnn_relu", "_thnn_fused_lstm_cell",
    "_thnn_fused_gru_cell", "_cudnn_rnn", "miopen_rnn", "_lstm_mps", "quantized_lstm", "quantized_gru", "_sparse_mm",
    "_sparse_addmm", "_sparse_sparse_matmul", "_sparse_mm_reduce_impl", "hspmm", "sspaddmm", "sparse_sampled_addmm",
    "_cslt_sparse_mm", "_sparse_semi_structured_mm", "_sparse_semi_structured_addmm", "_sparse_semi_structured_linear",
    "_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2", "_scaled_mm_v2", "_mixed_dtypes_linear",
    "_dyn_quant_matmul_4bit",
))  # fmt: skip
"""Operators of torch that multiply and have no formula: whoever runs one has no exact count."""

INTEGER = ("quantized.", "aten._int_mm")
"""Beginnings of the names of operators whose products are of integers."""


def attention(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
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


def _matrices(left: Any, right: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Of left (m, k) and right, whose shape is (k, n) or, for packed weights, unlike it."""
    return int(2 * math.prod(out_shape) * left[-1])


def _add_matrices(bias: Any, left: Any, right: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return int(2 * math.prod(out_shape) * left[-1])


def _add_batches(bias: Any, left: Any, right: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """addbmm: left (b, m, k) times right (b, k, n), summed over b."""
    return int(2 * math.prod(left) * right[-1])


def _packed_linear(x: Any, packed: Any, *args: Any, out_val: Any = None, **kwargs: Any) -> int:
    """A torch.ao linear layer: its weight (out, in) is inside an object that tells it."""
    return int(2 * math.prod(x.shape) * packed.unpack()[0].shape[0])


def _packed_convolution(x: Any, packed: Any, *args: Any, out_val: Any = None, **kwargs: Any) -> int:
    """A torch.ao convolution: the kernel (out, in / groups, ...) meets every place of the output."""
    return int(2 * out_val.shape[0] * math.prod(packed.unpack()[0].shape) * math.prod(out_val.shape[2:]))


_BY_NAME: Mapping[str, Callable[..., int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": attention,  # torch 2.13 leaves it out: attention on CPU would count 0
    "_scaled_dot_product_attention_math_for_mps": attention,
    "_scaled_dot_product_fused_attention_overrideable": attention,
    "mkldnn_rnn_layer": _rnn_layer,
    "mv": _matrix_vector,
    "addmv": _add_matrix_vector,
    "dot": _dot,
    "vdot": _dot,
    "addbmm": _add_batches,
    "_addmm_activation": _add_matrices,
    "_int_mm": _matrices,
    "_weight_int8pack_mm": _matrices,  # the weight is stored in 8 bits and multiplied in floating point
    "_weight_int4pack_mm": _matrices,
    "_weight_int4pack_mm_for_cpu": _matrices,
}
_PACKED: Mapping[str, Callable[..., int]] = {
    **dict.fromkeys(("linear", "linear_relu", "linear_dynamic", "linear_relu_dynamic"), _packed_linear),
    **dict.fromkeys(("linear_leaky_relu", "linear_tanh", "linear_dynamic_fp16"), _packed_linear),
    **{f"conv{n}d{tail}": _packed_convolution for n in (1, 2, 3) for tail in ("", "_relu", "_dynamic")},
    **dict.fromkeys(("conv2d_add", "conv2d_add_relu"), _packed_convolution),
}
FREE = frozenset(
    f"quantized.{name}"
    for name in (
        "embedding_byte", "embedding_4bit", "embedding_bag_byte", "embedding_bag_4bit", "add", "add_relu", "add_scalar",
        "mul", "mul_relu", "mul_scalar", "cat", "cat_relu", "relu6", "hardswish", "leaky_relu", "elu", "celu", "prelu",
        "sigmoid", "tanh", "softmax", "layer_norm", "group_norm", "instance_norm", "batch_norm", "batch_norm1d",
        "batch_norm2d", "batch_norm3d", "batch_norm_relu", "batch_norm2d_relu", "max_pool1d", "max_pool2d", "clamp",
        "threshold",
    )
)  # fmt: skip
"""Operators outside of torch's core that multiply nothing, by the convention of element-wise work, or look up."""


def _formulas() -> dict[Any, Callable[..., int]]:
    held: dict[Any, Callable[..., int]] = {getattr(aten, name): f for name, f in _BY_NAME.items() if hasattr(aten, name)}
    for formula in (_packed_linear, _packed_convolution):
        formula._get_raw = True  # type: ignore[attr-defined]  # torch's counter hands it the values, not their shapes
    packed = torch.ops.quantized
    return {**held, **{getattr(packed, name): f for name, f in _PACKED.items() if hasattr(packed, name)}}


FORMULAS: Mapping[Any, Callable[..., int]] = _formulas()
"""What torch's own counter lacks, by operator."""


def multiplies(name: str) -> bool:
    """Whether an operator without a formula may multiply ("aten.mm"): known heavy ones, and all that is not torch's own."""
    space, _, op = name.partition(".")
    return op in HEAVY if space in ("aten", "prim", "prims") else name not in FREE
