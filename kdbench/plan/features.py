"""Which features (taps) a suite's metrics ask for, and why an artefact may have none."""

from __future__ import annotations

from collections.abc import Mapping

from kdbench.nouns import Cell, Contender, Fit, Start, Suite, Task
from kdbench.registry import Plugins
from kdbench.signature import Description

OF: Mapping[str, str] = {
    "features": "test",
    "teacher_features": "test",
    "validation_features": "validation",
    "ood_features": "ood",
}
"""The evidence of features by the name that a metric asks for it, and the kind of set that it is about."""


def sets(suite: Suite, plugins: Plugins) -> frozenset[str]:
    """The kinds of sets ("test", "validation", "ood") whose features some metric of the suite reads; most suites read none."""
    asked = {name for use in suite.axes for name in plugins.get("metric", use.name).evidence}
    return frozenset(OF[name] for name in asked if name in OF)


def without(runtime: str, target: Description, model: str, plugins: Plugins) -> str:
    """Why there are no features for this artefact and target; "" where there are. model: its name, "" where that is not known.

    Features come from the network itself, not through a target: they are shown for targets that run the artefact as it is.
    """
    if not target.facts.get("reference", False):
        return "features are taken from the artefact itself, on a target that runs it as it is; this one runs an export"
    if runtime != "torch":
        return f"features are taken from torch artefacts; this one is {runtime}"
    if model and not plugins.get("model", model).facts.get("taps", ()):
        return f"the model {model!r} declares no taps"
    return ""


def model_of(task: Task, contender: Contender) -> str:
    """The name of the model that a contender's chain begins with; "" for a checkpoint made elsewhere, which is opened later."""
    first = contender.steps[0]
    if isinstance(first, Start):
        return model_of(task, next(c for c in task.rows() if c.name == first.source))
    return first.model.name if isinstance(first, Fit) and first.model else ""


def belongs(cell: Cell, wanted: frozenset[str]) -> bool:
    """Whether a metric that asks for `wanted` reads this cell of features."""
    if cell.split == "validation":
        return "validation_features" in wanted
    if cell.shift:
        return "ood_features" in wanted
    return "features" in wanted or (cell.contender == "teacher" and "teacher_features" in wanted)
