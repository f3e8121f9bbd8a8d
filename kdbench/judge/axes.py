"""The metrics of a suite by name: their ids in tables, and which of them rank. Loads no numerical library."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kdbench.nouns import Params, Refusal, Suite, Task
from kdbench.nouns.predictions import INPUTS, KINDS
from kdbench.registry import Plugins
from kdbench.signature import Description

MARGIN = 0.01
"""Differences below this count as equal where the unit is a fraction and the suite does not say otherwise: one point."""


def metric_id(description: Description, params: Params) -> str:
    """The name in tables: `ece`, or `ece{bins=10}` with the parameters that are not the default."""
    defaults = {p.name: p.default for p in description.params}
    other = [f"{k}={params[k]}" for k in sorted(params) if k not in defaults or params[k] != defaults[k]]
    return f"{description.name}{{{','.join(other)}}}" if other else description.name


def convention(description: Description, params: Params) -> str:
    """What a row of scores says of its metric: the values of all parameters, those by default too, then the convention of its
    file, as in "bins=15; top label, ...". A name alone does not say them, and a default may change.
    """
    values = {p.name: p.default for p in description.params} | dict(params)
    parts = (", ".join(f"{k}={v}" for k, v in values.items()), str(description.facts.get("convention") or ""))
    return "; ".join(part for part in parts if part)


MADE_AT_HOME = frozenset(
    {"size", "cost", "latency", "null", "memory", "energy", "parity", "validation", "teacher_validation", "ood", "features",
     "teacher_features", "validation_features", "ood_features"}
)  # fmt: skip
"""Evidence that there is of a task's own data alone: a probe and a question of lm-eval bring predictions and nothing else."""
READS: Mapping[str, str] = {"class": "logits", "next": "tokens", "text": "texts", "vector": "vectors"}
"""What predictions hold, by what was asked."""


def answer_of(task: Task, plugins: Plugins) -> str:
    """What the models of a task are asked ("class", "next", "text", "vector"); "" where no plugin says it, as of files."""
    kind = "harness" if task.home and task.harness.tasks else "dataset"
    try:
        return str(plugins.about(task.data.dataset, kind)["answer"])
    except Refusal:
        return ""


def applies(about: Description, task: Task, plugins: Plugins) -> bool:
    """Whether a metric is about what the models of a task are asked. One that is not has no rows on the task's board."""
    reads, wanted = str(about.facts.get("reads") or "logits"), frozenset(about.evidence)
    if about.facts.get("form") == "measured" or not wanted & {"predictions", "ood", "validation"}:
        return not task.home
    if reads == "harness":
        return bool(task.home and task.harness.tasks)
    if task.home and wanted & MADE_AT_HOME:
        return False
    answer = answer_of(task, plugins)
    return not answer or reads == INPUTS or any(reads in family and READS[answer] in family for family in KINDS)


@dataclass(frozen=True, slots=True)
class Axis:
    """A metric of the suite. name: of its plugin; id: with its parameters, as in tables; better: higher, lower or none.

    low, high: the ends of its range, None where it has none.
    """

    name: str
    id: str
    better: str
    unit: str
    low: float | None = None
    high: float | None = None
    form: str = "mean"
    axis: str = ""

    @property
    def compresses(self) -> bool:
        """Whether it says how much smaller or cheaper than the teacher a contender is, 1 for as large: its counts, no clock."""
        return self.unit == "ratio" and self.better == "lower" and self.axis in ("size", "compute")

    @property
    def ranks(self) -> bool:
        """Whether contenders can be ranked by it: it has a direction, and a number for each contender and seed."""
        return self.better != "none" and self.form not in ("groups", "seeds")


def axes(suite: Suite, plugins: Plugins) -> tuple[Axis, ...]:
    """The metrics of a suite in its order."""
    made = []
    for use in suite.axes:
        about = plugins.get("metric", use.name)
        facts = about.facts
        unit, better = str(facts.get("unit", "fraction")), str(facts.get("better", "none"))
        form = str(facts.get("form", "mean"))
        ends = facts.get("low"), facts.get("high")
        made.append(Axis(use.name, metric_id(about, use.params), better, unit, *ends, form, str(facts.get("axis", ""))))
    return tuple(made)


def named(name: str, held: Sequence[Axis]) -> Axis | None:
    """The axis of that id, else the first of that name."""
    return next((a for a in held if a.id == name), None) or next((a for a in held if a.name == name), None)


def ranking(suite: Suite, held: Sequence[Axis]) -> tuple[Axis, ...]:
    """The metrics that may rank a task, the one to take first: the one that the suite names, or all that can."""
    asked = named(suite.compare.metric, held) if suite.compare.metric else None
    return (asked,) if asked is not None else tuple(a for a in held if a.ranks)


def front(suite: Suite, held: Sequence[Axis], rank: Axis) -> tuple[Axis, ...]:
    """The metrics of the Pareto front: as the suite says, or the ranking metric and what the model costs; () without both."""
    if suite.compare.pareto:
        return tuple(a for name in suite.compare.pareto if (a := named(name, held)) is not None)
    cost = next((a for name in ("latency_ratio", "parameters") if (a := named(name, held)) is not None), None)
    return (rank, cost) if cost is not None and cost.id != rank.id else ()


def chosen(suite: Suite, held: Sequence[Axis], *among: Collection[str]) -> Axis | None:
    """The metric that ranks a task: the one that the suite names, else the first that can. among: ids of the metrics that there
    are for the task; later ones count where the earlier have none.
    """
    asked = (*ranking(suite, held), *(a for a in held if a.ranks))  # the one that was asked for may not apply here
    return next((a for of in among for a in asked if a.id in of), None)


def margin(suite: Suite, axis: Axis, held: Sequence[Axis] = (), home: str = "") -> float:
    """What counts as no difference in a metric; 0 for none. That of the suite is in the unit of the metric that it is about: the
    one that the suite names, or else the first that ranks and whatever ranks tasks on their own data (home "").
    """
    own, asked = suite.compare.margin, suite.compare.metric
    meant = asked in (axis.id, axis.name) if asked else not home or axis in ranking(suite, held)[:1]
    if own is not None and meant:
        return own
    return MARGIN if axis.unit == "fraction" else 0.0
