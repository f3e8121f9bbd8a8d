"""Numbers that change over training: parameters of terms, weights, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from kdbench.nouns import Json, Refusal, Train

SHAPES: Mapping[str, Callable[[float, float, float], float]] = {
    "linear": lambda a, b, t: a + (b - a) * t,
    "cosine": lambda a, b, t: b + (a - b) * (1 + math.cos(math.pi * t)) / 2,
    "exponential": lambda a, b, t: a * (b / a) ** t,
}
"""From a (t = 0) to b (t = 1)."""

STEP_AT = (150 / 240, 180 / 240, 210 / 240)
"""Where the `step` schedule divides the learning rate by ten: RepDistiller's epochs 150, 180 and 210 of 240, as shares."""


def is_schedule(value: Json) -> bool:
    """Whether a parameter is written as {from, to, ...}."""
    return isinstance(value, dict) and {"from", "to"} <= set(value)


def value_at(value: Json, progress: float) -> Any:
    """A parameter at `progress` (0 at the first step, 1 at the last); what is no schedule stays as it is.

    A schedule holds `from` until `start` and `to` from `stop` on (both shares of training).
    """
    if not (isinstance(value, dict) and is_schedule(value)):
        return value
    held: dict[str, Any] = value
    low, high = float(held["from"]), float(held["to"])
    shape, start, stop = held.get("shape", "linear"), float(held.get("start", 0.0)), float(held.get("stop", 1.0))
    if shape not in SHAPES:
        raise Refusal(f"schedule: no shape {shape!r} (allowed: {', '.join(SHAPES)})")
    if shape == "exponential" and (low <= 0 or high <= 0):
        raise Refusal("schedule: an exponential one needs `from` and `to` above 0")
    if not start < stop:
        raise Refusal(f"schedule: start {start} must come before stop {stop}")
    return SHAPES[shape](low, high, min(1.0, max(0.0, (progress - start) / (stop - start))))


def progress_at(step: int, steps: int) -> float:
    """Where step 0..steps-1 lies between 0 and 1, both reached."""
    return step / (steps - 1) if steps > 1 else 0.0


def active(start: float, stop: float, step: int, steps: int) -> bool:
    """Whether a term counts at this step: start <= step / steps < stop."""
    return start <= step / steps < stop


def learning_rate(train: Train, step: int, steps: int) -> float:
    """The learning rate of a step: warm-up, then the schedule over what is left.

    warmup: share of all steps over which the rate rises linearly, (step + 1) / warm-up steps of the full rate. constant; cosine:
    half a cosine to 0 (Loshchilov & Hutter 2017, no restarts); linear: to 0; step: divided by ten at each of `STEP_AT`.
    """
    warm = round(train.warmup * steps)
    if step < warm:
        return train.lr * (step + 1) / warm
    t = (step - warm) / max(1, steps - warm)
    if train.schedule == "constant":
        return train.lr
    if train.schedule == "cosine":
        return train.lr * (1 + math.cos(math.pi * t)) / 2
    if train.schedule == "linear":
        return train.lr * (1 - t)
    if train.schedule == "step":
        return float(train.lr * 0.1 ** sum(t >= at for at in STEP_AT))
    raise Refusal(f"train: no schedule {train.schedule!r} (allowed: constant, cosine, linear, step)")
