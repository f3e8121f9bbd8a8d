"""Compressors: what they promise, through the store, against independent counts."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from kdbench import Refusal, masks
from kdbench.nets.flops import count
from kdbench.nouns import Artefact, Use
from kdbench.stages import artefacts, compress, samples, size
from kdbench.targets.ort_cpu import ort_cpu
from kdbench.targets.torch_cpu import torch_cpu

from .conftest import IMAGE, TABLE, network

NETS = {
    "resnet_cifar": ("resnet_cifar", {"depth": 8, "width": 8}, IMAGE),
    "wrn": ("wrn", {"depth": 10, "widen": 1}, IMAGE),
    "small_cnn": ("small_cnn", {"width": 8}, IMAGE),
    "mlp": ("mlp", {"width": 16}, IMAGE),
    "mlp of a table": ("mlp", {"width": 16}, TABLE),
    "table_resnet": ("table_resnet", {"width": 16}, TABLE),
}
ALL = ["magnitude_pruning", "channel_pruning", "channel_pruning_global", "dynamic_int8", "static_int8"]


def predict(artefact, x):
    return (torch_cpu if artefact.runtime == "torch" else ort_cpu)(artefact, x).predict(x)


def x_of(shape, n=16):
    """Model-ready rows of that shape."""
    rng = np.random.default_rng(0)
    floats = ("image", "numeric")
    return {
        name: rng.standard_normal((n, *size)).astype(np.float32) if name in floats else rng.integers(0, 4, (n, *size))
        for name, size in shape.inputs.items()
    }


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", ALL)
def test_contract_of_all_compressors(world, plugins, net, name):
    """Runs as a stage, keeps its input as it was, gives equal artefacts twice, and reads back with equal predictions."""
    model, params, shape = NETS[net]
    data, before = world.data(shape), network(model, params, shape)
    made = world.compress(name, {}, {"data": data, "artefact": world.artefact(before)})
    plugin, _ = plugins.load("compressor", name)
    asks = "examples" in plugins.get("compressor", name).evidence
    rows = (compress.examples(data, 256, 0),) if asks else ()
    frozen = [p.clone() for p in before.module.parameters()]
    direct = plugin(before, *rows)
    assert all(torch.equal(a, b) for a, b in zip(frozen, before.module.parameters(), strict=True))
    read = artefacts.read(made, plugins)
    assert read.runtime == plugin.facts["gives"]
    x = x_of(shape)
    np.testing.assert_array_equal(predict(read, x), predict(direct, x))
    assert read.files == direct.files


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.99])
def test_magnitude_pruning_equals_torch_prune(plugins, sparsity):
    before = network("small_cnn", {"width": 8})
    after = plugins.load("compressor", "magnitude_pruning")[0](before, sparsity=sparsity)
    judge = network("small_cnn", {"width": 8}).module
    weights = [(m, "weight") for m in judge.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=sparsity)
    pruned = [m for m in after.module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for (expected, _), found in zip(weights, pruned, strict=True):
        torch.testing.assert_close(found.weight.detach(), expected.weight.detach(), rtol=0, atol=0)
    total = sum(m.weight.numel() for m, _ in weights)
    zeros = sum(int((~kept).sum()) for kept in masks(after.edits).values())
    assert zeros == round(sparsity * total)
    assert after.facts["sparsity"] == pytest.approx(zeros / total)


def test_pruning_again_keeps_the_first_mask(plugins):
    again = plugins.load("compressor", "magnitude_pruning")[0]
    once = again(network("small_cnn", {"width": 8}), sparsity=0.5)
    twice = again(once, sparsity=0.8)
    first, both = masks(once.edits), masks(twice.edits)
    assert all(not both[name][~first[name]].any() for name in first)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("importance", ["l1", "l2"])
def test_channel_pruning_makes_a_really_smaller_network(plugins, net, importance):
    model, params, shape = NETS[net]
    before = network(model, params, shape)
    after = plugins.load("compressor", "channel_pruning")[0](before, ratio=0.5, importance=importance)
    x = x_of(shape)
    assert count(after.module, x)["flops"] < 0.55 * count(before.module, x)["flops"]
    assert sum(p.numel() for p in after.module.parameters()) < 0.6 * sum(p.numel() for p in before.module.parameters())
    assert predict(after, x).shape == (16, shape.classes)


def test_channel_pruning_gives_one_graph_for_every_seed_and_global_does_not(plugins):
    def shapes(name, seed):
        after = plugins.load("compressor", name)[0](network("resnet_cifar", {"depth": 8, "width": 16}, seed=seed))
        return [tuple(p.shape) for p in after.module.parameters()]

    assert shapes("channel_pruning", 0) == shapes("channel_pruning", 1) == shapes("channel_pruning", 2)
    assert len({tuple(shapes("channel_pruning_global", seed)) for seed in range(3)}) > 1
    assert plugins.get("compressor", "channel_pruning").facts["graph"] == "parameters"
    assert plugins.get("compressor", "channel_pruning_global").facts["graph"] == "weights"


def test_channel_pruning_removes_the_channels_with_the_smallest_norm(plugins):
    before = network("mlp", {"width": 8, "layers": 1})
    first, last = before.module.body.hidden[0][0], before.module.body.classifier
    norms = (first.weight**2).sum(1) + (last.weight**2).sum(0)
    after = plugins.load("compressor", "channel_pruning")[0](before, ratio=0.5)
    kept = next(array for name, array in after.edits[-1].arrays.items() if name.endswith("hidden.0.0.out"))
    assert set(kept) == set(norms.argsort(descending=True)[:4].tolist())


def test_masks_survive_channel_pruning(plugins):
    sparse = plugins.load("compressor", "magnitude_pruning")[0](network("small_cnn", {"width": 8}), sparsity=0.5)
    after = plugins.load("compressor", "channel_pruning")[0](sparse, ratio=0.25)
    parameters = dict(after.module.named_parameters())
    held = masks(after.edits)
    assert held
    for name, kept in held.items():
        assert kept.shape == tuple(parameters[name].shape)
        assert not parameters[name].detach().numpy()[~kept].any()


def test_channel_pruning_refuses_what_it_cannot_follow(plugins):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(16))
            self.a, self.b = nn.Linear(64, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.b(self.a(x.flatten(1)).view(-1, 2, 8).flip(1).reshape(-1, 16) * self.scale)

    with pytest.raises(Refusal, match="'odd'") as caught:
        plugins.load("compressor", "channel_pruning")[0](Artefact("torch", IMAGE, Use("odd"), Odd()))
    assert "\n" not in str(caught.value)
    with pytest.raises(Refusal, match="no channels to remove"):
        plugins.load("compressor", "channel_pruning")[0](network("linear", {}))


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_static_int8_stays_near_float_and_runs_in_int8(plugins, method, capsys):
    """Every convolution of a residual network: with int8 activations ONNX Runtime would run most of them in float."""
    before = network("resnet_cifar", {"depth": 8, "width": 8})
    x = x_of(IMAGE, 64)
    after = plugins.load("compressor", "static_int8")[0](before, x, method=method)
    runner = ort_cpu(after, x)
    expected, found = predict(before, x), runner.predict(x)
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    assert runner.facts["precision"] == "int8"
    convolutions = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in before.module.modules())
    assert runner.facts["int8_operators"] >= convolutions
    assert after.facts["int8_share"] == 1.0
    assert len(after.files["model.onnx"]) < 0.6 * sum(p.numel() * 4 for p in before.module.parameters())
    assert capsys.readouterr().out == ""


def test_the_calibration_methods_differ(plugins):
    """ONNX Runtime's default of entropy is the extremes by another name."""
    static, before, x = plugins.load("compressor", "static_int8")[0], network("small_cnn", {"width": 8}), x_of(IMAGE, 64)
    x["image"][0] *= 5  # an outlier
    assert len({static(before, x, method=m).files["model.onnx"] for m in ("minmax", "entropy", "percentile")}) == 3


