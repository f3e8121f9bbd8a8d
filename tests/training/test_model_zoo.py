"""Architectures against published parameter counts, and a contract over all models."""

import pickle

import numpy as np
import pytest
import torch

from kdbench.nets.build import build, example, feature_shapes
from kdbench.nets.taps import expand, forward
from kdbench.nouns import Refusal, Shape, Use
from kdbench.registry import discover

IMAGE = Shape("image", {"image": (1, 8, 8)}, 10)
CIFAR = Shape("image", {"image": (3, 32, 32)}, 10)
TOKENS = Shape("tokens", {"tokens": (6,)}, 3)
AUDIO = Shape("audio", {"audio": (40, 100)}, 3)
TABLE = Shape("table", {"numeric": (3,), "categorical": (2,)}, 2, (4, 6))
NEXT = Shape("tokens", {"tokens": (6,)}, 30, (30,), "next")
WRITTEN = {
    "tokens": Shape("tokens", {"tokens": (6,), "prefix": (4,)}, 30, (30,), "text"),
    "audio": Shape("audio", {"audio": (40, 100), "prefix": (4,)}, 30, (30,), "text"),
}
SMALL = {
    "resnet_cifar": {"depth": 8, "width": 4},
    "wrn": {"depth": 10, "widen": 1},
    "bert": {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32, "vocabulary": 30, "positions": 8},
    "distilbert": {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32, "vocabulary": 30, "positions": 8},
    "mobilebert": {"layers": 2, "hidden": 32, "bottleneck": 16, "heads": 2, "intermediate": 32, "vocabulary": 30, "positions": 8},
    "transformers_image": {"options": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}},
    "gpt2": {"layers": 2, "hidden": 16, "heads": 2, "positions": 8},
    "pretrained tokens": {
        "config": {
            "model_type": "electra",
            "embedding_size": 8,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 8,
        }
    },
    "pretrained audio": {
        "config": {
            "model_type": "whisper",
            "vocab_size": 30,
            "num_mel_bins": 40,
            "d_model": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "max_source_positions": 50,
            "max_target_positions": 8,
            "pad_token_id": 0,
        }
    },
    "pretrained image": {"config": {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}},
}
MODELS = [(name, kind) for name in discover().names("model") for kind in discover().get("model", name).facts["kinds"]]


def make(plugins, name, shape, seed=0, **params):
    return build(plugins.load("model", name)[0], Use(name, params), shape, seed=seed).eval()


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("depth", "published"), [(20, 269_722), (32, 464_154), (56, 853_018)])
def test_resnet_without_projections_has_the_published_parameters(plugins, depth, published):
    """akamaster/pytorch_resnet_cifar10 (option A, no parameters in the shortcuts), whose counts agree with He et al. table 6."""
    net = make(plugins, "resnet_cifar", CIFAR, depth=depth, width=16)
    shortcuts = sum(p.numel() for name, p in net.named_parameters() if "shortcut" in name)
    assert count(net) - shortcuts == published


@pytest.mark.parametrize(("depth", "widen", "millions"), [(16, 2, 0.7), (40, 1, 0.6), (40, 4, 8.9)])
def test_wrn_has_the_published_parameters(plugins, depth, widen, millions):
    """Zagoruyko & Komodakis 2016, tables 3 and 4 (millions, one decimal)."""
    assert round(count(make(plugins, "wrn", CIFAR, depth=depth, widen=widen)) / 1e6, 1) == millions


def test_resnet_stages_halve_the_map(plugins):
    shapes = feature_shapes(make(plugins, "resnet_cifar", IMAGE, depth=8, width=8), IMAGE, ("stem", "stages.*", "pooled"))
    maps = {"stem": (8, 8, 8), "stages.0": (8, 8, 8), "stages.1": (16, 4, 4), "stages.2": (32, 2, 2)}
    assert shapes == {"logits": (10,), **maps, "pooled": (32,)}


def test_linear_equals_numpy_on_a_table(plugins):
    net = make(plugins, "linear", TABLE)
    rng = np.random.default_rng(0)
    numeric, codes = rng.normal(size=(5, 3)).astype(np.float32), rng.integers(0, 4, (5, 2))
    table = net.categories.table.weight.detach().numpy()
    expected = numeric @ net.numeric.weight.detach().numpy().T + net.numeric.bias.detach().numpy()
    expected = expected + table[codes[:, 0]] + table[4 + codes[:, 1]]
    assert net(torch.from_numpy(numeric), torch.from_numpy(codes)).detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_a_category_never_seen_in_train_adds_nothing(plugins):
    net = make(plugins, "linear", TABLE)
    numeric = torch.randn(1, 3)
    unseen = net(numeric, torch.zeros(1, 2, dtype=torch.int64))
    assert torch.equal(unseen, net.numeric(numeric))


