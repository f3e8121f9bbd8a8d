"""Every pair of contenders on one metric: difference, interval, test, effect size, equivalence, verdict, what would separate it.

Variance of a difference of means over seeds = bootstrap variance of the paired difference over examples + variance over seeds: of
the paired differences where both have the same seeds (same initial weights, same batches), else of each side by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.judge import mcnemar
from kdbench.judge.lines import Line, Rules
from kdbench.judge.power import advice, needed
from kdbench.judge.seeds import LEVEL, Z, half_widths, p_values

ALPHA = 1 - LEVEL
BEATS, NO, EQUIVALENT, INCONCLUSIVE, APART = "BEATS", "NO", "EQUIVALENT", "INCONCLUSIVE", "apart"
METHOD, CHECKPOINT = "method: examples and seeds vary", "checkpoint: examples vary"
MIXED = "a method beside one checkpoint: of the checkpoint only examples vary"
TURNED = {BEATS: NO, NO: BEATS}
"""The verdict from the other side; the rest stay as they are."""
CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Model:
    """The differences of P pairs (a - b). rate: mean rates (P, 2) where the metric is one, NaN elsewhere; var, df (P, 3): parts
    of the variance, first over examples, then over seeds; units: what was resampled; count: the seeds behind the second part.
    """

    delta: np.ndarray
    rate: np.ndarray
    var: np.ndarray
    df: np.ndarray
    units: np.ndarray
    count: np.ndarray


def compare(a: Line, b: Line, rules: Rules | None = None) -> dict[str, Any]:
    """The one pair of two contenders (see `pairs`)."""
    return pairs([a, b], rules or Rules())[0]


def pairs(held: Sequence[Line], rules: Rules) -> list[dict[str, Any]]:
    """Every pair of one table. Both families of tests, for a difference and for equivalence, are Holm-corrected over the table.

    verdict, what a does to b: EQUIVALENT where the difference is surely within the margin, although it may surely not be 0;
    BEATS or NO (a is surely worse) where it surely has a sign; else INCONCLUSIVE. "apart": one of them is not compared.
    """
    i, j = np.triu_indices(len(held), 1)
    if not len(i):
        return []
    model = _model(held, (i, j), rules.bounded)
    table = _paired(held, (i, j), rules, _tested(model, rules.margin))
    out = np.array([line.contender in rules.apart for line in held])
    compared = ~(out[i] | out[j])
    compared &= ~np.isnan(table["p"])
    p, same = (_corrected(table[name], compared) for name in ("p", "p_equivalent"))
    wins = (model.delta > 0) == (rules.better == "higher")
    verdict = np.where(same < ALPHA, EQUIVALENT, np.where(p < ALPHA, np.where(wins, BEATS, NO), INCONCLUSIVE))
    apart = [not compared[x] and not math.isnan(table["p"][x]) for x in range(len(i))]
    verdict = np.where(apart, APART, verdict)
    n, seeds = needed(model.delta, model.var[:, 0], model.var[:, 1:].sum(axis=1), model.units, model.count, int(compared.sum()))
    names, several = [line.contender for line in held], np.array([np.isfinite(line.values).sum() > 1 for line in held])
    columns = {
        "delta": model.delta,
        **table,
        "p_holm": p,
        "p_equivalent_holm": same,
        "margin": np.full(len(i), rules.margin or math.nan),
        **_effect(model),
        "needed_n": np.where(verdict == INCONCLUSIVE, n, math.nan),
        "needed_seeds": np.where(verdict == INCONCLUSIVE, seeds, math.nan),
        "scope": np.where(several[i] != several[j], MIXED, np.where(model.count > 1, METHOD, CHECKPOINT)),
        "verdict": verdict,
    }
    found = [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]
    for a, b, row in zip(i, j, found, strict=True):
        said = advice(row["needed_n"], row["needed_seeds"]) if row["verdict"] == INCONCLUSIVE else ""
        row |= {"a": names[a], "b": names[b], "needed": said}
    return found


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979), in the order given."""
    adjusted, running = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def _corrected(p: np.ndarray, compared: np.ndarray) -> np.ndarray:
    found = np.full(p.shape, math.nan)
    found[compared] = holm(p[compared].tolist())
    return found


