"""FLOPs against counts done by hand: 2 per multiply-add, batch 1."""

import numpy as np
import pytest
import torch
from torch import nn

from kdbench.nets.export import to_onnx
from kdbench.nets.flops import count
from kdbench.nets.onnx_flops import count as count_onnx

torch.manual_seed(0)


def floats(*shape):
    return {"x": np.ones((2, *shape), dtype=np.float32)}


class Calls(nn.Module):
    """A function as a network."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *x):
        return self.function(self, *x)


def attention(length, width, hidden):
    """Four projections, Q K^T, A V, and the two layers of the feed-forward part."""
    return 2 * length * 4 * width * width + 2 * 2 * length * length * width + 2 * 2 * length * width * hidden


linear = nn.Linear(7, 5)
BY_HAND = {
    "linear": (nn.Linear(3, 4), floats(3), 2 * 3 * 4),
    "linear over a sequence": (nn.Linear(3, 4), floats(6, 3), 2 * 6 * 3 * 4),
    "conv": (nn.Conv2d(3, 8, 3, padding=1), floats(3, 10, 10), 2 * 10 * 10 * 8 * 3 * 9),
    "conv, stride and groups": (nn.Conv2d(4, 8, 3, stride=2, groups=2), floats(4, 9, 9), 2 * 4 * 4 * 8 * 2 * 9),
    "depthwise conv": (nn.Conv2d(4, 4, 3, padding=1, groups=4), floats(4, 5, 5), 2 * 25 * 4 * 9),
    "conv 1d": (nn.Conv1d(2, 3, 4), floats(2, 9), 2 * 6 * 3 * 2 * 4),
    "transposed conv": (nn.ConvTranspose2d(4, 6, 3, stride=2), floats(4, 5, 5), 2 * 25 * 4 * 6 * 9),
    "transposed conv, groups": (nn.ConvTranspose2d(4, 6, 3, groups=2), floats(4, 5, 5), 2 * 25 * 4 * 3 * 9),
    "batch norm": (nn.BatchNorm2d(4), floats(4, 5, 5), 0),
    "tied layers are run twice": (Calls(lambda s, x: s.b(s.a(x)), a=(t := nn.Linear(6, 6)), b=t), floats(6), 2 * 2 * 36),
    "matmul": (Calls(lambda s, x: x @ x.transpose(1, 2)), floats(3, 4), 2 * 3 * 4 * 3),
    "bmm by einsum": (Calls(lambda s, x: torch.einsum("bij,bkj->bik", x, x)), floats(3, 4), 2 * 3 * 4 * 3),
    "matrix times vector": (Calls(lambda s, x: x[0] @ x[0, 0]), floats(3, 4), 2 * 3 * 4),
    "dot": (Calls(lambda s, x: torch.dot(x[0], x[0])[None]), floats(9), 2 * 9),
    "attention": (
        Calls(lambda s, q: nn.functional.scaled_dot_product_attention(q, q, q)),
        floats(2, 5, 8),
        2 * (2 * 2 * 5 * 5 * 8),
    ),
    "causal attention counts as full": (
        Calls(lambda s, q: nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)),
        floats(2, 5, 8),
        2 * (2 * 2 * 5 * 5 * 8),
    ),
    "multi-head attention": (
        Calls(lambda s, x: s.a(x, x, x)[0], a=nn.MultiheadAttention(8, 2, batch_first=True)),
        floats(5, 8),
        attention(5, 8, 0),
    ),
    "transformer layer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), floats(5, 8), attention(5, 8, 16)),
    "transformer of two layers": (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        floats(5, 8),
        2 * attention(5, 8, 16),
    ),
    "lstm": (Calls(lambda s, x: s.a(x)[0], a=nn.LSTM(3, 8, batch_first=True)), floats(6, 3), 2 * 6 * (4 * 8 * 3 + 4 * 8 * 8)),
    "lstm, two layers, both ways": (
        Calls(lambda s, x: s.a(x)[0], a=nn.LSTM(3, 8, 2, bidirectional=True, batch_first=True)),
        floats(6, 3),
        2 * 6 * 2 * ((4 * 8 * 3 + 4 * 8 * 8) + (4 * 8 * 16 + 4 * 8 * 8)),
    ),
    "gru": (Calls(lambda s, x: s.a(x)[0], a=nn.GRU(3, 8, batch_first=True)), floats(6, 3), 2 * 6 * (3 * 8 * 3 + 3 * 8 * 8)),
    "embedding": (nn.Embedding(10, 4), {"x": np.zeros((2, 5), dtype=np.int64)}, 0),
}


NOT_EXPORTED = ("matrix times vector", "dot", "bmm by einsum", "lstm", "lstm, two layers, both ways", "gru") + tuple(
    name for name in BY_HAND if "attention" in name or "transformer" in name
)
"""They read row 0 of the batch, or their graph has an operator without a formula or a shape that cannot be inferred."""


@pytest.mark.parametrize("name", BY_HAND)
def test_flops_equal_the_count_by_hand(name):
    module, x, flops = BY_HAND[name]
    found = count(module, x)
    assert (found["flops"], found["flops_reason"], found["uncounted"]) == (flops, "", [])
    assert sum(found["flops_by_op"].values()) == flops


@pytest.mark.parametrize("name", [n for n in BY_HAND if n not in NOT_EXPORTED])
def test_flops_of_the_exported_graph_equal_the_count_by_hand(name):
    module, x, flops = BY_HAND[name]
    assert count_onnx(to_onnx(module, x))["flops"] == flops


@pytest.mark.parametrize("name", ["transformer layer", "conv", "lstm"])
def test_mode_and_random_state_change_nothing_and_are_kept(name):
    module, x, flops = BY_HAND[name]
    children = list(module.modules())
    for child in children[1:]:
        child.training = False
    module.training = True
    state = torch.get_rng_state()
    assert count(module, x)["flops"] == flops
    assert module.training
    assert not any(child.training for child in children[1:])
    assert torch.equal(state, torch.get_rng_state())
    assert torch.backends.mha.get_fastpath_enabled()
    assert count(module.eval(), x)["flops"] == flops


def test_an_operator_that_multiplies_without_a_formula_leaves_no_number():
    module = Calls(lambda s, x: s.linear(x) + s.pair(x, x), linear=nn.Linear(3, 5), pair=nn.Bilinear(3, 3, 5))
    found = count(module, floats(3))
    assert found["flops"] is None
    assert found["uncounted"] == ["aten._trilinear"]
    assert "_trilinear" in found["flops_reason"]
    assert found["flops_by_op"] == {"aten.addmm": 30}


def test_an_operator_of_someone_else_leaves_no_number():
    @torch.library.custom_op("kdbench_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    assert count(Calls(lambda s, x: twice(x)), floats(3))["uncounted"] == ["kdbench_test.twice"]


def test_an_int8_graph_has_no_floating_point_count(tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    (tmp_path / "a.onnx").write_bytes(to_onnx(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)), floats(8)))
    quantize_dynamic(str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"))
    found = count_onnx((tmp_path / "b.onnx").read_bytes())
    assert found["flops"] is None
    assert "int8" in found["flops_reason"]


def test_an_exported_transformer_has_its_count_or_none_with_a_reason():
    module, x, flops = BY_HAND["transformer layer"]
    found = count_onnx(to_onnx(module, x))
    assert found["flops"] == flops or "cannot be inferred" in found["flops_reason"]


def test_an_exported_lstm_has_no_count_but_a_reason():
    found = count_onnx(to_onnx(BY_HAND["lstm"][0], floats(6, 3)))
    assert found["flops"] is None
    assert found["uncounted"] == ["LSTM"]
