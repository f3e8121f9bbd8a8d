"""What a metric is to be asked: for every contender on one set, the evidence that it names, joined by example id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.evidence import Examples, Piece, predictions, rows_of, take
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.nouns import Predictions
from kdbench.store import Entry


@dataclass(frozen=True, slots=True)
class Case:
    """One number to be found: where it belongs, the evidence for it, or the reading that says why there is none."""

    spot: Spot
    offered: Mapping[str, Any]
    key: str
    problem: Reading | None = None


def cases_of(metric: Metric, pieces: Sequence[Piece], entries: Mapping[str, Entry], about: Examples) -> Iterator[Case]:
    """The pieces of one set, each with what the metric asks for beside it."""
    held: dict[tuple[str, int, str, str], Predictions] = {}
    for piece in pieces:
        what = "ood" if piece.foreign else "predictions" if piece.split == "test" else "validation"
        held[piece.contender, piece.seed, piece.target, what] = predictions(entries[piece.role], about)
    for piece in pieces:
        if piece.foreign or piece.split != "test":
            continue
        seat = (piece.contender, piece.seed, piece.target)
        offered: dict[str, Any] = {
            what: held[*seat, what] for what in ("predictions", "ood", "validation") if (*seat, what) in held
        }
        teachers = {s: p for (c, s, t, w), p in held.items() if (c, t, w) == ("teacher", piece.target, "predictions")}
        if teachers:
            offered["teacher"] = teachers.get(piece.seed, teachers[min(teachers)])
        foreign = next((p.shift for p in pieces if p.foreign), "")
        spot = Spot(*seat, piece.split, foreign or piece.shift, piece.severity)
        problem = _problem(metric, piece, offered)
        if not problem:
            offered, problem = _align(offered, about.ids)
        yield Case(spot, offered, entries[piece.role].key, problem)


def _problem(metric: Metric, piece: Piece, offered: Mapping[str, Any]) -> Reading | None:
    words = {
        "teacher": "the teacher has no predictions on this set and target",
        "ood": "there are no predictions on this companion set",
        "validation": "there are no predictions on the validation split",
    }
    if "teacher" in metric.asks and piece.contender == "teacher":
        return nothing("not applicable", "this is the teacher: what the others are compared with")
    absent = [word for name, word in words.items() if name in metric.asks and name not in offered]
    return nothing("undefined", absent[0]) if absent else None


def _align(offered: dict[str, Any], ids: np.ndarray) -> tuple[dict[str, Any], Reading | None]:
    """Predictions of the test split in the order of its examples, joined by id."""
    for name in ("predictions", "teacher"):
        if name in offered:
            rows = rows_of(ids, offered[name].ids)
            if rows is None or len(offered[name].ids) != len(ids):
                return offered, nothing("failed", f"the example ids of the {name} are not those of the test split")
            if not np.array_equal(rows, np.arange(len(ids))):
                offered[name] = take(offered[name], rows)
    return offered, None
