"""Numbers from what was measured: size, cost, memory, latency, parity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.evidence import Piece, measured
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.resample import block_draws
from kdbench.nouns import NotApplicable, Undefined
from kdbench.store import Entry

KINDS = ("latency", "memory", "size", "cost", "parity")


def measurements(
    metric: Metric, pieces: Sequence[Piece], entries: Mapping[str, Entry], draws: int, seed: int
) -> Iterator[tuple[Spot, Reading]]:
    """One reading for each contender, seed and target that has the evidence. Equal evidence is read once."""
    kinds = [kind for kind in KINDS if kind in metric.asks]
    seats: dict[Spot, dict[str, Entry]] = {}
    nulls = {p.target: entries[p.role] for p in pieces if p.evidence == "latency" and p.contender == "teacher"}
    sizes = {p.target: entries[p.role] for p in pieces if p.evidence == "size" and p.contender == "teacher"}
    for piece in pieces:
        if piece.evidence in kinds:
            spot = Spot(piece.contender, piece.seed, piece.target)
            seats.setdefault(spot, {})[piece.evidence] = entries[piece.role]
    known: dict[tuple[str, ...], Reading] = {}
    opened: dict[str, Mapping[str, Any]] = {}
    for spot, held in seats.items():
        if "null" in metric.asks and spot.target in nulls:
            held["null"] = nulls[spot.target]
        if "teacher_size" in metric.asks and spot.target in sizes:
            held["teacher_size"] = sizes[spot.target]
        keys = tuple(f"{kind}:{entry.key}" for kind, entry in sorted(held.items()))
        if keys not in known:
            known[keys] = _read(metric, {kind: _open(entry, kind, opened) for kind, entry in held.items()}, held, (draws, seed))
        yield spot, known[keys]


def _open(entry: Entry, kind: str, opened: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    kind = {"null": "latency", "teacher_size": "size"}.get(kind, kind)
    name = f"{kind}:{entry.key}"
    if name not in opened:
        opened[name] = measured(entry, kind)
    return opened[name]


def _read(metric: Metric, offered: Mapping[str, Any], held: Mapping[str, Entry], how: tuple[int, int]) -> Reading:
    key = next(entry.key for kind, entry in held.items() if kind not in ("null", "teacher_size"))
    absent = [kind for kind in KINDS if kind in metric.asks and kind not in held]
    if absent:
        return nothing("undefined", f"there is no evidence of {', '.join(absent)}", evidence=key)
    try:
        found = metric(offered)
        doubt, note = metric.say("doubt", offered), metric.say("note", offered)
        reading = _blocks(metric, np.asarray(found), how) if isinstance(found, np.ndarray) else Reading(float(found))
    except NotApplicable as error:
        return nothing("not applicable", str(error), evidence=key)
    except Undefined as error:
        return nothing("undefined", str(error), evidence=key)
    except Exception as error:  # a metric that breaks on one contender costs that row only
        return nothing("failed", f"{type(error).__name__}: {error}", evidence=key)
    if not np.isfinite(reading.value):
        return nothing("undefined", str(metric.facts.get("undefined") or "the metric gives no finite number here"), evidence=key)
    n = reading.n if reading.n is not None else _examples(offered)
    reason = "; ".join(filter(None, (doubt, note)))
    return Reading(reading.value, reading.draws, n, "noisy" if doubt else "ok", reason, key, reading.units)


def _blocks(metric: Metric, blocks: np.ndarray, how: tuple[int, int]) -> Reading:
    blocks = blocks[:, None] if blocks.ndim == 1 else blocks
    if not len(blocks):
        raise Undefined("no blocks were timed")
    value = float(metric.finish(blocks[None])[0])
    return Reading(value, metric.finish(block_draws(blocks, *how)), len(blocks), units=len(blocks))


def _examples(offered: Mapping[str, Any]) -> int | None:
    """How many examples a parity check compared: the one measurement about examples."""
    n = offered.get("parity", {}).get("n")
    return None if n is None else int(n)
