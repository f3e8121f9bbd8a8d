"""What each ONNX operator computes: 2 per multiply-add, from the shapes of its inputs and outputs.

Sources: the operator pages of ONNX and, for the domain com.microsoft, ContribOperators.md of ONNX Runtime.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: its attributes, and the shapes of its inputs and outputs; () for one that is left out."""

    op: str
    attributes: Mapping[str, Any]
    inputs: Sequence[Shape]
    outputs: Sequence[Shape]

    def input(self, place: int) -> Shape:
        """The shape of an input, () where there is none."""
        return self.inputs[place] if place < len(self.inputs) else ()


class Unknown(Exception):
    """A form of an operator that has no formula here."""


def _convolution(node: Node, w: int = 1) -> int:
    """A kernel (out, in / groups, ...) meets every place of the output (n, out, ...), or (n, ..., out) with channels last."""
    out = node.outputs[0]
    places = out[1:-1] if node.attributes.get("channels_last") else out[2:]
    return 2 * out[0] * math.prod(node.input(w)) * math.prod(places)


def _transposed_convolution(node: Node) -> int:
    """A kernel (in, out / groups, ...) meets every place of the input."""
    x = node.input(0)
    return 2 * x[0] * math.prod(node.input(1)) * math.prod(x[2:])


def _product(node: Node) -> int:
    """The length of a row of the left matrix, for each number of the output."""
    left = node.input(0)
    inner = -1
    if node.attributes.get("transA"):
        inner = 0 if node.attributes.get("transBatchA") else -2
    return 2 * math.prod(node.outputs[0]) * left[inner]


def _packed_product(node: Node) -> int:
    """Of x (..., K) and a packed weight of N columns."""
    return 2 * math.prod(node.input(0)) * int(node.attributes["N"])


def _einsum(node: Node) -> int:
    """All letters of two operands, where some are summed; element-wise products and sums alone are none."""
    text = node.attributes["equation"]
    equation = (text.decode() if isinstance(text, bytes) else text).replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if "." in equation or not arrow or len(terms) > 2:
        raise Unknown
    if len(terms) == 1 or set(left) - {","} <= set(right):
        return 0
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, node.inputs, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return 2 * math.prod(sizes.values())


def _recurrent(node: Node) -> int:
    """Of x (steps, batch, features), or batch first; w and r hold all directions and gates."""
    x = node.input(0)
    return 2 * x[0] * x[1] * (math.prod(node.input(1)) + math.prod(node.input(2)))


def _attention(node: Node) -> int:
    """Q K^T and A V of ONNX itself: q and y (batch, heads, length, size), or (batch, length, heads * size)."""
    past = node.input(4)
    keys = node.input(1)[-2] + (past[-2] if past else 0)
    return 2 * keys * (math.prod(node.input(0)) + math.prod(node.outputs[0]))


def _multi_head(node: Node) -> int:
    """The same without projections, of com.microsoft; queries, keys and values may be packed into five axes."""
    query, key, past = node.input(0), node.input(1), node.input(6)
    size = math.prod(query) // (3 if len(query) == 5 else 1)
    keys = query[1] if not key else key[2] if len(key) == 4 else key[1]
    return 2 * (keys + (past[2] if past else 0)) * (size + math.prod(node.outputs[0]))


def _grouped_query(node: Node) -> int:
    """Grouped heads: keys and values are shared, products are not. With a past, its buffer counts as full."""
    keys = node.outputs[1][2] if node.input(3) else (node.input(1) or node.input(0))[1]
    return 2 * keys * 2 * math.prod(node.outputs[0])


def _projection(node: Node) -> int:
    """The three projections in one matrix, of Microsoft's Attention and QAttention: x (batch, length, in), w (in, q + k + v)."""
    batch, length, _ = node.input(0)
    return 2 * batch * length * math.prod(node.input(1))


def _projected_attention(node: Node, past: int = 4) -> int:
    """What follows those projections: Q K^T and A V."""
    batch, length, _ = node.input(0)
    before = node.input(past)
    widths = node.attributes.get("qkv_hidden_sizes")
    query = int(widths[0]) if widths else node.input(1)[1] // 3
    return 2 * batch * length * (length + (before[3] if before else 0)) * (query + node.outputs[0][-1])


