"""What making a contender took, how steady it was, and what distillation gained."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

STEADY = ("seed_sd", "bimodality", "seed_churn")
HOW = (
    "How fast training got there, how much the seeds differ, what is kept of the teacher, and what distillation gained over the "
    "twin: the same network from the same start, trained without a teacher. Below a cost: its share of the teacher's."
)


@section(title="Training and gain", order=85)
def training(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """Every metric of the axis training and the cost of making each row; retention, compression and gain of distillation."""
    drawn = kit.panels(scores, standings, _draw, "No training record was asked for here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any) -> str:
    rows = view.rows()
    rows = rows[~rows["metric"].str.startswith("break_even")]  # stands beside what serving takes
    after = rows["metric"].map(kit.derived).astype(bool)
    steady = rows["metric"].str.split("{").str[0].isin(STEADY)
    made = rows[rows["axis"].isin(["training", "cost"]) & ~after | steady]
    lost = made[~made["metric"].isin(kit.measured(made)["metric"])]
    made = made[~made["metric"].isin(lost["metric"])]
    gains = rows[after & ~steady]
    out = str(kit.by_contender(view, made, "Training", kit.titled, none="\u2013")) + str(kit.without_number(lost))
    gains = gains[(gains["contender"] != "teacher") & gains["metric"].isin(kit.measured(gains)["metric"])]
    if len(gains):
        main = gains["metric"].isin(["gain", "retention"])
        out += str(kit.Markup("<h4>What is kept, and what distillation gained</h4>"))
        out += str(kit.by_contender(view, gains[main], "Retention and gain", kit.titled, none="\u2013"))
        others = kit.by_contender(view, gains[~main], "Retention and gain of other metrics", _of, none="\u2013")
        out += str(kit.fold("The same for other metrics", others)) if others else ""
    return out


def _of(row: Any) -> str:
    """A title short enough for a table of many: "Gain (ECE)"."""
    return str(kit.titled(row)).replace("Gain over the from-scratch twin", "Gain")
