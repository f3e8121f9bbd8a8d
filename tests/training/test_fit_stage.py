"""The stage `fit`: equal conditions, determinism, resume, selection, masks, refusals."""

import hashlib
import json

import numpy as np
import pytest
import torch
from fit_entries import fit_job, run, table

from kdbench import Refusal, mask
from kdbench.nets.edits import apply_edit
from kdbench.nouns import Artefact, Job, Use
from kdbench.stages import artefacts, fit, networks
from kdbench.stages.seeds import stream
from kdbench.training import checkpoint

STUDENT = ("resnet_cifar", {"depth": 8, "width": 4})


def weights(entry):
    return hashlib.sha256(entry.bytes("weights.safetensors")).hexdigest()


def watch(found):
    """The module of the view that notes which examples it saw."""
    module = found.load("view", "stop_at")[1]
    module.SEEN.clear()
    module.BREAK["at"] = None
    return module


def test_the_same_job_gives_equal_bytes_twice(where, data, outputs):
    job = fit_job({"ce": 0.1, "kd": 0.9, "fitnets": 1.0}, STUDENT)
    first, second = (run(job, {"data": data, "outputs": outputs}, where, again=True) for _ in range(2))
    assert weights(first) == weights(second)
    assert first.bytes("artefact.json") == second.bytes("artefact.json")
    assert weights(run(fit_job({"ce": 1.0}, STUDENT, seed=1), {"data": data}, where)) != weights(first)


def test_one_seed_gives_every_contender_equal_weights_and_equal_batches(where, data, teacher, outputs, found, monkeypatch):
    """Contenders with one architecture start from the same weights and see the same examples in the same order with the same
    augmentation, whatever their loss, teacher or state modules."""
    started, seen = [], []
    inner = fit.train_all

    def spy(recipe, members, *rest):
        started.append({k: v.clone() for k, v in members[0].module.state_dict().items()})
        return inner(recipe, members, *rest)

    monkeypatch.setattr(fit, "train_all", spy)
    crop = {"random_crop": {"padding": 1}, "stop_at": {}}
    for terms in ({"ce": 1.0}, {"ce": 0.1, "kd": 0.9}, {"ce": 1.0, "fitnets": 1.0}, {"label_smoothing": 1.0}):
        module = watch(found)
        entry = run(fit_job(terms, STUDENT, views=crop), {"data": data, "teacher": teacher, "outputs": outputs}, where)
        seen.append(list(module.SEEN))
        assert entry.json("record.json")["parity"]["same_batches"]
    for other in started[1:]:
        assert all(torch.equal(started[0][k], other[k]) for k in other)
    assert all(other == seen[0] for other in seen[1:])
    batches, n = seen[0], 120
    first, second = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(n))
    assert first != second
    assert [len(b) for b in first] == [32, 32, 32, 24]


def test_dropout_does_not_depend_on_how_the_student_was_made(where, found):
    """A fit of fresh weights equals a fit that goes on from an artefact of those weights: training has its own random stream."""
    data = table(where.store)
    model = ("table_resnet", {"dropout": 0.5, "width": 8})
    job = fit_job({"ce": 1.0}, model)
    fresh = run(job, {"data": data}, where)
    shape = artefacts.read(fresh, found).shape
    start = networks.rebuild(found, Use(*model), shape, seed=stream(0, "init"))
    made = Job("fit", {"hand": "made"})
    with where.store.write(made) as draft:
        artefacts.write(draft, Artefact("torch", shape, Use(*model), start, (), {}, {}), {"history": []})
    again = run(fit_job({"ce": 1.0}), {"data": data, "artefact": where.store.open(made.key)}, where)
    assert weights(again) == weights(fresh)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_killed_and_resumed_fit_ends_in_equal_bytes(where, data, outputs, found, monkeypatch, optimizer):
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)
    terms = {"ce": {"weight": {"from": 1.0, "to": 0.1}}, "kd": 0.9, "fitnets": 1.0, "self_kd": 0.5}
    job = fit_job(terms, STUDENT, epochs=4, optimizer=optimizer, lr=0.01, select="best_validation", views={"stop_at": {}})
    inputs = {"data": data, "outputs": outputs}
    watch(found)
    whole = run(job, inputs, where, again=True)
    module = watch(found)
    module.BREAK["at"] = 10  # in the third epoch of four batches
    killed = Job("fit", job.spec, {"data": data.key})
    with pytest.raises(KeyboardInterrupt), where.store.write(killed) as draft:
        fit.run(killed, inputs, draft, where)
    assert (where.store.partial(killed.key) / "state.json").is_file()
    module = watch(found)
    with where.store.write(killed) as draft:
        fit.run(killed, inputs, draft, where)
    resumed = where.store.open(killed.key)
    assert len(module.SEEN) == 8, "only the last two epochs are trained again"
    assert weights(resumed) == weights(whole)
    ours, theirs = (entry.json("record.json") for entry in (resumed, whole))
    assert ours["resumed"] == 1
    for key in ("history", "examples", "epochs", "steps", "selected_epoch"):
        assert ours[key] == theirs[key]
    assert not where.store.partial(killed.key).exists()


