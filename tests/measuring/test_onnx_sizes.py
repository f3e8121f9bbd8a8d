"""Parameters of ONNX files in forms that are easily missed, against counts by hand."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kdbench.nets.onnx_sizes import count

F = TensorProto.FLOAT


def held(name, value):
    return numpy_helper.from_array(value, name)


def part(name, nodes, tensors=(), output="y"):
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(output, F, None)], list(tensors))


def file(nodes, tensors=(), **inputs):
    made = [helper.make_tensor_value_info(name, F, None) for name in ("x", *inputs)]
    graph = helper.make_graph(nodes, "g", made, [helper.make_tensor_value_info("y", F, None)], list(tensors))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])


def counts(model):
    found = count(model.SerializeToString())
    return found["parameters"], found["nonzeros"], found["embedding_parameters"]


def test_weights_of_both_branches_count_wherever_they_are_kept_by_hand():
    """One in the outer graph and used in a branch alone, one in each branch under the same name, and a branch's answer."""
    product = helper.make_node("MatMul", ["x", "w"], ["m"])
    then = part("then", [product, helper.make_node("Add", ["m", "outer"], ["y"])], [held("w", np.ones((4, 3), np.float32))])
    other = part("else", [helper.make_node("MatMul", ["x", "w"], ["y"])], [held("w", np.eye(4, dtype=np.float32))])
    answer = part("answer", [], [held("a", np.ones(5, np.float32))], "a")
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
        helper.make_node("If", ["c"], ["z"], then_branch=answer, else_branch=answer),
    ]
    tensors = [held("outer", np.zeros(3, np.float32)), held("unused", np.ones(99, np.float32)), held("c", np.array(True))]
    assert counts(file(nodes, tensors)) == (3 + 12 + 16 + 5 + 5, 12 + 4 + 5 + 5, 0)


def test_weights_of_a_loop_within_a_branch_and_of_a_local_function_by_hand():
    table = helper.make_node("Constant", [], ["t"], value=held("t", np.ones((7, 2), np.float32)))
    loop = part("loop", [table, helper.make_node("Gather", ["t", "i"], ["y"])])
    inner = part("then", [helper.make_node("Loop", ["n", "c"], ["y"], body=loop)])
    scaled = helper.make_node("Constant", [], ["k"], value_floats=[1.0, 0.0, 2.0])
    function = helper.make_function(
        "own", "f", ["a"], ["b"], [scaled, helper.make_node("Mul", ["a", "k"], ["b"])], [helper.make_opsetid("", 21)]
    )
    model = file([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)])
    model.functions.append(function)
    assert counts(model) == (2 * 14 + 3, 2 * 14 + 2, 2 * 14)


SMALL = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4", "int8", "uint16")


@pytest.mark.parametrize("kind", SMALL)
def test_every_type_of_weight_counts_by_hand(kind):
    value = np.array([[0, 1, 2], [3, 0, 1], [1, 1, 1]]).astype(getattr(ml_dtypes, kind, kind))
    cast = [helper.make_node("Cast", ["w"], ["f"], to=F), helper.make_node("MatMul", ["x", "f"], ["y"])]
    assert counts(file(cast, [held("w", value)])) == (9, 7, 0)


@pytest.mark.parametrize("kind", ["int4", "uint4", "int8"])
def test_a_weight_is_zero_where_it_equals_the_zero_point_of_its_own_axis_or_block_by_hand(kind):
    """A square weight, of which only the axis that the file states gives the right number."""
    dtype = getattr(ml_dtypes, kind, kind)
    value = np.array([[1, 2, 3, 4]] * 4).astype(dtype)
    for axis, zeros in ((1, 16), (0, 4)):  # zero points 1 2 3 4: of the columns all are met, of the rows the diagonal
        tensors = [held("w", value), held("s", np.ones(4, np.float32)), held("z", np.array([1, 2, 3, 4]).astype(dtype))]
        nodes = [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=axis), helper.make_node("Relu", ["f"], ["y"])]
        assert counts(file(nodes, tensors)) == (16, 16 - zeros, 0)
    points = np.array([[1, 2, 3, 4], [0, 0, 0, 4]]).astype(dtype)
    tensors = [held("w", value), held("s", np.ones((2, 4), np.float32)), held("z", points)]
    nodes = [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=0, block_size=2)]
    assert counts(file([*nodes, helper.make_node("Relu", ["f"], ["y"])], tensors)) == (16, 16 - 8 - 2, 0)


def test_weights_packed_into_bytes_count_one_by_one_and_their_zeros_are_not_told():
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=3, bits=4, block_size=32)
    found = count(file([node], [held("w", np.ones((3, 1, 16), np.uint8)), held("s", np.ones(3, np.float32))]).SerializeToString())
    assert (found["parameters"], found["nonzeros"], found["nonzeros_reason"]) == (
        96, None, "several weights are packed into a byte",
    )  # fmt: skip


def test_what_is_kept_elsewhere_or_sparse_is_not_a_silent_number():
    outside = held("w", np.ones((4, 3), np.float32))
    onnx.external_data_helper.set_external_data(outside, "w.bin")
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    found = count(file([product], [outside]).SerializeToString())
    assert (found["parameters"], found["nonzeros"], found["nonzeros_reason"]) == (12, None, "weights are kept in another file")
    model = file([product])
    values, places = held("w", np.ones(2, np.float32)), held("p", np.array([0, 5]))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3]))
    found = count(model.SerializeToString())
    assert (found["parameters"], found["parameters_reason"]) == (
        None, "weights in a form that is not counted: sparse initializers",
    )  # fmt: skip
