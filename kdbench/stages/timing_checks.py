"""Whether a model answers when timed as it does when scored. One file, standard library and numpy; goes with `timing_script`.

A model is one of `timing_script.Model`. What was seen of rows is {rows, wrong, largest}, see `compare`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

import numpy as np

ALIKE = 0.05
"""Two ways of asking look alike when their times differ by no more than this share."""

ALONE = 8
"""Rows that are asked alone."""


def nothing() -> dict[str, Any]:
    """Before any row was seen."""
    return {"rows": 0, "wrong": 0, "broken": 0, "largest": 0.0}


def compare(seen: dict[str, Any], expected: np.ndarray, said: np.ndarray, tolerance: float) -> None:
    """Add rows to what was seen. wrong: off by more than the tolerance, relative to the row's scale, or with another decision
    than a margin above the tolerance allows, or broken: not finite, or of another shape; largest: the largest such difference.
    The scale is the row's largest expected score, and at least the median of these over the rows: one whose scores are all near
    0 has no scale of its own.
    """
    seen["rows"] += len(expected)
    if said.size == expected.size and len(said) == len(expected):
        said = said.reshape(expected.shape)  # scores of a map or a sequence, or one a row
    if said.shape != expected.shape:
        seen["wrong"] += len(expected)
        seen["broken"] += len(expected)
    elif not np.array_equal(said, expected):
        expected, said = expected.astype(np.float64), said.astype(np.float64)
        scale = np.abs(expected).max(axis=1)
        scale = np.maximum(scale, max(np.median(scale), 1e-6))
        off = np.abs(said - expected).max(axis=1) / scale
        top = np.sort(expected, axis=1)[:, -2:]
        flipped = (said.argmax(axis=1) != expected.argmax(axis=1)) & (top[:, -1] - top[:, 0] > tolerance * scale)
        seen["wrong"] += int((~(off <= tolerance) | flipped).sum())
        seen["broken"] += int((~np.isfinite(off)).sum())
        seen["largest"] = max(seen["largest"], *off[np.isfinite(off)].tolist(), 0.0)


def fresh(model: Any, calls: list[Any], ask: Mapping[str, Any], inner: int) -> dict[str, list[float]]:
    """Fastest call of each block on the repeated input, and of each on inputs never seen, in blocks A B, B A, ... Goes on
    from `fresh_pairs` to `fresh_limit` while the two do not look alike.
    """
    found: dict[str, list[float]] = {"repeated": [], "unseen": []}
    quick, budget = min(map(min, model.blocks["wall"])), ask["seconds"] / 8
    many, discard = (3, 1) if 2 * ask["fresh_pairs"] * (3 * inner + 1) * quick < budget else (1, 0)
    end, source = time.perf_counter() + budget, unseen(calls)
    while (done := len(found["unseen"])) < ask["fresh_limit"]:
        alike = done and abs(np.median(np.divide(found["unseen"], found["repeated"])) - 1) <= ALIKE
        if done >= ask["fresh_pairs"] and (alike or time.perf_counter() > end):
            break
        never = list(islice(source, many * inner + discard))
        if len(never) < many * inner + discard:
            break
        for kind in ("repeated", "unseen") if done % 2 == 0 else ("unseen", "repeated"):
            inputs = [model.ready(x) for _, x in never]  # for both, so that what it does to the caches is alike
            if kind == "repeated":
                inputs = [model.first] * len(never)
            said = [np.asarray(model.run(x)) for x in inputs[:discard]]
            wall, waited, _, _, outputs = model.timed([inputs[at : at + inner] for at in range(discard, len(inputs), inner)])
            found[kind].append(float(np.subtract(wall, waited).min()))
            for (at, _), answer in zip(never, said + outputs, strict=True) if kind == "unseen" else []:
                if at is not None:
                    compare(model.answers, model.scored[at], answer, model.tolerance["answers"])
    return found


def unseen(calls: list[dict[str, np.ndarray]]) -> Iterator[tuple[int | None, dict[str, np.ndarray]]]:
    """Inputs never asked before, and their place among the calls: first those calls; then, without a place, copies of them, with
    rows turned round, numbers changed by less than a hundredth, and every other code that of another call.
    """
    known = {_key(calls[0])}
    floating = any(values.dtype.kind == "f" for values in calls[0].values())
    steps = range(40 if floating or len(next(iter(calls[0].values()))) > 1 else len(calls))
    for step, (place, x) in product(steps, enumerate(calls)):
        other = calls[(place + step) % len(calls)]
        made = {name: _changed(values, other[name], step) for name, values in x.items()} if step else x
        if _key(made) not in known:
            known.add(_key(made))
            yield None if step else place, made


def _key(x: Mapping[str, np.ndarray]) -> int:
    return hash(b"".join(values.tobytes() for values in x.values()))


def _changed(values: np.ndarray, other: np.ndarray, step: int) -> np.ndarray:
    """Values that may stand in the same columns."""
    if values.dtype.kind == "f":
        return np.roll(values * (1 + step / 4096), step, axis=0)
    values = np.roll(values, step, axis=0)
    values[..., 1::2] = other[..., 1::2]
    return values


def together(model: Any, calls: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Rows as one batch beside the scored answers; then in reverse, and one by one, beside that batch. error: what a model says
    that does not take another number of rows.
    """
    few = calls[: 1 if len(next(iter(calls[0].values()))) > 1 else ALONE]
    allowed = model.tolerance["batch"]
    x = {name: np.concatenate([one[name] for one in few]) for name in calls[0]}
    seen = {name: nothing() for name in ("together", "reversed", "alone")}
    try:
        whole = np.array(model.run(model.ready(x)))
        compare(seen["together"], np.concatenate(model.scored[: len(few)]), whole, allowed)
        backwards = np.array(model.run(model.ready({name: values[::-1] for name, values in x.items()})))
        compare(seen["reversed"], whole, backwards[::-1], allowed)
        alone = [np.array(model.run(model.ready({n: v[i : i + 1] for n, v in x.items()}))) for i in range(min(ALONE, len(whole)))]
        compare(seen["alone"], whole[:ALONE], np.concatenate(alone), allowed)
    except Exception as error:  # whatever a runtime raises
        return {**seen, "error": f"{type(error).__name__}: {error}"[:300]}
    return seen
