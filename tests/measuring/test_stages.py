"""The measuring stages through the store, as the engine runs them."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from kdbench import Refusal, Runner
from kdbench.nouns import digest
from kdbench.stages import host, latency, memory, parity, predict, running, samples, size

from .conftest import IMAGE, TABLE, network
from .test_compressors import x_of

TORCH = {"name": "torch_cpu", "params": {"threads": 1}}
ORT = {"name": "ort_cpu", "params": {"threads": 1, "exporter": "torchscript"}}
NET = ("resnet_cifar", {"depth": 8, "width": 8})


@pytest.mark.parametrize("target", [TORCH, ORT])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_predictions_equal_a_plain_loop_and_scipy(world, target, split):
    data, artefact = world.data(), network(*NET)
    made = world.run(predict, {"target": target, "split": split}, {"data": data, "artefact": world.artefact(artefact)})
    rows, found = samples.read(data, split), made.arrays("predictions.npz")
    with torch.no_grad():
        logits = artefact.module(torch.from_numpy(rows.x["image"])).numpy()
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    assert found["ids"].tolist() == rows.ids.tolist()
    np.testing.assert_array_equal(found["label"], rows.y)
    np.testing.assert_array_equal(found["pred"], found["logits"].argmax(1))
    np.testing.assert_array_equal(found["correct"], found["pred"] == rows.y)
    judge = softmax(found["logits"].astype(np.float64), axis=1)
    np.testing.assert_allclose(found["confidence"], judge.max(1), rtol=1e-6)
    kinds = {k: v.dtype.kind + str(v.dtype.itemsize) for k, v in found.items() if k != "ids"}
    assert kinds == {"label": "i8", "logits": "f4", "pred": "i8", "confidence": "f4", "correct": "b1"}
    facts = made.json("predictions.json")
    assert (facts["n"], facts["split"], facts["target"]["name"]) == (len(rows.y), split, target["name"])


def test_confidence_of_huge_logits_is_exact():
    found = predict.derived(np.array([[1e4, 0, -1e4], [88, 88, 0]], np.float32), np.array([0, -1]))
    np.testing.assert_allclose(found["confidence"], [1.0, 0.5], rtol=1e-6)
    assert found["correct"].tolist() == [True, False]


def test_the_same_job_twice_gives_the_same_predictions(world):
    data, entry = world.data(), world.artefact(network(*NET))
    both = [world.run(predict, {"target": ORT, "split": "test", "again": i}, {"data": data, "artefact": entry}) for i in range(2)]
    assert both[0].bytes("predictions.npz") == both[1].bytes("predictions.npz")


def test_logits_that_are_not_finite_fail_the_job():
    def wrong(x):
        logits = np.zeros((len(x["image"]), 3), np.float32)
        logits[[1, 4], 0] = np.nan, np.inf
        return logits

    with pytest.raises(Refusal, match="invalid output: 2 of 6 rows are not finite"):
        running.answers(Runner(wrong), x_of(IMAGE, 6), IMAGE)
    with pytest.raises(Refusal, match=r"invalid output: logits of shape \(6, 3\), expected \(6, 4\)"):
        running.answers(Runner(wrong), x_of(IMAGE, 6), dataclasses.replace(IMAGE, classes=4))


def test_an_int8_artefact_is_predicted_through_onnx_runtime(world):
    data, entry = world.data(), world.artefact(network(*NET))
    int8 = world.compress("static_int8", {"calibration": 32}, {"data": data, "artefact": entry})
    made = world.run(predict, {"target": ORT, "split": "test"}, {"data": data, "artefact": int8})
    assert made.json("predictions.json")["target"]["facts"]["precision"] == "int8"
    with pytest.raises(Refusal, match="torch_cpu runs torch artefacts"):
        world.run(predict, {"target": TORCH, "split": "test"}, {"data": data, "artefact": int8})
    with pytest.raises(Refusal, match="no eager twin"):
        world.run(parity, {"target": ORT}, {"data": data, "artefact": int8})


def test_parity_of_a_faithful_export_passes(world):
    data, entry = world.data(), world.artefact(network(*NET))
    found = world.run(parity, {"target": ORT}, {"data": data, "artefact": entry}).json("parity.json")
    assert found["passed"]
    assert found["n"] == 30
    assert found["flips"] == 0
    assert found["max_abs"] < 1e-4


def test_parity_by_hand():
    here = np.array([[1.0, 0.0], [2.0, 1.9999], [4.0, -4.0], [0.5, 0.1]], np.float32)
    there = np.array([[1.0, 0.0], [1.9999, 2.0], [4.0, -4.004], [0.1, 0.5]], np.float32)
    found = parity.compare(here, there, np.array(list("abcd")))
    assert found["max_abs"] == pytest.approx(0.4)
    assert found["max_rel"] == pytest.approx(0.8)
    assert (found["flips"], found["flips_beyond"], found["flip_ids"], found["passed"]) == (2, 1, ["b", "d"], False)
    near = parity.compare(here[:3], there[:3], np.array(list("abc")))
    assert near["max_rel"] == pytest.approx(1e-3, rel=0.01)
    assert near["flips_beyond"] == 0


def test_size_of_a_torch_artefact(world):
    artefact = network("small_cnn", {"width": 4, "blocks": 1})
    entry = world.artefact(artefact)
    found = world.run(size, {}, {"data": world.data(), "artefact": entry}).json("size.json")
    assert found["parameters"] == 4 * 9 + 2 * 4 + 4 * 3 + 3
    assert found["flops"] == 2 * 64 * 4 * 9 + 2 * 4 * 3
    assert found["bytes"] == (entry.path / "weights.safetensors").stat().st_size
    assert found["uncounted"] == []


@pytest.mark.parametrize("target", [TORCH, ORT])
@pytest.mark.parametrize("null", [False, True])
def test_latency_writes_raw_samples_and_how_they_were_taken(world, target, null):
    data, teacher = world.data(), world.artefact(network("resnet_cifar", {"depth": 14, "width": 16}), tag="teacher")
    student = world.artefact(network("mlp", {"width": 8}), tag="student")
    spec = {
        "target": target,
        "batch": 1,
        "graph": "g",
        "reference": "r",
        "host": digest(host.fingerprint()),
        "pairs": 12,
        "null": null,
    }
    made = world.run(latency, spec, {"data": data, "artefact": student, "reference": teacher})
    arrays, facts = made.arrays("latency.npz"), made.json("latency.json")
    assert 12 <= facts["pairs"] <= 36  # more than asked for where calls are short
    assert {k: (v.shape, v.dtype) for k, v in arrays.items() if k[:4] in ("wall", "cpu_")} == {
        f"{kind}_{role}": ((facts["pairs"], 5), np.float64) for kind in ("wall", "cpu") for role in ("reference", "contender")
    }
    ratio = np.median(arrays["wall_contender"].min(1) / arrays["wall_reference"].min(1))
    assert 0.8 < ratio < 1.25 if null else ratio < 0.5
    assert facts["facts"]["contender"]["provider"] == facts["facts"]["reference"]["provider"]
    assert (facts["order"], facts["calls"], facts["threads"], facts["batch"], facts["null"]) == ("ABBA", 5, 1, 1, null)
    assert all(warm["calls"] >= 20 for warm in facts["warmup"].values())
    assert facts["timer_resolution"] > 0
    assert facts["host"] == host.fingerprint()
    assert "/" not in json.dumps(facts["host"])


def test_timings_planned_for_another_machine_are_refused(world):
    entry = world.artefact(network("mlp", {"width": 8}))
    spec = {"target": TORCH, "batch": 1, "graph": "g", "reference": "r", "host": "elsewhere", "pairs": 3, "null": True}
    with pytest.raises(Refusal, match="another machine"):
        world.run(latency, spec, {"data": world.data(), "artefact": entry, "reference": entry})


@pytest.mark.parametrize("target", [TORCH, ORT])
def test_memory_of_a_large_network_is_at_least_its_weights(world, target):
    """About 40 MB of weights: they must be resident, and a small network's must not."""
    data = world.data()
    spec = {"target": target, "batch": 1, "graph": "g", "host": digest(host.fingerprint())}

    def measured(width):
        entry = world.artefact(network("mlp", {"width": width, "layers": 2}), tag=str(width))
        return world.run(memory, {**spec, "graph": str(width)}, {"data": data, "artefact": entry}).json("memory.json")

    small, large = measured(8), measured(3100)
    weights = 4 * (64 * 3100 + 3100 * 3100)
    assert 0 <= small["peak_infer_bytes"] - small["idle_bytes"] < 0.5 * weights
    assert 0.95 * weights <= large["peak_load_bytes"] - large["idle_bytes"] < 6 * weights
    assert 0.95 * weights <= large["peak_infer_bytes"] - large["idle_bytes"] < 6 * weights
    assert "VmHWM" in large["how"]
    assert large["facts"]["threads"] == 1


def test_batches_larger_than_the_split_repeat_its_rows():
    x = x_of(TABLE, 3)
    assert {k: len(v) for k, v in running.first_rows(x, 8).items()} == {"numeric": 8, "categorical": 8}
    np.testing.assert_array_equal(running.first_rows(x, 8)["numeric"][3:6], x["numeric"])
    with pytest.raises(Refusal, match="no rows"):
        running.first_rows({"image": np.zeros((0, 1, 2, 2), np.float32)}, 1)


def test_a_target_without_a_bundle_cannot_be_timed(tmp_path):
    with pytest.raises(Refusal, match="no bundle"):
        running.lay(Runner(nn.Identity()), tmp_path / "x")
