"""What a language model says of given texts: sums over the tokens that are asked for, row by row, and the tokens themselves.

Probabilities are softmaxes in float64, natural logarithms. Nothing is written by the model here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.nouns import IGNORED, Refusal, Runner, Shape
from kdbench.stages.samples import Rows

LARGEST = 2**24
"""Logits that one call may give (64 MB): the rows of a batch follow from it."""
STEP = 2**16
"""Probabilities that are worked on at once: they stay in the processor's cache."""
BINS = 15
"""Bins of confidence, as `ece` has them."""
TOP = 8
"""How many of the likeliest tokens are kept at each position."""
TOKENS = "tokens."
"""What the names of arrays with one row a token begin with; the others have one row an example."""


def score(
    runner: Runner, rows: Rows, shape: Shape, teacher: Runner | None = None, unknown: int | None = None
) -> dict[str, np.ndarray]:
    """Score the labels `rows.y` int64 (n, length), IGNORED where nothing is asked, under a model of logits (b, length, V).

    Per example, summed over its m_i tokens, float64 (n,): `tokens` (m_i), `bytes` (where the rows know them), `nll`, `right` (the
    likeliest token is the one that came), `entropy`; (n, 15) of the confidence in the likeliest token, in right-closed bins of
    equal width: `bin_count`, `bin_confidence`, `bin_right`. With the teacher on the same tokens: `kl` (teacher || student),
    `reverse_kl`, `agree` (same likeliest token), `teacher_nll`, `teacher_right`. unknown, the token for all that a tokenizer does
    not know, where it has one: `unknown`, how many of the m_i tokens are that one.

    Per token, in the order of the rows (m, ...), under "tokens.": `row` int64, `token` int64, `log_probability` float32, `rank`
    int32 (0: the likeliest), `entropy` float32, `top_ids` int32 and `top_log_probabilities` float16, (m, 8), likeliest first.

    Rows go through the model in the order of their length, cut to the longest of a batch, as many as `LARGEST` allows. Raises
    Refusal for logits of another shape or that are not finite, naming whose they are.
    """
    wanted = rows.y != IGNORED
    lengths = wanted.shape[1] - np.argmax(wanted[:, ::-1], axis=1)
    lengths[~wanted.any(axis=1)] = 0
    order = np.argsort(lengths, kind="stable")[::-1]
    held: dict[str, list[np.ndarray]] = {}
    for index in _batches(order[lengths[order] > 0], lengths, shape.classes):
        at, part = _asked(runner, rows, index, int(lengths[index].max()), shape)
        taught = None if teacher is None else _asked(teacher, rows, index, int(lengths[index].max()), shape, "the teacher")[1]
        for name, value in _tokens(at, part, taught, rows).items():
            held.setdefault(name, []).append(value)
    every = {name: np.concatenate(values) for name, values in held.items()}
    found = _gathered(every, rows, teacher is not None)
    return found if unknown is None else {**found, "unknown": (rows.y == unknown).sum(axis=1).astype(np.float64)}


