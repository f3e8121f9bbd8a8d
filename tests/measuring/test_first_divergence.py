"""Where an export begins to differ: the module named is the one that was broken, and none is named where nothing is."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from kdbench import Artefact, Refusal, Runner, Shape
from kdbench.judge.ask import open_metric
from kdbench.nets.inside import inner_values
from kdbench.nouns import Failed
from kdbench.stages import parity, running

from .conftest import IMAGE, TABLE, network
from .test_compressors import x_of

IDS = np.array([f"row{i}" for i in range(40)])
ON_ONNX = ("ort_cpu", "ort", "openvino")


def opened(plugins, name, artefact, x, **params):
    return plugins.load("target", name)[0](artefact, running.first_rows(x, 2), **params)


def checked(artefact, runner, x):
    return parity.check(artefact.module, runner, x, runner.predict(x), IDS[: len(next(iter(x.values())))])


def break_node(monkeypatch, place, by=1.5):
    """From now on every export has the weights of one node scaled."""
    from kdbench.targets import _onnx_file

    export = _onnx_file.file_of

    def broken(*given):
        model = onnx.load_from_string(export(*given))
        node = next(n for n in model.graph.node if place in n.name and len(n.input) > 1)
        held = next(i for i in model.graph.initializer if i.name == node.input[1])
        held.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(held) * np.float32(by), held.name))
        return model.SerializeToString()

    monkeypatch.setattr(_onnx_file, "file_of", broken)


@pytest.mark.parametrize("name", ON_ONNX)
@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("stages.0.0.conv2", "/stages.0.0/conv2/"),
        ("stages.1.0.shortcut.0", "/stages.1.0/shortcut/shortcut.0/"),
        ("stages.2.0.conv1", "/stages.2.0/conv1/"),
        ("classifier", "/classifier/"),
    ],
)
def test_the_broken_node_of_a_graph_is_the_one_that_is_named(plugins, monkeypatch, name, path, node):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 40)
    break_node(monkeypatch, node)
    found = checked(artefact, opened(plugins, name, artefact, x), x)
    assert not found["passed"]
    assert found["first_divergence"]["module"] == path
    assert found["first_divergence"]["difference"] > 0.01


@pytest.mark.parametrize("name", ["torch_export", "torch_bf16"])
@pytest.mark.parametrize("path", ["stages.0.0.conv2", "stages.2.0.norm1"])
def test_the_broken_module_of_a_torch_program_is_the_one_that_is_named(plugins, name, path):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 40)
    broken = network("resnet_cifar", {"depth": 8, "width": 8})
    with torch.no_grad():
        broken.module.get_submodule(path).weight.mul_(3)
    found = checked(artefact, opened(plugins, name, broken, x), x)
    assert not found["passed"]
    assert found["first_divergence"]["module"] == path


MODELS = [
    ("mlp", {"width": 8}, IMAGE), ("small_cnn", {"width": 8}, IMAGE), ("resnet_cifar", {"depth": 8, "width": 8}, IMAGE),
    ("wrn", {"depth": 10, "widen": 1}, IMAGE), ("table_resnet", {"width": 8}, TABLE), ("mlp", {"width": 8}, TABLE),
]  # fmt: skip


@pytest.mark.parametrize("name", ["ort_cpu", "openvino", "torch_export"])
@pytest.mark.parametrize(("model", "params", "shape"), MODELS)
def test_no_module_of_a_faithful_export_is_named(plugins, name, model, params, shape):
    artefact, x = network(model, params, shape), x_of(shape, 5)
    runner = opened(plugins, name, artefact, x)
    rows = [torch.from_numpy(v) for v in x.values()]
    with torch.inference_mode():
        here = inner_values(artefact.module, lambda: artefact.module(*rows))
    there = runner.inside(x)
    found = parity.first_divergence(here, there, 1e-3)
    assert found["module"] is None, found
    assert found["reason"].startswith("all inner values that can be compared agree")
    leaves = {
        p for p, m in artefact.module.named_modules() if not any(True for _ in m.children()) and sum(1 for _ in m.parameters())
    }
    told = {p for p in there if p in leaves}
    assert len(told) >= len([p for p in leaves if "norm" not in p.lower()]) // 2, (sorted(told), sorted(leaves))


def test_a_passed_check_looks_for_no_module_and_tells_of_narrow_decisions(plugins):
    artefact, x = network("mlp", {"width": 8}), x_of(IMAGE, 40)
    found = checked(artefact, opened(plugins, "ort_cpu", artefact, x), x)
    assert found["passed"]
    assert "first_divergence" not in found
    assert found["narrow_n"] == 32
    assert found["narrow_max_abs"] <= found["max_abs"] < 1e-4


def test_narrow_decisions_by_hand():
    rng = np.random.default_rng(0)
    here = rng.standard_normal((100, 3)).astype(np.float32)
    there = here + rng.normal(0, 0.01, here.shape).astype(np.float32)
    two = np.sort(here, axis=1)[:, 1:]
    order = np.argsort((two[:, 1] - two[:, 0]) / np.abs(here).max(axis=1))[:32]
    found = parity.compare(here, there, np.arange(100).astype(str))
    assert found["narrow_max_abs"] == pytest.approx(np.abs(here - there)[order].max())
    assert found["narrow_flips"] == (here.argmax(1) != there.argmax(1))[order].sum()


def test_the_tolerance_is_that_of_the_target(plugins):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 40)
    found = checked(artefact, opened(plugins, "torch_bf16", artefact, x), x)
    assert found["passed"]
    assert found["max_rel"] > parity.TOLERANCE
    assert found["tolerance"] == 0.1
    assert "bfloat16" in found["tolerance_reason"]
    runner = Runner(opened(plugins, "torch_bf16", artefact, x).predict)
    assert not checked(artefact, runner, x)["passed"]


@pytest.mark.parametrize("metric", ["export_flips", "export_max_difference"])
def test_a_failed_check_is_a_failure_that_names_the_node(plugins, monkeypatch, metric):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 40)
    break_node(monkeypatch, "/stages.1.0/conv2/")
    found = checked(artefact, opened(plugins, "ort_cpu", artefact, x), x)
    with pytest.raises(Failed, match=r"the first module that differs is stages\.1\.0\.conv2") as caught:
        open_metric(plugins, metric, {})({"parity": found})
    assert "\n" not in str(caught.value)


def test_what_is_not_known_is_said(plugins):
    artefact, x = network("mlp", {"width": 8}), x_of(IMAGE, 4)
    eager = parity.eager(artefact.module, x)

    def fails(_):
        raise Refusal("no such value")

    silent, broken = Runner(lambda x: eager + 1), Runner(lambda x: eager + 1, inside=fails)
    assert checked(artefact, silent, x)["first_divergence"]["reason"] == "this target does not show its inner values"
    assert "no such value" in checked(artefact, broken, x)["first_divergence"]["reason"]
    elsewhere = Runner(lambda x: eager + 1, inside=lambda x: {})
    assert "can be told" in checked(artefact, elsewhere, x)["first_divergence"]["reason"]


def test_first_divergence_by_hand():
    a = np.ones((2, 3), np.float32)
    here = {"conv": a, "norm": 2 * a, "act": 3 * a, "out": 4 * a}
    assert parity.first_divergence(here, {"conv": 2 * a, "act": 3 * a, "out": 4 * a}, 1e-3)["module"] is None  # norm folded in
    found = parity.first_divergence(here, {"conv": 5 * a, "act": 3 * a, "out": 9 * a}, 1e-3)
    assert found == {"module": "conv", "difference": 1.5}
    assert parity.first_divergence(here, {"act": 3 * a, "out": np.full((2, 3), np.nan)}, 1e-3)["difference"] == np.inf
    assert parity.first_divergence(here, {"conv": np.zeros((9, 9)), "act": a}, 1e-3)["module"] == "act"


def test_inner_values_are_kept_before_they_are_overwritten_and_repeated_modules_are_left_out():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.act, self.two = nn.Linear(3, 3), nn.ReLU(inplace=True), nn.LSTM(3, 2)

        def forward(self, x):
            y = self.act(self.one(x))
            return self.act(-y), self.two(x)

    torch.manual_seed(0)
    net, x = Net(), torch.randn(5, 3)
    with torch.no_grad():
        found = inner_values(net, lambda: net(x))
        np.testing.assert_array_equal(found["one"], net.one(x).numpy())
    assert list(found) == ["one"]
    assert (found["one"] < 0).any()
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ort_cpu", "openvino", "torch_export", "torch_bf16"])
@pytest.mark.parametrize("model", ["bert", "distilbert", "mobilebert"])
def test_no_module_of_a_faithful_transformer_is_named(plugins, model, name):
    sizes = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64}
    known = {p.name for p in plugins.get("model", model).params}
    shape = Shape("tokens", {"tokens": (16,)}, 2, (100,))
    artefact = network(model, {k: v for k, v in sizes.items() if k in known}, shape)
    x = {"tokens": np.random.default_rng(0).integers(1, 99, (5, 16))}
    runner = opened(plugins, name, artefact, x)
    with torch.inference_mode():
        here = inner_values(artefact.module, lambda: artefact.module(torch.from_numpy(x["tokens"])))
    found = parity.first_divergence(here, runner.inside(x), runner.facts.get("tolerance", 1e-3))
    assert found["module"] is None, found
    assert checked(artefact, runner, x)["passed"]


@pytest.mark.slow
def test_the_other_exporter_names_modules_too(plugins):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 5)
    there = opened(plugins, "ort_cpu", artefact, x, exporter="dynamo").inside(x)
    with torch.inference_mode():
        here = inner_values(artefact.module, lambda: artefact.module(torch.from_numpy(x["image"])))
    assert {"stem.1", "stages.0.0.norm1", "stages.0.0", "classifier"} <= set(there)  # a folded pair has the name of its norm
    assert parity.first_divergence(here, there, 1e-3)["module"] is None


def test_an_onnx_artefact_has_no_modules_to_name(plugins):
    from kdbench import to_onnx

    x = x_of(IMAGE, 3)
    data = to_onnx(network("mlp", {"width": 8}).module, x)
    artefact = Artefact("onnx", IMAGE, files={"model.onnx": data})
    assert opened(plugins, "ort_cpu", artefact, x).inside is None
    assert opened(plugins, "openvino", artefact, x).inside is None
