"""Rows of the catalogue of silent numbers, on teachers of texts of whom only a file of answers is known."""

import csv

import numpy as np
import pytest
from fit_entries import run, write_samples
from scipy.special import log_softmax

from kdbench import Refusal
from kdbench.judge import evidence
from kdbench.judge.ask import open_metric
from kdbench.judge.columns import dense, tidy
from kdbench.nouns import Job
from kdbench.stages import predict, samples

INTENTS = ("balance", "transfer", "weather")
N = 40


@pytest.fixture
def queries(where):
    rng = np.random.default_rng(0)
    more = {"answer": "class", "padding": 0, "tokenizer": "one"}
    y = rng.integers(0, 3, N)
    return write_samples(where.store, "tokens", {"tokens": rng.integers(1, 9, (N, 5))}, y, (0.0, 0.0), INTENTS, (9,), more=more)


def said(where, queries, path, begin, numbers):
    """What the judge reads of a teacher of whom such a file is known: columns `begin`<intent>, (n, 3)."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", *(begin + name for name in INTENTS)])
        ids = samples.read(queries, "test").ids
        rows.writerows([i, *map(repr, map(float, row))] for i, row in zip(ids, numbers, strict=True))
    teacher = run(Job("load", {"path": str(path)}), {"data": queries}, where, again=True)
    job = Job("predict", {"target": {"name": "torch_cpu", "params": {}}, "split": "test", "of": teacher.key})
    with where.store.write(job) as draft:
        predict.run(job, {"data": queries, "artefact": teacher}, draft, where)
    held = samples.read(queries, "test")
    about = evidence.Examples(held.ids, held.y, {}, None, INTENTS, None)
    return evidence.predictions(where.store.open(job.key), about)


def nats(found, of):
    """The log loss of each text."""
    return dense(tidy(open_metric(found, "nll", {})({"predictions": of}), len(of.ids))).ravel()


def test_77_what_a_file_of_a_text_teacher_holds_is_its_name_and_never_guessed(where, found, queries, tmp_path):
    """torchmetrics#2195, #2329, #1989, #3179, anomalib#2003, #2337: the kind was guessed from the range of a batch.
    Probabilities, their logarithms and logits say the same of every text; under another's name they are refused; and where a
    batch of logits happens to lie in 0..1 they are logits still.
    """
    z = np.random.default_rng(1).normal(size=(N, 3)) * 2
    log_p = log_softmax(z, axis=1)
    label = samples.read(queries, "test").y
    expected = -log_p[np.arange(N), label]
    forms = {"logits": ("logit.", z), "logarithms": ("logit.", log_p), "probabilities": ("probability.", np.exp(log_p))}
    for name, (begin, numbers) in forms.items():
        of = said(where, queries, tmp_path / f"{name}.csv", begin, numbers)
        assert of.kind == ("probabilities" if name == "probabilities" else "logits")
        assert nats(found, of) == pytest.approx(expected, rel=1e-5), name
        for start in range(0, N, 7):
            part = of.take(slice(start, start + 7))
            assert np.array_equal(nats(found, part), nats(found, of)[start : start + 7]), "it changes with the batch"
    wrong = {
        "log_probability.": (log_p, r"no answers \(allowed: probability.<class>, logit.<class>"),
        "probability.": (log_p, "a number outside of 0..1: no probability"),
        "logit.": (np.exp(log_p), "these are probabilities; call them so"),
    }
    for begin, (numbers, why) in wrong.items():
        with pytest.raises(Refusal, match=why):
            said(where, queries, tmp_path / f"wrong {begin}csv", begin, numbers)
    z[:20] = np.exp(log_p[:20])  # a batch of logits that could be probabilities, before others that could not
    mixed = said(where, queries, tmp_path / "mixed.csv", "logit.", z)
    assert mixed.kind == "logits"
    assert mixed.logits == pytest.approx(z, rel=1e-6)
    assert nats(found, mixed.take(slice(0, 20))) == pytest.approx(-log_softmax(z, 1)[np.arange(20), label[:20]], rel=1e-5)
