"""Whether timings are of the model that was scored: verdicts on what `timing_checks` saw beside the timed regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binom  # type: ignore[import-untyped]

from kdbench.stages.running import by_batch

SAME = 1e-3
"""Answers in float32 may differ by this share of the largest score, as after an export."""

INT8 = 0.3
"""The same between batches of an int8 graph, whose scales are taken from the whole batch: of 400 sentences each, that moved the
scores of a BERT of three layers by up to 0.29, and those of one of six layers by up to 0.76, two of them by more than 0.3.
"""

STRAY = 1 / 8
"""The share of rows that may go beyond that."""

FRESH = 0.10
"""A repeated input may be answered this much faster or slower than one never seen."""

RISK = 0.02
"""Chance, at most, that the interval of a median over blocks does not hold it."""


def tolerances(facts: Mapping[str, Any]) -> dict[str, float]:
    """What a timed answer may differ by, relative to the row's scale (see `timing_checks.compare`): {"answers", "batch"}, and
    {"stray"}, the share of rows that may differ by more between batches. The runner's fact `tolerance` is that of its precision;
    the rounding of low precision depends on the size of the batch.
    """
    of_precision = max(SAME, float(facts.get("tolerance") or 0))
    if by_batch(facts):
        return {"answers": SAME, "batch": max(INT8, of_precision), "stray": STRAY}
    return {"answers": of_precision, "batch": of_precision, "stray": 0.0}


def verdicts(seen: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """{answers, repeatable, batch, fresh: {"passed": bool, "text": one sentence}} from what was seen of each role.

    answers: the timed calls said what the scored predictions say; repeatable: the same input has the same answer; batch: a row is
    answered alone, together with others and in reversed order alike; fresh (the contender only): a repeated input takes as long
    as one that was never seen. What could not be tried passes, and the text says so.
    """
    found = {name: _alike(seen, name) for name in ("answers", "repeatable", "batch")}
    found["fresh"] = fresh(seen["contender"]["fresh"])
    return found


def fresh(times: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The verdict on block minima in seconds {"repeated", "unseen"}, pair by pair. Fails where the median of their ratio and all
    of its interval (order statistics, at least 98 %) are beyond 10 %.
    """
    ratios = np.sort(np.divide(times["unseen"], times["repeated"]))
    n = len(ratios)
    if n < 7:  # fewer have no interval of 98 %
        return {"passed": True, "text": "not checked for kept answers: too few different inputs"}
    rank = int(binom.ppf(RISK / 2, n, 0.5))
    low, middle, high = float(ratios[max(rank - 1, 0)]), float(np.median(ratios)), float(ratios[min(n - rank, n - 1)])
    passed = not (low > 1 + FRESH or high < 1 - FRESH)
    said = (
        f"an input never seen takes {middle:.2f} times as long as a repeated one ({low:.2f} to {high:.2f}, {n} pairs of blocks)"
    )
    cause = "" if passed else ": the contender keeps answers, or its time depends on the input" if low > 1 else (
        ": its time depends on the input"
    )  # fmt: skip
    return {"passed": passed, "text": said + cause}


def _alike(seen: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """The verdict on one comparison of answers, over both roles."""
    parts = [(role, *part) for role, of in seen.items() for part in _parts(of, name)]
    stray = {role: of["tolerance"].get("stray", 0.0) if name == "batch" else 0.0 for role, of in seen.items()}
    wrong = [
        f"the {role} {words}: {found['wrong']} of {found['rows']} rows (largest difference {found['largest']:.2g} of the largest "
        f"score, {allowed:g} allowed)"
        for role, words, found, allowed in parts
        if found["wrong"] > stray[role] * found["rows"] or found.get("broken")
    ]
    if wrong:
        return {"passed": False, "text": "; ".join(wrong)}
    rows, allowed = sum(found["rows"] for _, _, found, _ in parts), max(allowed for *_, allowed in parts)
    largest = max(found["largest"] for _, _, found, _ in parts)
    text = f"{rows} rows compared, largest difference {largest:.2g} of the largest score, {allowed:g} allowed"
    beyond = sum(found["wrong"] for _, _, found, _ in parts)
    text += f" but for {beyond} rows, whose int8 scales are their batch's" if beyond else ""
    unable = sorted({of["batch"]["error"] for of in seen.values() if name == "batch" and "error" in of["batch"]})
    return {"passed": True, "text": f"{text}; takes no other number of rows: {unable[0]}" if unable else text}


def _parts(of: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any], float]]:
    """What would be wrong, what was found, what was allowed."""
    if name == "answers":
        yield "answers otherwise when timed than when scored", of["answers"], of["tolerance"]["answers"]
    elif name == "repeatable":
        yield "answers the same input in different ways", of["repeatable"], SAME
    else:
        said = {
            "together": "answers rows of a batch otherwise than scored",
            "reversed": "answers rows otherwise in reversed order",
            "alone": "answers rows otherwise alone than in a batch",
        }
        for key, words in said.items():
            yield words, of["batch"][key], of["tolerance"]["batch"]