def _model(held: Sequence[Line], at: tuple[np.ndarray, np.ndarray], bounded: bool) -> Model:
    """The differences of pairs (at: places of a and b) and the parts of their variance."""
    i, j = at
    values = np.stack([line.values for line in held]).astype(np.float64)
    there = np.isfinite(values)
    counts, total = there.sum(axis=1), np.where(there, values, 0.0).sum(axis=1)
    means = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
    units = np.array([line.units for line in held], dtype=np.float64)
    units = np.minimum(units[i], units[j])
    rates = np.array([[m if line.hits is not None else np.nan] for m, line in zip(means, held, strict=True)])
    var, df = np.zeros((len(i), 3)), np.ones((len(i), 3))
    few = np.divide(
        units, units - 1, out=np.ones(len(i)), where=units > 1
    )  # a bootstrap of m units has (m - 1) / m of the variance
    var[:, 0], df[:, 0] = _over_examples(held, at) * few, np.maximum(units - 1, 1)
    if bounded:  # two that never differ on n examples may differ on others: the rule of three
        low = ((1 - ((1 - LEVEL) / 2) ** (1 / np.maximum(units, 1))) / Z) ** 2
        var[:, 0] = np.where((var[:, 0] == 0) & (units > 0), low, var[:, 0])
    drawn = np.array([bool(len(line.draws)) for line in held])
    var[(units == 1) & drawn[i] & drawn[j], 0] = np.nan  # one document, one cluster: nothing says how another one would differ
    paired = (there[i] == there[j]).all(axis=1) & (counts[i] > 1)
    var[:, 1] = np.where(paired, _of_seeds(np.where(there[i], values[i] - values[j], np.nan)), _of_seeds(values)[i])
    var[:, 2] = np.where(paired, 0.0, _of_seeds(values)[j])
    df[:, 1], df[:, 2] = np.maximum(counts[i] - 1, 1), np.maximum(counts[j] - 1, 1)
    delta = means[i] - means[j]
    return Model(delta, np.hstack([rates[i], rates[j]]), var, df, units, np.maximum(counts[i], counts[j]))


