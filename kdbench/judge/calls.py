"""How the timed calls were spread, and what they were taken under: what stands beside the ratios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kdbench.judge.evidence import measured
from kdbench.nouns import Plan
from kdbench.store import Missing, Store

SHARES = tuple(range(0, 101, 5))
QUANTILES = tuple(f"q{share}" for share in SHARES)
CALL_COLUMNS = (
    "task", "contender", "target", "scenario", "role", "calls", "pairs", "asked_pairs", "late", "load_before", "load_after",
    "switches", "governor", "threads", "checks", *QUANTILES,
)  # fmt: skip
"""One row for each timed side, role contender or reference (the teacher called in turns with it). q0 to q100: microseconds within
which that share of the calls ended, calls that were really taken (order statistics, never interpolated; of calls too short for
the clock each is the mean of the few that were timed at once); switches: involuntary
context switches during them, NaN where not counted; governor: "" where the system tells none; checks: honesty checks made.
"""


def calls(plan: Plan, store: Store) -> Iterator[dict[str, Any]]:
    """Both sides of every scenario that was timed, of the first seed that there is."""
    seen: set[tuple[str, ...]] = set()
    for cell in plan.cells:
        place = (cell.task, cell.contender, cell.target, cell.scenario)
        if cell.evidence != "latency" or not cell.key or place in seen:
            continue
        try:
            held = measured(store.open(cell.key), "latency")
        except Missing:
            continue
        seen.add(place)
        head = dict(zip(CALL_COLUMNS[:4], place, strict=True))
        for role in ("contender", "reference"):
            yield {**head, "role": role, **_conditions(held, role), **_spread(held[f"wall_{role}"])}


def _spread(wall: np.ndarray) -> dict[str, float]:
    """Seconds of calls, any shape, as their quantiles in microseconds."""
    found = np.quantile(wall, np.array(SHARES) / 100, method="inverted_cdf") * 1e6
    return dict(zip(QUANTILES, map(float, found), strict=True))


def _conditions(held: Mapping[str, Any], role: str) -> dict[str, Any]:
    pairs, switches = len(held[f"wall_{role}"]), held.get(f"switches_{role}")
    return {
        "calls": int(held[f"wall_{role}"].size),
        "pairs": pairs,
        "asked_pairs": int(held.get("asked_pairs") or pairs),
        "late": bool(held.get("late", False)),
        "load_before": _load(held.get("load_before")),
        "load_after": _load(held.get("load_after")),
        "switches": float("nan") if switches is None else float(np.sum(switches)),
        "governor": str(held.get("governor") or ""),
        "threads": int(held.get("threads") or 0),
        "checks": len(held.get("checks") or ()),
    }


def _load(value: Any) -> float:
    """The load average of the last minute; older evidence has those of five and fifteen beside it."""
    value = value[0] if isinstance(value, list) and value else value
    return float(value) if isinstance(value, int | float) else float("nan")