def _batches(order: np.ndarray, lengths: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """Rows, longest first, as many at a time as may be."""
    start = 0
    while start < len(order):
        most = max(1, LARGEST // (int(lengths[order[start]]) * max(1, classes)))
        yield order[start : start + most]
        start += most


def _asked(
    runner: Runner, rows: Rows, index: np.ndarray, width: int, shape: Shape, whose: str = "the model"
) -> tuple[np.ndarray, np.ndarray]:
    """The places (row, position) that are asked for, (m, 2), and the logits there, float32 (m, V)."""
    asked = list(rows.x)[-1]  # the tokens themselves, or what an encoder-decoder has said so far
    x = {}
    for name, value in rows.x.items():
        taken = value[index]
        cut = width if name == asked else _filled(taken, shape.padding) if name == "tokens" else taken.shape[-1]
        x[name] = np.ascontiguousarray(taken[..., :cut])
    logits = np.asarray(runner.predict(x), dtype=np.float32)
    if logits.shape != (len(index), width, shape.classes):
        expected = (len(index), width, shape.classes)
        raise Refusal(
            f"invalid output: {whose} gives logits of shape {logits.shape}, expected {expected} (rows, tokens, vocabulary)"
        )
    row, place = np.nonzero(rows.y[index, :width] != IGNORED)
    found = logits[row, place] if len(row) < logits.shape[0] * width else logits.reshape(-1, logits.shape[-1])
    broken = np.unique(row[~np.isfinite(found).all(axis=1)])
    if len(broken):
        raise Refusal(f"invalid output: {whose} is not finite on {len(broken)} of {len(index)} rows of a batch")
    return np.stack([index[row], place], axis=1), found


def _filled(tokens: np.ndarray, padding: int) -> int:
    """The width up to the last token that is no padding, at least 1."""
    return max(1, int(np.flatnonzero((tokens != padding).any(axis=0)).max(initial=0)) + 1)


def _tokens(at: np.ndarray, z: np.ndarray, taught: np.ndarray | None, rows: Rows) -> dict[str, np.ndarray]:
    label = rows.y[at[:, 0], at[:, 1]]
    if len(label) and not 0 <= label.min() <= label.max() < z.shape[1]:
        raise Refusal(f"tokens: a label of {int(label.max())} is outside of the vocabulary of {z.shape[1]} tokens")
    step = max(1, STEP // z.shape[1])
    parts = [
        _of(z[a : a + step], label[a : a + step], None if taught is None else taught[a : a + step])
        for a in range(0, len(z), step)
    ]
    return {"row": at[:, 0], "place": at[:, 1], "token": label} | {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }


@dataclass(frozen=True, slots=True)
class _Said:
    """A model at m tokens: log-probabilities and probabilities float64 (m, V), and the likeliest token."""

    log_p: np.ndarray
    p: np.ndarray
    first: np.ndarray


def _said(z: np.ndarray) -> _Said:
    log_p = z.astype(np.float64)
    first = log_p.argmax(axis=1)
    log_p -= log_p[np.arange(len(z)), first][:, None]
    p = np.exp(log_p)
    total = p.sum(axis=1, keepdims=True)
    log_p -= np.log(total)
    p /= total
    return _Said(log_p, p, first)


def _of(z: np.ndarray, label: np.ndarray, taught: np.ndarray | None) -> dict[str, np.ndarray]:
    """What is known of some tokens: z (m, V) the logits before each, label (m,) the token that came."""
    one, every = _said(z), np.arange(len(z))
    mine = z[every, label][:, None]
    ahead = (z > mine).sum(axis=1) + ((z == mine) & (np.arange(z.shape[1]) < label[:, None])).sum(axis=1)
    k = min(TOP, z.shape[1])
    top = np.argpartition(z, -k, axis=1)[:, -k:]
    top = np.take_along_axis(top, np.lexsort((top, -np.take_along_axis(z, top, 1)), axis=1), 1)
    found: dict[str, Any] = {
        "log_probability": one.log_p[every, label],
        "rank": ahead,
        "entropy": -np.einsum("mv,mv->m", one.p, one.log_p),
        "confidence": one.p[every, one.first],
        "right": one.first == label,
        "top_ids": top.astype(np.int32),
        "top_log_probabilities": np.take_along_axis(one.log_p, top, 1).astype(np.float16),
    }
    if taught is not None:
        found |= _beside(one, _said(taught), label)
    return found


def _beside(student: _Said, teacher: _Said, label: np.ndarray) -> dict[str, np.ndarray]:
    apart = teacher.log_p - student.log_p
    every = np.arange(len(label))
    return {
        "kl": np.maximum(np.einsum("mv,mv->m", teacher.p, apart), 0.0),  # rounding can leave -1e-17
        "reverse_kl": np.maximum(-np.einsum("mv,mv->m", student.p, apart), 0.0),
        "agree": student.first == teacher.first,
        "teacher_log_probability": teacher.log_p[every, label],
        "teacher_right": teacher.first == label,
    }


def _gathered(every: Mapping[str, np.ndarray], rows: Rows, taught: bool) -> dict[str, np.ndarray]:
    n = len(rows.y)
    row = every.get("row", np.zeros(0, np.int64))

    def summed(name: str, sign: float = 1.0) -> np.ndarray:
        return np.bincount(row, weights=sign * every.get(name, np.zeros(0)), minlength=n).astype(np.float64)

    columns = {"tokens": np.bincount(row, minlength=n).astype(np.float64), "nll": summed("log_probability", -1.0)}
    if "bytes" in rows.more:
        columns["bytes"] = rows.more["bytes"].astype(np.float64)
    columns |= {name: summed(name) for name in ("right", "entropy")}
    confidence = every.get("confidence", np.zeros(0))
    edges = np.arange(1, BINS) / BINS
    cell = row * BINS + np.searchsorted(edges, confidence, side="left")
    for name, weight in (("count", None), ("confidence", confidence), ("right", every.get("right", np.zeros(0)))):
        columns[f"bin_{name}"] = np.bincount(cell, weight, n * BINS).astype(np.float64).reshape(n, BINS)
    if taught:
        columns |= {name: summed(name) for name in ("kl", "reverse_kl", "agree", "teacher_right")}
        columns["teacher_nll"] = summed("teacher_log_probability", -1.0)
    return columns | _one_by_one(every)


def _one_by_one(every: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with a row for each token, in the order of the rows and, in them, of the positions."""
    kinds = {
        "row": np.int64, "token": np.int64, "log_probability": np.float32, "rank": np.int32, "entropy": np.float32,
        "top_ids": np.int32, "top_log_probabilities": np.float16,
    }  # fmt: skip
    if not every:
        return {TOKENS + name: np.zeros((0, TOP) if name.startswith("top") else 0, kind) for name, kind in kinds.items()}
    order = np.lexsort((every["place"], every["row"]))
    return {TOKENS + name: every[name][order].astype(kind) for name, kind in kinds.items()}
