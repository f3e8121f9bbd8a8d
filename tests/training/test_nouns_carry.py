"""What later methods need, done with the nouns of today: views that sample, peers, memory banks, structure that changes."""

import numpy as np
import pytest
import torch
from fit_entries import fit_job, run, write_samples

from kdbench import channels
from kdbench.nets.edits import apply_edit
from kdbench.nouns import Artefact, Job
from kdbench.stages import artefacts, fit, networks

STUDENT = ("small_cnn", {"width": 4})


@pytest.fixture
def text(where):
    """Sequences 0 1 2 3 ... modulo 11 from a random start; the label of a position is the next token."""
    starts = np.random.default_rng(0).integers(0, 11, 80)
    tokens = (starts[:, None] + np.arange(10)) % 11
    y = np.concatenate([tokens[:, 1:], np.full((80, 1), -100)], 1)
    return write_samples(where.store, "tokens", {"tokens": tokens}, y, classes=[str(i) for i in range(11)])


def test_on_policy_sampling_through_a_view(where, text, found):
    """The student writes, the live teacher judges what it wrote; the run says that batches are its own, and learns."""
    adam = {"optimizer": "adam", "lr": 0.01, "batch": 16, "weight_decay": 0.0}
    teacher = run(fit_job({"ce": 1.0}, ("tiny_gpt2", {"width": 32}), epochs=30, **adam), {"data": text}, where)
    assert teacher.json("record.json")["history"][-1]["validation_accuracy"] > 0.9
    written = found.load("view", "own_words")[1].WRITTEN
    written.clear()
    job = fit_job(
        {"kd": {"weight": 1.0, "params": {"temperature": 1.0}}}, ("tiny_gpt2", {}), epochs=30, views={"own_words": {}}, **adam
    )
    record = run(job, {"data": text, "teacher": teacher}, where).json("record.json")
    assert record["parity"]["teacher"] == "live"
    assert not record["parity"]["same_batches"]
    assert record["teacher_passes"] == record["examples"] == 30 * 48
    given, tokens = written[0]
    assert torch.equal(given[:, :4], tokens[:, :4])
    assert not torch.equal(given[:, 4:], tokens[:, 4:])
    right = [float(((t[:, 4:] - t[:, 3:-1]) % 11 == 1).float().mean()) for _, t in (written[0], written[-1])]
    assert right[0] < 0.3
    assert right[1] > 0.6
    assert run(job, {"data": text, "teacher": teacher}, where, again=True).json("record.json")["history"] == record["history"]


def test_tied_weights_survive_the_disk(where, text, found):
    """GPT-2 shares its embedding with its head: stored once, loaded into both."""
    entry = run(fit_job({"ce": 1.0}, ("tiny_gpt2", {}), epochs=1), {"data": text}, where)
    module = artefacts.read(entry, found).module
    assert module.network.lm_head.weight.data_ptr() == module.network.transformer.wte.weight.data_ptr()
    assert len(networks.weights_of(module)) == len(module.state_dict()) - 1


def test_mutual_learning_with_a_peer(where, data, found, monkeypatch):
    """Two students of one architecture from other weights; each learns from the other; the first is the result."""
    cohorts = []
    inner = fit.train_all
    monkeypatch.setattr(fit, "train_all", lambda recipe, members, *rest: cohorts.append(members) or inner(recipe, members, *rest))
    job = fit_job({"ce": 1.0, "mutual": 1.0}, STUDENT, epochs=3)
    entry = run(job, {"data": data}, where)
    one, two = cohorts[0]
    assert entry.json("record.json")["parity"]["networks"] == 2
    kept = artefacts.read(entry, found).module.state_dict()
    assert all(torch.equal(kept[k], v) for k, v in one.module.state_dict().items())
    a, b = one.module.state_dict()["classifier.weight"], two.module.state_dict()["classifier.weight"]
    assert not torch.allclose(a, b)
    alone = run(fit_job({"ce": 1.0}, STUDENT, epochs=3), {"data": data}, where)
    rows = torch.from_numpy(fit.samples.read(data, "train").x["image"])

    def apart(first, second):
        p, q = (m.eval()(rows).log_softmax(1) for m in (first, second))
        return float((p.exp() * (p - q)).sum(1).mean())

    with torch.no_grad():
        assert apart(one.module, two.module) < apart(artefacts.read(alone, found).module, two.module)


def test_a_memory_bank_by_example_id(where, data, outputs, found, monkeypatch):
    """The term's state sees each training example once an epoch at its own row, survives a kill, and is dropped at the end."""
    banks = found.load("method", "memory_contrast")[1].BANKS
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)
    views = {"stop_at": {}}
    job = fit_job({"ce": 1.0, "memory_contrast": 0.5}, STUDENT, epochs=3, views=views)
    stop = found.load("view", "stop_at")[1]
    stop.SEEN.clear()
    stop.BREAK["at"] = None
    whole = run(job, {"data": data, "outputs": outputs}, where, again=True)
    assert banks[-1].seen.tolist() == [3] * 120
    assert not any("bank" in name for name in artefacts.read(whole, found).module.state_dict())
    terms = [entry["terms"]["memory_contrast"] for entry in whole.json("record.json")["history"]]
    assert terms[-1] < terms[0]
    stop.SEEN.clear()
    stop.BREAK["at"] = 7
    with pytest.raises(KeyboardInterrupt), where.store.write(job) as draft:
        fit.run(job, {"data": data, "outputs": outputs}, draft, where)
    stop.SEEN.clear()
    stop.BREAK["at"] = None
    resumed = run(job, {"data": data, "outputs": outputs}, where, again=False)
    assert resumed.bytes("weights.safetensors") == whole.bytes("weights.safetensors")
    assert banks[-1].seen.tolist() == [3] * 120


def test_channel_prune_then_fit_then_reload(where, data, teacher, found):
    """A network that was cut is trained on as it is, stored with the cut, and rebuilt smaller from its file."""
    before = artefacts.read(teacher, found)
    keep = np.array([0, 2, 3, 5, 9])
    edit = channels({"blocks.1.0": {"out": keep}, "blocks.1.1": {"out": keep}, "blocks.2.0": {"in": keep}})
    apply_edit(before.module, edit)
    job = Job("compress", {"hand": "cut"})
    with where.store.write(job) as draft:
        artefacts.write(draft, Artefact("torch", before.shape, before.model, before.module, (edit,), {}, before.facts), {})
    tuned = run(fit_job({"ce": 1.0}, epochs=2), {"data": data, "artefact": where.store.open(job.key)}, where)
    after = artefacts.read(tuned, found)
    assert after.module.blocks[1][0].out_channels == after.module.blocks[2][0].in_channels == 5
    assert after.module.state_dict()["blocks.1.0.weight"].shape == (5, 8, 3, 3)
    whole = artefacts.read(teacher, found).module
    assert sum(p.numel() for p in after.module.parameters()) < 0.6 * sum(p.numel() for p in whole.parameters())
    x = torch.randn(3, 1, 8, 8)
    again = artefacts.read(where.store.open(tuned.key), found).module
    assert torch.equal(after.module(x), again(x))
    assert tuned.json("record.json")["parity"]["same_init"] is False