def test_transformers_needs_no_torchvision_and_refuses_what_the_library_ignores(plugins):
    make(plugins, "transformers_image", IMAGE, **SMALL["transformers_image"])
    with pytest.raises(Refusal, match="no option 'hidden_sise'; did you mean 'hidden_sizes'"):
        make(plugins, "transformers_image", IMAGE, options={"hidden_sise": 3})
    with pytest.raises(Refusal, match="no image classifier of type 'resnett'; did you mean 'resnet'"):
        make(plugins, "transformers_image", IMAGE, config_type="resnett")


def test_transformers_vit_takes_the_size_of_the_data_and_taps_its_hidden_states(plugins):
    options = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "patch_size": 4}
    net = make(plugins, "transformers_image", CIFAR, config_type="vit", options=options)
    shapes = feature_shapes(net, CIFAR, ("hidden.*",))
    assert shapes == {"logits": (10,), "hidden.0": (65, 8), "hidden.1": (65, 8), "hidden.2": (65, 8)}


def test_a_transformers_network_that_has_answered_can_still_be_copied_to_another_process(plugins):
    options = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "patch_size": 4}
    net = make(plugins, "transformers_image", CIFAR, config_type="vit", options=options)
    x = torch.randn(2, 3, 32, 32)
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(net(x), again(x))
    assert torch.equal(net(x), forward(net, {"image": x}, ("hidden.*",)).logits)


@pytest.mark.parametrize("name", ["bert", "distilbert", "mobilebert"])
def test_text_classifiers_do_not_see_padding_whatever_the_kernel(plugins, name):
    """The judges: the same row alone and shorter; the library's own plain mask; the other attention with the same weights."""
    net = make(plugins, name, TOKENS, **SMALL[name])
    eager = make(plugins, name, TOKENS, attention="eager", **SMALL[name])
    eager.load_state_dict(net.state_dict())
    tokens = torch.tensor([[5, 7, 3, 9, 2, 4], [8, 1, 6, 0, 0, 0]])
    with torch.no_grad():
        logits = net(tokens)
        assert torch.allclose(logits[1:], net(tokens[1:, :3]), atol=1e-6)
        assert torch.allclose(logits, net.network(tokens, attention_mask=(tokens != 0).long()).logits, atol=1e-6)
        assert torch.allclose(logits, eager(tokens), atol=1e-6)
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(again(tokens), net(tokens))


def test_text_classifiers_refuse_what_cannot_be(plugins):
    with pytest.raises(Refusal, match=r"bert: rows of 6 tokens, but 4 positions \(allowed: positions 6 or more\)"):
        make(plugins, "bert", TOKENS, **{**SMALL["bert"], "positions": 4})
    with pytest.raises(Refusal, match="bert: the library refuses these numbers: The hidden size .16. is not a multiple"):
        make(plugins, "bert", TOKENS, **{**SMALL["bert"], "heads": 3})
    with pytest.raises(Refusal, match="model 'bert' takes tokens data, not image"):
        make(plugins, "bert", IMAGE)


@pytest.mark.parametrize(("name", "bad", "text"), [
    ("resnet_cifar", {"depth": 9}, "depth must be 6n [+] 2"),
    ("wrn", {"depth": 12}, "depth must be 6n [+] 4"),
])  # fmt: skip
def test_impossible_depths_are_refused(plugins, name, bad, text):
    with pytest.raises(Refusal, match=text):
        make(plugins, name, IMAGE, **bad)


def test_a_model_for_tables_refuses_images(plugins):
    with pytest.raises(Refusal, match="takes table data, not image"):
        make(plugins, "table_resnet", IMAGE)


@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_every_model_keeps_the_contract(plugins, name, kind):
    """Logits for each class; taps run; the seed alone decides the weights; an example's logits do not depend on its batch."""
    shape = {"image": IMAGE, "table": TABLE, "tokens": TOKENS, "audio": AUDIO}[kind]
    answers = plugins.get("model", name).facts.get("answers", ("class",))
    if "class" not in answers or (name, kind) == ("pretrained", "audio"):
        shape = NEXT if "next" in answers else WRITTEN[kind]
    params = SMALL.get(f"{name} {kind}", SMALL.get(name, {}))
    net = make(plugins, name, shape, 7, **params)
    state = torch.random.get_rng_state()
    same, other = make(plugins, name, shape, 7, **params), make(plugins, name, shape, 8, **params)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), same.state_dict().values(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    x = {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in example(shape, 6).items()}
    taps = expand(net, plugins.get("model", name).facts.get("taps", ()))
    given = forward(net, x, taps)
    places = () if shape.answer == "class" else tuple(shape.inputs.values())[-1]
    assert given.logits.shape == (6, *places, shape.classes)
    assert tuple(given.taps) == taps
    assert all(v.shape[0] == 6 for v in given.taps.values())
    alone = forward(net, {k: v[2:3] for k, v in x.items()})
    assert torch.allclose(alone.logits, given.logits[2:3], atol=1e-5)
    assert torch.equal(given.logits, forward(net, x).logits)
