"""Expected calibration error of the likeliest next token."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdbench import Predictions, metric

from ._said import columns


@metric(
    better="lower",
    low=0.0,
    high=1.0,
    axis="calibration",
    title="ECE of the next token",
    convention="over all tokens that are asked for: 15 bins of equal width of the probability of the likeliest token, "
    "right-closed ((m-1)/15, m/15], weighted by their tokens; mean confidence of a bin, not its centre. The plug-in "
    "value",
    equation="sum_m |tokens right in bin m - confidence summed in bin m| / tokens",
    source="Guo et al. 2017, on tokens after the true ones as in Kumar and Sarawagi 2019; lm-eval has no such number",
    reads="tokens",
    undefined="no tokens",
)
def token_calibration(predictions: Predictions) -> np.ndarray:
    """How many tokens each example has; of each bin its tokens, their summed confidence, and the right ones: (n, 46)."""
    count, confidence, right = (columns(predictions, f"bin_{name}")[:, 0] for name in ("count", "confidence", "right"))
    return np.concatenate([count.sum(axis=1, keepdims=True), count, confidence, right], axis=1)


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 46) to (...): the absolute gaps of the bins, over all tokens; NaN where there are none."""
    return np.asarray(np.abs(deviations(means)).sum(axis=-1))


def deviations(means: np.ndarray) -> np.ndarray:
    """What the number is the size of: confidence less right tokens of each bin, over all tokens, (..., 15)."""
    tokens, _, confidence, right = np.split(np.asarray(means, dtype=np.float64), (1, 16, 31), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(tokens > 0, (confidence - right) / tokens, np.nan))


def size(of: np.ndarray) -> np.ndarray:
    """The sum of the absolute deviations."""
    return np.asarray(np.abs(of).sum(axis=-1))


def curve(means: np.ndarray) -> Mapping[str, str | np.ndarray]:
    """The reliability diagram of tokens, one point a bin: x mean confidence, y share of right tokens, share of tokens, edges."""
    tokens, count, confidence, right = np.split(np.asarray(means, dtype=np.float64), (1, 16, 31))
    bins = len(count)
    x, y = (np.divide(v, count, out=np.full(bins, np.nan), where=count > 0) for v in (confidence, right))
    edges = np.arange(bins + 1) / bins
    share = count / tokens if tokens[0] > 0 else np.zeros(bins)
    return {"name": "reliability of tokens", "low": edges[:-1], "high": edges[1:], "x": x, "y": y, "share": share}
