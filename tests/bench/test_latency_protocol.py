"""What the latency protocol costs, and how near 1 a model comes to itself: `pytest tests/bench --benchmark-only`."""

import numpy as np
import pytest
import torch

from kdbench import to_onnx
from kdbench.nouns import Artefact, Shape, Use
from kdbench.registry import discover
from kdbench.stages import networks, running, timing_script

SHAPE = Shape("image", {"image": (1, 8, 8)}, 10)
NET = Use("resnet_cifar", {"depth": 14, "width": 16})


@pytest.fixture(scope="module")
def artefact():
    torch.set_num_threads(1)
    return Artefact("torch", SHAPE, NET, networks.rebuild(discover(), NET, SHAPE))


def rows(n=1):
    return {"image": np.random.default_rng(0).standard_normal((n, *SHAPE.inputs["image"])).astype(np.float32)}


@pytest.mark.parametrize("target", ["torch_cpu", "ort_cpu"])
def test_null_pair(benchmark, artefact, tmp_path, plugins, target):
    """One measurement of 60 block pairs; extra_info: the null ratio and the time of a call."""
    places = []
    for role in ("reference", "contender"):
        runner = plugins.load("target", target)[0](artefact, rows())
        places.append(running.lay(runner, tmp_path / role))
    request = {"reference": places[0], "contender": places[1], "pairs": 60}
    seen = []
    benchmark.pedantic(lambda: seen.append(timing_script.main(request)), rounds=5)
    blocks = [[np.array(one[f"wall_{role}"]).min(axis=1) for role in ("reference", "contender")] for one in seen]
    ratios = [float(np.median(contender / reference)) for reference, contender in blocks]
    benchmark.extra_info["null_ratios"] = ratios
    benchmark.extra_info["call_microseconds"] = float(np.median(blocks[0][0]) * 1e6)
    benchmark.extra_info["load"] = [one["load_before"] for one in seen]
    assert all(0.5 < ratio < 2 for ratio in ratios)  # figures are reported, not asserted: the machine may be busy


def test_export(benchmark, artefact):
    """The fast exporter."""
    assert benchmark(lambda: to_onnx(artefact.module, rows(2)))


def test_open_on_onnx_runtime(benchmark, artefact, plugins):
    """Export, optimise and open a session, as every process that predicts through ONNX Runtime must."""
    target = plugins.load("target", "ort_cpu")[0]
    assert benchmark(lambda: target(artefact, rows(2))).facts["precision"] == "float32"
