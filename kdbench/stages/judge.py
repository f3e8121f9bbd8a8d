"""Judge one metric of one task from stored evidence: no model is run.

Writes rows.parquet, curves.parquet, replicates.npz, and discoveries.parquet where slices were searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.judge.ask import open_metric
from kdbench.judge.curves import CURVE_COLUMNS
from kdbench.judge.discovery import COLUMNS as DISCOVERY_COLUMNS
from kdbench.judge.score import ROW_COLUMNS, parquet, score
from kdbench.nouns import Job
from kdbench.stages import Place
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Judge. Raises Refusal for a metric that is not there."""
    spec: Any = job.spec
    metric = open_metric(place.plugins, spec["metric"]["name"], spec["metric"]["params"])
    scored = score(metric, spec, inputs)
    draft.write("rows.parquet", parquet(scored.rows, ROW_COLUMNS))
    draft.write("curves.parquet", parquet(scored.curves, CURVE_COLUMNS))
    draft.arrays("replicates.npz", scored.replicates)
    if scored.discoveries:
        draft.write("discoveries.parquet", parquet(scored.discoveries, DISCOVERY_COLUMNS))
