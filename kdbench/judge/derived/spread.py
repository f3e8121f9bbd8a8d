"""How much the seeds of one contender differ: their standard deviation, and whether they fall into two camps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import chdtri  # type: ignore[import-untyped]

from kdbench.judge.derived.seats import CLEAN, Seats, named
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import OVER_SEEDS, Subject
from kdbench.judge.seeds import distinct

LEAST = {"seed_sd": 2, "bimodality": 4}
"""Seeds that the number needs."""
TAIL = 0.025


def spread(seats: Seats, of: Subject, setup: Mapping[str, Any]) -> Iterator[tuple[Subject, Mapping[Spot, Reading]]]:
    """`seed_sd` and `bimodality` of the metric that contenders are ranked by, over the seeds of each contender (seed -1).

    Only for contenders that were planned with more than one seed. n counts seeds. Seeds without a number are named.
    """
    if not setup.get("ranking", False):
        return
    groups: dict[Spot, dict[int, Reading]] = {}
    for seat, held in seats.sets.items():
        if CLEAN in held:
            groups.setdefault(replace(seat, seed=OVER_SEEDS), {})[seat.seed] = held[CLEAN]
    for name in ("seed_sd", "bimodality"):
        table = {}
        for place, of_seeds in groups.items():
            planned = sorted({*seats.planned.get(place.contender, ()), *of_seeds})
            if len(planned) > 1:
                table[place] = _over(name, of_seeds, planned)
        yield named(of, name, _facts(name, of)), table


def _over(name: str, of_seeds: Mapping[int, Reading], planned: Sequence[int]) -> Reading:
    lost = [seed for seed in planned if seed not in of_seeds or not of_seeds[seed].known]
    values = np.array([r.value for r in distinct([of_seeds[s] for s in sorted(of_seeds)])])
    n = len(values)
    without = f" (seed {', '.join(map(str, lost))} without a number)" if lost else ""
    said = f"{n} of {len(planned)} seeds{without}" if lost else f"{n} seeds"
    if n < LEAST[name]:
        return nothing("undefined", f"{said}: at least {LEAST[name]} are needed", n)
    found = standard_deviation(values) if name == "seed_sd" else bimodality(values)
    if math.isnan(found):
        return nothing("undefined", f"{said}, all equal: they have no shape", n)
    if name == "seed_sd":
        low, high = (found * math.sqrt((n - 1) / float(chdtri(n - 1, p))) for p in (TAIL, 1 - TAIL))
        said += f"; if seeds are normal, 95 % of such intervals hold the true one: {low:.4g} to {high:.4g}"
    return Reading(found, None, n, "partial" if lost else "ok", said, units=n)


def standard_deviation(values: np.ndarray) -> float:
    """Sample s = sqrt(sum (x_i - mean)^2 / (S - 1)) over S seeds."""
    return float(np.std(values, ddof=1))


def bimodality(values: np.ndarray) -> float:
    """Sarle's coefficient for samples, (G_1^2 + 1) / (G_2 + 3 (S - 1)^2 / ((S - 2)(S - 3))), over S >= 4 values.

    G_1, G_2: sample skewness and excess kurtosis, corrected for small samples (as in SAS; Pfister et al. 2013). 5/9 for a uniform
    distribution, above it points to two camps (or to skew), 1 at most. NaN where all values are equal.
    """
    n = len(values)
    across = values - values.mean()
    m2, m3, m4 = (float((across**k).mean()) for k in (2, 3, 4))
    if m2 <= (1e-12 * max(1.0, float(np.abs(values).max()))) ** 2:
        return math.nan
    skewness = math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    return float(skewness**2 + 1) / (kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


def _facts(name: str, of: Subject) -> dict[str, Any]:
    if name == "seed_sd":
        return {
            "title": "Standard deviation over seeds",
            "convention": "sample standard deviation (S - 1) over the seeds, on the same examples; n counts seeds",
            "unit": of.facts["unit"],
            "better": "lower",
            "axis": "training",
            "equation": "sqrt(sum_s (m_s - mean)^2 / (S - 1))",
            "source": "sample standard deviation; interval by chi-square",
            "low": 0.0,
        }
    return {
        "title": "Bimodality over seeds",
        "convention": "Sarle's coefficient corrected for small samples: 5/9 for uniform seeds, above it two camps or skew; "
        "undefined below 4 seeds, and rough below about 20; n counts seeds",
        "unit": "coefficient",
        "better": "none",
        "axis": "training",
        "equation": "(G_1^2 + 1) / (G_2 + 3 (S - 1)^2 / ((S - 2)(S - 3)))",
        "source": "Pfister et al. 2013, Good things peak in pairs, equation 1; SAS/STAT cluster procedure",
        "low": 0.0,
        "high": 1.0,
    }
