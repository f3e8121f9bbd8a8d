"""Which rows of a file belong together: the sets of examples, and the seeds of the contender."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdbench.predictions.labels import WHOLE, texts
from kdbench.tables.raw import Raw, short

MOST_SETS = 2_000
TAKEN = frozenset({"none", "clean", "original", "*"})
"""What people call no shift: an empty cell says that here, so that clean rows are never taken for shifted ones."""
OOD = re.compile(r"ood:[^:*]{1,100}")


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """Which set of examples, and which seed of the contender. split: "validation" or "test"; shift: "" for none, "ood:<name>"
    for examples from outside the distribution; severity: from 1 under a shift, else 0.
    """

    split: str
    shift: str
    severity: int
    seed: int

    @property
    def foreign(self) -> bool:
        """Whether the examples come from outside the distribution: they have no label."""
        return self.shift.startswith("ood:")

    @property
    def examples(self) -> tuple[str, str]:
        """What sets share that are about the same examples: shifts and seeds do not change them."""
        return self.split, self.shift if self.foreign else ""

    def __str__(self) -> str:
        shift = f" under {self.shift} {self.severity}" if self.shift and not self.foreign else ""
        return f"{self.shift if self.foreign else self.split}{shift}, seed {self.seed}"


def sets_of(raw: Raw) -> dict[Where, np.ndarray]:
    """The rows of each set and seed, in the order of the file; the sets sorted. Raises Refusal for a row that belongs to none."""
    columns = {name: texts(raw, name) for name in ("split", "shift", "severity", "seed") if name in raw.columns}
    code = np.zeros(raw.n, np.int64)
    for held, places in columns.values():
        code = np.unique(code * (len(held) + 1) + places + 1, return_inverse=True)[1]
    count = int(code.max()) + 1
    if count > MOST_SETS:
        raise raw.wrong(f"{count} sets by split, shift, severity and seed; at most {MOST_SETS} are read")
    order = np.argsort(code, kind="stable") if count > 1 else np.arange(raw.n)
    sets: dict[Where, np.ndarray] = {}
    for rows in np.split(order, np.cumsum(np.bincount(code))[:-1]):
        cells = {name: "" if places[rows[0]] < 0 else held[places[rows[0]]] for name, (held, places) in columns.items()}
        where = _where(raw, cells, int(rows[0]))
        sets[where] = np.sort(np.concatenate([sets[where], rows])) if where in sets else rows
    if not any(where.split == "test" and not where.shift for where in sets):
        raise raw.wrong("no test rows without a shift; they are what everything else is compared with")
    return dict(sorted(sets.items()))


def _where(raw: Raw, cells: Mapping[str, str], row: int) -> Where:
    split, shift = cells.get("split", "test"), cells.get("shift", "")
    foreign = split.startswith("ood:")
    if split not in ("test", "validation") and not OOD.fullmatch(split):
        hint = "; rows of train are not judged" if split == "train" else ""
        raise raw.wrong(f"found {short(split)} (allowed: test, validation, ood:<name>){hint}", "split", row)
    if shift and split != "test":
        raise raw.wrong(f"found {short(shift)} in {split}; only test rows are shifted", "shift", row)
    if shift.lower() in TAKEN or shift.startswith("ood:") or len(shift) > 100:
        raise raw.wrong(f"found {short(shift)}; leave the cell empty where there is no shift", "shift", row)
    severity = _whole(raw, cells, "severity", row)
    if (shift and severity == 0) or (severity and not shift):
        where = "with" if shift else "without"
        raise raw.wrong(f"found {severity} {where} a shift (allowed: 1, 2, ... with one, empty without)", "severity", row)
    seed = _whole(raw, cells, "seed", row)
    if seed is None and "seed" in cells:
        raise raw.wrong("empty; every row needs one where there is the column", "seed", row)
    return Where("test" if foreign else split, split if foreign else shift, (severity or 1) if shift else 0, seed or 0)


def _whole(raw: Raw, cells: Mapping[str, str], name: str, row: int) -> int | None:
    """The whole number of a cell, None for an empty one."""
    text = cells.get(name, "")
    if text and (not WHOLE.fullmatch(text) or int(text) >= 2**32):
        raise raw.wrong(f"found {short(text)} (allowed: 0, 1, 2, ... below 2**32)", name, row)
    return int(text) if text else None
