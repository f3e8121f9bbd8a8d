"""What making a contender took, how steady it was, and what distillation gained."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section

STEADY = ("seed_sd", "bimodality", "seed_churn")
HOW = "How fast training got there, how much the seeds differ, what is kept of the teacher and won over the from-scratch twin."


@section(title="Training and gain", order=85)
def training(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """Every metric of the axis training and the cost of making each row; retention, compression and gain of distillation."""
    drawn = kit.panels(scores, standings, _draw, "No training record was asked for here.")
    return str(kit.how(HOW) + drawn) if drawn else ""


def _draw(view: Any) -> str:
    rows = view.rows()
    after = rows["metric"].map(kit.derived).astype(bool)
    steady = rows["metric"].str.split("{").str[0].isin(STEADY)
    made = rows[rows["axis"].isin(["training", "cost"]) & ~after | steady]
    gains = rows[after & ~steady]
    out = str(kit.by_contender(view, made, "Training"))
    gains = gains[(gains["contender"] != "teacher") & gains["metric"].isin(kit.measured(gains)["metric"])]
    if len(gains):
        main = gains["metric"].isin(["gain", "retention"])
        out += str(kit.Markup("<h4>What is kept, and what distillation gained</h4>"))
        out += str(kit.by_contender(view, gains[main], "Retention and gain"))
        others = kit.by_contender(view, gains[~main], "Retention and gain of other metrics")
        out += str(kit.fold("The same for other metrics", others)) if others else ""
    return out
