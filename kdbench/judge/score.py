"""One metric over one task: from the layout of the evidence to rows, curves and replicates."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from kdbench.judge.answers import answers
from kdbench.judge.ask import Metric
from kdbench.judge.evidence import examples, pieces
from kdbench.judge.measurements import measurements
from kdbench.judge.readings import Reading, Readings, Spot
from kdbench.judge.resample import Resampler, seed_of
from kdbench.judge.rows import COLUMNS, OVER_SEEDS, corruption_subject, rows, subject
from kdbench.judge.seeds import distinct, mean_draws
from kdbench.judge.slices import slices
from kdbench.judge.summaries import ALL, corruption_errors, group_summaries, shift_summaries
from kdbench.store import Entry

CURVE_COLUMNS = (
    "task", "contender", "seed", "target", "metric", "curve", "split", "shift", "severity", "slice", "point", "low", "high",
    "x", "y", "n",
)  # fmt: skip
"""The columns of curves.parquet: one row a point; n: the examples behind it."""
_TYPES = {
    **dict.fromkeys(("value", "low", "high", "teacher", "delta", "delta_low", "delta_high", "x", "y"), pa.float64()),
    **dict.fromkeys(("seed", "severity", "n", "point"), pa.int64()),
}


@dataclass(frozen=True, slots=True)
class Scored:
    """What a judge job finds. rows, curves: one mapping a row; replicates: arrays of the headline number (see `replicates`)."""

    rows: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    replicates: dict[str, np.ndarray]


def score(metric: Metric, spec: Mapping[str, Any], entries: Mapping[str, Entry]) -> Scored:
    """Judge one metric. spec: task, layout, groups, resamples, min_group; entries: the samples as `data`, evidence by role."""
    task, held = str(spec["task"]), pieces(spec["layout"])
    readings: dict[Spot, Reading] = {}
    found = [(subject(metric, task), readings)]
    if metric.form == "measured":
        readings.update(measurements(metric, held, entries, int(spec["resamples"]), seed_of(task, "blocks")))
    else:
        about = examples(entries["data"], [] if "ood" in metric.asks else list(spec["groups"]))
        cuts = list(slices(about, int(spec["min_group"])))
        resampler = Resampler(len(about.ids), int(spec["resamples"]), seed_of(task), about.cluster)
        readings.update(answers(metric, held, entries, about, cuts, resampler))
        if "error" in metric.companions:
            found.append((corruption_subject(found[0][0]), dict(corruption_errors(readings, metric.companions["error"]))))
        summaries = [*group_summaries(readings, cuts, metric.better), *shift_summaries(readings)]
        readings.update(summaries)
    table = [row for about_, part in found for row in rows(part, about_)]
    headline = f"ood:{ALL}" if "ood" in metric.asks else ""
    return Scored(table, _curves(metric, task, readings), replicates(readings, headline))


def _curves(metric: Metric, task: str, readings: Readings) -> list[dict[str, Any]]:
    """The diagrams of the clean set, per seed and from the mean of the seeds' sums."""
    of_seats: dict[Spot, dict[int, Reading]] = {}
    for spot, reading in readings.items():
        if not spot.shift and not spot.slice and reading.means is not None:
            of_seats.setdefault(replace(spot, seed=OVER_SEEDS), {})[spot.seed] = reading
    table: list[dict[str, Any]] = []
    for seat, of_seeds in of_seats.items():
        sums = {seed: r.means for seed, r in sorted(of_seeds.items()) if r.means is not None}
        for seed, means in {**sums, OVER_SEEDS: np.mean(list(sums.values()), axis=0)}.items():
            curve = metric.curve(means)
            if curve is None:
                return []
            n = next(iter(of_seeds.values())).n or 0
            head = {"task": task, "metric": metric.id, "curve": curve["name"], **asdict(replace(seat, seed=seed))}
            for i, share in enumerate(curve["share"]):
                place = {k: float(curve[k][i]) for k in ("low", "high", "x", "y") if k in curve}
                table.append({**head, "point": i, **place, "n": round(float(share) * n)})
    return table


def replicates(readings: Readings, shift: str = "") -> dict[str, np.ndarray]:
    """The headline number of every contender and target (k of them), for comparing contenders with each other later.

    contender, target (k,) text; seeds (S,); values (k, S), NaN where there is none or where it repeats another seed's artefact;
    draws (k, B), the mean over the seeds in each bootstrap draw (B = 0 where nothing was resampled); units (k,).
    """
    seats: dict[tuple[str, str], dict[int, Reading]] = {}
    for spot, reading in readings.items():
        if spot.shift == shift and not spot.slice and not (spot.severity and shift):
            seats.setdefault((spot.contender, spot.target), {})[spot.seed] = reading
    seeds = sorted({s for of in seats.values() for s in of})
    values = np.full((len(seats), len(seeds)), np.nan)
    draws: list[np.ndarray] = []
    units = np.zeros(len(seats), dtype=np.int64)
    for i, of in enumerate(seats.values()):
        known = distinct([of[seed] for seed in sorted(of)])
        for seed, reading in of.items():
            if any(reading is k for k in known):
                values[i, seeds.index(seed)] = reading.value
        mean = mean_draws(known)
        draws.append(np.empty(0) if mean is None else mean)
        units[i] = known[0].units if known else 0
    width = max((len(d) for d in draws), default=0)
    full = np.stack([d if len(d) == width else np.full(width, np.nan) for d in draws]) if draws else np.empty((0, 0))
    names = [list(map(str, side)) for side in zip(*seats, strict=True)] or [[], []]
    return {
        "contender": np.array(names[0], dtype=str),
        "target": np.array(names[1], dtype=str),
        "seeds": np.array(seeds, dtype=np.int64),
        "values": values,
        "draws": full,
        "units": units,
    }


def parquet(table: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Rows as a Parquet file with these columns; NaN becomes null. Equal rows give equal bytes."""
    fields = [pa.field(name, _TYPES.get(name, pa.string())) for name in columns]
    arrays = [pa.array([row.get(f.name) for row in table], type=f.type, from_pandas=True) for f in fields]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), buffer, compression="zstd")
    return buffer.getvalue()


ROW_COLUMNS = tuple(c for c in COLUMNS if c != "suite")
"""The columns of rows.parquet: the suite's name is the board's to give."""