def test_dynamic_int8_leaves_convolutions_unless_asked(plugins):
    dynamic, before = plugins.load("compressor", "dynamic_int8")[0], network("small_cnn", {"width": 8})

    def kinds_of(ops):
        return {n.op_type for n in onnx.load_from_string(dynamic(before, ops=ops).files["model.onnx"]).graph.node}

    kinds = {ops: kinds_of(ops) for ops in ("linear", "all")}
    assert "Conv" in kinds["linear"]
    assert "ConvInteger" not in kinds["linear"]
    assert "ConvInteger" in kinds["all"]
    assert dynamic(before).facts["int8_share"] < 0.2


def test_int8_accepts_an_onnx_artefact_and_refuses_a_quantised_one(plugins):
    from kdbench import to_onnx

    before = network("mlp", {"width": 16})
    exported = Artefact("onnx", IMAGE, None, files={"model.onnx": to_onnx(before.module, x_of(IMAGE))})
    dynamic = plugins.load("compressor", "dynamic_int8")[0]
    after = dynamic(exported)
    assert after.files == dynamic(before).files
    with pytest.raises(Refusal, match="quantised already"):
        dynamic(after)


def test_dynamic_int8_refuses_a_network_without_matrix_products(plugins):
    net = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())
    with pytest.raises(Refusal, match="nothing was quantised; this graph multiplies in Conv"):
        plugins.load("compressor", "dynamic_int8")[0](Artefact("torch", IMAGE, Use("x"), net))


