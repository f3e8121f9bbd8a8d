"""Numbers from what was measured: latency and memory by scenario, energy, size, cost, parity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.judge.ask import Metric
from kdbench.judge.evidence import Piece, measured
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.resample import block_draws
from kdbench.nouns import Failed, NotApplicable, Undefined
from kdbench.store import Entry

KINDS = ("latency", "memory", "energy", "size", "cost", "parity")
BY_SCENARIO = frozenset({"latency", "memory"})
"""Kinds of which there is one piece for each scenario; the others stand beside each of them."""
BESIDE = {"null": "latency", "teacher_size": "size", "teacher_cost": "cost", "teacher_energy": "energy"}
"""What the teacher's own pieces are called when they are handed to a metric about a contender, and of which kind they are."""
TICKS = 25
"""Ticks of the clock without which a sample says nothing. 50 are aimed at: calls may become faster after the warm-up."""
LASTING = ("cpu", "isa", "cores", "memory_gib", "os", "arch")
"""What a machine says of itself that does not change from one minute to the next."""


def measurements(
    metric: Metric, pieces: Sequence[Piece], entries: Mapping[str, Entry], draws: int, seed: int
) -> Iterator[tuple[Spot, Reading]]:
    """One reading for each contender, seed, target and scenario that has the evidence. Equal evidence is read once."""
    teachers = {(p.evidence, p.target, p.scenario): entries[p.role] for p in pieces if p.contender == "teacher"}
    known: dict[tuple[str, ...], Reading] = {}
    opened: dict[str, Mapping[str, Any]] = {}
    for spot, held in _seats(metric, pieces, entries).items():
        for name, kind in BESIDE.items():
            found = teachers.get((kind, spot.target, spot.slice if kind in BY_SCENARIO else ""))
            if name in metric.asks and found is not None:
                held[name] = found
        keys = tuple(f"{kind}:{entry.key}" for kind, entry in sorted(held.items()))
        if keys not in known:
            known[keys] = _read(metric, {kind: _open(entry, kind, opened) for kind, entry in held.items()}, held, (draws, seed))
        yield spot, known[keys]


def _seats(metric: Metric, pieces: Sequence[Piece], entries: Mapping[str, Entry]) -> dict[Spot, dict[str, Entry]]:
    """The pieces that the metric names, together by place; the scenario is the slice. Places without the first kind that it names
    are left out: the board says why that is not there.
    """
    mine = [piece for piece in pieces if piece.evidence in KINDS and piece.evidence in metric.asks]
    scenarios: dict[Spot, dict[str, None]] = {}
    for piece in mine:
        if piece.evidence in BY_SCENARIO:
            scenarios.setdefault(Spot(piece.contender, piece.seed, piece.target), {})[piece.scenario] = None
    seats: dict[Spot, dict[str, Entry]] = {}
    for piece in mine:
        seat = Spot(piece.contender, piece.seed, piece.target)
        for scenario in [piece.scenario] if piece.evidence in BY_SCENARIO else scenarios.get(seat, {"": None}):
            seats.setdefault(replace(seat, slice=scenario), {})[piece.evidence] = entries[piece.role]
    first = next((kind for kind in KINDS if kind in metric.asks), "")
    return {spot: held for spot, held in seats.items() if first in held}


def _open(entry: Entry, kind: str, opened: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    kind = BESIDE.get(kind, kind)
    name = f"{kind}:{entry.key}"
    if name not in opened:
        opened[name] = {**measured(entry, kind), "key": entry.key}
    return opened[name]


def _read(metric: Metric, offered: Mapping[str, Any], held: Mapping[str, Entry], how: tuple[int, int]) -> Reading:
    key = next(held[kind].key for kind in reversed(KINDS) if kind in held)  # of the artefact rather than of its graph
    absent = [kind for kind in KINDS if kind in metric.asks and kind not in held]
    if absent:
        return nothing("undefined", f"there is no evidence of {', '.join(absent)}", evidence=key)
    null = _broken(offered.get("null", {}))  # of which both sides are the teacher
    broken = _broken(offered.get("latency", {})) or (f"the teacher beside it: {null}" if null else "")
    if broken:
        return nothing("failed", broken, evidence=key)
    if short := _short(offered.get("latency", {})):
        return nothing("undefined", short, evidence=key)
    try:
        found = metric(offered)
        doubt, note = _moved(offered) or metric.say("doubt", offered), metric.say("note", offered)
        reading = _blocks(metric, np.asarray(found), how) if isinstance(found, np.ndarray) else Reading(float(found))
    except NotApplicable as error:
        return nothing("not applicable", str(error), evidence=key)
    except Undefined as error:
        return nothing("undefined", str(error), evidence=key)
    except Failed as error:
        return nothing("failed", str(error), evidence=key)
    except Exception as error:  # a metric that breaks on one contender costs that row only
        return nothing("failed", f"{type(error).__name__}: {error}", evidence=key)
    if not np.isfinite(reading.value):
        return nothing("undefined", str(metric.facts.get("undefined") or "the metric gives no finite number here"), evidence=key)
    n = reading.n if reading.n is not None else _examples(offered)
    reason = "; ".join(filter(None, (doubt, note, _late(offered.get("latency", {})))))
    return Reading(reading.value, reading.draws, n, "noisy" if doubt else "ok", reason, key, reading.units)


def _broken(latency: Mapping[str, Any]) -> str:
    """What the honesty checks of a timing found: a model that answers otherwise when it is timed has no times."""
    checks = latency.get("checks") or {}
    return "; ".join(str(check["text"]) for check in checks.values() if not check["passed"])


def _short(latency: Mapping[str, Any]) -> str:
    """Why a timing is that of no work: what was timed at once took fewer ticks of the clock than can be told apart."""
    tick, inner = float(latency.get("timer_resolution") or 0), int(latency.get("inner") or 1)
    for role in ("reference", "contender"):
        best = latency.get(f"best_{role}")
        taken = np.inf if best is None else inner * float(np.median(best))
        if taken < TICKS * tick:
            return f"no work to time: {inner} calls of the {role} take {taken:.2g} s, and the clock steps by {tick:.2g} s"
    return ""


def _moved(offered: Mapping[str, Any]) -> str:
    """Why the null pair says nothing about a timing: a host that is reached by name may have become another machine."""
    here, null = (offered.get(name, {}).get("host") or {} for name in ("latency", "null"))
    moved = any(name in here and name in null and here[name] != null[name] for name in LASTING)
    return "the null pair was taken on another machine" if moved else ""


def _late(latency: Mapping[str, Any]) -> str:
    """The mark of a timing that ran out of time."""
    if not latency.get("late"):
        return ""
    return f"{latency['pairs']} of {latency['asked_pairs']} block pairs: the calls are too slow for more in the time given"


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
