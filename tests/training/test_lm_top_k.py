"""The stage that records a teacher's likeliest tokens, and a fit that learns from the record."""

import numpy as np
import pytest
import torch
from fit_entries import STAGES, fit_job, run, write_samples
from lm_entries import windows
from scipy.special import log_softmax

from kdbench.nouns import Job, Refusal, TopK
from kdbench.stages import artefacts, samples, top_k

STAGES.setdefault("top_k", top_k)
SMALL = {"layers": 1, "hidden": 16, "heads": 2, "positions": 12, "dropout": 0.0}
ADAM = {"optimizer": "adam", "lr": 0.01, "batch": 16, "weight_decay": 0.0}


@pytest.fixture
def text(where):
    return windows(where.store)


@pytest.fixture
def teacher(where, text):
    return run(fit_job({"ce": 1.0}, ("gpt2", SMALL), epochs=2, **ADAM), {"data": text}, where)


@pytest.fixture
def record(where, text, teacher):
    return run(Job("top_k", {"k": 4}), {"data": text, "artefact": teacher}, where)


def test_the_record_against_the_teacher(where, text, teacher, record, found):
    rows = samples.read(text, "train")
    with torch.no_grad():
        z = artefacts.read(teacher, found).module(torch.from_numpy(rows.x["tokens"])).numpy().astype(np.float64)
    log_p = log_softmax(z, axis=-1)
    ids, said = record.array("tokens.npy"), record.array("log_probability.npy")
    assert (ids.dtype, said.dtype, ids.shape) == (np.uint16, np.float16, (*rows.y.shape, 4))
    assert np.array_equal(ids, np.argsort(-log_p, axis=-1)[..., :4])
    assert np.abs(said - np.take_along_axis(log_p, ids.astype(np.int64), -1)).max() < 5e-3
    assert np.array_equal(record.array("ids.npy"), rows.ids)
    facts = record.json("top_k.json")
    mass = np.exp(np.take_along_axis(log_p, ids.astype(np.int64), -1)).sum(-1)[rows.y != -100]
    assert facts["covered"]["mean"] == pytest.approx(mass.mean(), abs=1e-3)
    assert facts["covered"]["low"] <= facts["covered"]["middle"] <= facts["covered"]["high"] <= 1
    assert facts["teacher_passes"] == len(rows.y)


def test_a_fit_learns_from_the_record_and_counts_it(where, text, teacher, record):
    job = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 4}}}, ("gpt2", SMALL), seed=1, epochs=3, **ADAM)
    said = run(job, {"data": text, "teacher": teacher, "top_k": record}, where).json("record.json")
    losses = [entry["terms"]["top_k_kd"] for entry in said["history"]]
    assert losses[-1] < losses[0]
    assert said["parity"]["teacher"] == "recorded"
    assert said["teacher_passes"] == record.json("top_k.json")["teacher_passes"]
    assert any("top 4 of the teacher's tokens recorded" in note and "%" in note for note in said["notes"])


def test_all_of_the_vocabulary_recorded_is_the_live_teacher(where, text, teacher):
    """A record of everything gives the losses of `kd` at temperature 1 with the teacher itself, up to half precision."""
    whole = run(Job("top_k", {"k": 99}), {"data": text, "artefact": teacher}, where)
    assert whole.array("tokens.npy").shape[-1] == 11
    one = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 99}}}, ("gpt2", SMALL), seed=1, epochs=1, **ADAM)
    other = fit_job({"kd": {"weight": 1.0, "params": {"temperature": 1.0}}}, ("gpt2", SMALL), seed=1, epochs=1, **ADAM)
    learned = run(one, {"data": text, "top_k": whole}, where).json("record.json")["history"][0]["loss"]
    alive = run(other, {"data": text, "teacher": teacher}, where).json("record.json")["history"][0]["loss"]
    assert learned == pytest.approx(alive, rel=2e-3)


@pytest.mark.parametrize("estimator", ["tail_bucket", "drop_tail", "renormalise"])
def test_a_record_of_more_teaches_as_a_record_of_that_many(where, text, teacher, estimator):
    """Two terms of one fit may ask for different k: the larger record is kept, and each takes its own part of it."""
    wide, narrow = (run(Job("top_k", {"k": k}), {"data": text, "artefact": teacher}, where) for k in (8, 3))
    term = {"top_k_kd": {"weight": 1.0, "params": {"k": 3, "estimator": estimator}}}
    job = fit_job(term, ("gpt2", SMALL), seed=1, epochs=2, **ADAM)
    one, other = (
        [entry["loss"] for entry in run(job, {"data": text, "top_k": top}, where).json("record.json")["history"]]
        for top in (wide, narrow)
    )
    assert one == pytest.approx(other, rel=1e-3)
    whole = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 8, "estimator": estimator}}}, ("gpt2", SMALL), seed=1, epochs=2)
    assert run(whole, {"data": text, "top_k": wide}, where).json("record.json")["history"][0]["loss"] != pytest.approx(
        one[0], rel=5e-3
    )


def test_what_is_cut_from_a_record_goes_to_the_rest():
    p = np.array([[[0.4, 0.3, 0.1, 0.05]]])
    top = TopK(torch.tensor(np.log(p)), torch.tensor([[[5, 2, 7, 1]]]), torch.tensor(np.log([[[0.15]]])))
    cut = top.first(2)
    assert cut.ids.tolist() == [[[5, 2]]]
    assert cut.log_probability.exp().tolist() == [[pytest.approx([0.4, 0.3])]]
    assert cut.rest.exp().item() == pytest.approx(0.3)
    assert top.first(4) is top.first(9) is top
    whole = TopK(top.log_probability, top.ids, torch.full((1, 1, 1), -torch.inf, dtype=torch.float64))
    assert whole.first(3).rest.exp().item() == pytest.approx(0.05)


def test_the_record_is_joined_by_example_id(where, text, teacher, record):
    """Another order of the same rows: the record follows the ids, not the places."""
    job = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 4}}}, ("gpt2", SMALL), seed=1, epochs=1, **ADAM)
    other = windows(where.store, order=np.random.default_rng(1).permutation(80))
    with pytest.raises(Refusal, match="lack"):
        run(job, {"data": other, "top_k": record}, where)


def test_refusals(where, text, teacher, record):
    job = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 4}}}, ("gpt2", SMALL), epochs=1, **ADAM)
    with pytest.raises(Refusal, match="'top_k_kd' needs a record of the teacher's likeliest tokens"):
        run(job, {"data": text, "teacher": teacher}, where)
    views = {"on_policy": {"prompt": 3, "tokens": 3}}
    changed = fit_job({"top_k_kd": {"weight": 1.0, "params": {"k": 4}}}, ("gpt2", SMALL), epochs=1, views=views, **ADAM)
    with pytest.raises(Refusal, match="view 'on_policy' changes them"):
        run(changed, {"data": text, "top_k": record}, where)
    y = np.zeros((20, 10), np.int64)
    larger = write_samples(where.store, "tokens", {"tokens": y}, y, levels=[12], classes=[str(i) for i in range(12)])
    with pytest.raises(Refusal, match="vocabulary of 11 tokens, the data of 12"):
        run(Job("top_k", {"k": 4}), {"data": larger, "artefact": teacher}, where)
