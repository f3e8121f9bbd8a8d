"""The tables of a ranking: standings, pairs and Pareto fronts of every task and target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from kdbench.judge import axes as axis
from kdbench.judge.lines import Line, Rules, lines
from kdbench.judge.pairs import pairs
from kdbench.judge.pareto import pareto
from kdbench.judge.standings import ranks, standing
from kdbench.nouns import Suite, Task

Replicates: TypeAlias = "Callable[[str, str], Mapping[str, np.ndarray] | None]"
"""(task, metric id) -> the arrays of replicates.npz, or None where that was not judged."""
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows of the three tables, in the order of the board."""

    standings: list[Row] = field(default_factory=list)
    pairs: list[Row] = field(default_factory=list)
    pareto: list[Row] = field(default_factory=list)


def ranking(
    suite: Suite, over: pd.DataFrame, held: Replicates, axes: Sequence[axis.Axis], apart: Mapping[tuple[str, str], str]
) -> Ranking:
    """Rank every task on every target. over: the scores over seeds; axes: the metrics of the suite; apart: who is not ranked."""
    found = Ranking()
    plain = over[(over["slice"] == "") & over["shift"].isin(["", "ood:*"])]
    for task in suite.tasks:
        rows = plain[plain["task"] == task.name]
        present = set(rows["metric"])
        apply = set(
            rows.loc[rows["status"] != "not applicable", "metric"]
        )  # what failed still ranks: it is not replaced in silence
        primary = axis.chosen(suite, axes, apply, present)
        if primary is None:
            continue
        front = [a for a in axis.front(suite, axes, primary) if a.id in present]
        front = front if len(front) > 1 else []
        for target in rows.loc[rows["metric"] == primary.id, "target"].unique():
            here = rows[rows["target"] == target]
            margin = axis.margin(suite, primary, axes, task.home)
            _table(found, margin, (task, primary, front), here, held, apart)
    return found


def _table(
    found: Ranking, margin: float, about: tuple[Task, axis.Axis, Sequence[axis.Axis]], here: pd.DataFrame, held: Replicates,
    apart: Mapping[tuple[str, str], str],
) -> None:  # fmt: skip
    """Add one task on one target; margin: what counts as no difference; here: its scores over seeds."""
    task, primary, front = about
    of = [{str(k): v for k, v in row.items()} for row in here[here["metric"] == primary.id].to_dict("records")]
    target = str(of[0]["target"])
    replicates = held(task.name, primary.id)
    known = _lines(replicates, target)
    out = {row["contender"]: why for row in of if (why := apart.get((task.name, row["contender"]), "") or _large(primary, row))}
    whole = _whole(here, primary)
    in_table = [known[row["contender"]] for row in of if row["contender"] in known and row["contender"] in whole]
    seeds = () if replicates is None else tuple(int(s) for s in replicates["seeds"])
    rules = Rules(primary.better, margin, primary.unit == "fraction", frozenset(out), seeds)
    compared = pairs(in_table, rules)
    ranked = [line.contender for line in in_table if line.contender != "teacher" and line.contender not in out]
    rank = ranks(ranked, compared)
    against = {({p["a"], p["b"]} - {"teacher"}).pop(): p for p in compared if "teacher" in (p["a"], p["b"])}
    names = [row["contender"] for row in of]
    points = pareto(task.name, target, names, {a: _sound(here, a, held, target) for a in front}, out) if front else []
    on_front = {row["contender"]: row["p_front"] for row in points}
    lined = [
        standing(row, known.get(name), rank.get(name, (0, 0)), against.get(name), out.get(name, ""))
        | {"p_front": on_front.get(name, np.nan)}
        for name, row in zip(names, of, strict=True)
    ]
    lined.sort(key=_place)
    order = {row["contender"]: i for i, row in enumerate(lined)}
    found.standings.extend(lined)
    found.pairs.extend({"task": task.name, "target": target, "metric": primary.id, **pair} for pair in compared)
    found.pareto.extend(sorted(points, key=lambda row: order[row["contender"]]))


def _large(primary: axis.Axis, row: Row) -> str:
    """Why a contender has no rank among those that are compressed: it is as large as the teacher."""
    large = primary.compresses and row["contender"] != "teacher" and row["value"] >= 1
    return "not ranked: no smaller than the teacher" if large else ""


def _lines(replicates: Mapping[str, np.ndarray] | None, target: str) -> dict[str, Line]:
    return {} if replicates is None else {line.contender: line for line in lines(replicates, target)}


def _whole(here: pd.DataFrame, of: axis.Axis) -> set[str]:
    """The contenders with a result of all their seeds: the seeds that failed might have been the bad ones."""
    return set(here.loc[(here["metric"] == of.id) & here["status"].isin(["ok", "noisy"]), "contender"])


def _sound(here: pd.DataFrame, of: axis.Axis, held: Replicates, target: str) -> dict[str, Line]:
    whole = _whole(here, of)
    found = _lines(held(str(here["task"].iloc[0]), of.id), target)
    return {name: line for name, line in found.items() if name in whole and np.isfinite(line.values).any()}


def _place(line: Row) -> tuple[Any, ...]:
    """The teacher, then ranks, then the best value; who is apart, then what has no result, last."""
    value = line["value"] if line["value"] == line["value"] else -np.inf
    value = value if line["better"] == "higher" or not np.isfinite(value) else -value
    return line["contender"] != "teacher", not line["complete"], line["verdict"] == "apart", line["rank_low"], -value


def discoveries(tables: Iterator[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The tables of slices that were found to lose most, in one."""
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=list(columns))
