"""Fits on vectors of texts: they have no accuracy, and pairs teach by their first text; the record says so."""

import numpy as np
import pytest
from fit_entries import fit_job, run, write_samples

from kdbench.nouns import Job, Refusal
from kdbench.stages import samples
from kdbench.suite import load as read_suite

SMALL = {"layers": 1, "hidden": 16, "heads": 2, "intermediate": 32, "dropout": 0.0}
STUDENT = ("bert", SMALL)
TRAIN = {"optimizer": "adamw", "lr": 0.01, "batch": 16, "epochs": 2}
NOTE = "fit: vectors of pairs learn from the first text of each row only"


def rows(n=100, length=8):
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 20, (n, length))
    return tokens, (tokens[:, 0] > 9).astype(np.int64)


@pytest.fixture
def labelled(where):
    tokens, y = rows()
    said = {"answer": "vector", "padding": 0, "tokenizer": "one"}
    return write_samples(where.store, "tokens", {"tokens": tokens}, y, classes=["no", "yes"], levels=(20,), more=said)


@pytest.fixture
def pairs(where):
    """As the stage `tokens` writes pairs: the second text beside the examples."""
    tokens, y = rows()
    split = np.repeat(np.array([0, 1, 2], np.int8), [60, 20, 20])
    ids = np.array([f"row-{i}" for i in range(100)])
    made = samples.Rows({"tokens": tokens}, y, ids, {}, None, {"other": tokens[::-1].copy()})
    meta = {
        "kind": "tokens", "answer": "vector", "classes": ["no", "yes"], "positive": None, "columns": {}, "levels": [20],
        "padding": 0, "tokenizer": "one", "prepare": {}, "licence": "", "source": "made for a test", "notes": [],
    }  # fmt: skip
    job = Job("data", {"made": "pairs"})
    with where.store.write(job) as draft:
        samples.write(draft, made, split, meta)
    return where.store.open(job.key)


def test_the_largest_number_of_a_vector_is_no_class(where, labelled):
    record = run(fit_job({"contrastive": 1.0}, STUDENT, **TRAIN), {"data": labelled}, where).json("record.json")
    assert [entry["validation_accuracy"] for entry in record["history"]] == [None, None]
    assert record["selected_epoch"] == 2


def test_the_best_epoch_of_vectors_cannot_be_chosen(where, labelled):
    with pytest.raises(Refusal, match="select best_validation goes by accuracy, which vectors do not have") as caught:
        run(fit_job({"contrastive": 1.0}, STUDENT, **TRAIN, select="best_validation"), {"data": labelled}, where)
    assert "\n" not in str(caught.value)


def test_recorded_vectors_are_not_taken_for_wrong_answers(where, labelled):
    """Labels that are never the place of the largest number: of a classifier, that would be worse than chance."""
    teacher = run(fit_job({"contrastive": 1.0}, STUDENT, **TRAIN), {"data": labelled}, where)
    record = run(Job("outputs", {"taps": False}), {"data": labelled, "artefact": teacher}, where)
    tokens, y = rows()
    y[:60] = (record.array("logits.npy").argmax(1) + 1) % 16
    said = {"answer": "vector", "padding": 0, "tokenizer": "one"}
    names = [str(i) for i in range(16)]
    data = write_samples(where.store, "tokens", {"tokens": tokens}, y, classes=names, levels=(20,), more=said)
    fit = run(fit_job({"embedding_mse": 1.0}, STUDENT, seed=1, **TRAIN), {"data": data, "outputs": record}, where)
    assert fit.json("record.json")["notes"] == []


def test_pairs_learn_from_their_first_text_and_the_record_says_so(where, labelled, pairs):
    job = fit_job({"contrastive": 1.0}, STUDENT, **TRAIN)
    assert run(job, {"data": pairs}, where).json("record.json")["notes"] == [NOTE]
    assert run(job, {"data": labelled}, where).json("record.json")["notes"] == []


SUITE = """
suite: vectors
targets: [torch_cpu]
data: {dataset: sick_relatedness, tokenizer: {wordpiece: {vocabulary: 300}}}
teacher: {model: bert, layers: 2, fit: contrastive}
student: {model: bert, layers: 1}
contenders: {own: [{fit: contrastive, train: {select: SELECT}}]}
"""


def test_a_suite_that_chooses_vectors_by_accuracy_is_refused_before_it_runs(found, tmp_path):
    for select in ("last", "best_validation"):
        (tmp_path / f"{select}.yaml").write_text(SUITE.replace("SELECT", select))
    assert read_suite(tmp_path / "last.yaml", found)
    with pytest.raises(Refusal, match=r"contenders.own.train.*: found best_validation, but vectors have no accuracy"):
        read_suite(tmp_path / "best_validation.yaml", found)
