"""The stage that stores features: judged by hooks of its own on a plain forward pass."""

import numpy as np
import pytest
import torch

from kdbench import Artefact, Refusal
from kdbench.nouns import Use
from kdbench.stages import features, samples

from .conftest import IMAGE, TABLE, network

NETS = [
    ("resnet_cifar", {"depth": 8, "width": 4}, IMAGE, ["stem", "stages.0", "stages.1", "stages.2", "pooled"]),
    ("wrn", {"depth": 10, "widen": 1}, IMAGE, ["stem", "stages.0", "stages.1", "stages.2", "pooled"]),
    ("small_cnn", {"width": 4}, IMAGE, ["blocks.0", "blocks.1", "blocks.2", "pooled"]),
    ("mlp", {"width": 5, "layers": 2, "dropout": 0.5}, TABLE, ["body.hidden.0", "body.hidden.1"]),
    ("table_resnet", {"width": 6, "blocks": 2}, TABLE, ["first", "blocks.0", "blocks.1"]),
]


def by_hooks(module, x, names):
    """The mean over positions of what each submodule gave, copied at once, on all rows in one pass."""
    seen = {}
    places = dict(module.named_modules())
    handles = [
        places[name].register_forward_hook(lambda m, given, out, name=name: seen.__setitem__(name, out.detach().clone().numpy()))
        for name in names
    ]
    module.eval()
    with torch.no_grad():
        module(*(torch.from_numpy(np.array(v)) for v in x.values()))
    for handle in handles:
        handle.remove()
    return {name: v.astype(np.float64).reshape(*v.shape[:2], -1).mean(axis=2) for name, v in seen.items()}


@pytest.mark.parametrize(("name", "params", "shape", "taps"), NETS, ids=[net[0] for net in NETS])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_taps_equal_a_forward_pass_with_hooks(world, name, params, shape, taps, split):
    data, artefact = world.data(shape), network(name, params, shape)
    made = world.run(features, {"split": split}, {"data": data, "artefact": world.artefact(artefact)})
    rows, facts = samples.read(data, split), made.json("features.json")
    judge = by_hooks(artefact.module, rows.x, taps)
    assert (facts["names"], facts["n"], facts["split"]) == (taps, len(rows.y), split)
    assert made.array("ids.npy").tolist() == rows.ids.tolist()
    for i, tap in enumerate(taps):
        found = np.asarray(made.array(f"tap.{i}.npy"))
        assert (found.dtype, found.shape) == (np.float32, judge[tap].shape)
        np.testing.assert_allclose(found, judge[tap], atol=1e-5)
        assert np.ptp(judge[tap], axis=0).max() > 1e-3


def test_what_was_averaged_is_written_down(world):
    made = world.run(
        features, {"split": "test"}, {"data": world.data(), "artefact": world.artefact(network("small_cnn", {"width": 4}))}
    )
    assert made.json("features.json")["pooled"][0] == [4, 8, 8]
    assert made.json("features.json")["pooled"][-1] == [16]
    assert made.names() == ("features.json", "ids.npy", "tap.0.npy", "tap.1.npy", "tap.2.npy", "tap.3.npy")


def test_features_do_not_depend_on_the_batch_they_came_in(world, monkeypatch):
    """reliability #58 and #59: batch norm on batch statistics, or a last batch that is filled up."""
    inputs = {"data": world.data(), "artefact": world.artefact(network("resnet_cifar", {"depth": 8, "width": 4}))}
    whole = world.run(features, {"split": "test"}, inputs)
    for size in (1, 7):
        monkeypatch.setattr(features, "BATCH", size)
        other = world.run(features, {"split": "test", "batch": size}, inputs)
        for i in range(5):
            np.testing.assert_allclose(other.array(f"tap.{i}.npy"), whole.array(f"tap.{i}.npy"), atol=1e-5)


def test_dropout_is_off_and_the_same_job_gives_the_same_bytes(world):
    data, entry = world.data(TABLE), world.artefact(network("mlp", {"dropout": 0.9, "width": 8}, TABLE))
    both = [world.run(features, {"split": "test", "again": i}, {"data": data, "artefact": entry}) for i in range(2)]
    for name in both[0].names():
        assert both[0].bytes(name) == both[1].bytes(name)
    assert (np.asarray(both[0].array("tap.0.npy")) > 0).mean() > 0.2


@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 5), (3, 5, 2, 2), (3, 5, 2, 2, 2)])
def test_pooling_equals_numpy(shape):
    value = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    over = {2: (), 3: (1,), 4: (2, 3), 5: (2, 3, 4)}[len(shape)]
    found = features.pooled(torch.from_numpy(value))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, value.astype(np.float64).mean(axis=over), rtol=1e-6)


def test_tokens_are_averaged_where_the_mask_holds():
    value = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    value[1, 2:] = np.nan  # padding
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    found = features.pooled(torch.from_numpy(value), mask).numpy()
    np.testing.assert_allclose(found, [value[0].mean(axis=0), value[1, :2].mean(axis=0)], rtol=1e-6)
    with pytest.raises(Refusal, match="expected .rows, channels"):
        features.pooled(torch.zeros(3))


def test_what_has_no_features_is_refused(world):
    data, artefact = world.data(), network("resnet_cifar", {"depth": 8, "width": 4})
    int8 = world.compress("static_int8", {"calibration": 8}, {"data": data, "artefact": world.artefact(artefact)})
    plain = world.artefact(network("linear", {}), tag="linear")
    for entry, text in ((int8, "a onnx artefact has no taps"), (plain, "the model 'linear' declares no taps")):
        with pytest.raises(Refusal, match=text):
            world.run(features, {"split": "test", "of": text}, {"data": data, "artefact": entry})
    with pytest.raises(Refusal, match="the model is for image .* the data are table"):
        world.run(features, {"split": "test", "of": 1}, {"data": world.data(TABLE), "artefact": world.artefact(artefact)})
    with pytest.raises(Refusal, match="the validation split is empty"):
        world.run(features, {"split": "validation", "of": 2}, {"data": world.data(n=4), "artefact": world.artefact(artefact)})


def test_features_that_are_not_finite_fail_the_job(world):
    """reliability #67 for features: a number is never made of them."""
    made = network("mlp", {"width": 4, "layers": 1}, TABLE)
    with torch.no_grad():
        made.module.body.hidden[0][0].weight.fill_(3e38)
    entry = world.artefact(Artefact("torch", TABLE, Use("mlp", dict(made.model.params)), made.module), tag="huge")
    with pytest.raises(Refusal, match=r"invalid output: the features of 'body.hidden.0' are not finite on \d+ of \d+ rows"):
        world.run(features, {"split": "test"}, {"data": world.data(TABLE), "artefact": entry})