MICROSOFT = "com.microsoft"
FLOATS: Mapping[tuple[str, str], Callable[[Node], int]] = {
    ("", "Conv"): _convolution,
    (MICROSOFT, "FusedConv"): _convolution,
    ("", "ConvTranspose"): _transposed_convolution,
    (MICROSOFT, "ConvTransposeWithDynamicPads"): _transposed_convolution,
    **dict.fromkeys((("", "Gemm"), ("", "MatMul"), (MICROSOFT, "FusedGemm"), (MICROSOFT, "FusedMatMul")), _product),
    **dict.fromkeys(((MICROSOFT, op) for op in ("TransposeMatMul", "GemmFastGelu", "FusedMatMulActivation")), _product),
    (MICROSOFT, "MatMulNBits"): _packed_product,
    (MICROSOFT, "MatMulBnb4"): _packed_product,
    ("", "Einsum"): _einsum,
    **dict.fromkeys((("", "LSTM"), ("", "GRU"), ("", "RNN")), _recurrent),
    ("", "Attention"): _attention,
    (MICROSOFT, "Attention"): lambda node: _projection(node) + _projected_attention(node),
    (MICROSOFT, "MultiHeadAttention"): _multi_head,
    (MICROSOFT, "GroupQueryAttention"): _grouped_query,
    (MICROSOFT, "QAttention"): lambda node: _projected_attention(node, past=8),
}
"""(domain, operator) -> its floating-point operations."""

INTEGERS: Mapping[tuple[str, str], Callable[[Node], int]] = {
    ("", "QLinearConv"): lambda node: _convolution(node, w=3),
    (MICROSOFT, "QLinearConv"): lambda node: _convolution(node, w=3),
    ("", "ConvInteger"): _convolution,
    ("", "QLinearMatMul"): _product,
    ("", "MatMulInteger"): _product,
    (MICROSOFT, "MatMulInteger16"): _product,
    (MICROSOFT, "MatMulIntegerToFloat"): _product,
    (MICROSOFT, "DynamicQuantizeMatMul"): _product,
    (MICROSOFT, "QGemm"): _product,
    (MICROSOFT, "QAttention"): _projection,
    (MICROSOFT, "DynamicQuantizeLSTM"): _recurrent,
}
"""(domain, operator) -> its integer operations."""

MAY_BE_QUANTISED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
"""Operators of ONNX that compute in integers where both factors come from a DequantizeLinear: such a pair of nodes says so."""

MOVES = frozenset(("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"))
"""Operators that move the numbers of their first input and change none: what is dequantised stays so."""

HEAVY = frozenset(("DFT", "STFT", "DeformConv", "Det", "If", "Loop", "Scan", "SequenceMap", "FlexAttention", "LinearAttention"))
"""Operators of ONNX that multiply, or hold others that may, and have no formula here."""

FREE = frozenset((
    "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "BitmaskDropout", "DequantizeLinear",
    "EmbedLayerNormalization", "ExpandDims", "FastGelu", "GatherBlockQuantized", "GatherND", "Gelu", "GroupNorm", "IsAllFinite",
    "MulInteger", "MurmurHash3", "NhwcMaxPool", "Pad", "QEmbedLayerNormalization", "QLinearAdd", "QLinearAveragePool",
    "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean", "QLinearSigmoid",
    "QLinearSoftmax", "QLinearWhere", "QuantizeLinear", "QuickGelu", "ReduceSumInteger", "RemovePadding", "RestorePadding",
    "RotaryEmbedding", "SimplifiedLayerNormalization", "SkipGroupNorm", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Trilu", "Unique", "UnfoldTensor",
    "ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper", "DictVectorizer", "FeatureVectorizer", "Imputer",
    "LabelEncoder", "Normalizer", "OneHotEncoder", "Scaler", "ZipMap",
))  # fmt: skip
"""Operators outside of ONNX's own domain that multiply nothing, by the convention of element-wise work, or look up."""


def multiplies(domain: str, op: str) -> bool:
    """Whether an operator without a formula may multiply: known ones of ONNX, and all others that are not known to be free."""
    return op in HEAVY if not domain else op not in FREE
