"""What the judge must know of how contenders are made, to say what a teacher brought them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdbench.judge.axes import applies, axes, chosen, metric_id
from kdbench.nouns import Compress, Contender, Fit, Json, Plan, Suite, Task, Use, digest, plain
from kdbench.registry import Plugins

GUIDES = frozenset({"teacher", "teachers", "peer", "previous"})
"""Evidence by which a term or a view lets another model take part in a fit."""


def setup(suite: Suite, task: Task, plan: Plan, plugins: Plugins) -> dict[str, Json]:
    """The part of the specs of a task's judge jobs that says how its contenders are made.

    plain: names of those (the teacher too) trained from fresh weights, with nobody's guidance, and not changed afterwards.
    twins: contender -> the plain contender of the same architecture, for contenders that are fitted from fresh weights.
    base, base_steps: the base that `compare` names, and a hash of its steps. seeds: contender -> its planned seeds.
    ranking: the id of the metric that ranks the contenders, "" for none; `for_metric` turns it into a yes or no.
    """
    held = {
        metric_id(about, use.params) for use in suite.axes if applies(about := plugins.get("metric", use.name), task, plugins)
    }
    rank = chosen(suite, axes(suite, plugins), held)
    seeds: dict[str, set[int]] = {}
    for cell in plan.cells:
        if cell.task == task.name:
            seeds.setdefault(cell.contender, set()).add(cell.seed)
    base = next((row for row in task.contenders if row.name == suite.compare.base), None)
    return {
        "plain": [row.name for row in task.rows() if _plain(row, plugins)],
        "twins": dict(_twins(task, plugins)),
        "base": base.name if base else "",
        "base_steps": digest(plain(base.steps))[:12] if base else "",
        "seeds": {name: list[Json](sorted(held)) for name, held in seeds.items()},
        "ranking": rank.id if rank else "",
    }


def for_metric(made: Mapping[str, Json], use: Use, plugins: Plugins) -> dict[str, Json]:
    """The setup for one metric, so that another ranking metric is no reason to judge all of them again."""
    return {**made, "ranking": made["ranking"] == metric_id(plugins.get("metric", use.name), use.params)}


def _plain(row: Contender, plugins: Plugins) -> bool:
    """Whether every step is a fit that nobody guides; the first one then starts from fresh weights."""
    return all(isinstance(step, Fit) and not guided(step, plugins) for step in row.steps)


def guided(fit: Fit, plugins: Plugins) -> bool:
    """Whether another model takes part in a fit: a method or a view of it names one as evidence."""
    asked = [plugins.get("method", term.method.name) for term in fit.terms]
    asked += [plugins.get("view", use.name) for use in fit.train.views]
    return any(GUIDES & set(plugin.evidence) for plugin in asked)


def _twins(task: Task, plugins: Plugins) -> Iterator[tuple[str, str]]:
    """Among the plain contenders of the same model, one trained by the same settings on losses that the contender has, too;
    else by the same settings; else the first.
    """
    rows = [row for row in task.contenders if _plain(row, plugins)]
    names = {row.name for row in rows}
    for row in task.contenders:
        first = row.steps[0]
        if row.name in names or not isinstance(first, Fit) or not all(isinstance(s, Fit | Compress) for s in row.steps):
            continue
        alike = [one for one in rows if _first(one).model == first.model]
        if alike:
            yield row.name, max(alike, key=lambda one, of=first: _likeness(_first(one), of)).name  # type: ignore[misc]


def _first(row: Contender) -> Fit:
    step = row.steps[0]
    assert isinstance(step, Fit), "a plain contender has fits only"
    return step


def _likeness(one: Fit, of: Fit) -> tuple[bool, bool]:
    """`max` keeps the first of equals."""
    losses: Mapping[str, Any] = {term.method.name: term for term in of.terms}
    return one.train == of.train, all(term.method.name in losses for term in one.terms)
