"""Time within which a given share of calls ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from scipy.special import betainc  # type: ignore[import-untyped]

from kdbench import Undefined, metric

FEWEST = {90: 64, 99: 662}


@metric(
    form="measured",
    better="lower",
    unit="microseconds",
    low=0.0,
    axis="latency",
    title="Latency percentile",
    equation="the t-th slowest of q calls, t the largest with I_p(q - t, t + 1) <= 0.01; I: regularized incomplete beta function",
    source="MLPerf Inference rules, early stopping criterion (Reddi et al. 2020)",
    convention="an order statistic that is at or above the percentile with 99 % confidence (MLPerf early stopping); "
    "never interpolated; depends on the load",
    reads="decisions",
)
def latency_percentile(latency: Mapping[str, Any], *, p: Literal[90, 99] = 90) -> float:
    """The slowest call but t - 1, where t is the largest number of slow calls with I(p; q - t, t + 1) <= 0.01 of q calls.

    I is the regularized incomplete beta function. The fewest calls for which t is 1 are 64 for p90 and 662 for p99; with fewer
    the percentile is undefined. So it is for calls that the clock cannot tell apart.
    """
    if latency.get("inner", 1) > 1:
        raise Undefined(f"a call is too short for the clock: {latency['inner']} are timed at once, and a mean has no tail")
    calls = sorted(latency["wall_contender"].ravel())
    count = len(calls)
    low, high = 0, count  # I grows with t: the largest t that holds, by bisection
    while high - low > 1:
        t = (low + high) // 2
        low, high = (t, high) if betainc(count - t, t + 1, p / 100) <= 0.01 else (low, t)
    if low < 1:
        raise Undefined(f"not enough calls: {count}, and p{p} needs {FEWEST[p]}")
    return float(calls[-low]) * 1e6


def note(latency: Mapping[str, Any]) -> str:
    """The load that it was taken under."""
    before, after = latency.get("load_before"), latency.get("load_after")
    return "" if before is None or after is None else f"load average {_load(before)} before, {_load(after)} after"


def _load(value: Any) -> str:
    return f"{float(value[0] if isinstance(value, list) else value):.1f}"
