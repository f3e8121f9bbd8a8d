"""GPT-2 and Llama as plugins: causality, the cache, tied weights, ONNX at any length, and operations counted by hand."""

import numpy as np
import onnxruntime
import pytest
import torch

from kdbench.nets import build, export, flops, sizes
from kdbench.nets.taps import expand, forward
from kdbench.nouns import Refusal, Shape, Use

VOCABULARY, LENGTH = 61, 24
SHAPE = Shape("tokens", {"tokens": (LENGTH,)}, VOCABULARY, (VOCABULARY,), "next", 0)
SMALL = {"layers": 2, "hidden": 32, "heads": 4, "positions": 48}
MODELS = [("gpt2", SMALL), ("llama", {**SMALL, "groups": 2, "intermediate": 64})]


@pytest.fixture(params=[(*one, attention) for one in MODELS for attention in ("sdpa", "eager")], ids=lambda p: f"{p[0]}-{p[2]}")
def made(request, found):
    name, params, attention = request.param
    use = Use(name, {**params, "attention": attention})
    return build.build(found.load("model", name)[0], use, SHAPE, seed=1).eval()


@pytest.fixture
def tokens():
    return torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (3, LENGTH)))


def test_no_logit_sees_what_follows(made, tokens):
    """Padding on the right, or anything else there, changes no earlier logit; nor does its width."""
    with torch.no_grad():
        whole = made(tokens)
        padded = tokens.clone()
        padded[:, 10:] = 0
        assert torch.equal(made(padded)[:, :10], whole[:, :10])
        assert torch.allclose(made(tokens[:, :10]), whole[:, :10], atol=1e-5)
        assert not torch.allclose(made(padded)[:, 10:], whole[:, 10:], atol=1e-2)


def test_steps_with_a_cache_equal_one_pass(made, tokens):
    with torch.no_grad():
        whole, past = made(tokens), None
        last, past = made.step(tokens[:, :5])
        assert torch.allclose(last, whole[:, 4], atol=1e-5)
        last, past = made.step(tokens[:, 5:8], past)  # several at once
        assert torch.allclose(last, whole[:, 7], atol=1e-5)
        for at in range(8, LENGTH):
            last, past = made.step(tokens[:, at : at + 1], past)
            assert torch.allclose(last, whole[:, at], atol=1e-5)


def test_every_layer_is_a_tap(made, tokens, found):
    name = "gpt2" if hasattr(made.network, "transformer") else "llama"
    taps = expand(made, found.get("model", name).facts["taps"])
    values = forward(made, {"tokens": tokens}, taps).taps
    assert len(values) == 1 + SMALL["layers"]
    assert {tuple(value.shape) for value in values.values()} == {(3, LENGTH, SMALL["hidden"])}


def test_tied_weights_count_once_and_without_embeddings(found):
    """By hand. GPT-2: 12 d^2 + 13 d a layer, 2 d the last norm; Llama: q, o d^2, k, v d^2 / 2, three inner matrices, 2 norms."""
    d, inner = SMALL["hidden"], 64
    by_hand = {"gpt2": 2 * (12 * d * d + 13 * d) + 2 * d, "llama": 2 * (3 * d * d + 3 * d * inner + 2 * d) + d}
    for name, params in MODELS:
        counted = sizes.torch_sizes(build.build(found.load("model", name)[0], Use(name, params), SHAPE))
        tables = VOCABULARY * d + (SMALL["positions"] * d if name == "gpt2" else 0)
        assert counted["parameters"] == by_hand[name] + tables
        assert counted["embedding_parameters"] == tables
        assert counted["parameters_by_name"] == by_hand[name] + tables + VOCABULARY * d


def test_an_untied_head_is_a_matrix_of_its_own(found):
    plugin = found.load("model", "llama")[0]
    tied, untied = (
        sizes.torch_sizes(build.build(plugin, Use("llama", {**MODELS[1][1], "tied": tied}), SHAPE)) for tied in (True, False)
    )
    assert untied["parameters"] - tied["parameters"] == VOCABULARY * SMALL["hidden"]


@pytest.mark.parametrize(("name", "params"), MODELS)
def test_operations_against_a_count_by_hand(found, name, params):
    """2 x matrix weights x tokens, and 4 L^2 d a layer for attention; the head counts, look-ups and biases do not."""
    d, length = SMALL["hidden"], LENGTH
    layer = 12 * d * d if name == "gpt2" else 3 * d * d + 3 * d * 64
    by_hand = 2 * length * (2 * layer + VOCABULARY * d) + 2 * 4 * length**2 * d
    for attention in ("sdpa", "eager"):
        module = build.build(found.load("model", name)[0], Use(name, {**params, "attention": attention}), SHAPE)
        counted = flops.count(module, {"tokens": np.zeros((1, length), np.int64)})
        rotary = 2 * length * (d // 4 // 2) if name == "llama" else 0  # the angles are an outer product
        assert counted["flops"] - by_hand in (0, rotary)
        assert not counted["uncounted"]


@pytest.mark.parametrize(("name", "params"), MODELS)
def test_an_export_against_eager_at_several_lengths(found, name, params):
    module = build.build(found.load("model", name)[0], Use(name, params), SHAPE, seed=3).eval()
    rows = np.random.default_rng(1).integers(0, VOCABULARY, (2, LENGTH))
    session = onnxruntime.InferenceSession(export.to_onnx(module, {"tokens": rows}))
    for n, length in ((2, LENGTH), (1, 1), (5, 7), (3, 40)):
        given = np.random.default_rng(length).integers(0, VOCABULARY, (n, length))
        (said,) = session.run(None, {"tokens": given})
        with torch.no_grad():
            assert np.abs(said - module(torch.from_numpy(given)).numpy()).max() < 2e-6


def test_dropout_does_not_act_when_asked(made, tokens):
    with torch.no_grad():
        assert torch.equal(made(tokens), made(tokens))


def test_two_models_share_no_configuration(found):
    plugin = found.load("model", "gpt2")[0]
    eager = build.build(plugin, Use("gpt2", {**SMALL, "attention": "eager"}), SHAPE)
    other = build.build(plugin, Use("gpt2", SMALL), SHAPE)
    assert eager.network.config is not other.network.config
    assert (eager.network.config._attn_implementation, other.network.config._attn_implementation) == ("eager", "sdpa")


@pytest.mark.parametrize(("name", "params"), MODELS)
def test_refuses_rows_beyond_its_positions_and_numbers_that_do_not_fit(found, name, params):
    plugin = found.load("model", name)[0]
    with pytest.raises(Refusal, match=r"rows of 24 tokens, but 16 positions \(allowed: positions 24 or more\)"):
        build.build(plugin, Use(name, {**params, "positions": 16}), SHAPE)
    alone = {"groups": 0} if "groups" in params else {}
    with pytest.raises(Refusal, match="the library refuses these numbers: .*(divisible|multiple)"):
        build.build(plugin, Use(name, {**params, "heads": 5, **alone}), SHAPE)


def test_refuses_query_heads_that_cannot_share_their_groups(found):
    """The library would build it, and fail only at the first row."""
    with pytest.raises(Refusal, match=r"llama: 4 heads cannot share 3 groups \(allowed: a number that divides 4, or 0\)"):
        build.build(found.load("model", "llama")[0], Use("llama", {**SMALL, "groups": 3, "intermediate": 64}), SHAPE)
