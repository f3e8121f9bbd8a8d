"""The precision that ONNX targets name is that of the products that ran: judged by graphs of known arithmetic."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from kdbench import Artefact, Refusal
from kdbench.nets import onnx_formulas
from kdbench.stages import running
from kdbench.targets import _ort_ran, ort
from kdbench.targets import openvino as ov

from .conftest import IMAGE
from .test_onnx_operations import MS, F, floats, graph, op, small

CPU = "CPUExecutionProvider"
WHERE = [op("Greater", ["m", "zero"], ["g"]), op("Where", ["g", "m", "zero"], ["k"]), op("Softmax", ["k"])]
MASKED = graph([op("MatMul", ["x", "w"], ["m"]), *WHERE], {"x": (F, ["n", 6])}, {"w": floats(6, 3), "zero": floats(1)})
CASTS = [op("Cast", ["x"], ["u"], to=TensorProto.UINT8), helper.make_node("Cast", ["u"], ["f"], to=F), op("MatMul", ["f", "w"])]
CAST = graph(CASTS, {"x": (F, ["n", 6])}, {"w": floats(6, 3)})
ONE, NONE = np.array(0.1, np.float32), np.array(0, np.int8)
WEIGHT = [op("DequantizeLinear", ["w", "s", "z"], ["d"]), op("MatMul", ["x", "d"])]
WEIGHT_ALONE = graph(WEIGHT, {"x": (F, ["n", 6])}, {"w": small(6, 3), "s": ONE, "z": NONE})
PAIR = [op("QuantizeLinear", ["x", "s", "z"], ["q"]), op("DequantizeLinear", ["q", "s", "z"], ["d"]), op("MatMul", ["d", "w"])]
STATIC = graph(PAIR, {"x": (F, ["n", 6])}, {"w": floats(6, 3), "s": ONE, "z": NONE})
DYNAMIC = graph(
    [
        op("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]), op("MatMulInteger", ["q", "w", "qz"], ["i"]),
        op("Cast", ["i"], ["f"], to=F), op("Mul", ["f", "qs"], ["m"]), *WHERE,
    ],
    {"x": (F, ["n", 6])}, {"w": small(6, 3), "zero": floats(1)},
)  # fmt: skip
X = {"x": np.ones((2, 6), np.float32)}


def artefact(data, precision):
    return Artefact("onnx", IMAGE, facts={"precision": precision}, files={"model.onnx": data})


@pytest.mark.parametrize("target", [ov.openvino, ort.ort])
@pytest.mark.parametrize("data", [MASKED, CAST, WEIGHT_ALONE, STATIC], ids=["masked", "cast", "weight alone", "pair"])
def test_a_graph_that_multiplies_floats_is_float32_whatever_bytes_it_touches(target, data):
    facts = target(artefact(data, "float32"), X).facts
    assert facts["precision"] == "float32"
    assert set(facts["products_by_precision"]) <= {"f32", "float32"}
    with pytest.raises(Refusal, match="artefact is int8"):
        target(artefact(data, "int8"), X)


def test_a_dynamically_quantized_graph_with_a_mask_is_int8_here_and_refused_by_openvino():
    assert ort.ort(artefact(DYNAMIC, "int8"), X).facts["precision"] == "int8"
    with pytest.raises(Refusal, match="none of its layers in int8"):
        ov.openvino(artefact(DYNAMIC, "int8"), X)


def test_a_dynamically_quantized_graph_that_is_not_said_to_be_int8_may_still_depend_on_its_batch():
    """OpenVINO multiplies in float what was rounded by the scale of the whole batch: honest, and no cheat."""
    x = {"x": np.array([[0.01, 0.02, 0.03, 0.01, 0.02, 0.03], [9, 8, 7, 6, 5, 4]], np.float32)}
    runner = ov.openvino(artefact(DYNAMIC, "float32"), x)
    assert (runner.facts["precision"], runner.facts["scales"]) == ("float32", "batch")
    alone = np.concatenate([runner.predict({"x": x["x"][i : i + 1]}) for i in range(2)])
    assert np.abs(alone - runner.predict(x)).max() > 0.01 * np.abs(alone).max()
    running.steady(runner, x)
    assert "scales" not in ov.openvino(artefact(STATIC, "float32"), x).facts


def test_every_operator_with_a_formula_is_one_that_multiplies_and_no_free_one_is():
    names = {name for _, name in (*onnx_formulas.FLOATS, *onnx_formulas.INTEGERS)}
    more = {"PackedAttention", "PackedMultiHeadAttention", "NhwcFusedConv", "QOrderedMatMul", "QMoE", "GemmFloat8"}
    assert {name for name in names | more if not _ort_ran._heavy(name)} == set()
    assert {name for name in onnx_formulas.FREE if _ort_ran._heavy(name)} == set()


def event(operator, reads, writes=("float",), provider=CPU):
    shapes = {"input_type_shape": [{kind: [1]} for kind in reads], "output_type_shape": [{kind: [1]} for kind in writes]}
    return {"cat": "Node", "args": {"op_name": operator, "provider": provider, **shapes}}


EVENTS = {
    "float products between pairs": (
        [event("QuantizeLinear", ["float"], ["uint8"]), event("Conv", ["float", "float"])],
        "float32",
    ),
    "weights of 4 bits": ([event("MatMulNBits", ["float", "uint8", "float"])], "float32"),
    "quantises what it reads": ([event("DynamicQuantizeMatMul", ["float", "int8"])], "int8"),
    "recurrent": ([event("DynamicQuantizeLSTM", ["float", "int8"]), event("Relu", ["float"])], "int8"),
    "integer products": ([event("QLinearConv", ["uint8", "float", "uint8", "int8"], ["uint8"])], "int8"),
    "an integer sum alone": ([event("QLinearAdd", ["uint8"], ["uint8"]), event("MatMul", ["float"])], "float32"),
    "half": ([event("Attention", ["float16", "int32"], ["float16"]), event("Cast", ["float16"])], "float16"),
    "fused, from bytes of an image": ([event("TRTKernel_graph_main_1_0", ["uint8"])], "float32"),
    "fused, of bytes alone": ([event("QNNExecutionProvider_QNN_12_0", ["uint8"], ["uint8"])], "int8"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_precision_is_that_of_the_products_in_a_profile_by_hand(name):
    events, precision = EVENTS[name]
    assert _ort_ran.counted(_ort_ran.nodes(events))["precision"] == precision


@pytest.mark.parametrize("operator", ["DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "Einsum", "GroupQueryAttention"])
def test_products_that_ran_on_the_cpu_beside_another_provider_are_found(operator):
    found = _ort_ran.nodes([event(operator, ["float"]), event("Relu", ["float"], provider="CUDAExecutionProvider")])
    assert operator in ort._elsewhere(found, "CUDAExecutionProvider")


def test_weights_of_four_bits_run_in_float_against_the_profile():
    node = op("MatMulNBits", ["x", "w", "s"], domain=MS, K=32, N=3, bits=4, block_size=32)
    data = graph(node, {"x": (F, ["n", 32])}, {"w": small(3, 1, 16, dtype=np.uint8), "s": floats(3)})
    assert ort.ort(artefact(data, "float32"), {"x": floats(2, 32)}).facts["precision"] == "float32"
