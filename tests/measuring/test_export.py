"""The ONNX export: same answers as torch, same bytes for same weights, nothing changed on the way."""

import copy
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from kdbench import Refusal, to_onnx
from kdbench.nets.export import OPSET

ROWS = {"image": np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)}


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def run(data, rows):
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, rows)[0]


@pytest.mark.parametrize("exporter", ["torchscript", pytest.param("dynamo", marks=pytest.mark.slow)])
@pytest.mark.parametrize("n", [1, 5])
def test_export_says_what_torch_says_at_any_batch(exporter, n):
    module, rows = net(), {"image": ROWS["image"][:n]}
    data = to_onnx(module, ROWS, exporter)
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(rows["image"])).numpy()
    np.testing.assert_allclose(run(data, rows), expected, atol=1e-5)
    graph = onnx.load_from_string(data)
    assert [i.name for i in graph.graph.input] == ["image"]
    assert [o.name for o in graph.graph.output] == ["logits"]
    assert {o.domain: o.version for o in graph.opset_import}[""] == OPSET[exporter]


def test_equal_weights_give_equal_bytes_and_others_do_not():
    assert to_onnx(net(), ROWS) == to_onnx(net(), ROWS)
    assert to_onnx(net(), ROWS) == to_onnx(net(), {"image": ROWS["image"][:1]})
    assert to_onnx(net(), ROWS) != to_onnx(net(1), ROWS)


def test_module_random_state_and_warnings_are_left_alone():
    module = net().train()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(module, ROWS)
    assert all(m.training for m in module.modules())
    assert all(p.requires_grad for p in module.parameters())
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_half_precision_weights_become_float32():
    graph = onnx.load_from_string(to_onnx(net().to(torch.bfloat16), ROWS)).graph
    assert {i.data_type for i in graph.initializer} <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}


def test_inputs_keep_their_names_and_order():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(5, 4), nn.Linear(3 + 8, 2)

        def forward(self, numeric, categorical):
            return self.out(torch.cat([numeric, self.table(categorical).flatten(1)], 1))

    rows = {"numeric": np.ones((2, 3), dtype=np.float32), "categorical": np.ones((2, 2), dtype=np.int64)}
    assert [i.name for i in onnx.load_from_string(to_onnx(Table(), rows)).graph.input] == ["numeric", "categorical"]


def test_a_transformer_layer_is_exported_in_plain_steps():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = np.random.default_rng(0).standard_normal((3, 5, 8)).astype(np.float32)
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run(to_onnx(layer, {"x": x}), {"x": x}), expected, atol=1e-5)


def test_the_slow_exporter_takes_over_where_the_fast_one_has_no_operator(capfd):
    class Steps(nn.Module):
        def forward(self, x):
            return torch.diff(x)

    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    data = to_onnx(Steps(), {"x": x})
    np.testing.assert_allclose(run(data, {"x": x}), np.diff(x), atol=1e-6)
    assert onnx.load_from_string(data).opset_import[0].version == OPSET["dynamo"]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_exported_is_refused_in_one_line():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.linalg.svd(x)[1]

    with pytest.raises(Refusal, match="cannot be exported to ONNX") as caught:
        to_onnx(Odd(), {"x": np.ones((2, 3, 3), dtype=np.float32)})
    assert "\n" not in str(caught.value)
    with pytest.raises(Refusal, match="torchscript, dynamo"):
        to_onnx(net(), ROWS, "onnx")
