"""The numbers of the slices that were found, on the half of the examples that nobody searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.judge.discovery.search import Ground, Part
from kdbench.judge.seeds import half_width, p_value
from kdbench.judge.standings import holm


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """A mean over examples and seeds. centre: it, drawn a little towards 0; error2, df: variance over examples and its degrees of
    freedom; of_seeds (S,): the mean of each seed.
    """

    value: float
    centre: float
    error2: float
    df: int
    of_seeds: np.ndarray


def estimate(kept: Sequence[Part], ours: np.ndarray, teachers: np.ndarray, ground: Ground) -> list[dict[str, Any]]:
    """Rows of the kept slices in order of their delta. ours, teachers bool (S, n), paired row by row.

    delta = accuracy minus the teacher's, the mean over examples and seeds. Its interval is Wald's with one example won and one
    lost added (Bonett and Price 2012), over clusters where examples belong together, and with the variance over seeds where
    there are several; p-values are those of the same intervals, by Holm over the kept slices.
    """
    judged = ground.rows[1]
    inside = [part.rows()[judged] for part in kept]
    mine, theirs = ours[:, judged].astype(np.float64), teachers[:, judged].astype(np.float64)
    delta, cluster = mine - theirs, ground.cluster[judged]
    rows, p, more = [], [], []
    for part, mask in zip(kept, inside, strict=True):
        of, rest = (_difference(delta[:, m], cluster[m]) for m in (mask, ~mask))
        half = half_width(_variances([of]))
        p.append(p_value(of.centre, _variances([of])))
        more.append(p_value(of.centre - rest.centre, _variances([of, rest])))
        rows.append(
            {
                "slice": part.text,
                "n": int(mask.sum()),
                "value": float(mine[:, mask].mean()),
                "teacher": float(theirs[:, mask].mean()),
                "delta": of.value,
                "delta_low": max(-1.0, min(of.value, of.centre - half)),
                "delta_high": min(1.0, max(of.value, of.centre + half)),
                "rest": rest.value,
            }
        )
    for row, one, other in zip(rows, holm(p), holm(more), strict=True):
        row |= {"p_holm": one, "p_more": other}
    return sorted(rows, key=lambda row: (row["delta"], row["slice"]))


def _difference(delta: np.ndarray, cluster: np.ndarray) -> Difference:
    """From delta (S, n). Two examples are added, one won and one lost, each a cluster of its own: where no example differs,
    the interval still has a width. Variance by clusters: (G / (G - 1)) sum_g (sum_{i in g} (d_i - m))^2 / n^2.
    """
    each = delta.mean(axis=0)
    n = len(each) + 2
    centre = float(each.sum()) / n
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=each - centre)
    squares = float((sums**2).sum()) + (1 - centre) ** 2 + (-1 - centre) ** 2
    groups = len(sums) + 2
    return Difference(float(each.mean()), centre, groups / (groups - 1) * squares / n**2, groups - 1, delta.mean(axis=1))


def _variances(of: Sequence[Difference]) -> list[tuple[float, int]]:
    """The independent parts of the variance of a difference, or of the difference of two: over examples, and over seeds."""
    parts = [(one.error2, one.df) for one in of]
    seeds = of[0].of_seeds if len(of) == 1 else of[0].of_seeds - of[1].of_seeds
    if len(seeds) > 1:
        parts.append((float(seeds.var(ddof=1)) / len(seeds), len(seeds) - 1))
    return parts