@pytest.mark.parametrize("damage", ["tensors", "facts", "gone"])
def test_a_damaged_partial_state_is_not_used(where, data, found, monkeypatch, damage):
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)
    job = fit_job({"ce": 1.0}, STUDENT, epochs=3, views={"stop_at": {}})
    module = watch(found)
    whole = run(job, {"data": data}, where, again=True)
    module = watch(found)
    module.BREAK["at"] = 6
    with pytest.raises(KeyboardInterrupt), where.store.write(job) as draft:
        fit.run(job, {"data": data}, draft, where)
    folder = where.store.partial(job.key)
    facts = json.loads((folder / checkpoint.FACTS).read_text())
    if damage == "tensors":
        held = bytearray((folder / facts["tensors"]).read_bytes())
        held[-5] ^= 1
        (folder / facts["tensors"]).write_bytes(held)
    elif damage == "facts":
        (folder / checkpoint.FACTS).write_text(json.dumps(facts)[:-20])
    else:
        (folder / facts["tensors"]).unlink()
    module = watch(found)
    assert weights(run(job, {"data": data}, where)) == weights(whole)
    assert len(module.SEEN) == 12


def test_masked_weights_stay_zero(where, data, teacher, found):
    before = artefacts.read(teacher, found)
    name = "blocks.1.0.weight"
    kept = np.random.default_rng(0).random(before.module.state_dict()[name].shape) > 0.9
    edit = mask({name: kept})
    apply_edit(before.module, edit)
    job = Job("compress", {"hand": "pruned"})
    with where.store.write(job) as draft:
        record = artefacts.chained({"cpu_seconds": 1.5}, teacher)
        artefacts.write(draft, Artefact("torch", before.shape, before.model, before.module, (edit,), {}, before.facts), record)
    pruned = where.store.open(job.key)
    tuned = run(fit_job({"ce": 1.0}, epochs=1, momentum=0.9), {"data": data, "artefact": pruned}, where)
    module = artefacts.read(tuned, found).module
    after = module.state_dict()[name].numpy()
    assert (after[~kept] == 0).all()
    assert (after[kept] != artefacts.read(pruned, found).module.state_dict()[name].numpy()[kept]).mean() > 0.9
    chain, first = tuned.json("record.json")["chain"], teacher.json("record.json")
    assert chain["cpu_seconds"] == pytest.approx(first["cpu_seconds"] + 1.5 + tuned.json("record.json")["cpu_seconds"])
    assert chain["examples"] == 3 * 120 + 120


@pytest.mark.parametrize("select", ["last", "best_validation"])
def test_a_fit_of_no_epochs_keeps_the_random_weights_costs_nothing_and_says_so(where, data, found, select):
    """The judge of the weights is a network built from the same stream of the seed."""
    entry = run(fit_job({"ce": 1.0}, STUDENT, epochs=0, select=select), {"data": data}, where)
    record, made = entry.json("record.json"), artefacts.read(entry, found)
    assert (record["epochs"], record["steps"], record["examples"], record["cpu_seconds"]) == (0, 0, 0, 0)
    assert record["notes"] == ["not trained (0 epochs)"]
    fresh = networks.rebuild(found, made.model, made.shape, seed=stream(0, "init"))
    assert all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), made.module.state_dict().values(), strict=True))


def test_best_validation_keeps_the_first_best_epoch(where, data, found):
    job = fit_job({"ce": 1.0}, STUDENT, epochs=5, lr=0.2, select="best_validation")
    record = run(job, {"data": data}, where).json("record.json")
    reached = [entry["validation_accuracy"] for entry in record["history"]]
    assert record["selected_epoch"] == 1 + int(np.argmax(reached))
    short = fit_job({"ce": 1.0}, STUDENT, epochs=5, lr=0.2, select="last")
    entry = run(short, {"data": data}, where)
    rows = fit.samples.read(data, "validation")
    module = artefacts.read(entry, found).module
    share = (module(torch.from_numpy(rows.x["image"])).argmax(1).numpy() == rows.y).mean()
    assert entry.json("record.json")["history"][-1]["validation_accuracy"] == pytest.approx(share, abs=1e-9)