def test_calibration_rows_come_from_train_by_the_seed_alone(world):
    data = world.data(n=120)
    train = {x.tobytes() for x in samples.read(data, "train").x["image"]}
    other = {x.tobytes() for split in ("validation", "test") for x in samples.read(data, split).x["image"]} - train
    drawn = {seed: compress.examples(data, 20, seed)["image"] for seed in (0, 1)}
    for rows in drawn.values():
        assert len(rows) == 20
        assert {x.tobytes() for x in rows} <= train - other
    np.testing.assert_array_equal(drawn[0], compress.examples(data, 20, 0)["image"])
    assert not np.array_equal(drawn[0], drawn[1])
    assert len(compress.examples(data, 10**6, 0)["image"]) == 60


def test_the_record_chains_costs_and_tells_of_too_few_rows(world):
    data, entry = world.data(), world.artefact(network("mlp", {"width": 8}))
    made = world.compress("static_int8", {}, {"data": data, "artefact": entry}, seed=3)
    record = made.json("record.json")
    assert record["examples"] == 45
    assert record["chain"]["examples"] == 145
    assert record["chain"]["teacher_passes"] == 10
    assert record["chain"]["cpu_seconds"] == pytest.approx(2.0 + record["cpu_seconds"])
    assert "256 calibration rows were asked for" in record["notes"][0]


def test_a_compressor_refuses_a_runtime_that_it_does_not_take(world):
    data = world.data()
    entry = world.artefact(Artefact("onnx", IMAGE, files={"model.onnx": b"x"}), tag="onnx")
    with pytest.raises(Refusal, match="magnitude_pruning compresses torch artefacts; this one is onnx"):
        world.compress("magnitude_pruning", {}, {"data": data, "artefact": entry})


def test_sizes_after_compression(world):
    """Zeros are no compression of parameters; channels are; int8 weights are a quarter of the bytes."""
    data, before = world.data(), network("mlp", {"width": 256})
    entry = world.artefact(before)
    sizes = {"float": size.measure(before)}
    for name in ("magnitude_pruning", "channel_pruning", "dynamic_int8"):
        made = world.compress(name, {}, {"data": data, "artefact": entry})
        sizes[name] = world.run(size, {"of": name}, {"data": data, "artefact": made}).json("size.json")
    assert sizes["magnitude_pruning"]["parameters"] == sizes["float"]["parameters"]
    assert sizes["magnitude_pruning"]["nonzeros"] < 0.12 * sizes["float"]["parameters"]
    assert sizes["channel_pruning"]["parameters"] < 0.4 * sizes["float"]["parameters"]
    assert sizes["dynamic_int8"]["parameters"] == sizes["float"]["parameters"]
    assert sizes["dynamic_int8"]["bytes"] < 0.3 * sizes["magnitude_pruning"]["bytes"]
    assert sizes["dynamic_int8"]["flops"] is None
    assert "int8" in sizes["dynamic_int8"]["flops_reason"]
