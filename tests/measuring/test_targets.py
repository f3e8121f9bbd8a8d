"""Targets: any number of rows, the artefact left alone, and the timed object is the scored one."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from kdbench import Artefact, Refusal, Shape, to_onnx
from kdbench.nouns import Use
from kdbench.stages import running

from .conftest import IMAGE, TABLE, network
from .test_compressors import x_of

TARGETS = ["torch_cpu", "ort_cpu"]


def loader_of(path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("a_loader", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("shape", [IMAGE, TABLE])
@pytest.mark.parametrize("n", [1, 7, 256, 300])
def test_any_number_of_rows_equals_eager_torch(plugins, name, shape, n):
    artefact = network(
        "mlp" if shape is TABLE else "resnet_cifar", {"width": 8} | ({"depth": 8} if shape is IMAGE else {}), shape
    )
    x = x_of(shape, n)
    with torch.no_grad():
        expected = artefact.module(*(torch.from_numpy(v) for v in x.values())).numpy()
    found = plugins.load("target", name)[0](artefact, running.first_rows(x, 2)).predict(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", TARGETS)
def test_the_bundle_answers_as_the_runner_bit_for_bit(plugins, name, tmp_path):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 3)
    runner = plugins.load("target", name)[0](artefact, x)
    model = running.lay(runner, tmp_path / "m")
    loader = loader_of(model["loader"])
    call = loader.load(model["folder"], 1)
    np.testing.assert_array_equal(call(loader.read(model["folder"])), runner.predict(x))


def test_the_onnx_bundle_needs_only_numpy_and_onnxruntime(plugins, tmp_path):
    runner = plugins.load("target", "ort_cpu")[0](network("mlp", {"width": 8}), x_of(IMAGE, 1))
    model = running.lay(runner, tmp_path / "m")
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("loader", {model["loader"]!r})
m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)
print(m.load({model["folder"]!r}, 1)(m.read({model["folder"]!r})).shape)
print([n for n in ("torch", "onnx", "kdbench") if n in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")[:2] == [
        "(1, 3)",
        "[]",
    ]


@pytest.mark.parametrize("name", TARGETS)
def test_the_artefact_and_the_thread_count_are_left_alone(plugins, name):
    artefact, x = network("small_cnn", {"width": 8}), x_of(IMAGE, 2)
    before, threads = copy.deepcopy(artefact.module.state_dict()), torch.get_num_threads()
    plugins.load("target", name)[0](artefact, x, threads=1).predict(x)
    assert all(torch.equal(before[k], v) for k, v in artefact.module.state_dict().items())
    assert all(p.requires_grad for p in artefact.module.parameters())
    conv = next(m for m in artefact.module.modules() if isinstance(m, nn.Conv2d))
    assert conv.weight.is_contiguous()
    assert torch.get_num_threads() == threads


def test_facts_tell_what_really_runs(plugins):
    artefact, x = network("mlp", {"width": 16}), x_of(IMAGE, 2)
    ort_cpu = plugins.load("target", "ort_cpu")[0]
    facts = ort_cpu(artefact, x).facts
    assert (facts["provider"], facts["precision"], facts["int8_operators"]) == ("CPUExecutionProvider", "float32", 0)
    int8 = plugins.load("compressor", "dynamic_int8")[0](artefact)
    assert ort_cpu(int8, x).facts["precision"] == "int8"
    assert plugins.load("target", "torch_cpu")[0](network("small_cnn", {}), x).facts["layout"] == "channels_last"


def test_int8_that_would_run_in_float_is_refused(plugins):
    data = to_onnx(network("mlp", {"width": 8}).module, x_of(IMAGE, 2))
    liar = Artefact("onnx", IMAGE, files={"model.onnx": data}, facts={"precision": "int8"})
    with pytest.raises(Refusal, match="none of its operators in int8"):
        plugins.load("target", "ort_cpu")[0](liar, x_of(IMAGE, 2))


def test_an_input_that_the_network_never_reads_is_not_fed(plugins):
    """A table without categories: the graph has one input, the data have two."""
    shape = Shape("table", {"numeric": (5,), "categorical": (0,)}, 2)
    artefact, x = (
        network("mlp", {"width": 8}, shape),
        {"numeric": np.ones((3, 5), np.float32), "categorical": np.ones((3, 0), np.int64)},
    )
    runner = plugins.load("target", "ort_cpu")[0](artefact, x)
    np.testing.assert_allclose(runner.predict(x), plugins.load("target", "torch_cpu")[0](artefact, x).predict(x), atol=1e-5)


def test_a_file_with_a_fixed_batch_is_filled_up_and_answers_for_real_rows_only(plugins):
    import onnx

    artefact, x = network("mlp", {"width": 8}), x_of(IMAGE, 7)
    model = onnx.load_from_string(to_onnx(artefact.module, x))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    fixed = Artefact("onnx", IMAGE, files={"model.onnx": model.SerializeToString()})
    ort_cpu = plugins.load("target", "ort_cpu")[0]
    np.testing.assert_allclose(ort_cpu(fixed, running.first_rows(x, 4)).predict(x), ort_cpu(artefact, x).predict(x), atol=1e-5)


def test_a_broken_file_is_refused_in_one_line(plugins):
    with pytest.raises(Refusal, match="ONNX Runtime refuses the file") as caught:
        plugins.load("target", "ort_cpu")[0](Artefact("onnx", IMAGE, files={"model.onnx": b"not a graph"}), x_of(IMAGE, 2))
    assert "\n" not in str(caught.value)


def test_a_target_refuses_a_runtime_that_it_does_not_run(world):
    with pytest.raises(Refusal, match="torch_cpu runs torch artefacts; this one is onnx"):
        running.open_runner(Artefact("onnx", IMAGE, Use("x")), {"name": "torch_cpu", "params": {}}, world.place, x_of(IMAGE, 2))
