"""Parts of a dataset, drawn so that the same rows are drawn again whatever their order in the file.

One rule serves splits and limits. Rows (or whole clusters) are visited in the order of a hash of seed, purpose and id; one is
taken when that brings the number taken of each class nearer to its quota (quotas by largest remainder, at least one of each
class). Without clusters this is exact stratified sampling. scikit-learn's splitters depend on the order of the rows, and none
of them keeps groups whole, classes in proportion, and a wanted size at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from kdbench.nouns import Refusal
from kdbench.stages.samples import SPLITS

TRAIN, VALIDATION, TEST = range(3)
LEFT_OUT = -1
TEST_SHARE = 0.2


def assign(
    y: np.ndarray, ids: np.ndarray, cluster: np.ndarray | None, given: np.ndarray | None, validation: float, seed: int
) -> np.ndarray:
    """Codes (n,) of the split of each row. A given test split is kept; without one, 20 % of the rows become test. A given
    validation split is kept; without one, the share `validation` is taken from train, and from train only.
    """
    if given is None:
        code = np.full(len(y), TRAIN)
        code[draw(y, ids, cluster, round(TEST_SHARE * len(y)), f"{seed} test")] = TEST
    else:
        code = np.select([given == name for name in SPLITS], range(len(SPLITS)), LEFT_OUT)
    _whole(code, ids, cluster)
    if not (code == VALIDATION).any() and validation > 0:
        rows = np.flatnonzero(code == TRAIN)
        part = None if cluster is None else cluster[rows]
        code[rows[draw(y[rows], ids[rows], part, round(validation * len(rows)), f"{seed} validation")]] = VALIDATION
    for number, name in enumerate(SPLITS):
        if not (code == number).any() and (number != VALIDATION or validation > 0):
            raise Refusal(
                f"data: the {name} split has no rows ({len(y)} rows, {len(np.unique(y))} classes); give more rows of each class"
            )
    return code


def limit(
    code: np.ndarray, y: np.ndarray, ids: np.ndarray, cluster: np.ndarray | None, most: Mapping[str, int], seed: int
) -> np.ndarray:
    """Codes with the rows beyond `most` (split -> rows) left out (-1): by class, clusters whole (a little fewer may remain).

    The limit comes after the split, so that the test rows of a limited run are among those of the full run.
    """
    code = code.copy()
    for name, wanted in most.items():
        if name not in SPLITS:
            raise Refusal(f"data: limit: no split {name!r} (allowed: {', '.join(SPLITS)})")
        rows = np.flatnonzero(code == SPLITS.index(name))
        if wanted < len(rows):
            if wanted < len(np.unique(y[rows])):
                raise Refusal(f"data: limit: {name}: {wanted} rows for {len(np.unique(y[rows]))} classes; one of each is needed")
            part = None if cluster is None else cluster[rows]
            kept = draw(y[rows], ids[rows], part, wanted, f"{seed} limit {name}", spare=0)
            code[np.delete(rows, kept)] = LEFT_OUT
    return code


def draw(y: np.ndarray, ids: np.ndarray, cluster: np.ndarray | None, size: int, purpose: str, spare: int = 1) -> np.ndarray:
    """Sorted places of about `size` rows (exactly, without clusters; never more), stratified by class. `spare` rows at
    least of each class stay behind. `purpose` separates draws from each other.
    """
    classes, code = np.unique(y, return_inverse=True)
    quota = _quotas(np.bincount(code), size, spare)
    names = ids if cluster is None else cluster
    units, unit = np.unique(names, return_inverse=True)
    order = sorted(range(len(units)), key=[_hash(purpose, str(u)) for u in units].__getitem__)
    by_unit = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    labels = code.tolist()
    open_places = quota.tolist()
    left, taken = size, []
    for one in order:
        counts: dict[int, int] = {}
        for row in by_unit[one].tolist():
            counts[labels[row]] = counts.get(labels[row], 0) + 1
        nearer = sum(c * (2 * open_places[k] - c) for k, c in counts.items())  # fall of the squared distance to the quotas
        if nearer > 0 and len(by_unit[one]) <= left:
            taken.append(by_unit[one])
            left -= len(by_unit[one])
            for k, c in counts.items():
                open_places[k] -= c
    return np.sort(np.concatenate([np.empty(0, np.int64), *taken]))


def _quotas(counts: np.ndarray, size: int, spare: int) -> np.ndarray:
    """How many to take of each class: `size` in proportion, by largest remainder; where size allows, one at least of each class
    that has one to give; `spare` are left behind.
    """
    exact, most = counts * (size / counts.sum()), counts - spare
    floor = np.minimum(1, most) if size >= len(counts) else np.zeros_like(counts)
    quota: np.ndarray = np.clip(np.floor(exact).astype(np.int64), floor, most)
    while quota.sum() < min(size, int(most.sum())):
        quota[np.where(quota < most, exact - quota, -np.inf).argmax()] += 1
    while quota.sum() > size:
        quota[np.where(quota > floor, quota - exact, -np.inf).argmax()] -= 1
    return quota


def _whole(code: np.ndarray, ids: np.ndarray, cluster: np.ndarray | None) -> None:
    """Refuse a given split that puts one cluster on both sides of the test."""
    if cluster is None:
        return
    both = np.intersect1d(cluster[code == TEST], cluster[code != TEST])
    if len(both):
        held = ids[(cluster == both[0]) & (code == TEST)][0]
        one, row = str(both[0])[:60], str(held)[:60]
        raise Refusal(f"data: cluster {one!r} is in train and in test (test row {row!r}); {len(both)} such clusters")


def _hash(purpose: str, name: str) -> bytes:
    return hashlib.blake2b(f"{purpose}\n{name}".encode(), digest_size=16).digest()