def test_the_test_split_is_never_read(where, data, monkeypatch):
    asked = []
    inner = fit.samples.read
    monkeypatch.setattr(fit.samples, "read", lambda entry, split: asked.append(split) or inner(entry, split))
    run(fit_job({"ce": 1.0}, STUDENT, select="best_validation"), {"data": data}, where)
    assert sorted(set(asked)) == ["train", "validation"]


def test_recorded_and_live_teachers_teach_alike(where, data, teacher, outputs, found):
    """Recorded logits give the weights that a live teacher gives, up to the order of sums in its batches."""
    job = fit_job({"ce": 0.1, "kd": 0.9}, STUDENT, epochs=1, lr=0.01)
    recorded, live = run(job, {"data": data, "outputs": outputs}, where), run(job, {"data": data, "teacher": teacher}, where)
    a, b = (artefacts.read(entry, found).module.state_dict() for entry in (recorded, live))
    assert all(torch.allclose(a[k].float(), b[k].float(), atol=1e-4) for k in a)
    assert recorded.json("record.json")["teacher_passes"] == 120
    assert recorded.json("record.json")["parity"]["teacher"] == "recorded"
    assert live.json("record.json")["teacher_passes"] == 120


def test_a_view_that_changes_examples_brings_the_live_teacher(where, data, teacher, outputs):
    job = fit_job({"ce": 0.1, "kd": 0.9}, STUDENT, views={"horizontal_flip": {}})
    record = run(job, {"data": data, "outputs": outputs, "teacher": teacher}, where).json("record.json")
    assert record["parity"]["teacher"] == "live"
    assert record["teacher_passes"] == record["examples"] == 240
    with pytest.raises(Refusal, match="'kd' needs the live teacher, because view 'horizontal_flip' changes the examples"):
        run(job, {"data": data, "outputs": outputs}, where, again=True)


def test_previous_is_the_student_of_the_epoch_before(where, data, found):
    seen = found.load("method", "self_kd")[1].SEEN
    seen.clear()
    run(fit_job({"ce": 1.0, "self_kd": 0.1}, STUDENT, epochs=2), {"data": data}, where)
    one = run(fit_job({"ce": 1.0, "self_kd": 0.1}, STUDENT, epochs=1, schedule="constant"), {"data": data}, where)
    rows = torch.from_numpy(fit.samples.read(data, "train").x["image"])
    untrained = networks.rebuild(found, Use(*STUDENT), artefacts.read(one, found).shape, seed=stream(0, "init"))
    with torch.no_grad():
        for index, logits in seen[:4]:
            assert torch.allclose(untrained(rows[index]), logits, atol=1e-5)
    assert not torch.allclose(untrained(rows[seen[5][0]]), seen[5][1], atol=1e-2)


def test_bf16_is_recorded_and_learns(where, data):
    record = run(fit_job({"ce": 1.0}, STUDENT, epochs=4, precision="bf16"), {"data": data}, where).json("record.json")
    assert record["parity"]["precision"] == "bf16"
    losses = [entry["loss"] for entry in record["history"]]
    assert losses[-1] < losses[0] - 0.4


def test_a_term_counts_between_its_start_and_stop(where, data, outputs):
    job = fit_job({"ce": 1.0, "kd": {"weight": 1.0, "start": 0.25, "stop": 0.75}}, STUDENT, epochs=4)
    history = run(job, {"data": data, "outputs": outputs}, where).json("record.json")["history"]
    assert ["kd" in entry["terms"] for entry in history] == [False, True, True, False]


def test_divergence_is_noticed_at_its_step(where, data, found):
    found.load("method", "explode")[1].CALLS.clear()
    with pytest.raises(Refusal, match="diverged at step 6 of 8: the loss is nan"):
        run(fit_job({"explode": {"weight": 1.0, "params": {"at": 6}}}, STUDENT), {"data": data}, where)
    with pytest.raises(Refusal, match=r"diverged at step \d+ of 8"):
        run(fit_job({"ce": 1.0}, STUDENT, lr=1e30, schedule="constant"), {"data": data}, where)
