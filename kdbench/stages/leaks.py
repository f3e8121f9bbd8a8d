"""Equal inputs: copies of test rows in train, and rows that no model can all get right.

Which rule applies depends on what an equal input means. In images, text and tables of unique records it means a copy. A few
copies (at most 0.5 % of the test rows) are removed from train, so that the test split stays the published one; more are a sign of
a broken split and are refused, unless the suite says `allow_leak: n`. In tables of few or coarse columns (`alike`) two people
may well look the same: removing them would bias train towards rare profiles, so they are counted and noted. A table where each
input stands for 20 rows or more on average is coarse, whatever its plugin says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

from kdbench.nouns import Refusal, canonical
from kdbench.stages.splits import LEFT_OUT, TEST

REMOVED_SHARE = 0.005
NEAR_DECIMALS = 4
COARSE = 20


def same_inputs(x: Mapping[str, np.ndarray]) -> np.ndarray:
    """Codes (n,): equal where all inputs of two rows have equal bytes (by a 128-bit hash)."""
    parts = [_bytes(v) for v in x.values() if v.shape[1]]
    hashes = [hashlib.blake2b(b"".join(row), digest_size=16).hexdigest() for row in zip(*parts, strict=True)]
    return np.unique(np.array(hashes), return_inverse=True)[1]


def _bytes(value: np.ndarray) -> Iterator[bytes]:
    """The bytes of each row; of texts with their lengths, so that no two ways to cut a pair look the same."""
    if value.dtype == object:
        return (canonical(row).encode() for row in value.tolist())
    flat = np.ascontiguousarray(value).reshape(len(value), -1)
    return (row.tobytes() for row in flat.view(np.uint8).reshape(len(flat), -1))


def coarse(kind: str, same: np.ndarray) -> bool:
    """Whether a table tells so few rows apart that equal rows are no sign of a copy."""
    return kind == "table" and COARSE * len(np.unique(same)) <= len(same)


def settle(split: np.ndarray, same: np.ndarray, ids: np.ndarray, alike: bool, allow: int) -> tuple[np.ndarray, list[str]]:
    """The split without copies of test rows in train and validation, and notes; or a Refusal that says how to allow them."""
    test, other = split == TEST, (split != TEST) & (split != LEFT_OUT)
    leaked = test & np.isin(same, same[other])
    found, n = int(leaked.sum()), int(test.sum())
    if not found:
        return split, []
    share = f"{found} of {n} test rows ({found / n:.2%}) have the same input as a train or validation row"
    if alike:
        return split, [f"{share}; different records may look alike here, so they are kept"]
    if found <= allow:
        return split, [f"{share}; allow_leak: {allow} keeps them"]
    copies = other & np.isin(same, same[test])
    if found <= REMOVED_SHARE * n:
        return np.where(copies, LEFT_OUT, split), [
            f"{share}; these {int(copies.sum())} rows were removed from train and validation"
        ]
    first = int(leaked.argmax())
    twin = int((copies & (same == same[first])).argmax())
    where = f"test row {str(ids[first])[:40]!r} is train row {str(ids[twin])[:40]!r}"
    raise Refusal(f"data: leak: {share}, e.g. {where}; mend the split, or allow it: data: allow_leak: {found}")


def ceiling(split: np.ndarray, same: np.ndarray, y: np.ndarray) -> list[str]:
    """A note where equal test inputs have different labels: the best accuracy that any model can have on this split."""
    test = split == TEST
    pairs, counts = np.unique(np.stack([same[test], y[test]]), axis=1, return_counts=True)
    best = np.zeros(int(same.max()) + 1, np.int64)
    np.maximum.at(best, pairs[0], counts)
    wrong = int(test.sum() - best.sum())
    if not wrong:
        return []
    n = int(test.sum())
    best_accuracy = 1 - wrong / n
    return [f"equal test inputs have different labels: at least {wrong} of {n} must be wrong, accuracy <= {best_accuracy:.4f}"]


def near_copies(split: np.ndarray, x: Mapping[str, np.ndarray], same: np.ndarray, std: np.ndarray) -> list[str]:
    """A note where test rows of a table equal train rows to 4 decimals (in standard deviations) without being equal."""
    if not x["numeric"].shape[1]:
        return []
    test, other = split == TEST, (split != TEST) & (split != LEFT_OUT)
    scaled = np.nan_to_num(x["numeric"] / std, nan=1e9) * 10**NEAR_DECIMALS
    alike = np.zeros(len(split), bool)
    for offset in (0.0, 0.5):  # two grids, so that a pair on the edge of one cell shares a cell of the other
        near = same_inputs({"numeric": np.rint(scaled + offset) + 0.0, "categorical": x["categorical"]})
        alike |= np.isin(near, near[other])
    found = int((test & alike & ~np.isin(same, same[other])).sum())
    if not found:
        return []
    n = int(test.sum())
    return [f"{found} of {n} test rows nearly equal a train or validation row (to {NEAR_DECIMALS} decimals): near-copies?"]
