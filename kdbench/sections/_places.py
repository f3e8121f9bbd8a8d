"""Where the models of a task are asked: at home, on its probes, and by lm-eval; read from the board's tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdbench import kit

AGREEMENT = ("agreement", "token_agreement", "agreement_of_texts", "neighbour_overlap")
"""How often a contender does as the teacher does, by what is asked; of a place the first that was measured."""
DIVERGENCE = ("kl_to_teacher", "token_kl_to_teacher")
"""How far what a contender says is from what the teacher says."""
TRUNCATED = "truncated_inputs"
GUESS = re.compile(r"constant guess \(([-\d.e]+)\)")
"""What the convention of a retention says of the metric it is derived from."""


@dataclass(frozen=True)
class Place:
    """One column of a comparison. title: as a column is headed; view: its numbers; rows, cap: test rows, and at how many
    they were capped (0: not); chance: what a constant guess gets of the metric that ranks, None where that is not known.
    """

    task: str
    title: str
    view: Any
    standings: Mapping[str, Any]
    rows: int
    cap: int
    chance: float | None

    def held(self, metrics: tuple[str, ...], piece: str = "") -> dict[str, Any]:
        """Contender -> its row, of the first of these metrics that any contender has here."""
        for name in metrics:
            part = self.view.rows(slice=piece)
            part = part[part["metric"].str.split("{").str[0] == name]
            if len(part):
                first = part[part["metric"] == part["metric"].iloc[0]]
                return {str(row.contender): row for row in kit.each(first)}
        return {}

    @property
    def main(self) -> dict[str, Any]:
        """Contender -> its row of the metric that ranks here."""
        return {str(row.contender): row for row in kit.each(self.view.rows(metric=self.view.primary))}

    @property
    def gaps(self) -> dict[str, dict[str, Any]]:
        """Group column -> contender -> its row of the gap; neither crossed columns nor the label."""
        rows = self.view.rows(slice=None, metric=self.view.primary)
        rows = rows[rows["slice"].str.endswith(":gap") & ~rows["slice"].str.contains("*", regex=False)]
        rows = rows[rows["slice"] != "class:gap"]
        return {
            str(p).removesuffix(":gap"): {str(r.contender): r for r in kit.each(of)}
            for p, of in rows.groupby("slice", sort=False)
        }

    def at_chance(self, row: Any) -> bool:
        """Whether a number cannot be told from guessing, by its own reason; else whether its interval reaches down (or up) to
        that of a constant guess.
        """
        if row is not None and kit.guessed(row):
            return True
        if self.chance is None or row is None or row.value != row.value or row.better not in ("higher", "lower"):
            return False
        end = row.low if row.better == "higher" else row.high
        end = row.value if end != end else end
        return bool(end <= self.chance if row.better == "higher" else end >= self.chance)


def homes(suite: Any) -> dict[str, list[str]]:
    """Task -> the tasks that ask its models, in the order of the suite; only those that have some."""
    found: dict[str, list[str]] = {}
    for task in suite.tasks:
        if task.home:
            found.setdefault(task.home, []).append(task.name)
    return found


def places(home: str, away: list[str], target: str, tables: Mapping[str, Any]) -> Iterator[Place]:
    """The home, then each place away with numbers on this target. tables: views by task and target, standings, suite, facts."""
    tasks = {task.name: task for task in tables["suite"].tasks}
    for name in (home, *away):
        view = tables["views"].get((name, target))
        if view is None:
            continue
        main = view.rows(metric=view.primary)
        n = main["n"].dropna()
        of = kit.of_view(tables["standings"], view)
        standings = {str(row.contender): row for row in kit.each(of)}
        rows = int(n.max()) if len(n) else 0
        cap, title = _cap(tasks.get(name)), _title(name, home, tasks.get(name))
        yield Place(name, title, view, standings, rows, cap if cap and rows >= cap else 0, _chance(view, name, tables["facts"]))


def _cap(task: Any) -> int:
    if task is None or not task.home:
        return 0
    return int(task.harness.limit) if task.harness.tasks else int(task.data.limit.get("test", 0))


def _title(name: str, home: str, task: Any) -> str:
    """`imdb` for "sst2 on imdb"; the name itself where it does not begin so."""
    if name == home:
        return "at home"
    for word in (" on ", " asks "):
        if name.startswith(home + word):
            name = name.removeprefix(home + word)
    asked = task is not None and bool(task.harness.tasks)
    return str(kit.clean(name, 30)) + (", lm-eval" if asked else "")


def _chance(view: Any, task: str, facts: Mapping[str, Any]) -> float | None:
    """What the facts of the task say of the metric that ranks; else what the convention of its retention says."""
    said = dict(dict(facts.get("tasks", {})).get(task, {})).get("chance")
    if isinstance(said, int | float) and (view.primary == "accuracy" or view.primary.startswith("lm_eval{metric=acc")):
        return float(said)
    part = view.scores
    bare = "retention" if view.primary == "accuracy" else f"retention{{of={view.primary}}}"
    part = part[part["metric"] == bare]
    found = GUESS.search(str(part["convention"].iloc[0])) if len(part) else None
    try:
        return None if found is None else float(found[1])
    except ValueError:
        return None


def truncated(place: Place) -> dict[str, float]:
    """Contender -> the share of its inputs here of which something was cut off, of those that have the number."""
    held = place.held((TRUNCATED,))
    return {name: float(row.value) for name, row in held.items() if row.value == row.value}


def numbers(held: Mapping[str, Any]) -> pd.DataFrame:
    """The rows with a number and without the teacher's, as a frame of contender, metric, value, low, high, ..."""
    wanted = ("contender", "metric", "value", "low", "high", "delta", "delta_low", "delta_high", "unit", "better", "status")
    rows = [{k: getattr(row, k) for k in wanted} for name, row in held.items() if name != "teacher"]
    frame = pd.DataFrame(rows, columns=list(wanted))
    found: pd.DataFrame = kit.measured(frame)
    return found
