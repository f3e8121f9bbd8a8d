"""Truncated transformers: the library's own network without the other layers, written, read, and trained further."""

import copy

import pytest
import torch
from torch import nn

from kdbench.nets.edits import mask
from kdbench.nouns import Artefact, Job, Refusal, Shape, Use
from kdbench.stages import artefacts, networks

CLASSES = Shape("tokens", {"tokens": (6,)}, 3, (30,))
NEXT = Shape("tokens", {"tokens": (6,)}, 30, (30,), "next")
BERT = {"model_type": "bert", "num_hidden_layers": 4, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
GPT2 = {"model_type": "gpt2", "n_layer": 4, "n_embd": 16, "n_head": 2, "n_positions": 16}
NETWORKS = {
    "bert": (CLASSES, {"layers": 4, "hidden": 16, "heads": 2, "intermediate": 32}, "network.bert.encoder.layer"),
    "distilbert": (CLASSES, {"layers": 4, "hidden": 16, "heads": 2, "intermediate": 32}, "network.distilbert.transformer.layer"),
    "mobilebert": (
        CLASSES,
        {"layers": 4, "hidden": 32, "bottleneck": 16, "heads": 2, "intermediate": 32},
        "network.mobilebert.encoder.layer",
    ),
    "gpt2": (NEXT, {"layers": 4, "hidden": 16, "heads": 2, "positions": 16}, "network.transformer.h"),
    "llama": (NEXT, {"layers": 4, "hidden": 16, "heads": 2, "groups": 0, "intermediate": 32}, "network.model.layers"),
    "pretrained bert": (CLASSES, {"config": BERT}, "network.bert.encoder.layer"),
    "pretrained gpt2": (NEXT, {"config": GPT2}, "network.transformer.h"),
}
TOKENS = torch.tensor([[5, 7, 3, 9, 21, 4], [8, 1, 6, 0, 0, 0]])


@pytest.fixture
def keep(found):
    return found.load("compressor", "keep_layers")[0]


def made(found, name):
    shape, params, stack = NETWORKS[name]
    model = Use(name.split()[0], params)
    module = networks.rebuild(found, model, shape, seed=4)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(3 if weight.ndim == 2 else 1)  # fresh layers are so small that one more would hardly show
    return Artefact("torch", shape, model, module), stack


@pytest.mark.parametrize("name", NETWORKS)
def test_a_truncated_network_is_the_librarys_without_the_other_layers(where, found, keep, name):
    whole, stack = made(found, name)
    short = keep(whole, layers=[0, 3])
    judge = copy.deepcopy(whole.module)
    parent, _, last = stack.rpartition(".")
    layers = judge.get_submodule(stack)
    setattr(judge.get_submodule(parent), last, nn.ModuleList([layers[0], layers[3]]))
    job = Job("compress", {"hand": name})
    with where.store.write(job) as draft:
        artefacts.write(draft, short, {})
    again = artefacts.read(where.store.open(job.key), found)
    with torch.no_grad():
        wanted = judge(TOKENS) if NETWORKS[name][0] is CLASSES else judge.network(TOKENS, use_cache=False).logits
        assert torch.equal(short.module.eval()(TOKENS), again.module(TOKENS))
        assert torch.allclose(again.module(TOKENS), wanted, atol=1e-5)
        assert len(whole.module.get_submodule(stack)) == 4, "the network that was given stays whole"
        assert not torch.allclose(whole.module(TOKENS), wanted, atol=1e-4)
    assert again.facts["kept_layers"] == [0, 3]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_truncated_language_model_writes_with_its_cache(found, keep, name):
    """A cache finds layers by `layer_idx`; left as it was, `generate` dies of an index out of range."""
    network = keep(made(found, name)[0], layers=[1, 3]).module.eval().network
    with torch.no_grad():
        given = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "pad_token_id": 0}
        asked = {"input_ids": TOKENS[:1], "attention_mask": torch.ones(1, 6, dtype=torch.int64)}
        assert torch.equal(network.generate(**asked, **given), network.generate(**asked, **given, use_cache=False))


@pytest.mark.parametrize(("layers", "text"), [
    ([0, 4], "no layer 4; the network has 4 .allowed: 0 to 3"),
    ([-1], "no layer -1; the network has 4"),
    ([], r"layers \[\] .allowed: one or more, each once, in ascending order"),
    ([2, 1], r"layers \[2, 1\] .allowed"),
    ([1, 1], r"layers \[1, 1\] .allowed"),
])  # fmt: skip
def test_layers_that_cannot_be_kept_are_refused(found, keep, layers, text):
    with pytest.raises(Refusal, match=f"keep_layers: {text}"):
        keep(made(found, "bert")[0], layers=layers)


def test_a_network_without_layers_is_refused(found, keep):
    module = networks.rebuild(found, Use("bag_of_embeddings"), CLASSES)
    with pytest.raises(Refusal, match="needs a network with one stack of layers; found none"):
        keep(Artefact("torch", CLASSES, Use("bag_of_embeddings"), module), layers=[0])


def test_masks_of_pruned_layers_move_with_them(where, found, keep):
    whole, stack = made(found, "bert")
    names = [f"{stack}.{i}.output.dense.weight" for i in (1, 3)]
    state = whole.module.state_dict()
    kept = {name: state[name].numpy() > 0 for name in (*names, "network.classifier.weight")}
    short = keep(Artefact("torch", CLASSES, whole.model, whole.module, (mask(kept),)), layers=[0, 3])
    assert set(short.edits[0].arrays) == {f"{stack}.1.output.dense.weight", "network.classifier.weight"}
    assert (short.edits[0].arrays[f"{stack}.1.output.dense.weight"] == kept[names[1]]).all()
