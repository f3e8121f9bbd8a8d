"""Pruning of networks for texts: which of their weights are zero afterwards, and what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from kdbench import Refusal, masks
from kdbench.nouns import Job, Shape
from kdbench.stages import artefacts

from .conftest import network

NEXT = Shape("tokens", {"tokens": (8,)}, 30, (30,), "next")
SIZES = {"layers": 2, "hidden": 16, "heads": 2}
NETS = {
    "gpt2": ({**SIZES, "positions": 12}, NEXT, 2 * 12 * 16 * 16),
    "llama": ({**SIZES, "positions": 12, "intermediate": 24, "groups": 0}, NEXT, 2 * (4 * 16 * 16 + 3 * 16 * 24)),
    "bert": (
        {**SIZES, "positions": 12, "intermediate": 24},
        Shape("tokens", {"tokens": (8,)}, 3, (30,)),
        2 * (4 * 16 * 16 + 2 * 16 * 24) + 16 * 16 + 16 * 3,
    ),
    "t5": (
        {**SIZES, "decoder_layers": 2, "head": 8, "intermediate": 24},
        Shape("tokens", {"tokens": (8,), "prefix": (6,)}, 30, (30,), "text"),
        2 * (4 * 16 * 16 + 2 * 16 * 24) + 2 * (8 * 16 * 16 + 2 * 16 * 24),
    ),
}


def tables(module):
    return [m.weight for m in module.modules() if isinstance(m, nn.Embedding)]


@pytest.mark.parametrize("name", NETS)
def test_magnitude_pruning_reaches_its_sparsity_and_leaves_embeddings_alone(plugins, name):
    """The layers of GPT-2 are no nn.Linear, and its output layer is its embedding."""
    params, shape, inside = NETS[name]
    before = network(name, params, shape)
    after = plugins.load("compressor", "magnitude_pruning")[0](before, sparsity=0.75)
    own = {id(value) for value in tables(after.module)}
    shared = isinstance(getattr(after.module.network, "lm_head", None), nn.Linear)
    head = after.module.network.lm_head.weight if shared else None
    expected = inside + (head.numel() if head is not None and id(head) not in own else 0)
    assert after.facts["prunable"] == expected
    held = dict(after.module.named_parameters())
    zeros = sum(int((~kept).sum()) for kept in masks(after.edits).values())
    assert zeros == round(0.75 * expected) == sum(int((held[name] == 0).sum()) for name in masks(after.edits))
    assert all(torch.equal(a, b) for a, b in zip(tables(before.module), tables(after.module), strict=True))


def test_the_masks_of_gpt2_are_replayed(world, plugins):
    params, shape, _ = NETS["gpt2"]
    after = plugins.load("compressor", "magnitude_pruning")[0](network("gpt2", params, shape), sparsity=0.5)
    job = Job("compress", {"made": "for a test"})
    with world.place.store.write(job) as draft:
        artefacts.write(draft, after, {})
    again = artefacts.read(world.place.store.open(job.key), plugins)
    tokens = torch.randint(0, 30, (2, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again.module(tokens), after.module(tokens))


def test_a_network_of_embeddings_alone_is_refused(plugins):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.head = nn.Embedding(30, 8), nn.Linear(8, 30, bias=False)
            self.head.weight = self.words.weight

    before = network("gpt2", NETS["gpt2"][0], NEXT)
    with pytest.raises(Refusal, match="nothing to prune; the network has no convolution or linear layer of its own"):
        plugins.load("compressor", "magnitude_pruning")[0](replace(before, module=Tied()))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("compressor", ["channel_pruning", "channel_pruning_global"])
def test_channels_of_these_networks_are_not_cut_in_part(plugins, name, compressor):
    params, shape, _ = NETS[name]
    with pytest.raises(Refusal, match=f"channel pruning.*'{name}'") as caught:
        plugins.load("compressor", compressor)[0](network(name, params, shape))
    assert "\n" not in str(caught.value)
    assert "its only layer" not in str(caught.value)
