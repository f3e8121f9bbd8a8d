"""Whether a contender knows what it was not made for."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdbench import kit, section


@section(title="Out of distribution", order=75)
def ood(scores: pd.DataFrame, standings: pd.DataFrame) -> str:
    """For each companion set and score: how well outside rows are told from inside rows."""
    how = kit.how("Can a contender tell that a row is unlike all it was made for? By companion set and score.")
    drawn = kit.panels(scores, standings, _draw, "No companion set of this task is in the suite.")
    return str(how + drawn) if drawn else ""


def _draw(view: Any) -> str:
    rows = view.scores[(view.scores["axis"] == "ood") & (view.scores["slice"] == "")]
    if rows.empty:
        return ""
    label = kit.short(view.scores)
    out = []
    sets = rows["shift"].nunique()
    for (_, shift), part in rows.groupby(["metric", "shift"], sort=False):
        numbers = kit.measured(part)
        if numbers.empty or (shift == "ood:*" and sets == 2):  # the mean over one set is that set
            continue
        first = numbers.iloc[0]
        frame = pd.DataFrame({
            "who": [label[c] for c in numbers["contender"]],
            "value": numbers["value"], "low": numbers["low"], "high": numbers["high"],
            "shown": [kit.stated(r.value, r.low, r.high, r.unit) for r in kit.each(numbers)],
        })  # fmt: skip
        outside = shift.removeprefix("ood:").replace("*", "") or "mean over the companion sets"
        name, order = kit.titled(next(kit.each(numbers))), list(label.values())
        unit = str(first["unit"])
        x = {"type": "quantitative", "scale": {"zero": False}, "title": kit.axis_title(name, unit), "axis": kit.axis(unit)}
        better = {"higher": "higher is better", "lower": "lower is better"}.get(str(first["better"]), "")
        title = f"{name}, outside: {outside}" + (f" ({better})" if better else "")
        shown = frame[["who", "shown"]].set_axis(["Contender", name], axis=1)
        out.append(
            kit.figure(
                kit.dots(frame, order, x), title, f"{title}; one dot with its interval for each of {len(frame)} rows.", shown
            )
        )
    return str(kit.Markup('<div class="pairwise">{}</div>').format(kit.Markup("").join(out))) if out else _why(rows)


def _why(rows: pd.DataFrame) -> str:
    return str(kit.note("Not measured: " + "; ".join(dict.fromkeys(kit.clean(r, 200) for r in rows["reason"]))))
