"""Batches of tokens: as wide as their longest row, of rows of like length, and computed in parts."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench.nets.build import build
from kdbench.nouns import Batch, Shape, Term, Train, Use
from kdbench.stages.seeds import stream
from kdbench.training.batches import BUCKETS, epoch, parts, pool, steps_per_epoch
from kdbench.training.cohort import member
from kdbench.training.loop import Recipe, accuracy, train_epoch
from kdbench.training.teaching import live
from kdbench.training.terms import load_terms

ENCODER = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32, "dropout": 0.0}


def ragged(n=40, longest=12, seed=0, vocabulary=20):
    """Rows of random tokens, 0 after their end."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    return rng.integers(1, vocabulary, (n, longest)) * (np.arange(longest) < lengths[:, None]), lengths


def test_a_batch_is_as_wide_as_its_longest_row():
    tokens, lengths = ragged()
    data = pool({"tokens": tokens}, np.arange(40), 0)
    index = torch.tensor([7, 3, 30])
    batch = data.batch(index)
    width = lengths[index].max()
    assert batch.x["tokens"].shape == (3, width)
    assert (batch.x["tokens"].numpy() == tokens[index][:, :width]).all()
    assert (batch.mask.numpy() == (tokens[index][:, :width] != 0)).all()
    assert batch.y.tolist() == [7, 3, 30]


def test_padding_within_a_row_and_a_row_of_padding_alone_stay():
    data = pool({"tokens": np.array([[3, 0, 4, 0, 0], [0, 0, 0, 0, 0]])}, np.arange(2), 0)
    assert data.batch(torch.tensor([0, 1])).x["tokens"].tolist() == [[3, 0, 4], [0, 0, 0]]
    assert data.batch(torch.tensor([1])).x["tokens"].tolist() == [[0]]


def test_no_position_with_a_label_is_cut_off_though_its_token_is_the_one_that_fills_rows():
    """GPT-2 has no token for padding: the end of a text fills rows, and is asked for."""
    tokens, y = np.array([[5, 9, 9, 9], [9, 9, 9, 9]]), np.array([[9, 9, -100, -100], [7, -100, -100, -100]])
    batch = pool({"tokens": tokens}, y, 9).batch(torch.tensor([0, 1]))
    assert batch.y.tolist() == [[9, 9], [7, -100]]
    assert batch.x["tokens"].tolist() == [[5, 9], [9, 9]]


def test_what_is_read_and_what_is_written_are_cut_apart():
    tokens, prefix = np.array([[4, 5, 6, 0], [7, 0, 0, 0]]), np.array([[1, 2, 0, 0, 0], [1, 0, 0, 0, 0]])
    y = np.array([[2, 3, 8, -100, -100], [3, -100, -100, -100, -100]])
    batch = pool({"tokens": tokens, "prefix": prefix}, y, 0).batch(torch.tensor([0, 1]))
    assert batch.x["tokens"].shape == (2, 3)
    assert batch.x["prefix"].tolist() == [[1, 2, 0], [1, 0, 0]]
    assert batch.y.tolist() == [[2, 3, 8], [3, -100, -100]]


@given(st.integers(2, 400), st.integers(2, 24), st.integers(0, 3), st.integers(0, 9))
def test_every_text_comes_once_an_epoch_and_never_alone(n, size, number, seed):
    cost = torch.from_numpy(np.random.default_rng(seed).integers(1, 30, n))
    batches = epoch(n, size, partial(stream, 0), number, cost)
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert all(2 <= len(b) <= size + 1 for b in batches)
    assert len(batches) == steps_per_epoch(n, size)
    again = epoch(n, size, partial(stream, 0), number, cost.clone())
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))


def test_batches_are_of_like_length_in_an_order_that_says_nothing_of_it():
    cost = torch.from_numpy(np.random.default_rng(0).integers(1, 65, 16_000))
    first, second = (epoch(16_000, 32, partial(stream, 0), number, cost) for number in (0, 1))
    spread = [int(cost[b].max() - cost[b].min()) for b in first]
    assert np.mean(spread) < 3
    means = np.array([cost[b].double().mean() for b in first])
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.15
    assert len({frozenset(b.tolist()) for b in first} & {frozenset(b.tolist()) for b in second}) == 0
    permutation = np.random.default_rng(stream(0, "order", 0)).permutation(16_000)
    buckets = {frozenset(permutation[i : i + 32 * BUCKETS].tolist()) for i in range(0, 16_000, 32 * BUCKETS)}
    assert all(any(set(b.tolist()) <= bucket for bucket in buckets) for b in first[:20]), "sorted within a part of the epoch"


