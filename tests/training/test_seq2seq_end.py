"""From a file of texts to what a student writes about them: data, tokenizer, tokens, fit, distillation, writing, metrics."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from fit_entries import fit_job, run

from kdbench import ALTERNATIVE, Predictions, Runner
from kdbench.nouns import Job
from kdbench.stages import artefacts, data, samples, tokenizer, tokens, writing
from kdbench.stages.tokenizing import TOKENIZER, open_tokenizer

NAMES = {"ape": "affe", "bee": "biene", "cat": "katze", "dog": "hund", "eel": "aal", "fox": "fuchs"}


def german(text):
    return " ".join(NAMES[word] for word in text.split())


def stage(where, module, name, spec, **inputs):
    job = Job(name, spec, {role: entry.key for role, entry in inputs.items()})
    with where.store.write(job) as draft:
        module.run(job, inputs, draft, where)
    return where.store.open(job.key)


def use(where, kind, name, **params):
    return {"name": name, "params": {p.name: params.get(p.name, p.default) for p in where.plugins.get(kind, name).params}}


@pytest.mark.slow
def test_a_translator_is_trained_taught_and_asked_through_the_stages(where, tmp_path):
    rng = np.random.default_rng(0)
    said = [list(rng.choice(list(NAMES), rng.integers(1, 5))) for _ in range(1200)]
    rows = [{"source": " ".join(w), "target": german(" ".join(w))} for w in said]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spec = {
        "dataset": use(where, "dataset", "translations", path=str(tmp_path / "t.jsonl")), "limit": {}, "validation": 0.1,
        "groups": [], "allow_leak": 0, "seed": 0, "role": "home",
    }  # fmt: skip
    texts = stage(where, data, "data", spec)
    learned = stage(where, tokenizer, "tokenizer", {"tokenizer": use(where, "tokenizer", "words")}, data=texts)
    made = stage(where, tokens, "tokens", {"length": 6, "layout": "pair"}, data=texts, tokenizer=learned)
    shape = samples.shape(made)
    assert shape.answer == "text"
    assert list(shape.inputs) == ["tokens", "prefix"]
    model = use(where, "model", "t5", layers=1, decoder_layers=1, hidden=32, heads=2, head=16, intermediate=64, dropout=0.0)
    named = (model["name"], model["params"])
    recipe = {"epochs": 9, "batch": 16, "lr": 0.003, "optimizer": "adamw"}
    teacher = run(fit_job({"ce": 1.0}, named, **recipe), {"data": made}, where)
    student = run(
        fit_job({"kd": {"weight": 1.0, "params": {"temperature": 1.0}}}, named, seed=1, **recipe),
        {"data": made, "teacher": teacher},
        where,
    )
    test = samples.read(made, "test")
    one = where.plugins.load("metric", "exact_match")[0]
    for entry in (teacher, student):
        module = artefacts.read(entry, where.plugins).module

        def predict(x, module=module):
            with torch.no_grad():
                return module(*(torch.from_numpy(v) for v in x.values())).numpy()

        found = writing.write(Runner(predict), test, shape, learned.bytes(TOKENIZER), 6)
        n = len(test.ids)
        of = Predictions(test.ids, np.full(n, -1), np.zeros((n, 0)), np.zeros(n, int), kind="texts", columns=found)
        assert found["reference"].tolist() == [german(text) for text in samples.raw(texts, "test").x["text"][:, 0]]
        assert one(of, normaliser="none").mean() > 0.5, found["text"][:5]
        assert found["ended"].mean() > 0.9


def test_of_several_references_the_first_is_taught_and_each_is_learned_by_the_tokenizer(where, tmp_path):
    rows = [{"source": f"s{k}", "target": [f"first{k}", f"second{k}"]} for k in range(30)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spec = {
        "dataset": use(where, "dataset", "translations", path=str(tmp_path / "t.jsonl")), "limit": {}, "validation": 0.1,
        "groups": [], "allow_leak": 0, "seed": 0, "role": "home",
    }  # fmt: skip
    texts = stage(where, data, "data", spec)
    learned = stage(where, tokenizer, "tokenizer", {"tokenizer": use(where, "tokenizer", "words", least=1)}, data=texts)
    made = stage(where, tokens, "tokens", {"length": 6, "layout": "pair"}, data=texts, tokenizer=learned)
    tool = open_tokenizer(learned.bytes(TOKENIZER))
    train = samples.raw(made, "train")
    for y, target in zip(train.y, train.more["target"], strict=True):
        first, _, second = target.partition(ALTERNATIVE)
        assert tool.text([k for k in y if k >= 0]) == first
        assert tool.text(tool.plain([second])[0]) == second
