"""From stored evidence to the board. Pure: no model is run, and equal evidence gives equal numbers.

metric (a plugin) x slice x summary, resampled by one engine, over seeds, against the teacher. Importing this loads no
numerical library; `judge` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdbench.nouns import Job, Plan, Suite
from kdbench.registry import Plugins, discover
from kdbench.signature import Description
from kdbench.store import Store

if TYPE_CHECKING:
    from kdbench.judge.board import Board


def judge(
    suite: Suite,
    plan: Plan,
    judging: Sequence[Job],
    store: Store,
    plugins: Plugins | None = None,
    statistics: Mapping[str, Any] | None = None,
) -> Board:
    """The board of a suite whose judge jobs have run. Every planned number has a row: a value, or a status and a reason.

    plugins: those that planned the suite (default: the installed ones); statistics: facts of the run to show, such as its plan.
    """
    from kdbench.judge.board import assemble  # noqa: PLC0415 - pandas, only where a board is asked for

    return assemble(suite, plan, judging, store, plugins or discover(), statistics)


WITH: Mapping[str, frozenset[str]] = {
    "features": frozenset({"predictions"}),
    "teacher_features": frozenset({"predictions", "teacher"}),
    "validation_features": frozenset({"validation"}),
    "ood_features": frozenset({"ood"}),
}
"""Features stand beside predictions, which say what their rows are about: who asks for the first gets the second looked up."""


def requires(description: Description) -> frozenset[str]:
    """The evidence that a metric names: predictions, teacher, validation, ood, latency, null, memory, size, cost, parity."""
    named = frozenset(description.evidence) - {"weights", "ood_weights", "group", "compared"}
    return named.union(*(WITH[name] for name in named & WITH.keys()))


def clean_only(description: Description) -> bool:
    """Whether a metric has a number on the clean set alone: it compares groups, or reads features, or the validation split."""
    wanted = requires(description)
    return description.facts.get("form") in ("groups", "frame") or bool(wanted & WITH.keys()) or "predictions" not in wanted


__all__ = ["clean_only", "judge", "requires"]
