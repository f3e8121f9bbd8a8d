"""A language model as it writes: the next token after a remembered row, timed alone, and what it remembers."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from kdbench.nets.sizes import cache_bytes
from kdbench.nouns import Artefact, Measure, Refusal, Shape, Use
from kdbench.stages import Place, latency, networks, running

SHAPE = Shape("tokens", {"tokens": (64,)}, 97, (97,), "next")
SMALL = {"layers": 2, "hidden": 32, "heads": 2, "positions": 64}


@pytest.fixture
def place(plugins, tmp_path):
    from kdbench.store import Store

    return Place(plugins, Store(tmp_path))


@pytest.fixture
def speaks(place):
    def make(name="gpt2", target="torch_cpu", **params):
        given = {p.name: p.default for p in place.plugins.get("model", name).params} | SMALL | params
        module = networks.rebuild(place.plugins, Use(name, given), SHAPE, seed=3)
        artefact = Artefact("torch", SHAPE, Use(name, given), module)
        return artefact, running.open_runner(artefact, {"name": target, "params": {"threads": 1}}, place, rows(2))

    return make


def rows(n, length=40):
    return {"tokens": np.random.default_rng(0).integers(1, 97, (n, length))}


@pytest.mark.parametrize(("name", "params"), [("gpt2", {}), ("llama", {"groups": 1})])
def test_the_next_token_from_memory_is_that_of_the_whole_row(speaks, name, params):
    _, runner = speaks(name, **params)
    for length in (1, 2, 17, 40):
        x = rows(5, length)
        np.testing.assert_allclose(runner.decoder.predict(x), runner.predict(x)[:, -1], atol=2e-5)


def test_a_decoded_token_is_timed_without_the_row_before_it(speaks):
    _, big = speaks(layers=4, hidden=256)
    _, small = speaks()
    x = rows(20, 63)
    ask = running.Ask(decode=63, pairs=12, seconds=2.0)
    made = latency.time_pair(big.decoder, small.decoder, x, ask)
    assert all(made.facts["checks"][name]["passed"] for name in ("answers", "repeatable", "batch")), made.facts["checks"]
    assert made.facts["tokens"] == 1
    whole = latency.time_pair(big, small, x, running.Ask(pairs=12, seconds=2.0))
    assert np.median(made.arrays["best_reference"]) < np.median(whole.arrays["best_reference"])
    assert whole.facts["tokens"] == 63


def test_a_model_that_remembers_nothing_is_refused(speaks):
    _, runner = speaks(target="ort_cpu")
    with pytest.raises(Refusal, match="no cache"):
        latency._decoder(runner)


def test_rows_beyond_the_positions_of_a_model_are_refused_by_their_length(speaks):
    """Its own error is an index somewhere inside."""
    _, runner = speaks(positions=64)
    for one in (runner, runner.decoder):
        with pytest.raises(Refusal, match="^rows of 90 tokens: the model fails on them"):
            latency.time_pair(one, one, rows(4, 90), running.Ask(pairs=2, seconds=0.1))


@pytest.mark.parametrize(("layers", "hidden"), [(2, 32), (3, 64)])
def test_the_cache_is_two_numbers_a_layer_and_channel_by_hand(speaks, layers, hidden):
    artefact, _ = speaks(layers=layers, hidden=hidden)
    assert cache_bytes(artefact.module) == 2 * layers * hidden * 4
    assert cache_bytes(torch.nn.Linear(2, 2)) is None


def test_the_cache_agrees_with_transformers(speaks):
    judge = GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=97, n_positions=64))
    past = judge(torch.zeros((1, 10), dtype=torch.int64), use_cache=True).past_key_values
    held = sum(t.numel() * t.element_size() for layer in past.layers for t in (layer.keys, layer.values))
    assert cache_bytes(speaks()[0].module) == held / 10


def test_rows_grow_without_what_fills_them_up():
    x = {"tokens": np.array([[5, 6, 7, 0, 0], [8, 0, 0, 0, 0], [1, 2, 3, 4, 9]])}
    grown = running.of_length(x, 7, 0)["tokens"]
    assert grown.tolist() == [[5, 6, 7, 5, 6, 7, 5], [8] * 7, [1, 2, 3, 4, 9, 1, 2]]
    assert running.of_length(x, 2, 0)["tokens"].tolist() == [[5, 6], [8, 8], [1, 2]]


def test_scenarios_of_decoding_are_for_models_that_write():
    asked = Measure(batches=(4,), decode=(16,))
    assert [s.name for s in asked.scenarios("text", "next")] == ["", "batch=4", "decode=16", "batch*decode=4 & 16"]
    assert [s.name for s in asked.scenarios("text", "class")] == ["", "batch=4"]
