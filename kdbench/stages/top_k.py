"""Stage `top_k`: the likeliest next tokens of a teacher at every position of the plain training windows, recorded once.

A vocabulary of logits at each position would be gigabytes; k of them are 4 k bytes a token.

spec: {k: int}. inputs: data (tokens), artefact (the teacher). Writes `ids.npy`, `tokens.npy` (uint16, int32 for large
vocabularies) and `log_probability.npy` (float16), both (n, length, k), likeliest first, at temperature 1; `rest.npy` (float16,
(n, length, 1)), the log-probability of all other tokens together; and `top_k.json`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from kdbench.nouns import IGNORED, Artefact, Job, Refusal, Shape
from kdbench.stages import Place, artefacts, samples
from kdbench.stages.energy import Spent
from kdbench.store import Draft, Entry
from kdbench.training.loop import Recipe
from kdbench.training.teaching import places
from kdbench.training.terms import asks
from kdbench.training.top_k import RecordedTopK

FACTS = "top_k.json"
LARGEST = 2**24
"""Logits that one call may give: the rows of a batch follow from it."""
QUANTILES = {"low": 0.05, "middle": 0.5, "high": 0.95}


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Record the teacher. top_k.json says k, the vocabulary, the covered mass (its mean and some quantiles over the positions
    that are asked for), and what it cost.

    Raises Refusal for a teacher that is no torch artefact or is for other data, and for logits that are not finite.
    """
    torch.set_num_threads(place.threads)
    spec: dict[str, Any] = dict(job.spec)
    teacher = artefacts.read(inputs["artefact"], place.plugins)
    rows, shape = samples.read(inputs["data"], "train"), samples.shape(inputs["data"])
    _fits(teacher, shape)
    k = min(int(spec["k"]), shape.classes)
    began, meter = time.process_time(), Spent()
    tokens, log_probability, rest = _record(teacher, rows.x, shape, k)
    spent, energy = time.process_time() - began, meter.record()
    draft.array("ids.npy", rows.ids)
    draft.array("tokens.npy", tokens)
    draft.array("log_probability.npy", log_probability)
    draft.array("rest.npy", rest)
    mass = -np.expm1(rest[rows.y != IGNORED].astype(np.float64))
    covered = (
        {"mean": float(mass.mean()), **{name: float(np.quantile(mass, q)) for name, q in QUANTILES.items()}} if len(mass) else {}
    )
    facts = {"k": k, "vocabulary": shape.classes, "covered": covered, "tokenizer": teacher.facts.get("tokenizer")}
    draft.json(FACTS, {**facts, "teacher_passes": len(rows.y), "cpu_seconds": spent, "energy": energy})


def _fits(teacher: Artefact, shape: Shape) -> None:
    if teacher.runtime != "torch":
        raise Refusal(f"top_k: the teacher is a {teacher.runtime} artefact; only torch artefacts can be recorded")
    if shape.answer != "next" and len(shape.inputs) != 1:
        raise Refusal(f"top_k: only language models have next tokens; the data ask for a {shape.answer}")
    if teacher.shape.classes != shape.classes:
        raise Refusal(f"top_k: the teacher has a vocabulary of {teacher.shape.classes} tokens, the data of {shape.classes}")
    if dict(teacher.shape.inputs) != dict(shape.inputs):
        raise Refusal(f"top_k: the teacher is for {artefacts.text_of(teacher.shape)}, the data are {artefacts.text_of(shape)}")


def _record(teacher: Artefact, x: Mapping[str, np.ndarray], shape: Shape, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, length = x["tokens"].shape
    tokens = np.zeros((n, length, k), np.uint16 if shape.classes <= 2**16 else np.int32)
    found, rest = np.zeros((n, length, k), np.float16), np.zeros((n, length, 1), np.float16)
    step = max(1, LARGEST // (length * shape.classes))
    module = teacher.module.eval()
    with torch.no_grad():
        for start in range(0, n, step):
            logits = module(torch.from_numpy(np.ascontiguousarray(x["tokens"][start : start + step]))).float()
            if logits.shape[1:] != (length, shape.classes) or not bool(torch.isfinite(logits).all()):
                raise Refusal("invalid output: the teacher's logits are not finite, or not one row for each token")
            top, ids = logits.topk(k, -1)
            whole = logits.logsumexp(-1, keepdim=True)
            found[start : start + step] = (top - whole).numpy()
            tokens[start : start + step] = ids.numpy()
            rest[start : start + step] = (logits.scatter_(-1, ids, -torch.inf).logsumexp(-1, keepdim=True) - whole).numpy()
    return tokens, found, rest


def recorded(recipe: Recipe, inputs: Mapping[str, Entry], ids: np.ndarray, tokenizer: str) -> RecordedTopK | None:
    """The record that the terms of a fit read, row by row as the training examples `ids`; None where no term asks for one.

    tokenizer: the fingerprint of the data's, "" where there is none. Raises Refusal for a view that changes the examples, a
    record of other tokens, and where none was given.
    """
    if not asks(recipe.terms, "top_k"):
        return None
    name = next(term.name for term in recipe.terms if "top_k" in term.evidence)
    changing = [view.name for view in recipe.views if not view.recorded]
    if changing:
        raise Refusal(f"fit: {name!r} reads a record of the plain examples, and view {changing[0]!r} changes them")
    if "top_k" not in inputs:
        raise Refusal(f"fit: {name!r} needs a record of the teacher's likeliest tokens, and none was given")
    entry = inputs["top_k"]
    facts = entry.json(FACTS)
    if facts["vocabulary"] != recipe.shape.classes:
        raise Refusal(f"fit: the record has a vocabulary of {facts['vocabulary']} tokens, the data have {recipe.shape.classes}")
    if tokenizer and facts["tokenizer"] and facts["tokenizer"] != tokenizer:
        raise Refusal("fit: the teacher's likeliest tokens were recorded with another tokenizer")
    row = places(ids, np.asarray(entry.array("ids.npy")))
    held = (np.array(entry.array(f"{what}.npy"))[row] for what in ("log_probability", "tokens", "rest"))
    log_probability, tokens, rest = held
    if tokens.dtype == np.uint16:
        tokens = tokens.view(np.int16) if recipe.shape.classes <= 2**15 else tokens.astype(np.int32)
    return RecordedTopK(*(torch.from_numpy(value) for value in (log_probability, tokens, rest)))


def said(entry: Entry) -> str:
    """How much of the teacher a record holds, in words for a fit's notes."""
    facts = entry.json(FACTS)
    mass = facts["covered"].get("mean")
    return f"top {facts['k']} of the teacher's tokens recorded" + ("" if mass is None else f", {mass:.1%} of its probability")