def _over_examples(held: Sequence[Line], at: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Bootstrap variance of the paired differences (P,): 0 where nothing was resampled on either side, NaN where on one side, and
    where something was and no draw of it is defined.
    """
    width = max(len(line.draws) for line in held)
    found = np.zeros(len(at[0]))
    if not width:
        return found
    draws = np.full((len(held), width), np.nan)
    for row, line in zip(draws, held, strict=True):
        row[: len(line.draws)] = line.draws
    some = (np.isfinite(draws).sum(axis=1) > 1) | (np.array([line.units for line in held]) > 0)
    for start in range(0, len(found), CHUNK):
        i, j = (side[start : start + CHUNK] for side in at)
        spread = draws[i] - draws[j]
        both = np.isfinite(spread)
        count = both.sum(axis=1)
        centre = np.where(both, spread, 0).sum(axis=1) / np.maximum(count, 1)
        squares = np.where(both, (spread - centre[:, None]) ** 2, 0).sum(axis=1)
        known = np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)
        found[start : start + CHUNK] = np.where(some[i] | some[j], known, 0.0)
    return found


def _of_seeds(values: np.ndarray) -> np.ndarray:
    """Variance of the mean over seeds of each row (k, S), NaN for a seed that is not there; 0 for fewer than two seeds."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    mean = np.where(there, values, 0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(there, (values - mean[:, None]) ** 2, 0).sum(axis=1)
    return np.asarray(np.where(count > 1, squares / np.maximum(count - 1, 1) / np.maximum(count, 1), 0.0))


def _tested(model: Model, margin: float) -> dict[str, np.ndarray]:
    """The t interval, its p, and the larger p of two one-sided t tests against the margin (Schuirmann 1987)."""
    half = half_widths(model.var, model.df)
    p = p_values(model.delta, model.var, model.df)
    room = margin - np.abs(model.delta)
    tail = p_values(np.where(room == 0, np.nan, room), model.var, model.df) / 2
    same = np.where(room > 0, tail, 1 - tail)
    same = np.where((margin > 0) & ~np.isnan(same), same, 1.0)
    return {"low": model.delta - half, "high": model.delta + half, "p": p, "p_equivalent": same}


def _paired(
    held: Sequence[Line], at: tuple[np.ndarray, np.ndarray], rules: Rules, table: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The table with McNemar's columns; of one checkpoint each and independent rows, its p and Tango's interval decide."""
    count = len(at[0])
    b, c, n, seed = (np.full(count, np.nan) for _ in range(4))
    decides = np.zeros(count, dtype=bool)
    for x in range(count):
        met = _meet(held[int(at[0][x])], held[int(at[1][x])])
        if met is not None:
            (b[x], c[x]), n[x], place, decides[x] = met
            seed[x] = rules.seeds[place] if rules.seeds else place
    known = ~np.isnan(b)
    exact = np.full(count, np.nan)
    exact[known] = mcnemar.exact(b[known], c[known])
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(known, b / c, np.nan)
    out = dict(table)
    if decides.any():
        of = (b[decides], c[decides], n[decides])
        low, high = mcnemar.limits(*of, Z)
        found = {"low": low, "high": high, "p": exact[decides], "p_equivalent": mcnemar.equivalence(*of, rules.margin)}
        for name, column in found.items():
            out[name] = out[name].copy()
            out[name][decides] = column
    test = np.where(decides, "exact McNemar", "t over examples and seeds")
    return {**out, "test": test, "mcnemar_b": b, "mcnemar_c": c, "mcnemar_p": exact, "mcnemar_seed": seed, "odds_ratio": odds}


def _meet(a: Line, b: Line) -> tuple[tuple[int, int], int, int, bool] | None:
    """(b, c), n, the place of the seed, and whether they decide: of the first seed that both have; of two lone checkpoints,
    whatever their seeds. None where there are no bits, or where the bits do not say the values.
    """
    if a.hits is None or b.hits is None or not a.n:
        return None
    ours, theirs = np.flatnonzero(np.isfinite(a.values)), np.flatnonzero(np.isfinite(b.values))
    common, lone = np.intersect1d(ours, theirs), len(ours) == len(theirs) == 1
    if not lone and not len(common):
        return None
    first, second = (ours[0], theirs[0]) if lone else (common[0], common[0])
    met = mcnemar.discordant(a.hits[first], b.hits[second])
    if abs((met[0] - met[1]) / a.n - (a.values[first] - b.values[second])) > 1e-5:
        return None
    return met, a.n, int(first), lone and min(a.units, b.units) == a.n


def _effect(model: Model) -> dict[str, np.ndarray]:
    """Cohen's h of two rates (1988), 2 asin sqrt(p_a) - 2 asin sqrt(p_b); else d_z, the difference over the standard deviation of
    the paired differences over examples, sqrt(units x bootstrap variance).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = 2 * np.arcsin(np.sqrt(np.clip(model.rate, 0, 1)))
        h = angle[:, 0] - angle[:, 1]
        d = np.where(model.var[:, 0] > 0, model.delta / np.sqrt(model.var[:, 0] * model.units), np.nan)
    kind = np.where(~np.isnan(h), "h", np.where(~np.isnan(d), "d_z", ""))
    return {"effect": np.where(np.isnan(h), d, h), "effect_kind": kind}
