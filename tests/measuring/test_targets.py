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
from kdbench.stages import available, running

from .conftest import IMAGE, TABLE, network
from .test_compressors import x_of

PLAIN = ["torch_cpu", "ort_cpu", "ort", "openvino", "torch_export", "torch_bf16"]
ALL = [*PLAIN, "torch_cuda", pytest.param("torch_compile", marks=pytest.mark.slow)]
"""Compiling takes half a minute, even of a tiny network."""
ELSEWHERE = {"ssh"}
"""Needs another machine: has tests of its own."""
CPU = {name for name, has in torch.cpu.get_capabilities().items() if has is True}
FACTS = {"runtime", "provider", "precision", "threads"}


@pytest.fixture(scope="module")
def runners(plugins):
    """A runner by target, made once, of one tiny network."""
    made = {}
    artefact = network("mlp", {"width": 8})
    before = copy.deepcopy(artefact.module.state_dict())

    def runner(name):
        if name not in made:
            if why := available.lacks(plugins.get("target", name), {}):
                pytest.skip(why)
            made[name] = plugins.load("target", name)[0](artefact, x_of(IMAGE, 2))
        return made[name]

    yield artefact, runner
    assert all(torch.equal(before[k], v) for k, v in artefact.module.state_dict().items())


def loader_of(path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("a_loader", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(loader, x):
    return loader.ready(x) if hasattr(loader, "ready") else x


def within(runner, expected):
    """As far as its facts allow, and two orders closer where they say nothing."""
    allowed = runner.facts.get("tolerance", 1e-5)
    return allowed * np.abs(expected).max(axis=1, keepdims=True)


def test_every_target_is_tested_here(plugins):
    built_in = {name for name in plugins.names("target") if plugins.get("target", name).origin == "kdbench"}
    assert built_in == {*PLAIN, "torch_compile", "torch_cuda", *ELSEWHERE}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [1, 7, 256, 300])
def test_any_number_of_rows_equals_eager_torch(runners, name, n):
    artefact, runner = runners
    found = runner(name)
    x = x_of(IMAGE, n)
    with torch.no_grad():
        expected = artefact.module(torch.from_numpy(x["image"])).numpy()
    logits = found.predict(x)
    assert logits.dtype == np.float32
    assert logits.shape == (n, 3)
    assert (np.abs(logits - expected) <= within(found, expected)).all()


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("shape", [IMAGE, TABLE])
def test_images_and_tables_equal_eager_torch(plugins, name, shape):
    artefact = network(
        "mlp" if shape is TABLE else "resnet_cifar", {"width": 8} | ({"depth": 8} if shape is IMAGE else {}), shape
    )
    x = x_of(shape, 300)
    with torch.no_grad():
        expected = artefact.module(*(torch.from_numpy(v) for v in x.values())).numpy()
    runner = plugins.load("target", name)[0](artefact, running.first_rows(x, 2))
    assert (np.abs(runner.predict(x) - expected) <= within(runner, expected)).all()


@pytest.mark.parametrize("name", ALL)
def test_the_bundle_answers_as_the_runner(runners, name, tmp_path):
    """Bit for bit, at the number of rows that predictions are made with."""
    found, x = runners[1](name), x_of(IMAGE, 256)
    model = running.lay(found, tmp_path / "m")
    loader = loader_of(model["loader"])
    call = loader.load(model["folder"], 1)
    np.testing.assert_array_equal(call(asked(loader, x)), found.predict(x))
    one = {"image": x["image"][:1]}
    np.testing.assert_allclose(call(asked(loader, one)), found.predict(one), atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_bundle_holds_the_model_alone_whatever_the_example(plugins, runners, name):
    files = runners[1](name).bundle.files
    assert not any("inputs" in one for one in files)
    if name in ("torch_cpu", "ort_cpu", "ort", "openvino", "torch_bf16"):
        more = plugins.load("target", name)[0](runners[0], x_of(IMAGE, 9)).bundle.files
        assert {k: len(v) for k, v in more.items()} == {k: len(v) for k, v in files.items()}


@pytest.mark.parametrize("name", ALL)
def test_facts_are_complete(runners, name):
    import json

    facts = runners[1](name).facts
    assert set(facts) >= FACTS
    assert facts["threads"] == 1
    assert facts["precision"] == ("bfloat16" if name == "torch_bf16" else "float32")
    assert ("tolerance" in facts) == (name == "torch_bf16")
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize(("name", "package"), [("ort_cpu", "onnxruntime"), ("ort", "onnxruntime"), ("openvino", "openvino")])
def test_an_onnx_bundle_needs_only_numpy_and_its_runtime(runners, name, package, tmp_path):
    model = running.lay(runners[1](name), tmp_path / "m")
    np.save(tmp_path / "x.npy", x_of(IMAGE, 1)["image"])
    code = f"""
import importlib.util, sys, numpy
spec = importlib.util.spec_from_file_location("loader", {model["loader"]!r})
m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)
print(m.load({model["folder"]!r}, 1)({{"image": numpy.load({str(tmp_path / "x.npy")!r})}}).shape)
print([n for n in ("torch", "onnx", "kdbench", "onnxruntime", "openvino") if n in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(1, 3)", f"[{package!r}]"]


@pytest.mark.parametrize("name", PLAIN)
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


def test_the_ort_target_counts_the_nodes_that_ran_by_provider_and_precision(plugins):
    artefact, x = network("mlp", {"width": 16}), x_of(IMAGE, 2)
    ort = plugins.load("target", "ort")[0]
    facts = ort(artefact, x).facts
    graph = plugins.load("target", "ort_cpu")[0](artefact, x).facts
    assert facts["nodes_by_provider"] == {"CPUExecutionProvider": graph["operators"]}
    assert facts["nodes_by_precision"] == {"float32": graph["operators"]}
    int8 = ort(plugins.load("compressor", "dynamic_int8")[0](artefact), x)
    assert int8.facts["precision"] == "int8"
    assert "int8" in int8.facts["nodes_by_precision"]


@pytest.fixture(scope="module")
def quantized(plugins):
    """A network, its rows, and its int8 graphs by compressor."""
    artefact, x = network("mlp", {"width": 16}), x_of(IMAGE, 64)
    static = plugins.load("compressor", "static_int8")[0](artefact, x)
    return artefact, x, {"dynamic_int8": plugins.load("compressor", "dynamic_int8")[0](artefact), "static_int8": static}


@pytest.mark.parametrize(
    ("name", "compressor"),
    [
        ("ort_cpu", "dynamic_int8"),
        ("ort_cpu", "static_int8"),
        ("ort", "dynamic_int8"),
        ("ort", "static_int8"),
        ("openvino", "static_int8"),
    ],
)
def test_int8_graphs_run_in_int8(plugins, quantized, name, compressor):
    artefact, x, int8 = quantized
    runner = plugins.load("target", name)[0](int8[compressor], running.first_rows(x, 2))
    assert runner.facts["precision"] == "int8"
    with torch.no_grad():
        expected = artefact.module(torch.from_numpy(x["image"])).numpy()
    assert np.abs(runner.predict(x) - expected).max() < 0.2 * np.abs(expected).max()


def test_an_int8_graph_that_openvino_would_run_in_float_is_refused(plugins, quantized):
    """OpenVINO turns dynamically quantized products back into float: called int8, that would be a wrong name on the board."""
    _, x, int8 = quantized
    with pytest.raises(Refusal, match="would run none of its layers in int8"):
        plugins.load("target", "openvino")[0](int8["dynamic_int8"], running.first_rows(x, 2))


def test_openvino_computes_in_float32_where_nothing_else_is_asked(plugins):
    """Its own default on a processor with bfloat16 instructions is bfloat16."""
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 2)
    facts = plugins.load("target", "openvino")[0](artefact, x).facts
    assert set(facts["layers_by_precision"]) == {"f32"}
    assert (facts["threads"], facts["streams"]) == (1, 1)


@pytest.mark.skipif("avx512_bf16" not in CPU and "amx_bf16" not in CPU, reason="this processor has no bfloat16 instructions")
def test_openvino_in_bfloat16_says_so_and_allows_more(plugins):
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 2)
    low = plugins.load("target", "openvino")[0](artefact, x, precision="bf16")
    assert low.facts["precision"] == "bfloat16"
    assert set(low.facts["layers_by_precision"]) == {"bf16"}
    assert low.facts["tolerance"] == 0.1
    assert plugins.load("target", "torch_bf16")[0](artefact, x).facts["native_bfloat16"] != "none: emulated"


def test_a_provider_that_is_not_there_is_refused_and_not_replaced_by_the_cpu(plugins):
    """ONNX Runtime itself goes on with the CPU and says so in a warning."""
    with pytest.raises(Refusal, match="has no CUDAExecutionProvider"):
        plugins.load("target", "ort")[0](network("mlp", {"width": 8}), x_of(IMAGE, 2), provider="cuda")


def test_nodes_that_fell_back_are_found_in_a_profile_by_hand():
    from kdbench.targets import _ort_ran, ort

    def event(operator, provider, kind):
        return {"cat": "Node", "args": {"op_name": operator, "provider": provider, "input_type_shape": [{kind: [1]}]}}

    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    events = [
        {"cat": "Session", "args": {}},
        event("Conv", cuda, "float"),
        event("Shape", cpu, "int64"),
        event("Sub_12_3", cuda, "float16"),
    ]
    found = _ort_ran.nodes(events)
    assert [n.precision for n in found] == ["float32", "", "float16"]
    assert [n.operator for n in found] == ["Conv", "Shape", "Sub"]
    assert ort._elsewhere(found, cuda) == ""
    assert _ort_ran.counted(found)["nodes_by_provider"] == {cpu: 1, cuda: 2}
    heavy = _ort_ran.nodes([*events, event("MatMul", cpu, "float")])
    assert ort._elsewhere(heavy, cuda) == f"MatMul ran on the CPU, not on {cuda}"
    assert ort._elsewhere(_ort_ran.nodes([event("Conv", cpu, "float")]), cuda).startswith("none of the 1 nodes ran on CUDA")


def test_torch_cuda_is_refused_where_torch_finds_no_device(plugins):
    if torch.cuda.is_available():
        pytest.skip("this machine has a device")
    with pytest.raises(Refusal, match="finds no CUDA device"):
        plugins.load("target", "torch_cuda")[0](network("mlp", {"width": 8}), x_of(IMAGE, 2))


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"graph": True}, {"precision": "bf16"}, {"precision": "fp16", "graph": True}])
def test_torch_cuda_with_its_options_equals_eager_torch(plugins, params):
    if why := available.lacks(plugins.get("target", "torch_cuda"), {}):
        pytest.skip(why)
    artefact, x = network("resnet_cifar", {"depth": 8, "width": 8}), x_of(IMAGE, 300)
    runner = plugins.load("target", "torch_cuda")[0](artefact, running.first_rows(x, 2), **params)
    with torch.no_grad():
        expected = artefact.module(torch.from_numpy(x["image"])).numpy()
    assert (np.abs(runner.predict(x) - expected) <= within(runner, expected)).all()


@pytest.mark.slow
def test_a_network_that_is_compiled_twice_brings_its_kernels_twice(runners, plugins):
    """As a model against itself: torch writes what it has in memory to no second folder."""
    import io
    import zipfile

    again = plugins.load("target", "torch_compile")[0](runners[0], x_of(IMAGE, 2))
    held = [
        zipfile.ZipFile(io.BytesIO(one.bundle.files["kernels.zip"])).namelist() for one in (runners[1]("torch_compile"), again)
    ]
    first, second = ({name for name in names if name.endswith(".so")} for names in held)
    assert first
    assert first <= second


@pytest.mark.slow
def test_torch_compile_refuses_to_time_kernels_that_it_did_not_compile(runners, tmp_path):
    import io
    import zipfile

    files = dict(runners[1]("torch_compile").bundle.files)
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    files["kernels.zip"] = empty.getvalue()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    loader = loader_of(runners[1]("torch_compile").bundle.loader)
    with pytest.raises(RuntimeError, match="compiled anew"):
        loader.load(str(tmp_path), 1)


class Odd(nn.Module):
    """Decides by a value: nothing that traces can follow."""

    def forward(self, x):
        return x.flatten(1)[:, :3] if float(x.sum()) > 0 else x.flatten(1)[:, 3:6]


@pytest.mark.parametrize("name", ["torch_export", pytest.param("torch_compile", marks=pytest.mark.slow)])
def test_what_torch_cannot_capture_or_compile_is_refused_in_one_line(plugins, name):
    if why := available.lacks(plugins.get("target", name), {}):
        pytest.skip(why)
    with pytest.raises(Refusal, match=f"{name}: cannot be") as caught:
        plugins.load("target", name)[0](Artefact("torch", IMAGE, Use("x"), Odd()), x_of(IMAGE, 2))
    assert "\n" not in str(caught.value)


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
