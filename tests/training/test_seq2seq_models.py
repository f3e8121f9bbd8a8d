"""T5 and Whisper as students: the loss of transformers itself, a step of distillation, the traps of the library."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from kdbench import Batch, Outputs, Refusal, Shape
from kdbench.nets.build import build
from kdbench.nets.export import to_onnx
from kdbench.nets.taps import expand, forward, inner_names
from kdbench.nouns import Use
from kdbench.training.batches import pool

V, SOURCE, SAID = 40, 9, 6
TINY = {
    "t5": {"layers": 1, "decoder_layers": 1, "hidden": 16, "heads": 2, "head": 8, "intermediate": 32, "dropout": 0.0},
    "whisper": {"layers": 1, "decoder_layers": 1, "hidden": 16, "heads": 2, "intermediate": 32},
}


def shape_of(name, frames=12, padding=0):
    first = {"t5": ("tokens", (SOURCE,)), "whisper": ("audio", (8, frames))}[name]
    kind = "tokens" if name == "t5" else "audio"
    return Shape(kind, {first[0]: first[1], "prefix": (SAID,)}, V, (V,), "text", padding)


def made(found, name, seed=0, shape=None, **params):
    return build(found.load("model", name)[0], Use(name, {**TINY[name], **params}), shape or shape_of(name), seed=seed).eval()


def batch(name, seed=0, shape=None):
    """Rows of several lengths: the prefix begins with the padding, as T5's decoder does; labels are -100 behind the end."""
    rng, shape = np.random.default_rng(seed), shape or shape_of(name)
    n = 5
    x = {}
    for key, size in shape.inputs.items():
        if key == "audio":
            x[key] = rng.normal(size=(n, *size)).astype(np.float32)
        else:
            x[key] = rng.integers(3, V, (n, *size))
    y = rng.integers(3, V, (n, SAID))
    for i in range(n):
        y[i, SAID - i :] = -100
        if "tokens" in x:
            x["tokens"][i, SOURCE - i :] = shape.padding
    x["prefix"] = np.concatenate([np.full((n, 1), shape.padding), np.where(y[:, :-1] < 0, shape.padding, y[:, :-1])], axis=1)
    return {k: torch.from_numpy(v) for k, v in x.items()}, torch.from_numpy(y)


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_cross_entropy_under_teacher_forcing_equals_the_loss_of_transformers_for_labels(found, name):
    module, (x, y) = made(found, name), batch(name)
    ours = found.load("method", "ce")[0](Outputs(module(*x.values())), Batch(x, y, torch.arange(5)))
    with torch.no_grad():
        if name == "t5":
            theirs = module.network(input_ids=x["tokens"], attention_mask=(x["tokens"] != 0).long(), labels=y).loss
        else:
            theirs = module.network(input_features=x["audio"], labels=y).loss
    assert float(ours.detach()) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_one_step_of_distillation_lowers_its_loss_and_many_reach_the_teacher(found, name):
    teacher, student = made(found, name, 1), made(found, name, 2)
    x, y = batch(name)
    of = Batch(x, y, torch.arange(5))
    with torch.no_grad():
        said = Outputs(teacher(*x.values()))
    kd = found.load("method", "kd")[0]
    optimiser = torch.optim.Adam(student.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = kd(Outputs(student(*x.values())), said, of, temperature=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_what_fills_rows_up_changes_nothing_before_it(found, name):
    module, (x, _) = made(found, name), batch(name)
    with torch.no_grad():
        whole = module(*x.values())
        short = {**x, "prefix": x["prefix"][:, :3]}
        if name == "t5":
            short["tokens"] = torch.cat([x["tokens"], torch.zeros((5, 4), dtype=torch.int64)], 1)
        assert torch.allclose(module(*short.values()), whole[:, :3], atol=1e-5)


@pytest.mark.parametrize("padding", [0, 7])
def test_padding_of_the_data_is_what_nobody_attends_to(found, padding):
    shape = shape_of("t5", padding=padding)
    module, (x, _) = made(found, "t5", shape=shape), batch("t5", shape=shape)
    with torch.no_grad():
        longer = torch.cat([x["tokens"], torch.full((5, 3), padding)], 1)
        assert torch.allclose(module(longer, x["prefix"]), module(*x.values()), atol=1e-5)


@pytest.mark.parametrize("frames", [11, 12])
def test_whisper_takes_as_many_frames_as_the_data_have_where_the_library_wants_twice_its_positions(found, frames):
    shape = shape_of("whisper", frames)
    module, (x, _) = made(found, "whisper", shape=shape), batch("whisper", shape=shape)
    assert module(*x.values()).shape == (5, SAID, V)
    assert module.network.config.max_source_positions == 6
    with pytest.raises(ValueError, match="input features to be of length 12"):
        module.network(input_features=x["audio"][:, :, :10], decoder_input_ids=x["prefix"])


def test_a_small_vocabulary_meets_no_token_of_the_default_configuration(found):
    config = made(found, "whisper").network.config
    assert not config.suppress_tokens
    assert not config.begin_suppress_tokens
    assert config.decoder_start_token_id == config.pad_token_id == 0
    assert made(found, "t5").network.config.decoder_start_token_id == 0


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_two_networks_share_no_configuration(found, name):
    one, other = made(found, name), made(found, name)
    assert one.network.config is not other.network.config
    copied = copy.deepcopy(one)
    copied.network.config.vocab_size = 3
    assert one.network.config.vocab_size == other.network.config.vocab_size == V


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_taps_and_projections_are_there(found, name):
    module, (x, _) = made(found, name, decoder_layers=2), batch(name)
    facts = found.load("model", name)[0].facts
    taps = expand(module, facts["taps"])
    given = forward(module, x, taps).taps
    assert len(given) == 3
    assert all(len(names) == 2 for names in inner_names(module, facts["inner"]).values())


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_a_graph_with_free_lengths_says_what_the_network_says(found, name):
    import onnxruntime

    module, (x, _) = made(found, name), batch(name)
    given = {k: v.numpy() for k, v in x.items()}
    session = onnxruntime.InferenceSession(to_onnx(module, given), providers=["CPUExecutionProvider"])
    short = {**given, "prefix": given["prefix"][:, :2]}
    for one in (given, short):
        with torch.no_grad():
            expected = module(*(torch.from_numpy(v) for v in one.values())).numpy()
        assert session.run(None, one)[0] == pytest.approx(expected, abs=1e-5)


def test_refusals_name_what_is_wrong(found):
    bare = Shape("tokens", {"tokens": (SOURCE,)}, V, (V,), "class", 0)
    with pytest.raises(Refusal, match="t5: the data have no text to write"):
        made(found, "t5", shape=bare)
    with pytest.raises(Refusal, match="whisper: rows of 6 tokens, but 4 positions"):
        made(found, "whisper", positions=4)
    with pytest.raises(Refusal, match="whisper: the library refuses these numbers"):
        made(found, "whisper", heads=3)


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_a_pool_cuts_batches_to_what_is_in_them(found, name):
    x, y = batch(name)
    x["prefix"][y < 0] = 0
    held = pool({k: v.numpy() for k, v in x.items()}, y.numpy(), 0)
    part = held.batch(torch.tensor([3, 4]))
    assert part.x["prefix"].shape[1] == part.y.shape[1] == 3
    module = made(found, name)
    ce = found.load("method", "ce")[0]
    whole = ce(Outputs(module(*(v[3:] for v in x.values()))), Batch(x, y[3:], torch.arange(2))).detach()
    assert float(ce(Outputs(module(*part.x.values())), part).detach()) == pytest.approx(float(whole), abs=1e-5)
