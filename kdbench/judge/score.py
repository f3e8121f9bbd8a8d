"""One metric over one task: from the layout of the evidence to rows, curves and replicates."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from kdbench.judge.answers import answers
from kdbench.judge.ask import Metric
from kdbench.judge.curves import curves
from kdbench.judge.derived import baseline, baseline_of_tokens, derived
from kdbench.judge.discovery import discoveries, seats_of
from kdbench.judge.evidence import Examples, Piece, examples, pieces
from kdbench.judge.gaps import HARMS, group_summaries, harms, lifts
from kdbench.judge.labelled import about_labels, answerable
from kdbench.judge.measurements import measurements
from kdbench.judge.readings import Reading, Readings, Spot
from kdbench.judge.resample import Resampler, seed_of
from kdbench.judge.rows import COLUMNS, rows, subject
from kdbench.judge.seeds import distinct, mean_draws
from kdbench.judge.slices import Cuts, cuts_of
from kdbench.judge.summaries import ALL, shift_summaries
from kdbench.store import Entry

_TYPES = {
    **dict.fromkeys(("value", "low", "high", "teacher", "delta", "delta_low", "delta_high", "x", "y"), pa.float64()),
    **dict.fromkeys(("p_holm", "p_more", "rest"), pa.float64()),
    **dict.fromkeys(("seed", "severity", "n", "point", "version"), pa.int64()),
}


@dataclass(frozen=True, slots=True)
class Scored:
    """What a judge job finds. rows, curves, discoveries: one mapping a row; replicates: arrays of the headline number (see
    `replicates`).
    """

    rows: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    replicates: dict[str, np.ndarray]
    discoveries: list[dict[str, Any]]


def score(metric: Metric, spec: Mapping[str, Any], entries: Mapping[str, Entry]) -> Scored:
    """Judge one metric. spec: task, layout, groups, resamples, min_group, setup; entries: samples as `data`, evidence by role."""
    task, held = str(spec["task"]), pieces(spec["layout"])
    of = subject(metric, task)
    readings: dict[Spot, Reading] = {}
    lost: list[dict[str, Any]] = []
    if metric.form == "measured":
        readings.update(measurements(metric, held, entries, int(spec["resamples"]), seed_of(task, "blocks")))
        table = list(rows(readings, of))
    else:
        about = examples(entries["data"], [] if "ood" in metric.asks else list(spec["groups"]))
        meta = entries["data"].json("meta.json")
        if meta["kind"] == "questions" and about_labels(metric):
            about = answerable(about)
        cuts = cuts_of(about, int(spec["min_group"]))
        resampler = _resampler(about, int(spec["resamples"]), seed_of(task))
        readings.update(answers(metric, held, entries, about, cuts, resampler))
        setup = {**spec["setup"], "baseline": lambda: _guess(metric, about, meta, _tokens(held, entries))}
        found = [(of, readings), *derived(metric, readings, of, setup)]
        if metric.id == "accuracy":
            lost = list(discoveries(entries["data"], about, seats_of(readings, len(about.ids)), task, int(spec["min_group"])))
        readings.update([*_summaries(metric, readings, cuts), *shift_summaries(readings)])
        table = [row for about_, part in found for row in rows(part, about_)]
    headline = f"ood:{ALL}" if "ood" in metric.asks else ""
    return Scored(table, curves(metric, task, readings), replicates(readings, headline), lost)


def _guess(metric: Metric, about: Examples, meta: Mapping[str, Any], tokens: Iterator[np.ndarray]) -> float | None:
    """What a model scores that has learned nothing. The choices of questions have no order, and there may be more of them in one
    than in another: a guess takes any of a question's own, where the metric says what that is worth. tokens: those that came, as
    the teacher reads them, where they are known.
    """
    if metric.facts.get("reads") == "tokens":
        return baseline_of_tokens(metric, next(tokens, np.zeros(0)))
    if meta["kind"] != "questions":
        return baseline(metric, about.label, about.classes, about.positive)
    if "guess" in metric.companions and meta.get("chance") is not None:
        return metric.guess(float(meta["chance"]))
    label = np.arange(len(about.label)) % max(1, len(about.classes))
    return baseline(metric, label, about.classes, about.positive)


def _tokens(held: Sequence[Piece], entries: Mapping[str, Entry]) -> Iterator[np.ndarray]:
    """The tokens (m,) that were asked of the teacher on the clean test split, by its own tokenizer."""
    for piece in held:
        clean = (piece.evidence, piece.split, piece.shift) == ("predictions", "test", "")
        if clean and piece.contender == "teacher" and "tokens.npz" in entries[piece.role].names():
            yield np.asarray(entries[piece.role].arrays("tokens.npz")["token"])


@lru_cache(maxsize=4)
def _resampler(about: Examples, draws: int, seed: int) -> Resampler:
    """One for all metrics of a task that a process judges: what it has drawn and sorted serves them all."""
    return Resampler(len(about.ids), draws, seed, about.cluster)


def _summaries(metric: Metric, readings: Readings, cuts: Cuts) -> list[tuple[Spot, Reading]]:
    """What the groups say together; a metric that compares groups itself has said it."""
    if metric.form == "groups":
        return []
    if metric.form == "seeds":
        return list(lifts(readings, cuts))
    axis = str(metric.facts["axis"])
    harmed = harms(readings, cuts, metric.better) if axis in HARMS else ()
    return [*group_summaries(readings, cuts, metric.better, axis), *harmed]


def replicates(readings: Readings, shift: str = "") -> dict[str, np.ndarray]:
    """The headline number of every contender and target (k of them), for comparing contenders with each other later.

    contender, target (k,) text; seeds (S,); values (k, S), NaN where there is none or where it repeats another seed's artefact;
    draws (k, B), the mean over the seeds in each bootstrap draw (B = 0 where nothing was resampled); units (k,); hits uint8
    (k, S, bytes), the bits of the examples of a rate (no bytes for other metrics), and n (), how many bits count.
    """
    seats: dict[tuple[str, str], dict[int, Reading]] = {}
    for spot, reading in readings.items():
        if spot.shift == shift and not spot.slice and not (spot.severity and shift):
            seats.setdefault((spot.contender, spot.target), {})[spot.seed] = reading
    seeds = sorted({s for of in seats.values() for s in of})
    values = np.full((len(seats), len(seeds)), np.nan)
    draws: list[np.ndarray] = []
    units = np.zeros(len(seats), dtype=np.int64)
    bits = next((r.hits for of in seats.values() for r in of.values() if r.hits is not None), np.empty(0, dtype=np.uint8))
    hits = np.zeros((len(seats), len(seeds), len(bits)), dtype=np.uint8)
    for i, of in enumerate(seats.values()):
        known = distinct([of[seed] for seed in sorted(of)])
        for seed, reading in of.items():
            if any(reading is k for k in known):
                values[i, seeds.index(seed)] = reading.value
                if reading.hits is not None:
                    hits[i, seeds.index(seed)] = reading.hits
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
        "hits": hits,
        "n": np.array(next((r.n for of in seats.values() for r in of.values() if r.hits is not None), 0), dtype=np.int64),
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
