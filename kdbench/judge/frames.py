"""Numbers that a library of its own takes from all groups of a column at once: values without draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.cases import Case
from kdbench.judge.readings import Reading, Spot, attempt, nothing
from kdbench.judge.resample import Resampler
from kdbench.judge.slices import Cuts, Grouping


def of_frames(metric: Metric, case: Case, cuts: Cuts, resampler: Resampler) -> Iterator[tuple[Spot, Reading]]:
    """A number for each group column ("sex"), or for each of its groups ("sex=F") and all examples, as the metric gives it."""
    if not cuts.groupings:
        yield case.spot, nothing("not applicable", "the task names no group column", evidence=case.key)
    whole: Reading | None = None
    for grouping in cuts.groupings:
        found = _ask(metric, case, grouping)
        if isinstance(found, Mapping):
            whole = _reading(metric, found.get(-1), len(grouping.code), "", case.key)
            for level, cut in enumerate(grouping.slices):
                one = nothing("undefined", "no examples", 0, case.key)
                if cut.n:
                    one = _reading(metric, found.get(level), cut.n, cut.reason, case.key)
                yield replace(case.spot, slice=cut.name), one
            continue
        n = sum(cut.n for cut in grouping.compared)
        left = len(grouping.slices) - len(grouping.compared)
        said = f"{left} of {len(grouping.slices)} groups left out: too small, or not known" if left else ""
        one = found if isinstance(found, Reading) else _reading(metric, found, n, said, case.key)
        yield replace(case.spot, slice=grouping.column), replace(one, n=n)
    if cuts.groupings:
        why = "it compares groups: see the row of each group column"
        yield case.spot, whole or nothing("not applicable", why, evidence=case.key)


def _ask(metric: Metric, case: Case, grouping: Grouping) -> Any:
    compared = np.array([cut.enough for cut in grouping.slices])
    return attempt(lambda: metric({**case.offered, "group": grouping.code, "compared": compared}), case.key)


def _reading(metric: Metric, value: float | None, n: int, reason: str, key: str) -> Reading:
    if value is None or not np.isfinite(value):
        return nothing("undefined", str(metric.facts.get("undefined") or "the metric gives no finite number here"), n, key)
    return Reading(float(value), None, n, reason=reason, evidence=key)
