"""Stored features (taps), put beside the predictions that a metric is given: the same rows in the same order, joined by id.

A row of a layout with evidence "features" has the contender, seed, target, split and shift of the predictions that it belongs
to. A metric gets them under four names, each a mapping from the name of a tap to an array (n, c), shallow to deep:

    features              of the contender   rows of `predictions`   (split test, shift "")
    teacher_features      of the teacher     rows of `predictions`   (split test, shift "")
    validation_features   of the contender   rows of `validation`    (split validation)
    ood_features          of the contender   rows of `ood`           (split test, shift "ood:<name>")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.judge.evidence import Piece, rows_of
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.nouns import Cell
from kdbench.store import Entry

BESIDE: Mapping[str, str] = {
    "features": "predictions",
    "teacher_features": "predictions",
    "validation_features": "validation",
    "ood_features": "ood",
}
"""The evidence of features, and the predictions whose rows each has."""


def beside(
    asks: frozenset[str], spot: Spot, offered: Mapping[str, Any], pieces: Sequence[Piece], entries: Mapping[str, Entry]
) -> dict[str, Any] | Reading | None:
    """The features that a metric asks for, for the number of this spot; empty where it asks for none.

    offered: the predictions that it gets, those of the test split already in the order of the examples. Gives the reading that
    says why there is no number; or None where features of this contender were planned and brought nothing: the plan knows why,
    and the row that is missing will say so.
    """
    asked = [name for name in BESIDE if name in asks]
    if asked and not any(piece.evidence == "features" for piece in pieces):
        return nothing("not applicable", "no features are stored: they come from the artefact, on a target that runs it as it is")
    found: dict[str, Any] = {}
    for name in asked:
        piece = _piece(name, spot, pieces)
        if piece is None and name == "teacher_features":
            return nothing("undefined", "there are no features of the teacher on this target")
        if piece is None or BESIDE[name] not in offered:
            return None
        held = aligned(entries[piece.role], np.asarray(offered[BESIDE[name]].ids))
        if held is None:
            return nothing("failed", f"the example ids of the {name.replace('_', ' ')} are not those of the predictions")
        found[name] = held
    return found


def aligned(entry: Entry, ids: np.ndarray) -> dict[str, np.ndarray] | None:
    """The taps of an entry, shallow to deep, float32 (n, c), for exactly these ids in this order; None where ids differ."""
    own = np.asarray(entry.array("ids.npy"))
    rows = rows_of(ids, own) if len(own) == len(ids) else None
    if rows is None:
        return None
    same = np.array_equal(rows, np.arange(len(rows)))
    names = entry.json("features.json")["names"]
    arrays = (np.asarray(entry.array(f"tap.{i}.npy")) for i in range(len(names)))
    return {str(name): array if same else array[rows] for name, array in zip(names, arrays, strict=True)}


def _piece(name: str, spot: Spot, pieces: Sequence[Piece]) -> Piece | None:
    """The stored features behind a name; the teacher's at the seed of the contender, or at its first."""
    if name == "teacher_features":
        of = {p.seed: p for p in pieces if _is(p, "test", "") and (p.contender, p.target) == ("teacher", spot.target)}
        return of.get(spot.seed, of[min(of)]) if of else None
    where = ("validation", "") if name == "validation_features" else ("test", spot.shift if name == "ood_features" else "")
    seat = (spot.contender, spot.seed, spot.target)
    return next((p for p in pieces if _is(p, *where) and (p.contender, p.seed, p.target) == seat), None)


def _is(piece: Piece, split: str, shift: str) -> bool:
    return (piece.evidence, piece.split, piece.shift) == ("features", split, shift)


def cells(asks: frozenset[str], planned: Sequence[Cell]) -> Iterator[tuple[Cell, str]]:
    """The planned cells that should each give a number of a metric that reads features, and the shift that the board shows.

    Cells that can have no features are among them, with the reason.
    """
    tests = [cell for cell in planned if cell.evidence == "features" and cell.split == "test"]
    foreign = [cell for cell in tests if cell.shift]
    if "ood_features" not in asks:
        yield from ((cell, "") for cell in tests if not cell.shift)
    elif foreign:
        yield from ((cell, cell.shift) for cell in foreign)
    else:
        yield from ((cell, "ood:*") for cell in tests)
