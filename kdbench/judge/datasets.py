"""Contenders over several tasks: mean win rate, Friedman with Nemenyi or Wilcoxon with Holm, and who is tied with whom.

Every task counts once, by its ranking metric. Values are compared within a task only, so tasks may rank by different metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import chdtrc  # type: ignore[import-untyped]
from scipy.stats import rankdata, studentized_range  # type: ignore[import-untyped]

from kdbench.judge.pairs import ALPHA, BEATS, INCONCLUSIVE, NO, holm
from kdbench.judge.standings import ranks

COLUMNS = (
    "target", "contender", "metric", "datasets", "win_rate", "mean_rank", "rank_low", "rank_high", "cliques", "test", "p",
    "critical_difference", "status", "reason",
)  # fmt: skip
FEWEST = 6
"""Datasets below which no Wilcoxon test of two contenders can reach 5 % (2 / 2^5 = 0.0625)."""
MANY = 10
"""Datasets from which the chi-square approximation of Friedman's test is used (Demsar 2006)."""
FRIEDMAN, WILCOXON = "Friedman, Nemenyi", "Wilcoxon, Holm"


def datasets(standings: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows, facts) by target, of the contenders that stand in two tasks or more under one name. standings: rows of that table.

    A contender without a whole result on a task where it stands, or apart there, has no number: failures are not averaged away.
    facts: of each target the test, the contenders tested, mean ranks, critical difference, pairs with their p, cliques.
    """
    rows: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    for target in dict.fromkeys(str(r["target"]) for r in standings):
        part = [r for r in standings if r["target"] == target and r["contender"] != "teacher"]
        stands: dict[str, dict[str, Mapping[str, Any]]] = {}
        for row in part:
            stands.setdefault(str(row["contender"]), {})[str(row["task"])] = row
        stands = {name: of for name, of in stands.items() if len(of) > 1}
        if stands:
            made, fact = _target(target, stands)
            rows, facts = [*rows, *made], [*facts, fact]
    return rows, facts


def _target(target: str, stands: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    tasks = list(dict.fromkeys(task for of in stands.values() for task in of))
    why = {name: next(filter(None, (_lost(task, row) for task, row in of.items())), "") for name, of in stands.items()}
    whole = [name for name in stands if not why[name]]
    value = {(name, task): _up(row) for name in whole for task, row in stands[name].items()}
    tested = [name for name in whole if all((name, task) in value for task in tasks)]
    table = np.array([[value[name, task] for name in tested] for task in tasks]).reshape(len(tasks), len(tested))
    found = compared(tested, table)
    wins = {name: _wins(name, whole, tasks, value) for name in whole}
    rank = ranks(tested, found["pairs"])
    rows = []
    for name, of in stands.items():
        inside = name in tested
        reason = why[name] or ("" if inside else f"stands in {len(of)} of {len(tasks)} datasets: no test")
        reason = reason or str(found["reason"])
        row = {
            "target": target,
            "contender": name,
            "metric": ", ".join(dict.fromkeys(str(r["metric"]) for r in of.values())),
            "datasets": len(of),
            "win_rate": wins.get(name, math.nan),
            "mean_rank": found["mean_ranks"].get(name, math.nan),
            "rank_low": rank[name][0] if inside and not reason else 0,
            "rank_high": rank[name][1] if inside and not reason else 0,
            "cliques": ",".join(str(i) for i, clique in enumerate(found["cliques"], 1) if name in clique),
            "test": found["test"] if inside else "",
            "p": found["p"] if inside else math.nan,
            "critical_difference": found["critical_difference"] if inside else math.nan,
            "status": "undefined" if reason else "ok",
            "reason": reason,
        }
        rows.append(row)
    rows.sort(key=lambda r: (r["mean_rank"] if r["mean_rank"] == r["mean_rank"] else math.inf, -r["win_rate"]))
    return rows, {"target": target, "datasets": tasks, "contenders": tested, **found}


def _lost(task: str, row: Mapping[str, Any]) -> str:
    if row["verdict"] == "apart":
        return f"apart on {task}: {row['reason']}"
    return "" if row["complete"] else f"no whole result on {task}: {row['reason']}"


def _up(row: Mapping[str, Any]) -> float:
    return float(row["value"]) if row["better"] == "higher" else -float(row["value"])


def _wins(name: str, whole: Sequence[str], tasks: Sequence[str], value: Mapping[tuple[str, str], float]) -> float:
    """Mean over the tasks of `name`, those with a rival there."""
    found = []
    for task in tasks:
        there = [other for other in whole if (other, task) in value]
        if name in there and len(there) > 1:
            found.append(win_rates(np.array([value[other, task] for other in there]))[there.index(name)])
    return float(np.mean(found)) if found else math.nan


def win_rates(values: np.ndarray) -> np.ndarray:
    """Share of the others that each one beats in one column (k,), ties half (Liang et al. 2022, HELM); larger is better."""
    more = (values[:, None] > values[None, :]).sum(axis=1)
    level = (values[:, None] == values[None, :]).sum(axis=1) - 1
    return np.asarray((more + level / 2) / (len(values) - 1))


def compared(names: Sequence[str], table: np.ndarray) -> dict[str, Any]:
    """The tests over datasets. table (datasets, contenders), larger is better.

    Friedman's test and Nemenyi's pairs from 10 datasets and 3 contenders, else exact Wilcoxon tests with Holm over the
    pairs (Demsar 2006; Benavoli et al. 2016); undefined below 6 datasets. p: Friedman's, or the least of the corrected ones.
    """
    count, k = table.shape
    rank = np.vstack([rankdata(-row) for row in table]) if k else table
    mean = rank.mean(axis=0)
    made: dict[str, Any] = {
        "test": "", "p": math.nan, "statistic": math.nan, "critical_difference": math.nan, "pairs": [], "cliques": [],
        "mean_ranks": {name: float(mean[i]) for i, name in enumerate(names)} if k > 1 else {}, "reason": "",
    }  # fmt: skip
    if k < 2 or count < FEWEST:
        few = f"undefined: {count} datasets, {FEWEST} needed" if k > 1 else "undefined: nothing to compare with"
        return made | {"reason": few}
    if k > 2 and count >= MANY:
        statistic, p = friedman(rank)
        width = critical_difference(k, count)
        rejected = p < ALPHA  # Nemenyi's pairs are looked at only where Friedman's test has found a difference
        pairs = [_pair(names, (i, j), mean, bool(rejected and abs(mean[i] - mean[j]) > width)) for i, j in _places(k)]
        made |= {"test": FRIEDMAN, "statistic": statistic, "p": p, "critical_difference": width}
    else:
        raw = [wilcoxon(table[:, i] - table[:, j]) for i, j in _places(k)]
        fixed = holm(raw)
        pairs = [
            _pair(names, at, mean, p < ALPHA) | {"p": q, "p_holm": p} for at, q, p in zip(_places(k), raw, fixed, strict=True)
        ]
        made |= {"test": WILCOXON, "p": min(fixed)}
    order = [names[i] for i in np.argsort(mean, kind="stable")]
    return made | {"pairs": pairs, "cliques": list(cliques(order, pairs))}


def _places(k: int) -> list[tuple[int, int]]:
    return list(combinations(range(k), 2))


def _pair(names: Sequence[str], at: tuple[int, int], mean: np.ndarray, sure: bool) -> dict[str, Any]:
    i, j = at
    verdict = INCONCLUSIVE if not sure else BEATS if mean[i] < mean[j] else NO
    return {"a": names[i], "b": names[j], "verdict": verdict}


def friedman(rank: np.ndarray) -> tuple[float, float]:
    """Friedman's chi-square (1937) with the correction for ties, and its p; rank (datasets, contenders). (0, 1) if all tie."""
    count, k = rank.shape
    between = ((rank.sum(axis=0) - count * (k + 1) / 2) ** 2).sum()
    within = (rank**2).sum() - count * k * (k + 1) ** 2 / 4
    if within <= 0:
        return 0.0, 1.0
    statistic = float((k - 1) * between / within)
    return statistic, float(chdtrc(k - 1, statistic))


