"""One judge job per task and metric, over the evidence that is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kdbench.judge
from kdbench.judge import clean_only, requires
from kdbench.judge.axes import applies
from kdbench.nouns import Cell, Job, Json, Plan, Suite, Task, Use, plain
from kdbench.plan import features, keys
from kdbench.plan.setup import for_metric, setup
from kdbench.registry import Plugins

PROCESSES = 2
"""Judge jobs are short; a few processes make all of them, so that pandas is imported a few times and not once a metric."""


def judging(suite: Suite, plan: Plan, plugins: Plugins, has: Callable[[str], bool]) -> tuple[Job, ...]:
    """The judge jobs. `has` says which evidence exists; what failed is left out here and gets its reason on the board."""
    folder = Path(kdbench.judge.__file__).parent
    beside = [folder.parent / "stages" / "judge.py", folder.parent / "nouns" / "predictions.py"]  # confidences are made there
    judge_code = keys.sources([*folder.rglob("*.py"), *beside])
    there = [cell for cell in plan.cells if cell.key and has(cell.key)]
    samples = {task.name: _samples(task, plan) for task in suite.tasks}
    made = {task.name: setup(suite, task, plan, plugins) for task in suite.tasks}
    jobs = [
        _judge(
            suite,
            task,
            use,
            [c for c in there if c.task == task.name],
            (samples[task.name], judge_code, made[task.name]),
            plugins,
        )
        for task in suite.tasks
        if has(samples[task.name])
        for use in suite.axes
        if applies(plugins.get("metric", use.name), task, plugins)
    ]
    return tuple(replace(job, together=f"judge/{i % PROCESSES}") for i, job in enumerate(jobs))


def _judge(
    suite: Suite, task: Task, use: Use, cells: list[Cell], fixed: tuple[str, str, dict[str, Json]], plugins: Plugins
) -> Job:
    metric = plugins.get("metric", use.name)
    wanted = requires(metric)
    needs = {"data": fixed[0]}
    layout: list[Json] = []
    for cell in cells:
        if _belongs(cell, wanted) and not (cell.severity and clean_only(metric)):
            role = f"e{len(layout)}"
            needs[role] = cell.key
            place: list[Json] = [cell.contender, cell.seed, cell.target, cell.evidence]
            layout.append([role, *place, cell.split, cell.shift, cell.severity, cell.scenario])
    spec: dict[str, Json] = {
        "task": task.name,
        "metric": plain(use),
        "layout": layout,
        "groups": list(task.data.groups or _columns(task, plugins)),
        "resamples": suite.resamples,
        "min_group": suite.min_group,
        "judge": fixed[1],
        "setup": for_metric(fixed[2], use, plugins),
    }
    code = keys.code("judge", metric)
    beside = ("sacrebleu",) if metric.facts.get("reads") == "harness" else ()
    return Job("judge", spec, needs, code, "", keys.runtime("judge", needs=beside), label=f"{task.name}: judge {use.name}")


def _columns(task: Task, plugins: Plugins) -> tuple[str, ...]:
    """The group columns of a task whose data block names none: those that its file of the user's own was given as a parameter,
    and of data on which models of another task are asked all that there are.
    """
    kind, use = "harness" if task.harness.tasks and task.home else "dataset", task.data.dataset
    if use.name not in plugins.names(kind):
        return ()  # files of predictions: no plugin brings their data
    declared = tuple(plugins.get(kind, use.name).facts.get("groups", ()))
    if "*" in declared:
        named: Any = use.params.get("groups")
        return tuple(named or ())
    return declared if task.home else ()


def _belongs(cell: Cell, wanted: frozenset[str]) -> bool:
    """Whether a metric that asks for `wanted` reads this cell."""
    if cell.evidence == "features":
        return features.belongs(cell, wanted)
    if cell.evidence != "predictions":
        return cell.evidence in wanted or (cell.evidence == "latency" and "null" in wanted)
    if cell.split == "validation":
        return bool(wanted & {"validation", "teacher_validation"})
    if cell.shift.startswith("ood:"):
        return "ood" in wanted
    return bool(wanted & {"predictions", "validation"})  # one about the validation split stands on the clean set


def _samples(task: Task, plan: Plan) -> str:
    """The key of the examples of a task: every predict job of its clean test split is about them."""
    whole = [c for c in plan.cells if c.task == task.name and c.key and not c.shift and c.split != "validation"]
    key = plan.job(next(c.key for c in whole if c.evidence in ("size", "predictions"))).needs["data"]
    while plan.job(key).stage == "tokens":  # the examples are the texts, whatever tokens a contender reads
        key = plan.job(key).needs["data"]
    return key
