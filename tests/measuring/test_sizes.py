"""Counts of parameters against counts by hand, and against the torch network for its export."""

import numpy as np
import pytest
import torch
from torch import nn

from kdbench.nets.export import to_onnx
from kdbench.nets.onnx_sizes import count as onnx_sizes
from kdbench.nets.sizes import torch_sizes


def test_counts_by_hand():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(1.0)
        net[0].weight[0] = 0.0
    found = torch_sizes(net)
    assert found["parameters"] == 3 * 4 * 9 + 4 + 4 + 4 + 4 * 2 + 2
    assert found["nonzeros"] == found["parameters"] - 27
    assert found["buffers"] == 4 + 4 + 1
    assert found["embedding_parameters"] == 0


def test_tied_weights_count_once():
    table, head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    head.weight = table.weight
    found = torch_sizes(nn.Sequential(table, head))
    assert found["parameters"] == found["embedding_parameters"] == 40
    assert found["parameters_by_name"] == 80


def test_a_view_of_another_weight_counts_once():
    whole = nn.Linear(4, 6, bias=False)
    part = nn.Linear(4, 2, bias=False)
    part.weight = nn.Parameter(whole.weight.detach()[2:4])
    assert torch_sizes(nn.ModuleList([whole, part]))["parameters"] == 24


def test_an_export_has_the_parameters_of_its_network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    here, there = torch_sizes(net), onnx_sizes(to_onnx(net, {"tokens": np.zeros((2, 3), dtype=np.int64)}))
    assert {k: there[k] for k in ("parameters", "nonzeros", "embedding_parameters")} == {
        k: here[k] for k in ("parameters", "nonzeros", "embedding_parameters")
    }


def test_int8_weights_count_as_stored_and_their_scales_do_not(tmp_path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    torch.manual_seed(0)
    net = nn.Linear(40, 30, bias=False)
    with torch.no_grad():
        net.weight[:, :20] = 0.0
    (tmp_path / "a.onnx").write_bytes(to_onnx(net, {"x": np.zeros((2, 40), dtype=np.float32)}))
    for kind in (QuantType.QInt8, QuantType.QUInt8):  # symmetric, and with a zero point that is not 0
        quantize_dynamic(str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), weight_type=kind)
        found = onnx_sizes((tmp_path / "b.onnx").read_bytes())
        assert found["parameters"] == 1200
        assert 580 <= found["nonzeros"] <= 600  # 600 were not zero; a few are rounded to zero


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", ["linear", "lstm", "gru", "cell"])
def test_packed_int8_weights_of_torch_ao_count_as_they_are_stored(kind):
    """torch itself gives 0 parameters for them; the judge is the float network that they were made from."""
    from torch.ao.quantization import quantize_dynamic

    made = {
        "linear": nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 20, bias=False)),
        "lstm": nn.Sequential(nn.LSTM(40, 60, 2, bidirectional=True)),
        "gru": nn.Sequential(nn.GRU(4, 6)),
        "cell": nn.Sequential(nn.LSTMCell(4, 6)),
    }[kind]
    small = quantize_dynamic(made, {type(m) for m in made})
    assert sum(p.numel() for p in small.parameters()) == 0
    found, there = torch_sizes(small), sum(p.numel() for p in made.parameters())
    assert found["parameters"] == there
    assert 0.9 * there < found["nonzeros"] <= there


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_zeros_and_ties_of_packed_weights():
    from torch.ao.quantization import quantize_dynamic

    layer = nn.Linear(40, 30, bias=False)
    with torch.no_grad():
        layer.weight[:, :20] = 0.0
    packed = quantize_dynamic(nn.Sequential(layer), {nn.Linear})[0]
    found = torch_sizes(nn.Sequential(packed, packed))
    assert (found["parameters"], found["parameters_by_name"]) == (1200, 2400)
    assert 580 <= found["nonzeros"] <= 600


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_packed_embedding_is_an_embedding_and_static_layers_count_too():
    from torch.ao import quantization as q

    table = nn.Sequential(nn.Embedding(10, 4))
    table.qconfig = q.float_qparams_weight_only_qconfig
    found = torch_sizes(q.convert(q.prepare(table)))
    assert found["parameters"] == found["embedding_parameters"] == 40
    net = nn.Sequential(q.QuantStub(), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5), q.DeQuantStub()).eval()
    net.qconfig = q.default_qconfig
    prepared = q.prepare(net)
    prepared(torch.randn(2, 3, 8, 8))
    assert torch_sizes(q.convert(prepared))["parameters"] == 4 * 27 + 4 + 5 * 144 + 5
