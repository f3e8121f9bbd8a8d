"""Bins that hold equally many forecasts, for one set of weights or for many draws at once.

Edges stand where numpy's array_split would cut the sorted forecasts: of n in M bins the first n mod M hold one more. Equal
forecasts share a bin, the one in which they begin, so that nothing depends on the order of the file; equal means in single
precision, because logits are single precision. A bin that this leaves empty adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._bins import place


@dataclass(frozen=True, slots=True)
class Table:
    """Sums of M bins as shares of all, (M,): how many, forecasts, outcomes. code (n,): the bin of each. free (M - 1,): whether
    an edge lies between two different forecasts, and would move with their weights.
    """

    code: np.ndarray
    share: np.ndarray
    forecast: np.ndarray
    outcome: np.ndarray
    free: np.ndarray

    @property
    def signed(self) -> np.ndarray:
        """Share times (mean outcome - mean forecast), (M,)."""
        return np.asarray(self.outcome - self.forecast)


def table(forecast: np.ndarray, outcome: np.ndarray, bins: int) -> Table:
    """The bins of n forecasts in 0..1 with outcomes of 0 or 1."""
    key = forecast.astype(np.float32)
    ordered = np.sort(key)
    n = len(key)
    last = np.clip(_cuts(np.float64(n), bins).astype(np.int64) - 1, 0, n - 1)
    upper = ordered[last]
    code = place(key, upper)
    free = (last + 1 < n) & (ordered[np.minimum(last + 1, n - 1)] > upper)
    share, total, right = (np.bincount(code, weights=w, minlength=bins) / n for w in (None, forecast, outcome.astype(np.float64)))
    return Table(code, share, total, right, free)


def drawn(forecast: np.ndarray, outcome: np.ndarray, bins: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In every draw of weights (draws, n): share and signed sum of each bin, (draws, M) both. NaN where nothing was drawn."""
    key = forecast.astype(np.float32)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    end = np.searchsorted(ordered, ordered, side="right")
    apart = (outcome - forecast)[order]
    share, signed = np.full((2, len(weights), bins), np.nan)
    for b, draw in enumerate(weights):
        mine = draw[order].astype(np.float64)
        held = np.concatenate([[0.0], np.cumsum(mine)])
        if held[-1] <= 0:
            continue
        sums = np.concatenate([[0.0], np.cumsum(mine * apart)])
        at = np.minimum(np.searchsorted(held[1:], _cuts(held[-1], bins), side="left"), len(end) - 1)
        edges = np.concatenate([[0], end[at], [len(end)]])
        share[b], signed[b] = np.diff(held[edges]) / held[-1], np.diff(sums[edges]) / held[-1]
    return share, signed


def moved(of: Table, by_sum: np.ndarray, by_share: np.ndarray) -> np.ndarray:
    """The influence (n,), up to a constant, of each example on a number through the bins and through their free edges.

    by_sum, by_share (M,): the derivative of the number with respect to the signed sum and the share of each bin. An edge moves
    so that the shares below it stay what they are; what lies at an edge is read off halfway between the two bins beside it.
    """
    bins = len(of.share)
    gap = np.divide(of.signed, of.share, out=np.zeros(bins), where=of.share > 0)
    at_edge = (gap[:-1] + gap[1:]) / 2
    worth = np.where(of.free, at_edge * (by_sum[:-1] - by_sum[1:]) + (by_share[:-1] - by_share[1:]), 0.0)
    below = np.concatenate([np.cumsum(worth[::-1])[::-1], [0.0]])
    return np.asarray((by_share - below).take(of.code))


def _cuts(total: np.float64, bins: int) -> np.ndarray:
    """Where array_split cuts `total` (a weight) into bins: how much lies below each of the M - 1 edges."""
    each, more = np.divmod(total, bins)
    m = np.arange(1, bins)
    return np.asarray(m * each + np.minimum(m, more))
