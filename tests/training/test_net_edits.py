"""Edits: a cut network computes what the whole one computes with those channels silent; masks follow the cuts."""

import numpy as np
import pytest
import torch
from torch import nn

from kdbench import Refusal, channels, mask, masks
from kdbench.nets.build import build
from kdbench.nets.edits import apply_edit
from kdbench.nets.taps import expand, forward
from kdbench.nouns import Edit, Shape, Use

IMAGE = Shape("image", {"image": (1, 8, 8)}, 10)


def resnet(plugins):
    return build(plugins.load("model", "resnet_cifar")[0], Use("resnet_cifar", {"depth": 8, "width": 6}), IMAGE).eval()


def test_cut_channels_equal_silent_channels(plugins):
    """The inner channels of a block whose batch norm gives zero can be cut without changing any logit."""
    net, cut = resnet(plugins), resnet(plugins)
    keep = np.array([0, 1, 3, 5])
    for module in (net, cut):
        silent = [i for i in range(6) if i not in keep]
        with torch.no_grad():
            module.stages[0][0].norm1.weight[silent] = 0.0
    apply_edit(
        cut, channels({"stages.0.0.conv1": {"out": keep}, "stages.0.0.norm1": {"out": keep}, "stages.0.0.conv2": {"in": keep}})
    )
    x = torch.randn(4, 1, 8, 8)
    assert torch.allclose(net(x), cut(x), atol=1e-6)
    block = cut.stages[0][0]
    assert (block.conv1.out_channels, block.norm1.num_features, block.conv2.in_channels) == (4, 4, 4)
    assert block.norm1.running_mean.shape == (4,)
    assert len(block.conv2.weight.untyped_storage()) == 4 * block.conv2.weight.numel()


def test_linear_and_depthwise_and_layer_norm_are_cut():
    keep = np.array([1, 2, 5])
    net = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Flatten(), nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 2))
    apply_edit(net, channels({"0": {"out": keep}, "2": {"in": keep, "out": keep}, "3": {"out": keep}, "4": {"in": keep}}))
    assert net(torch.zeros(2, 3, 1, 1)).shape == (2, 2)
    assert (net[0].groups, net[0].in_channels, net[2].in_features, net[2].out_features, net[3].normalized_shape) == (
        3,
        3,
        3,
        3,
        (3,),
    )


def test_masks_hold_and_follow_later_cuts(plugins):
    net = resnet(plugins)
    rng = np.random.default_rng(0)
    name = "stages.0.0.conv2.weight"
    first, second = (rng.random((6, 6, 3, 3)) > 0.5 for _ in range(2))
    keep = np.array([0, 4])
    edits = [mask({name: first}), mask({name: second}), channels({"stages.0.0.conv2": {"in": keep}})]
    for edit in edits[:2]:
        apply_edit(net, edit)
    assert (net.state_dict()[name].numpy()[~(first & second)] == 0).all()
    held = masks(edits)
    assert (held[name] == (first & second)[:, keep]).all()


@pytest.mark.parametrize(("edit", "text"), [
    (Edit("rank"), "unknown edit 'rank' .allowed: channels, mask"),
    (mask({"nothing": np.ones(3, bool)}), "no such parameter"),
    (mask({"classifier.bias": np.ones(3, bool)}), "the network has .10,."),
    (channels({"stem.0": {"out": np.array([99])}}), "keeps a channel that the network does not have"),
    (channels({"stem.9": {"out": np.array([0])}}), "no such module"),
    (channels({"stages": {"out": np.array([0])}}), "cannot cut a Sequential"),
])  # fmt: skip
def test_edits_that_do_not_fit_are_refused(plugins, edit, text):
    with pytest.raises(Refusal, match=text):
        apply_edit(resnet(plugins), edit)


@pytest.mark.parametrize("index", [[], [1, 1], [-1, 2]])
def test_channels_must_be_distinct_and_some(index):
    with pytest.raises(Refusal, match="distinct channel numbers"):
        channels({"a": {"out": np.array(index)}})


def test_taps_are_expanded_in_order_and_leave_no_hooks(plugins):
    net = resnet(plugins)
    x = torch.randn(2, 1, 8, 8)
    assert expand(net, ("stem", "stages.*")) == ("stem", "stages.0", "stages.1", "stages.2")
    given = forward(net, {"image": x}, ("stages.*", "stem"))
    assert list(given.taps) == ["stages.0", "stages.1", "stages.2", "stem"]
    assert torch.equal(given.taps["stem"], net.stem(x))
    assert torch.equal(given.logits, net(x))
    assert not any(module._forward_hooks for module in net.modules())
    with pytest.raises(Refusal, match="has no submodule 'stagess'"):
        forward(net, {"image": x}, ("stagess.*",))
