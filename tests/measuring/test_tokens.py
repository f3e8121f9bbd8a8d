"""Tokens through the stages: random texts, a small BERT, both targets, an int8 graph, other lengths."""

import numpy as np
import pytest
import torch

from kdbench.nouns import Artefact, Refusal, Shape, Use
from kdbench.stages import data, memory, networks, parity, predict, samples, size

LENGTH, SIZES = 10, {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 48, "vocabulary": 40, "positions": 12}
TARGETS = ("torch_cpu", "ort_cpu")


@pytest.fixture
def texts(world):
    use = {"name": "random_tokens", "params": {"n": 40, "length": LENGTH, "vocabulary": 40, "classes": 3}}
    return world.run(data, {"dataset": use, "validation": 0.2, "seed": 0, "limit": {}, "groups": [], "role": "home"}, {})


@pytest.fixture
def bert(world, plugins):
    full = {p.name: p.default for p in plugins.get("model", "bert").params} | SIZES
    shape = Shape("tokens", {"tokens": (LENGTH,)}, 3)
    module = networks.rebuild(plugins, Use("bert", full), shape)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
    return world.artefact(Artefact("torch", shape, Use("bert", full), module)), module


def test_both_targets_say_what_the_network_says(world, texts, bert):
    entry, module = bert
    rows = samples.read(texts, "test")
    assert (rows.x["tokens"].dtype, rows.x["tokens"].shape[1]) == (np.int64, LENGTH)
    with torch.no_grad():
        logits = module(torch.from_numpy(rows.x["tokens"])).numpy()
    for name in TARGETS:
        spec = {"target": {"name": name, "params": {}}, "split": "test"}
        found = world.run(predict, spec, {"data": texts, "artefact": entry}).arrays("predictions.npz")
        assert found["logits"] == pytest.approx(logits, abs=1e-4)
    report = world.run(parity, {"target": {"name": "ort_cpu", "params": {}}}, {"data": texts, "artefact": entry})
    assert report.json("parity.json")["passed"]


def test_size_of_a_text_network_and_of_its_int8_graph(world, texts, bert):
    """By hand: 2 layers of 4 projections, scores and feed-forward for 10 tokens; a pooler and 3 classes for the first."""
    entry, _ = bert
    layer = LENGTH * 4 * 32 * 32 + 2 * LENGTH * LENGTH * 32 + LENGTH * 2 * 32 * 48
    by_hand = 2 * (2 * layer + 32 * 32 + 32 * 3)
    tables = (40 + 12 + 2) * 32
    whole = world.run(size, {"of": "float"}, {"data": texts, "artefact": entry}).json("size.json")
    assert whole["flops"] == whole["float_operations"] == by_hand
    assert whole["input"] == {"tokens": {"shape": [1, LENGTH], "dtype": "int64"}}
    assert whole["embedding_parameters"] == tables
    assert whole["bytes_by_format"] == {"safetensors": whole["bytes"]}
    made = world.compress("dynamic_int8", {}, {"data": texts, "artefact": entry})
    small = world.run(size, {"of": "int8"}, {"data": texts, "artefact": made}).json("size.json")
    scores = 2 * 2 * 2 * LENGTH * LENGTH * 32
    assert small["flops"] is None
    assert (small["float_operations"], small["integer_operations"]) == (scores, by_hand - scores)
    assert small["bytes_by_format"] == {"onnx": small["bytes"]}


def test_the_memory_of_rows_beyond_the_positions_of_a_model_is_refused_by_their_length(world, texts, bert):
    """Its own error is an index somewhere inside; within its 12 positions it is measured."""
    spec = {"target": {"name": "torch_cpu", "params": {}}, "batch": 2, "length": 20}
    with pytest.raises(Refusal, match="^rows of 20 tokens: the model fails on them .has it as many positions"):
        world.run(memory, spec, {"data": texts, "artefact": bert[0]})
    assert world.run(memory, {**spec, "length": 12}, {"data": texts, "artefact": bert[0]}).json("memory.json")["length"] == 12


def test_an_exported_graph_takes_texts_of_any_length(world, texts, bert, plugins):
    entry, module = bert
    made = world.compress("dynamic_int8", {}, {"data": texts, "artefact": entry})
    graph = Artefact("onnx", Shape("tokens", {"tokens": (LENGTH,)}, 3), files={"model.onnx": made.bytes("model.onnx")})
    whole = Artefact("torch", graph.shape, Use("bert", {}), module)
    x = {"tokens": np.arange(1, 13).reshape(3, 4)}
    with torch.no_grad():
        logits = module(torch.from_numpy(x["tokens"])).numpy()
    target = plugins.load("target", "ort_cpu")[0]
    example = {"tokens": np.ones((2, LENGTH), np.int64)}
    assert target(whole, example).predict(x) == pytest.approx(logits, abs=1e-4)
    assert target(graph, example).predict(x) == pytest.approx(logits, abs=0.3)
