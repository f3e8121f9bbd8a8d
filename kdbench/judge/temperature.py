"""The temperature that calibrates logits best on a validation set (Guo et al. 2017), fitted once for each set of predictions.

NLL(b) = 1/n sum_i (logsumexp(b z_i) - b z_i,y_i), with b = 1 / T, is convex in b: its slope has one zero at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdbench.nouns import Predictions, Undefined

LOWEST, HIGHEST = 1e-3, 1e3
"""The temperatures that are looked for."""
CLOSE = 1e-6
"""The relative Newton step of b that ends the search: what remains is of the order of its square."""
STEPS = 100
"""More than bisection alone would need."""
ROWS = 16384
"""Examples whose logits are exponentiated at once."""
SAMPLE = 32_768
"""Examples that a search over a large set starts from."""
REACH, APART, FEWEST, MOST = 8.0, 0.05, 8, 64
"""Temperatures at which the slope of every draw is computed: how many standard errors they reach to each side of the best one,
how far apart they may be (in log T), and how many there are to each side.
"""
KEPT = "fitted_temperature"
"""Where the temperature is kept, beside the properties of the predictions."""


def fit_temperature(predictions: Predictions) -> float:
    """T > 0 with the least NLL of softmax(logits / T) on these n labelled predictions; float64, exact to 1e-9.

    Raises Undefined, with the reason, where no T between 0.001 and 1000 is best: a set without errors asks for T = 0, logits
    that say nothing about the labels for T = infinity. The same predictions are fitted once.
    """
    held = predictions.__dict__
    if KEPT not in held:
        try:
            held[KEPT] = 1.0 / _inverse(predictions)
        except Undefined as error:
            held[KEPT] = str(error)
    if isinstance(held[KEPT], str):
        raise Undefined(held[KEPT])
    return float(held[KEPT])


def temperature_draws(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """The temperature of every draw, weights (draws, n) to (draws,); NaN where none is best, or it is 8 standard errors away.

    The slope of the NLL is computed at 17 to 129 temperatures; between two of them a cubic through values and slopes is solved.
    """
    log_best = -np.log(fit_temperature(predictions))
    error = max(float(np.std(temperature_influence(predictions))) * np.exp(log_best) / np.sqrt(len(predictions.label)), 1e-9)
    reach = min(REACH * error, np.log(HIGHEST / LOWEST))
    side = int(np.clip(np.ceil(reach / APART), FEWEST, MOST))
    nodes = log_best + np.linspace(-reach, reach, 2 * side + 1)
    found = np.array([_of_rows(predictions, b, slice(None)) for b in np.exp(nodes)])  # (nodes, 2, n)
    slope, bend = (np.asarray(weights, dtype=np.float64) @ found[:, i].T for i in (0, 1))
    return _zeros(nodes, slope, bend * np.exp(nodes))


def temperature_influence(predictions: Predictions) -> np.ndarray:
    """The derivative of T with respect to the weight of each example times n, (n,), mean 0."""
    temperature = fit_temperature(predictions)
    slope, bend = _of_rows(predictions, 1.0 / temperature, slice(None))
    found = slope / bend.mean() * temperature**2  # d b = - slope / bend, d T = - T^2 d b
    return np.asarray(found - found.mean())


def _inverse(predictions: Predictions) -> float:
    """1 / T by Newton steps inside a bracket; a large set starts from the answer of a part of it."""
    n = len(predictions.label)
    if not n:
        raise Undefined("no examples to fit a temperature on")
    of_label = predictions.logits[np.arange(n), predictions.label]
    if (of_label == predictions.logits.max(axis=1)).all():
        raise Undefined(f"no errors among {n} examples: the NLL falls as T goes to 0")
    b, width = 1.0, np.log(HIGHEST / LOWEST)
    if n > 4 * SAMPLE:
        spread = slice(None, None, -(-n // SAMPLE))
        try:
            b, width = _search(predictions, spread, 1.0, width), 0.7
        except Undefined:
            b = 1.0
    return _search(predictions, slice(None), b, width)


@dataclass(slots=True)
class _Bracket:
    """Where the zero lies: between `low` and `high`, either of which may not have been tried."""

    low: float
    high: float
    tried_low: bool = False
    tried_high: bool = False


def _search(predictions: Predictions, rows: slice, start: float, width: float) -> float:
    """The zero of the slope of the NLL over some rows; `width` is how far, in log b, a step may go."""
    bracket, b = _Bracket(1.0 / HIGHEST, 1.0 / LOWEST), start
    for _ in range(STEPS):
        slope, bend = _total(predictions, b, rows)
        if slope == 0 and bend == 0:
            raise Undefined("the NLL does not depend on the temperature")
        if slope <= 0:
            bracket.low, bracket.tried_low = b, True
        if slope >= 0:
            bracket.high, bracket.tried_high = b, True
        if bracket.low == 1.0 / LOWEST:
            raise Undefined("the best temperature is below 0.001")
        if bracket.high == 1.0 / HIGHEST:
            raise Undefined("the best temperature is above 1000: the logits say nothing about the labels")
        step = slope / bend if bend > 0 else -np.sign(slope) * np.inf
        if abs(step) <= CLOSE * b:
            return b - step
        b = _next(b, b - step, bracket, width)
    raise Undefined(f"no temperature was found in {STEPS} steps")


def _next(b: float, newton: float, bracket: _Bracket, width: float) -> float:
    """The Newton step; where it leaves the bracket, the end if that was never tried, else the middle (in log b)."""
    new = min(max(newton, b * np.exp(-width)), b * np.exp(width))
    if new <= bracket.low and bracket.tried_low or new >= bracket.high and bracket.tried_high:
        return float(np.sqrt(bracket.low * bracket.high))
    return float(min(max(new, bracket.low), bracket.high))


def _total(predictions: Predictions, b: float, rows: slice) -> tuple[float, float]:
    slope, bend = _of_rows(predictions, b, rows)
    return float(slope.sum()), float(bend.sum())


def _of_rows(predictions: Predictions, b: float, rows: slice) -> np.ndarray:
    """First and second derivative with respect to b of the NLL of each row, (2, rows)."""
    logits, label = predictions.logits[rows], predictions.label[rows]
    found = np.empty((2, len(label)))
    for start in range(0, len(label), ROWS):
        part = slice(start, start + ROWS)
        z = logits[part].astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        p = np.multiply(z, b)
        np.exp(p, out=p)
        whole = np.einsum("nk->n", p)
        p *= z
        mean = np.einsum("nk->n", p) / whole
        z2 = np.einsum("nk,nk->n", p, z) / whole
        found[0, part] = mean - z[np.arange(len(z)), label[part]]
        found[1, part] = np.maximum(z2 - mean**2, 0.0)
    return found


def _zeros(nodes: np.ndarray, value: np.ndarray, derivative: np.ndarray) -> np.ndarray:
    """exp(-x) at the zero x of each rising row of `value` (draws, nodes); NaN without one. By cubic Hermite interpolation."""
    after = (value < 0).sum(axis=1)  # the first node that is not below 0
    known = (after > 0) & (after < len(nodes)) | (value == 0).any(axis=1)
    after = np.clip(after, 1, len(nodes) - 1)
    row, step = np.arange(len(value)), nodes[1] - nodes[0]
    y0, y1 = value[row, after - 1], value[row, after]
    d0, d1 = derivative[row, after - 1] * step, derivative[row, after] * step
    low, high = np.zeros(len(row)), np.ones(len(row))
    for _ in range(50):
        t = (low + high) / 2
        y = y0 + t * (d0 + t * (3 * (y1 - y0) - 2 * d0 - d1 + t * (2 * (y0 - y1) + d0 + d1)))
        low, high = np.where(y < 0, t, low), np.where(y < 0, high, t)
    return np.where(known, np.exp(-(nodes[after - 1] + (low + high) / 2 * step)), np.nan)