@pytest.mark.parametrize("rows", ["images", "packed", "of one length"])
def test_rows_that_are_all_alike_come_in_the_plain_order(rows):
    x, y, padding = {"tokens": np.ones((50, 8), np.int64)}, np.arange(50), 0
    if rows == "images":
        x, padding = {"image": np.zeros((50, 1, 4, 4), np.float32)}, None
    if rows == "packed":  # the last token of some is the one that fills rows, but what follows it is asked for
        x["tokens"][::3, -1], y = 0, np.ones((50, 8), np.int64)
    data = pool(x, y, padding)
    assert data.cost is None
    batches = epoch(50, 8, partial(stream, 0), 2, data.cost)
    assert torch.cat(batches).tolist() == np.random.default_rng(stream(0, "order", 2)).permutation(50).tolist()
    assert torch.equal(torch.cat(data.ordered(7)), torch.arange(50))


def test_59_accuracy_does_not_depend_on_the_size_of_batches(plugins):
    """lm-eval#879, transformers#26869. The judge asks each row alone."""
    tokens, _ = ragged(60)
    y = np.random.default_rng(1).integers(0, 3, 60)
    y[:5] = -1
    shape = Shape("tokens", {"tokens": (12,)}, 3, (20,))
    net = build(plugins.load("model", "bert")[0], Use("bert", ENCODER), shape, seed=0).eval()
    with torch.no_grad():
        right = [int(net(torch.from_numpy(row[None])).argmax()) == label for row, label in zip(tokens, y, strict=True)]
    expected = np.mean(right[5:])
    assert [accuracy(net, pool({"tokens": tokens}, y, 0), size) for size in (1, 7, 512)] == [pytest.approx(expected)] * 3
    assert accuracy(net, pool({"tokens": tokens}, np.full(60, -1), 0)) is None


def test_parts_have_the_share_of_what_counts():
    y = torch.full((5, 4), -100)
    y[0, :4], y[1, :1], y[4, :3] = 1, 1, 1
    batch = Batch({"tokens": torch.arange(20).view(5, 4)}, y, torch.arange(10, 15), 0)
    found = parts(batch, 3)
    assert [(part.index.tolist(), share) for part, share in found] == [([10, 11], 5 / 8), ([14], 3 / 8)]
    assert [share for _, share in parts(Batch(batch.x, torch.zeros(5, 2), batch.index), 2)] == [3 / 5, 2 / 5]
    assert parts(batch, 1)[0][0] is batch


TERMS = {
    "class": [Term(Use("ce"), 0.5), Term(Use("kd", {"temperature": 2.0}), 0.5), Term(Use("hidden_cosine")), Term(Use("minilm")),
              Term(Use("patient_kd", {"layers": "skip"})), Term(Use("minilmv2", {"relation_heads": 0, "teacher_layer": 0})),
              Term(Use("tinybert", {"layers": None}))],
    "next": [Term(Use("ce"), 0.5), Term(Use("kd", {"temperature": 2.0}), 0.5)],
}  # fmt: skip


@pytest.mark.parametrize("answer", ["class", "next"])
@pytest.mark.parametrize("count", [2, 5, 99])
def test_a_step_in_parts_is_the_step_of_the_whole_batch_in_float64(found, answer, count):
    """The judge is the unsplit step; with rows that count unevenly a mean of the parts' means would be another."""
    tokens, lengths = ragged(14)
    model, classes = (Use("bert", ENCODER), 3) if answer == "class" else (Use("tiny_gpt2", {"layers": 2}), 20)
    y = np.arange(14) % 3
    if answer == "next":
        y = np.where(np.arange(12) < lengths[:, None] - 1, np.roll(tokens, -1, 1), -100)
    shape = Shape("tokens", {"tokens": (12,)}, classes, (20,), answer)
    terms = load_terms(found, TERMS[answer])
    inner = {}
    taps = ()
    if answer == "class":
        facts = found.get("model", "bert").facts
        taps = ("network.bert.embeddings", *(f"network.bert.encoder.layer.{i}" for i in range(2)))
        inner = {role: tuple(name.replace("*", str(i)) for i in range(2)) for role, name in facts["inner"].items()}

    def step(accumulate):
        nets = [build(found.load("model", model.name)[0], model, shape, seed=seed).double() for seed in (0, 1)]
        train = Train(epochs=1, batch=14, lr=0.5, momentum=0.0, weight_decay=0.0, schedule="constant", accumulate=accumulate)
        recipe = Recipe(train, terms, (), shape, taps, partial(stream, 0), inner)
        state = torch.nn.ModuleDict({part: torch.nn.Linear(16, 16, bias=False) for part in ("embedding", "hidden")}).double()
        for weight in state.parameters():
            torch.nn.init.eye_(weight)
        states = {"tinybert": state} if answer == "class" else {}
        entry = train_epoch(recipe, [member(nets[1], states, train, {}, False)], pool({"tokens": tokens}, y, 0),
                            live(nets[0], taps, inner), 0)  # fmt: skip
        return [*nets[1].parameters(), *state.parameters()], entry

    (whole, first), (split, second) = step(1), step(count)
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(whole, split, strict=True))
    assert second["loss"] == pytest.approx(first["loss"], rel=1e-9)
    assert second["terms"] == pytest.approx(first["terms"], rel=1e-9)
