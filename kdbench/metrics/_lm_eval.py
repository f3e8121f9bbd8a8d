"""lm-eval's own numbers from its stored values of each document: the same arithmetic, and all draws of a bootstrap at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench import NotApplicable, Predictions, Undefined

PREFIX = "lm_eval."
GUESSED = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
"""Metrics for which guessing scores 1 / choices."""
NORMAL = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Stored:
    """A column of lm-eval: its values (n,) or (n, d), how they are aggregated, and which direction lm-eval calls better."""

    values: np.ndarray
    aggregation: str
    better: str


def stored(predictions: Predictions, metric: str, sieve: str, better: str) -> Stored:
    """The column of a metric. Raises NotApplicable where there is none, several filters, or the direction is the other one."""
    found = {}
    for name, values in predictions.columns.items():
        if name.startswith(PREFIX):
            said, aggregation, way = name.removeprefix(PREFIX).rsplit(":", 2)
            found[said] = Stored(np.asarray(values, dtype=np.float64), aggregation, way)
    if not found:
        raise NotApplicable("these are no answers to a task of lm-eval")
    mine = [said for said in found if said == metric or said.startswith(f"{metric},")]
    wanted = f"{metric},{sieve}" if sieve and sieve != "none" else metric
    if wanted not in found and not sieve and len(mine) == 1:
        wanted = mine[0]
    if wanted not in found:
        filters = [said.partition(",")[2] for said in mine]
        here = f"with the filters {', '.join(filters)}" if mine else ", ".join(sorted({said.partition(",")[0] for said in found}))
        raise NotApplicable(f"the task has {here if not mine else f'{metric} {here}'}; not {wanted!r}")
    of = found[wanted]
    if of.better != better:
        other = "lm_eval" if better == "lower" else "lm_eval_lower"
        raise NotApplicable(f"of {metric} the {of.better} is better: ask for it as {other}")
    return of


def value(of: Stored) -> float:
    """lm-eval's number, to its last digit: its sums run from first to last, in the order of the documents."""
    v = of.values
    if not len(v):
        raise Undefined("no documents")
    if of.aggregation == "function":
        _whole(v)
        return float(v[0, 0])
    plain: dict[str, Callable[[], float]] = {
        "mean": lambda: _mean(v),
        "nanmean": lambda: float(np.nanmean(v)) if np.isfinite(v).any() else math.nan,
        "median": lambda: float(sorted(v.tolist())[len(v) // 2]),
        "perplexity": lambda: math.exp(-_mean(v)),
        "weighted_perplexity": lambda: math.exp(-_weighted(v)),
        "bits_per_byte": lambda: -_weighted(v) / math.log(2),
        "brier_score": lambda: float(np.mean(np.sum((v[:, 1:] - np.eye(v.shape[1] - 1)[v[:, 0].astype(int)]) ** 2, axis=1))),
    }
    if of.aggregation in plain:
        return plain[of.aggregation]()
    return float(draws(of, np.ones((1, len(v))))[0])


def draws(of: Stored, weights: np.ndarray) -> np.ndarray:
    """The number in every draw (draws,), from weights (draws, n). NaN where a draw leaves it undefined."""
    v, w, how = of.values, weights.astype(np.float64), of.aggregation
    if how == "function":
        _whole(v)
        return np.asarray(v[0, 0] + _ratio(w @ v[:, 1], w.sum(axis=1)))
    if how in ("mean", "perplexity", "brier_score", "nanmean"):
        each = _each(of)
        known = np.isfinite(each)
        mean = _ratio(w[:, known] @ each[known], w[:, known].sum(axis=1))
        return np.exp(-mean) if how == "perplexity" else mean
    if how in ("weighted_perplexity", "bits_per_byte"):
        mean = _ratio(w @ v[:, 0], w @ v[:, 1])
        return np.exp(-mean) if how == "weighted_perplexity" else -mean / math.log(2)
    if how == "median":
        order = np.argsort(v, kind="stable")
        passed = np.cumsum(w[:, order], axis=1)
        return np.asarray(v[order[(passed > np.floor(passed[:, -1:] / 2)).argmax(axis=1)]])
    if how in ("f1", "matthews_corrcoef"):
        return _f1(w, v) if how == "f1" else _matthews(w, v)
    return _of_corpus(how, w @ v)


def influence(of: Stored) -> np.ndarray | None:
    """The derivative with respect to the weight of each document, times n, (n,); None where there is no simple one."""
    v, how = of.values, of.aggregation
    if how == "function":
        return np.asarray(v[:, 1])
    if how in ("mean", "perplexity", "brier_score", "nanmean"):
        each = _each(of)
        known = np.isfinite(each)
        moved = np.where(known, each - each[known].mean(), 0.0) * (len(each) / known.sum())
        return np.asarray(-value(of) * moved if how == "perplexity" else moved)
    if how in ("weighted_perplexity", "bits_per_byte"):
        ratio = v[:, 0].sum() / v[:, 1].sum()
        moved = (v[:, 0] - ratio * v[:, 1]) / v[:, 1].mean()
        return np.asarray(-value(of) * moved if how == "weighted_perplexity" else -moved / math.log(2))
    return None


def guessed(predictions: Predictions, metric: str, found: float) -> str:
    """Whether an accuracy can be told from guessing: by Wilson's interval of 95 %, of documents taken as independent."""
    chance = predictions.columns.get("chance")
    if chance is None or metric not in GUESSED or not len(chance):
        return ""
    n, level = len(chance), float(np.mean(chance))
    middle = (found + NORMAL**2 / (2 * n)) / (1 + NORMAL**2 / n)
    half = NORMAL / (1 + NORMAL**2 / n) * math.sqrt(found * (1 - found) / n + (NORMAL / (2 * n)) ** 2)
    return f"at chance ({level:.2f}): the interval covers it" if abs(level - middle) <= half else ""


def unknown(predictions: Predictions) -> str:
    """How many scored tokens the tokenizer does not know: lm-eval counts their bytes, and they cost next to nothing."""
    found = int(np.sum(predictions.columns.get("unknown", 0)))
    why = "their bytes cost next to nothing, and the number flatters"
    return f"{found} tokens are unknown to this tokenizer: {why}" if found else ""


def _whole(values: np.ndarray) -> None:
    if len(values) != int(values[0, 2]):
        raise Undefined("the task's own function has been asked about all documents only")
    if not np.isfinite(values[:, 1]).all():
        raise Undefined("the task's own function is not defined where some documents are left out")


def _each(of: Stored) -> np.ndarray:
    if of.aggregation != "brier_score":
        return of.values
    right = np.eye(of.values.shape[1] - 1)[of.values[:, 0].astype(int)]
    return np.asarray(((of.values[:, 1:] - right) ** 2).sum(axis=1))


def _mean(values: np.ndarray) -> float:
    return float(sum(values.tolist()) / len(values))


def _weighted(values: np.ndarray) -> float:
    return float(sum(values[:, 0].tolist()) / sum(values[:, 1].tolist()))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0))


