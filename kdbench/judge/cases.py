"""What a metric is to be asked: for every contender on one set, the evidence that it names, joined by example id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.judge import features
from kdbench.judge.ask import Metric
from kdbench.judge.evidence import Examples, Piece, predictions, rows_of
from kdbench.judge.labelled import about_labels
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import OVER_SEEDS
from kdbench.nouns import Predictions
from kdbench.nouns.predictions import KINDS, lacks
from kdbench.store import Entry

ABSENT = {
    "teacher": "the teacher has no predictions on this set and target",
    "ood": "there are no predictions on this companion set",
    "validation": "there are no predictions on the validation split",
    "teacher_validation": "the teacher has no predictions on the validation split",
}


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
    said = [piece for piece in pieces if piece.evidence == "predictions"]
    for piece in said:
        what = "ood" if piece.foreign else "predictions" if piece.split == "test" else "validation"
        held[piece.contender, piece.seed, piece.target, what] = predictions(entries[piece.role], about)
    for piece in said:
        if piece.foreign or piece.split != "test":
            continue
        seat = (piece.contender, piece.seed, piece.target)
        offered: dict[str, Any] = {
            what: held[*seat, what] for what in ("predictions", "ood", "validation") if (*seat, what) in held
        }
        for what, name in (("predictions", "teacher"), ("validation", "teacher_validation")):
            of_teacher = {s: p for (c, s, t, w), p in held.items() if (c, t, w) == ("teacher", piece.target, what)}
            if of_teacher:
                offered[name] = of_teacher.get(piece.seed, of_teacher[min(of_teacher)])
        foreign = next((p.shift for p in said if p.foreign), "")
        spot = Spot(*seat, piece.split, foreign or piece.shift, piece.severity)
        problem = _problem(metric, piece, offered)
        if not problem:
            offered, problem = _align(offered, about.ids, about.left)
        taps = {} if problem else features.beside(metric.asks, spot, offered, pieces, entries)
        if taps is None:
            continue  # the row that is missing says why
        if isinstance(taps, Reading):
            problem = taps
        else:
            offered |= taps
        yield Case(spot, offered, entries[piece.role].key, problem)


def over_seeds(metric: Metric, cases: Sequence[Case]) -> Iterator[Case]:
    """One case for each contender and target: its predictions of all seeds, and the teacher's, as tuples."""
    seats: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        seats.setdefault((case.spot.contender, case.spot.target), []).append(case)
    for of_seeds in seats.values():
        first = of_seeds[0]
        spot = Spot(first.spot.contender, OVER_SEEDS, first.spot.target, first.spot.split, first.spot.shift, first.spot.severity)
        known = [case for case in of_seeds if case.problem is None]
        if not known:
            yield Case(spot, {}, first.key, first.problem)
            continue
        distinct = {case.key: case for case in known}  # one artefact that serves three seeds is one model
        offered: dict[str, Any] = {"predictions": tuple(case.offered["predictions"] for case in distinct.values())}
        if "teacher" in metric.asks:
            offered["teacher"] = tuple({id(t): t for t in (case.offered["teacher"] for case in known)}.values())
        yield Case(spot, offered, first.key if len(distinct) == 1 else "")


def _problem(metric: Metric, piece: Piece, offered: Mapping[str, Any]) -> Reading | None:
    of_teacher = any(name.startswith("teacher") for name in metric.asks)
    if of_teacher and piece.contender == "teacher":
        return nothing("not applicable", "this is the teacher: what the others are compared with")
    for name in ("predictions", *ABSENT):
        if name in metric.asks and name in offered:
            unknown = _unknown(metric, offered[name])
            if unknown:
                return nothing("not applicable", unknown if name == "predictions" else f"{name}: {unknown}")
    if "predictions" in metric.asks and _unanswerable(metric, offered["predictions"]):
        return nothing("not applicable", "no example has a right answer")
    absent = [word for name, word in ABSENT.items() if name in metric.asks and name not in offered]
    return nothing("undefined", absent[0]) if absent else None


def _unknown(metric: Metric, of: Predictions) -> str:
    """What the metric needs to know of each example and these predictions do not tell; "" for nothing."""
    if metric.form == "frame" and of.kind == "values":  # a library of its own decides by name
        return ""
    return lacks(of.kind, str(metric.facts.get("reads") or "logits"))


def _unanswerable(metric: Metric, of: Predictions) -> bool:
    """Whether a number about being right is asked of examples none of which has a label: it would be 0, as if all were wrong."""
    return of.kind in KINDS[0] and len(of.label) > 0 and bool((of.label < 0).all()) and about_labels(metric)


def _align(offered: dict[str, Any], ids: np.ndarray, left: int) -> tuple[dict[str, Any], Reading | None]:
    """Predictions of the test split in the order of its examples, joined by id. left: examples that are not asked about."""
    for name in ("predictions", "teacher"):
        if name in offered:
            if offered[name].ids is ids:
                continue
            rows = rows_of(ids, offered[name].ids)
            if rows is None or len(offered[name].ids) != len(ids) + left:
                return offered, nothing("failed", f"the example ids of the {name} are not those of the test split")
            if left or not np.array_equal(rows, np.arange(len(ids))):
                offered[name] = offered[name].take(rows)
    return offered, None
