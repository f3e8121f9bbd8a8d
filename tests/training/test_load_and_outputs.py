"""Stages `load` (checkpoints made elsewhere, not trusted) and `outputs` (the teacher, recorded), and artefacts on disk."""

import json
import os

import numpy as np
import pytest
import safetensors.torch
import torch
from fit_entries import fit_job, run

from kdbench.nets.taps import forward
from kdbench.nouns import Job, Refusal, Shape, Use
from kdbench.stages import artefacts, load, networks, samples
from kdbench.stages import outputs as outputs_stage

SHAPE = Shape("image", {"image": (1, 8, 8)}, 10)
MODEL = {"small_cnn": {"width": 8}}


@pytest.fixture
def net(found):
    return networks.rebuild(found, Use("small_cnn", {"width": 8, "blocks": 3}), SHAPE, seed=5)


@pytest.fixture
def folder(tmp_path, net):
    made = tmp_path / "mine"
    made.mkdir()
    (made / "artefact.json").write_text(json.dumps({"model": MODEL}))
    safetensors.torch.save_file(net.state_dict(), made / "weights.safetensors")
    return made


def loaded(where, data, folder):
    return run(Job("load", {"path": str(folder)}), {"data": data}, where, again=True)


def refused(where, data, folder, text):
    with pytest.raises(Refusal, match=text) as caught:
        loaded(where, data, folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def put(folder, state):
    safetensors.torch.save_file(state, folder / "weights.safetensors")


def test_a_checkpoint_is_loaded_and_answers_as_it_did(where, data, folder, net, found):
    entry = loaded(where, data, folder)
    x = torch.randn(4, 1, 8, 8)
    again = artefacts.read(entry, found)
    assert torch.equal(again.module(x), net(x))
    assert not again.module.training
    assert again.model == Use("small_cnn", {"width": 8, "blocks": 3})
    record = entry.json("record.json")
    assert record["parity"] == {"made_elsewhere": True}
    assert {name: record["chain"][name] for name in artefacts.TOTALS} == {"cpu_seconds": 0.0, "examples": 0, "teacher_passes": 0}
    assert record["chain"]["elsewhere"], "what it cost is not known, not nothing"
    assert "made elsewhere" in record["chain"]["energy"]["reason"]
    tuned = run(fit_job({"ce": 1.0}, epochs=1), {"data": data, "artefact": entry}, where)
    chain = tuned.json("record.json")["chain"]
    assert chain["examples"] == 120
    assert chain["elsewhere"]
    assert chain["through"] == [entry.key]


def test_an_entry_can_be_loaded_as_a_folder(where, data, teacher, found):
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(
        artefacts.read(loaded(where, data, teacher.path), found).module(x), artefacts.read(teacher, found).module(x)
    )


def test_strictness_names_what_is_wrong(where, data, folder, net):
    state = {k: v.clone() for k, v in net.state_dict().items()}
    without = {k: v for k, v in state.items() if not k.startswith("classifier")}
    put(folder, without)
    refused(where, data, folder, "2 missing .classifier.bias, classifier.weight")
    put(folder, {**state, "extra.weight": torch.zeros(1)})
    refused(where, data, folder, "1 unexpected .extra.weight")
    put(folder, {**state, "classifier.weight": torch.zeros(5, 32)})
    refused(where, data, folder, r"1 of another shape .classifier.weight: file \(5, 32\), network \(10, 32\)")
    put(folder, {f"module.{k}": v for k, v in state.items()})
    refused(where, data, folder, "all names start with 'module.' .DataParallel.")
    put(folder, {**state, "classifier.bias": torch.tensor([float("nan")] * 3 + [0.0] * 7)})
    refused(where, data, folder, "'classifier.bias': 3 of 10 numbers are not finite")
    put(folder, {**state, "classifier.bias": torch.tensor([float("inf")] + [0.0] * 9).half()})
    refused(where, data, folder, "1 of 10 numbers are not finite")
    put(folder, {**state, "classifier.bias": torch.zeros(10, dtype=torch.int32)})
    refused(where, data, folder, "are torch.int32, the network has torch.float32")


def test_half_precision_weights_are_read_as_float32(where, data, folder, net, found):
    put(folder, {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()})
    module = artefacts.read(loaded(where, data, folder), found).module
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert torch.allclose(module(torch.ones(1, 1, 8, 8)), net(torch.ones(1, 1, 8, 8)), atol=1e-2)


@pytest.mark.parametrize(("facts", "text"), [
    ('{"model": {"small_cnnn": {}}}', "no model named 'small_cnnn'; did you mean 'small_cnn'"),
    ('{"model": {"small_cnn": {"widht": 8}}}', "no parameter 'widht'; did you mean 'width'"),
    ('{"model": {"small_cnn": {"width": "8"}}}', "width must be Count, not '8'"),
    ('{"model": {"small_cnn": {"width": true}}}', "width must be Count, not True"),
    ('{"model": {"small_cnn": {"width": 0}}}', "width must be Count, not 0"),
    ('{"model": {"small_cnn": {"width": 4}}}', "of another shape"),
    ('{"model": {"small_cnn": {"width": 8}}, "classes": 7}', "classes are others than the data's"),
    ('{"model": 3}', '"model" must be'),
    ('{"modle": {}}', "unknown key 'modle'; did you mean 'model'"),
    ('{"model": {"small_cnn": {}}, "model": {"wrn": {}}}', "a key stands twice"),
    ('{"model": {"small_cnn": {"width": NaN}}}', "NaN is not JSON"),
    ("[" * 100_000, "not plain JSON"),
    ('{"model": {"small_cnn": {"width": 8}}, "runtime": "pickle"}', "files must list the names of the files of a pickle"),
    ('{"model": {"small_cnn": {"width": 8}}, "classes": ["1", "0", "2", "3", "4", "5", "6", "7", "8", "9"]}',
     "classes are in another order"),
    ('{"model": {"small_cnn": {"width": 8}}, "shape": {"kind": "image", "inputs": {"image": [1, 8, 8]}, "classes": 5}}',
     "the checkpoint tells 5 classes apart, the data have 10"),
    ('{"model": {"small_cnn": {"width": 8}}, "shape": {"kind": "image", "inputs": {"image": [3, 8, 8]}, "classes": 10}}',
     "is for image .image 3x8x8. with 10 classes"),
    ('{"model": {"small_cnn": {"width": 8}}, "edits": [{"kind": "rank"}]}', "there is no edits.safetensors"),
])  # fmt: skip
def test_bad_facts_are_refused(where, data, folder, facts, text):
    (folder / "artefact.json").write_text(facts)
    refused(where, data, folder, text)


def test_only_plain_safetensors_files_are_opened(where, data, folder, tmp_path):
    weights = folder / "weights.safetensors"
    held = weights.read_bytes()
    weights.write_bytes(held[:-100])
    refused(where, data, folder, "not a whole safetensors file")
    weights.write_bytes((2**40).to_bytes(8, "little") + held[8:])
    refused(where, data, folder, "not a whole safetensors file .its header says 1099511627776 bytes")
    weights.unlink()
    (folder / "model.pt").write_bytes(b"\x80\x02")
    refused(where, data, folder, "no weights.safetensors; model.pt may hold code")
    (tmp_path / "real").write_bytes(held)
    weights.symlink_to(tmp_path / "real")
    refused(where, data, folder, "is not a plain file .links are not followed.")
    weights.unlink()
    os.mkfifo(weights)
    refused(where, data, folder, "is not a plain file")
    refused(where, data, folder / "nowhere", "no such folder")
    (folder / "artefact.json").write_bytes(b" " * (load.LARGEST_JSON + 1))
    refused(where, data, folder, "more than 1048576")


def test_recorded_outputs_equal_the_teachers_own(where, data, teacher, outputs, found):
    rows, module = samples.read(data, "train"), artefacts.read(teacher, found).module
    with torch.no_grad():
        given = forward(module, {"image": torch.from_numpy(rows.x["image"])}, ("blocks.*", "pooled"))
    facts = outputs.json("outputs.json")
    assert facts["taps"] == list(given.taps)
    assert facts["teacher_passes"] == 120
    assert np.asarray(outputs.array("logits.npy")) == pytest.approx(given.logits.numpy(), abs=1e-4)
    assert outputs.array("ids.npy").tolist() == rows.ids.tolist()
    for name, value in given.taps.items():
        half = outputs.array(f"tap.{name}.npy")
        assert half.dtype == np.float16
        assert half.astype(np.float32) == pytest.approx(value.numpy(), rel=2e-3, abs=2e-3)


def test_large_features_are_left_out_with_a_note(where, data, teacher, monkeypatch):
    monkeypatch.setattr(outputs_stage, "LARGEST", 1000)
    entry = run(Job("outputs", {"taps": True}), {"data": data, "artefact": teacher}, where)
    assert entry.json("outputs.json")["taps"] == []
    assert "features not recorded" in entry.json("outputs.json")["notes"][0]
    student = ("small_cnn", {"width": 4})
    job = fit_job({"ce": 1.0, "fitnets": 1.0}, student, epochs=1)
    live = run(job, {"data": data, "outputs": entry, "teacher": teacher}, where)
    assert live.json("record.json")["parity"]["teacher"] == "live"
    with pytest.raises(Refusal, match="its features were not recorded"):
        run(job, {"data": data, "outputs": entry}, where, again=True)


def test_outputs_of_other_examples_are_refused(where, data, outputs):
    job = Job("outputs", {"planted": 1})
    with where.store.write(job) as draft:
        draft.array("ids.npy", np.array([f"other-{i}" for i in range(120)]))
        draft.array("logits.npy", np.asarray(outputs.array("logits.npy")))
        draft.json("outputs.json", {"taps": []})
    planted = where.store.open(job.key)
    with pytest.raises(Refusal, match="recorded teacher outputs lack 120 of 120 training examples"):
        run(fit_job({"kd": 1.0}, ("small_cnn", {"width": 4})), {"data": data, "outputs": planted}, where)


def test_a_teacher_that_is_not_finite_is_refused(where, data, teacher, found):
    before = artefacts.read(teacher, found)
    with torch.no_grad():
        before.module.classifier.weight *= 1e38
        before.module.classifier.weight *= 10
        before.module.classifier.weight.nan_to_num_(posinf=3e38, neginf=-3e38)
    job = Job("fit", {"made": "huge"})
    with where.store.write(job) as draft:
        artefacts.write(draft, before, {})
    with pytest.raises(Refusal, match=r"logits are not finite on \d+ of 120 training examples"):
        run(Job("outputs", {"taps": False}), {"data": data, "artefact": where.store.open(job.key)}, where)
