"""lm-eval's own values of each document as columns, so that its own numbers can be made from them again, with intervals.

A column is named `lm_eval.<metric>[,<filter>]:<aggregation>:<higher|lower>`; the filter is left out where it is lm-eval's "none".
What it holds, n documents: "mean", "nanmean", "median", "perplexity": numbers (n,); "weighted_perplexity", "bits_per_byte":
(value, weight) (n, 2); "f1", "matthews_corrcoef": (right, given) (n, 2); "brier_score": the right choice, then the probabilities
(n, 1 + c); "bleu", "chrf", "chrf++", "ter": counts of sacrebleu, whose sums make the score; "function", where a task has one of
its own that has no name: (value of all, influence, n) (n, 3), the influence by a jackknife.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.metrics import mean  # type: ignore[import-untyped]
from lm_eval.api.registry import AGGREGATION_REGISTRY  # type: ignore[import-untyped]

WIDTHS: Mapping[str, int] = {
    "mean": 1, "nanmean": 1, "median": 1, "perplexity": 1,
    "weighted_perplexity": 2, "bits_per_byte": 2, "f1": 2, "matthews_corrcoef": 2, "brier_score": 0,
}  # fmt: skip
"""Numbers of a document, by aggregation; 0 for any number of them."""
CORPUS = ("bleu", "chrf", "chrf++", "ter")
GROUPS = 256
"""Parts that a jackknife leaves out one by one: its standard error is then known to about 4 %."""
PREFIX = "lm_eval."


def columns(task: Any, samples: Sequence[Mapping[str, Any]], cluster: np.ndarray | None) -> dict[str, np.ndarray]:
    """All metrics of a task. samples: as lm-eval logs them; cluster (n,): what belongs together, None for nothing."""
    found = {}
    for (metric, sieve), values in by_metric(samples).items():
        function = task.aggregation().get(metric, mean)
        name = _name_of(function)
        made = None if name == "bypass" else _plain(name, values)
        if made is None:
            if name == "bypass" or (influenced := _influenced(function, values, cluster)) is None:
                continue
            name, made = "function", influenced
        better = "higher" if task.higher_is_better().get(metric, True) else "lower"
        sieve = "" if sieve == "none" else f",{sieve}"
        found[f"{PREFIX}{metric}{sieve}:{name}:{better}"] = made
    return found


def by_metric(samples: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """(metric, filter) -> the value of every document in order, None where lm-eval gave none."""
    place = {i: at for at, i in enumerate(sorted({int(sample["doc_id"]) for sample in samples}))}
    found: dict[tuple[str, str], list[Any]] = {}
    for sample in samples:
        for metric in sample["metrics"]:
            values = found.setdefault((str(metric), str(sample["filter"])), [None] * len(place))
            values[place[int(sample["doc_id"])]] = sample[metric]
    return found


def _name_of(function: Callable[..., Any]) -> str:
    return next((str(name) for name, known in AGGREGATION_REGISTRY.items() if known is function), "")


def _plain(name: str, values: Sequence[Any]) -> np.ndarray | None:
    """The values as numbers; None where the aggregation is not one of those that are known, or some document has no value."""
    if any(value is None for value in values):
        return None
    if name in CORPUS:
        return _counts(name, values)
    if name not in WIDTHS:
        return None
    try:
        rows = [_row(value) for value in values]
        made = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    width = WIDTHS[name]
    if made.ndim != 2 or (width and made.shape[1] != width) or not made.shape[1]:
        return None
    return made[:, 0] if width == 1 else made


def _row(value: Any) -> list[float]:
    """A number, a pair, or (number, numbers), flat."""
    if isinstance(value, tuple | list | np.ndarray):
        return [number for part in value for number in _row(part)]
    return [float(value)]


def _counts(name: str, values: Sequence[Any]) -> np.ndarray | None:
    """The counts of each (reference, text) that add up over a corpus. None where there are several references of a text."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - only these metrics need it
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - as above
    from sacrebleu.metrics.ter import TER  # noqa: PLC0415 - as above

    if not all(isinstance(part, str) for pair in values for part in pair):
        return None
    kind: Any = {"bleu": BLEU, "chrf": CHRF, "chrf++": lambda: CHRF(word_order=2), "ter": TER}[name]
    counted = kind()._extract_corpus_statistics([pair[1] for pair in values], [[pair[0] for pair in values]])
    return np.array(counted, dtype=np.float64)


def _influenced(function: Callable[..., Any], values: Sequence[Any], cluster: np.ndarray | None) -> np.ndarray | None:
    """The value of all documents, and how much each of them moves it: the delete-a-group jackknife (Efron 1982; Kott 2001).

    Leaving out the documents of a group moves the value by T - T_g, that is by (n - m) / m (T - T_g) for each of its m documents;
    a group of several independent units stands for each of them with the root of their number, which keeps the variance.
    """
    n = len(values)
    unit = np.arange(n) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    units = int(unit.max()) + 1
    group = unit % min(units, GROUPS)
    whole = _of(function, values)
    if whole is None or n < 2:
        return None
    influence = np.zeros(n)
    for code in range(int(group.max()) + 1):
        inside = group == code
        left = _of(function, [value for value, out in zip(values, inside, strict=True) if not out])
        if left is None:
            return np.column_stack([np.full(n, whole), np.full(n, np.nan), np.full(n, n)])
        m = int(inside.sum())
        influence[inside] = (n - m) / m * (whole - left) * math.sqrt(len(np.unique(unit[inside])))
    return np.column_stack([np.full(n, whole), influence - influence.mean(), np.full(n, n)])


def _of(function: Callable[..., Any], values: Sequence[Any]) -> float | None:
    try:
        found = float(function([value for value in values if value is not None]))
    except Exception:  # whatever a task's own function raises for fewer documents than it thought of
        return None
    return found if math.isfinite(found) else None


def known(results: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """lm-eval's own numbers, "metric,filter" -> value, None where it is not finite; without what is no number."""
    for name, value in results.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if number and "," in name and "_stderr" not in name:
            yield name, float(value) if math.isfinite(value) else None
