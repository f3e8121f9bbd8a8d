"""FLOPs against counts done by hand: 2 per multiply-add, batch 1."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

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
    "lstm with a projection": (
        Calls(lambda s, x: s.a(x)[0], a=nn.LSTM(3, 8, proj_size=5, batch_first=True)),
        floats(6, 3),
        2 * 6 * (4 * 8 * 3 + 4 * 8 * 5 + 8 * 5),  # four gates from the input, four from the projected state, the projection
    ),
    "gru, two layers, both ways": (
        Calls(lambda s, x: s.a(x)[0], a=nn.GRU(3, 8, 2, bidirectional=True, batch_first=True)),
        floats(6, 3),
        2 * 6 * 2 * ((3 * 8 * 3 + 3 * 8 * 8) + (3 * 8 * 16 + 3 * 8 * 8)),
    ),
    "rnn": (Calls(lambda s, x: s.a(x)[0], a=nn.RNN(3, 8, batch_first=True)), floats(6, 3), 2 * 6 * (8 * 3 + 8 * 8)),
    "lstm cell": (Calls(lambda s, x: s.a(x)[0], a=nn.LSTMCell(3, 8)), floats(3), 2 * (4 * 8 * 3 + 4 * 8 * 8)),
    "embedding": (nn.Embedding(10, 4), {"x": np.zeros((2, 5), dtype=np.int64)}, 0),
}


SDPA = nn.functional.scaled_dot_product_attention
PRODUCTS = 2 * (2 * 4 * 5 * 5 * 8)
"""Q K^T and A V of 4 heads, 5 places, 8 numbers each."""
ATTENTION = {
    "grouped queries": lambda s, q: SDPA(q, q[:, :2], q[:, :2], enable_gqa=True),
    "causal": lambda s, q: SDPA(q, q, q, is_causal=True),
    "with a mask": lambda s, q: SDPA(q, q, q, attn_mask=torch.ones(5, 5).tril().bool()),
    "bf16": lambda s, q: SDPA(q.bfloat16(), q.bfloat16(), q.bfloat16()),
    "bf16, grouped and causal": lambda s, q: SDPA(q.bfloat16(), *[q[:, :1].bfloat16()] * 2, is_causal=True, enable_gqa=True),
    "eager": lambda s, q: torch.softmax(q @ q.transpose(-1, -2), -1) @ q,
}


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("name", BY_HAND)
def test_flops_equal_the_count_by_hand(name):
    module, x, flops = BY_HAND[name]
    found = count(module, x)
    assert (found["flops"], found["flops_reason"], found["uncounted"]) == (flops, "", [])
    assert sum(found["flops_by_op"].values()) == flops


@pytest.mark.parametrize("name", [n for n in BY_HAND if n not in ("lstm with a projection", "lstm cell")])
def test_flops_of_the_exported_graph_equal_the_count_by_hand(name):
    """All but what ONNX has no operator for."""
    module, x, flops = BY_HAND[name]
    found = count_onnx(to_onnx(module, x), x)
    assert (found["flops"], found["uncounted"], found["integer_operations"]) == (flops, [], 0)


@pytest.mark.parametrize("name", ["conv", "linear over a sequence", "transformer of two layers", "embedding"])
def test_flops_of_the_graph_of_the_other_exporter_equal_the_count_by_hand(name):
    module, x, flops = BY_HAND[name]
    assert count_onnx(to_onnx(module, x, "dynamo"), x)["flops"] == flops


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_in_every_form_equals_the_count_by_hand(name):
    found = count(Calls(ATTENTION[name]), floats(4, 5, 8))
    assert (found["flops"], found["uncounted"]) == (PRODUCTS, [])


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_the_backend_of_attention_changes_nothing(backend):
    with sdpa_kernel(backend):
        assert count(Calls(lambda s, q: SDPA(q, q, q)), floats(4, 5, 8))["flops"] == PRODUCTS


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer layer", "linear"])
def test_inference_mode_inside_a_network_hides_nothing(name):
    """There, torch hands over whole layers that it otherwise takes apart."""
    module, x, flops = BY_HAND[name]

    def inside(s, rows):
        with torch.inference_mode():
            return s.net(rows)

    found = count(Calls(inside, net=module), x)
    assert (found["flops"], found["uncounted"]) == (flops, [])


@pytest.mark.parametrize("name", ["lstm", "conv", "transformer of two layers", "gru, two layers, both ways"])
def test_a_network_without_values_has_the_same_count(name):
    module, x, flops = BY_HAND[name]
    assert count(copy.deepcopy(module).to("meta"), x)["flops"] == flops


def test_the_input_of_the_count_is_recorded():
    assert count(BY_HAND["conv"][0], floats(3, 10, 10))["input"] == {"x": {"shape": [1, 3, 10, 10], "dtype": "float32"}}


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


class Pair(nn.Module):
    """A bilinear layer, which has no formula, of one place, beside a square linear one of some width."""

    def __init__(self, width):
        super().__init__()
        self.linear, self.pair = nn.Linear(width, width), nn.Bilinear(3, 3, 5)

    def forward(self, x):
        return self.linear(x), self.pair(x[:, 0, :3], x[:, 0, :3])


def test_an_operator_that_multiplies_without_a_formula_leaves_no_number():
    found = count(Pair(3), floats(1, 3))
    assert found["flops"] is found["float_operations"] is found["integer_operations"] is None
    ((op, share),) = [tuple(one.values()) for one in found["uncounted"]]
    assert op == "aten._trilinear"
    assert 0.05 < share <= 1
    assert f"no formula for aten._trilinear ({share:.0%} of the run time)" == found["flops_reason"]
    assert found["flops_by_op"] == {"aten.addmm": 2 * 3 * 3}
    assert not found["flops_at_least"]


def test_an_operator_without_a_formula_that_takes_little_time_makes_a_lower_bound():
    found = count(Pair(2000), floats(200, 2000))
    assert found["flops"] == 2 * 200 * 2000 * 2000
    assert found["flops_at_least"]
    assert [one["op"] for one in found["uncounted"]] == ["aten._trilinear"]
    assert 0 < found["uncounted"][0]["share"] < 0.05


def test_an_operator_of_someone_else_leaves_no_number_and_its_inner_work_is_its_own():
    @torch.library.custom_op("kdbench_test::square", mutates_args=())
    def square(x: torch.Tensor) -> torch.Tensor:
        return x @ x.transpose(-1, -2)

    found = count(Calls(lambda s, x: square(x)), floats(300, 300))
    assert found["uncounted"][0]["op"] == "kdbench_test.square"
    assert found["uncounted"][0]["share"] > 0.8
    assert found["flops"] is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_ao_layers_count_as_integer_operations():
    from torch.ao.quantization import quantize_dynamic

    net = quantize_dynamic(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)), {nn.Linear})
    found = count(net, floats(4))
    assert (found["integer_operations"], found["float_operations"], found["flops"]) == (2 * (4 * 6 + 6 * 2), 0, None)
    lstm = Calls(lambda s, x: s.a(x)[0], a=nn.LSTM(3, 8))
    found = count(quantize_dynamic(lstm, {nn.LSTM}), floats(6, 3))
    assert found["integer_operations"] is None
    assert found["uncounted"][0]["op"] == "aten.quantized_lstm"


def test_resnet_50_has_twice_the_multiply_adds_of_the_literature():
    """4.09 (torchvision's table) to 4.12 G multiply-adds (fvcore, ptflops) at 224 x 224, and 25.6 M parameters."""
    from transformers import ResNetConfig, ResNetForImageClassification

    with torch.device("meta"):
        net = ResNetForImageClassification(ResNetConfig(num_labels=1000))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 25.6
    found = count(Calls(lambda s, x: s.net(pixel_values=x).logits, net=net), floats(3, 224, 224))
    assert 2 * 4.085e9 <= found["flops"] <= 2 * 4.125e9