def critical_difference(k: int, count: int, alpha: float = ALPHA) -> float:
    """Nemenyi's (1963) least difference of mean ranks: q sqrt(k (k + 1) / (6 N)), q from the studentized range over sqrt 2."""
    q = float(studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * count))


def wilcoxon(differences: np.ndarray) -> float:
    """The exact two-sided p of Wilcoxon's signed-rank test (1945), with ties; differences of 0 are left out.

    The distribution of the rank sum is counted over all 2^n signs, with ranks doubled so that mid-ranks are whole numbers.
    """
    kept = differences[differences != 0]
    if not len(kept):
        return 1.0
    doubled = np.rint(2 * rankdata(np.abs(kept))).astype(int)
    share = np.zeros(doubled.sum() + 1)
    share[0] = 1.0
    for r in doubled:
        moved = np.zeros_like(share)
        moved[r:] = share[: len(share) - r]
        share = (share + moved) / 2
    least = min(doubled[kept > 0].sum(), doubled[kept < 0].sum())
    return float(min(1.0, 2 * share[: least + 1].sum()))


def cliques(order: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """The bars of a critical difference diagram: the longest runs of neighbours by mean rank in which no pair is separated."""
    apart = {frozenset((p["a"], p["b"])) for p in pairs if p["verdict"] != INCONCLUSIVE}
    reach = 0
    for start in range(len(order)):
        stop = start + 1
        while stop < len(order) and not any(frozenset((one, order[stop])) in apart for one in order[start:stop]):
            stop += 1
        if stop > max(reach, start + 1):
            yield tuple(order[start:stop])
        reach = max(reach, stop)
