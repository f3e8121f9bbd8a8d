"""Numbers that follow from the readings of one metric: robustness relative to a base, the line of models trained from scratch,
what is retained of the teacher, what distillation gained, and how much the seeds differ.

Each file holds one idea. All of them work on readings with their bootstrap draws, draw by draw, so that what is compared stays
paired. What is known of how contenders were made comes in as `setup`, from the plan (see `kdbench.plan.judging`):

- plain: names of those trained from fresh weights without a teacher (the teacher too, if it was);
- twins: contender -> the plain contender of the same architecture;
- base, base_steps: the named base of corruption errors, and a hash of how it is made;
- seeds: contender -> the seeds that were planned; ranking: whether contenders are ranked by this metric;
- baseline: gives the metric of a constant guess (see `baseline`), put in by the judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdbench.judge.ask import Metric
from kdbench.judge.derived.baseline import baseline, baseline_of_tokens
from kdbench.judge.derived.corruption import corruption
from kdbench.judge.derived.effective import effective
from kdbench.judge.derived.gain import gain
from kdbench.judge.derived.retention import retention
from kdbench.judge.derived.seats import Seats
from kdbench.judge.derived.spread import spread
from kdbench.judge.derived.worst import worst
from kdbench.judge.readings import Reading, Readings, Spot
from kdbench.judge.rows import Subject

__all__ = ["baseline", "baseline_of_tokens", "derived"]


def derived(
    metric: Metric, readings: Readings, of: Subject, setup: Mapping[str, Any]
) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """Every table of derived numbers of a metric of predictions, with its subject; tables without a number are left out.

    readings: those of the metric, with or without the means over severities; of: the metric's own subject.
    """
    if metric.form not in ("mean", "set") or "ood" in metric.asks:
        return
    seats = Seats.of(readings, setup)
    error = metric.companions.get("error")
    found: list[Iterator[tuple[Subject, Mapping[Spot, Reading]]]] = []
    if error is not None:
        found.append(corruption(readings, error, of, setup))
        found.append(effective(seats, of, setup))
    found += [worst(seats, of), retention(seats, of, setup), gain(seats, of, setup), spread(seats, of, setup)]
    for part in found:
        for about, table in part:
            if table:
                yield about, table
