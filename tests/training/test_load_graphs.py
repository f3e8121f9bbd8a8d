"""Stage `load`: ONNX graphs made elsewhere, not trusted."""

import json
import os

import numpy as np
import onnx
import pytest
from fit_entries import run
from onnx import TensorProto, helper, numpy_helper

from kdbench.nouns import Job, Refusal
from kdbench.registry import discover
from kdbench.stages import artefacts, running

FACTS = {"runtime": "onnx", "files": ["model.onnx"]}


def graph(domain="", external=False):
    """Logits = flattened image times a matrix."""
    weights = numpy_helper.from_array(np.ones((64, 10), dtype=np.float32), "w")
    if external:
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", "../secret.bin"
    nodes = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])
    made = helper.make_graph(nodes, "g", [image], [logits], [weights])
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "graph"
    made.mkdir()
    (made / "artefact.json").write_text(json.dumps(FACTS), encoding="utf-8")
    (made / "model.onnx").write_bytes(graph())
    return made


def loaded(where, data, folder):
    return run(Job("load", {"path": str(folder)}), {"data": data}, where, again=True)


def test_a_graph_answers_on_onnx_runtime_as_numpy_computes(where, data, folder):
    artefact = artefacts.read(loaded(where, data, folder), discover())
    assert (artefact.runtime, artefact.files["model.onnx"]) == ("onnx", graph())
    x = {"image": np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)}
    use = {"name": "ort_cpu", "params": {"threads": 1}}
    said = running.open_runner(artefact, use, where, x).predict(x)
    np.testing.assert_allclose(said, np.repeat(x["image"].reshape(5, -1).sum(1, keepdims=True), 10, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it has no nodes"),
        (b"\x80\x04not a graph", "is not an ONNX graph"),
        (graph(external=True), "in another file"),
        (graph(domain="evil.ops"), "needs operators of evil.ops"),
    ],
    ids=["empty", "junk", "external", "custom"],
)
def test_bad_graphs_are_refused(where, data, folder, content, why):
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(Refusal, match=why) as caught:
        loaded(where, data, folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("files", [[], ["../model.onnx"], ["/etc/passwd"], "model.onnx", None])
def test_files_must_lie_beside(where, data, folder, files):
    (folder / "artefact.json").write_text(json.dumps({"runtime": "onnx", "files": files}), encoding="utf-8")
    with pytest.raises(Refusal, match="files must list"):
        loaded(where, data, folder)


def test_links_are_not_followed(where, data, folder, tmp_path):
    os.rename(folder / "model.onnx", tmp_path / "other.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "other.onnx")
    with pytest.raises(Refusal, match="not a plain file"):
        loaded(where, data, folder)


def test_onnx_itself_takes_an_empty_file_for_a_model():
    """Why kdbench looks first: if this changes, the check is only a courtesy."""
    assert onnx.ModelProto.FromString(b"").ByteSize() == 0
