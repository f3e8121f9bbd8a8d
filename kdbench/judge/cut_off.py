"""Warnings about inputs that a model did not see whole: of each task, the contenders of whom more than one row in a hundred was
cut off.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence

import numpy as np

from kdbench.entry import manifest_of
from kdbench.judge.evidence import COLUMN, pieces
from kdbench.nouns import Job, Json
from kdbench.store import Damaged, Missing, Store

WORTH_A_WORD = 0.01
"""Share of the rows of a set above which it is said."""


def cut_off(judging: Sequence[Job], store: Store) -> Iterator[str]:
    """One sentence for each task, home or asked, in which some contender read only a part of more than 1 % of the test rows.

    A contender reads the same rows at all its seeds and on all targets, so one of its entries is looked into.
    """
    seats: dict[str, dict[str, str]] = {}
    for job in judging:
        layout: Sequence[Json] = job.spec["layout"]  # type: ignore[assignment]
        of = seats.setdefault(str(job.spec["task"]), {})
        for piece in pieces(layout):
            if piece.evidence == "predictions" and piece.split == "test" and not piece.shift:
                of.setdefault(piece.contender, job.needs[piece.role])
    for task, of in seats.items():
        found = {contender: _share(store, key) for contender, key in of.items()}
        said = [f"{contender} {share:.1%}" for contender, share in found.items() if share > WORTH_A_WORD]
        if said:
            yield f"{task}: inputs are cut off, and their numbers are about what was left: {', '.join(said)} of the test rows"


def _share(store: Store, key: str) -> float:
    """The share of rows of which something was cut off, 0 where nothing is known of it; unchecked: it is shown, not judged."""
    place = store.place(key)
    try:
        manifest_of(place, key)
        with np.load(place / "predictions.npz", allow_pickle=False) as held:
            name = f"{COLUMN}truncated"
            lost = held[name] if name in held.files else np.zeros(0)
    except (Missing, Damaged, OSError, ValueError, zipfile.BadZipFile):
        return 0.0
    return float(np.mean(lost)) if len(lost) else 0.0