def _f1(weights: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Of class 1, 2 tp / (right + given): 0 where neither is there."""
    right, given = pairs[:, 0] == 1, pairs[:, 1] == 1
    both, total = weights @ (right & given), weights @ right + weights @ given
    return np.asarray(np.divide(2 * both, total, out=np.zeros(len(total)), where=total > 0))


def _matthews(weights: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Gorodkin's (2004) correlation of several classes: cov(right, given) / sqrt(cov(right, right) cov(given, given)); 0 where
    one of them is constant.
    """
    classes = np.unique(pairs)
    right, given = (weights @ (pairs[:, j : j + 1] == classes) for j in (0, 1))
    hit, n = weights @ (pairs[:, 0] == pairs[:, 1]), weights.sum(axis=1)
    both = hit * n - (right * given).sum(axis=1)
    spread = (n**2 - (given**2).sum(axis=1)) * (n**2 - (right**2).sum(axis=1))
    return np.asarray(np.divide(both, np.sqrt(np.maximum(spread, 0)), out=np.zeros(len(n)), where=spread > 0))


def _of_corpus(how: str, counts: np.ndarray) -> np.ndarray:
    """The score of sacrebleu for sums of its counts (draws, k)."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - only these numbers need it
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - as above
    from sacrebleu.metrics.ter import TER  # noqa: PLC0415 - as above

    kinds: Mapping[str, Any] = {"bleu": BLEU, "chrf": CHRF, "chrf++": lambda: CHRF(word_order=2), "ter": TER}
    if how not in kinds:
        raise NotApplicable(f"lm-eval aggregates by {how!r}, which is not known here")
    scorer = kinds[how]()
    whole = [[int(c) if float(c).is_integer() else c for c in row] for row in counts.tolist()]
    return np.array([scorer._compute_score_from_stats(row).score for row in whole])
