"""Who stands where: tie groups for ranks, and each contender against the teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.judge.lines import Line, lines
from kdbench.judge.pairs import APART, BEATS, CHECKPOINT, INCONCLUSIVE, METHOD, NO, TURNED, compare, holm

KEPT = (
    "task", "target", "contender", "metric", "title", "unit", "better", "value", "low", "high", "delta", "delta_low",
    "delta_high",
)  # fmt: skip
COLUMNS = (
    *KEPT, "rank_low", "rank_high", "p_holm", "verdict", "scope", "seeds", "complete", "status", "reason", "effect", "needed",
    "margin", "p_front",
)  # fmt: skip
"""The columns of the standings. effect, needed, p_holm: against the teacher, as in `pairs`; p_front: see `pareto`."""


def ranks(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """The best and the worst rank of each name: 1 + those who surely beat it, and all but those whom it surely beats."""
    beaten = {name: {"by": 0, "under": 0} for name in names}
    for pair in found:
        if pair["a"] in beaten and pair["b"] in beaten and pair["verdict"] in TURNED:
            winner, loser = (pair["a"], pair["b"]) if pair["verdict"] == BEATS else (pair["b"], pair["a"])
            beaten[winner]["under"] += 1
            beaten[loser]["by"] += 1
    return {name: (1 + b["by"], len(names) - b["under"]) for name, b in beaten.items()}


def standing(
    row: Mapping[str, Any], line: Line | None, rank: tuple[int, int], against: Mapping[str, Any] | None, apart: str = ""
) -> dict[str, Any]:
    """One line of the standings. row: the score over seeds; against: the pair with the teacher (a is the teacher, or b is).

    apart: why the contender is shown and not ranked.
    """
    complete = row["status"] in ("ok", "noisy") and line is not None
    seeds = 0 if line is None else int(np.isfinite(line.values).sum())
    found = {"verdict": "reference" if row["contender"] == "teacher" else "no result", "p_holm": math.nan, "effect": math.nan}
    found |= {"needed": "", "margin": math.nan}
    if complete and apart:
        found["verdict"] = APART
    elif complete and against is not None:
        ours = against["a"] == row["contender"]
        found |= {name: against[name] for name in found}
        found["verdict"] = against["verdict"] if ours else TURNED.get(against["verdict"], against["verdict"])
        found["effect"] = against["effect"] if ours else -against["effect"]
    elif complete and found["verdict"] == "no result":
        found["verdict"] = INCONCLUSIVE
    ranked = complete and not apart
    made = {
        **{k: row[k] for k in KEPT},
        "rank_low": rank[0] if ranked else 0,
        "rank_high": rank[1] if ranked else 0,
        **found,
        "scope": METHOD if seeds > 1 else CHECKPOINT,
        "seeds": seeds,
        "complete": complete,
        "status": row["status"],
        "reason": "; ".join(filter(None, (apart, row["reason"]))),
        "p_front": math.nan,
    }
    return {name: made[name] for name in COLUMNS}


__all__ = ["BEATS", "COLUMNS", "INCONCLUSIVE", "NO", "Line", "compare", "holm", "lines", "ranks", "standing"]
