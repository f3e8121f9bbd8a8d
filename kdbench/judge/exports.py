"""What the check of each exported model against the original found: what stands beside the metrics of export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kdbench.judge.evidence import measured
from kdbench.nouns import Plan
from kdbench.store import Missing, Store

FACTS = (
    "n", "max_abs", "max_rel", "tolerance", "tolerance_reason", "flips", "flips_beyond", "flip_ids", "passed", "narrow_n",
    "narrow_margin", "narrow_max_rel", "narrow_flips", "first_divergence",
)  # fmt: skip
EXPORT_COLUMNS = ("task", "contender", "target", "seed", *FACTS)
"""One row for each contender and target that was checked; the facts as `kdbench.stages.parity` describes them, None where the
evidence does not say.
"""


def exports(plan: Plan, store: Store) -> Iterator[dict[str, Any]]:
    """Of several seeds the one that is farthest off: one that did not pass before one that did."""
    worst: dict[tuple[str, str, str], dict[str, Any]] = {}
    for cell in plan.cells:
        if cell.evidence != "parity" or not cell.key:
            continue
        try:
            held = measured(store.open(cell.key), "parity")
        except Missing:
            continue
        place = (cell.task, cell.contender, cell.target)
        row = {**dict(zip(EXPORT_COLUMNS, (*place, cell.seed), strict=False)), **{name: held.get(name) for name in FACTS}}
        if place not in worst or _off(row) > _off(worst[place]):
            worst[place] = row
    yield from worst.values()


def _off(row: dict[str, Any]) -> tuple[bool, float]:
    return not row["passed"], float(row["max_rel"] or 0.0)
