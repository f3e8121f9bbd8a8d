"""After how many predictions the making of a student is paid back by what each prediction saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from kdbench import Undefined


def cost_of(cost: Mapping[str, Any], teacher_cost: Mapping[str, Any] | None, what: str) -> float:
    """The chain's total of "cpu_seconds" or "joules", without what made the teacher where the student began as the teacher: the
    teacher is there already. Raises Undefined where a part is not known.
    """
    chain = cost["chain"]
    if chain.get("elsewhere"):
        raise Undefined("made elsewhere: there is no record of what it cost to make")
    whole = _total(chain, what)
    if teacher_cost is None or teacher_cost.get("key") not in chain.get("through", []):
        return whole
    return max(0.0, whole - _total(teacher_cost["chain"], what))


def _total(chain: Mapping[str, Any], what: str) -> float:
    if what != "joules":
        return float(chain[what])
    energy = chain.get("energy") or {"joules": None, "reason": "the energy of making it was not recorded"}
    if energy["joules"] is None:
        raise Undefined(str(energy["reason"]))
    return float(energy["joules"])


def surely_cheaper(saved: np.ndarray, unit: str) -> None:
    """Raises Undefined unless the student saves something: the 95 % t interval of the mean of `saved` (n,) is above 0."""
    mean, n = float(saved.mean()), len(saved)
    half = -float(stdtrit(n - 1, 0.025)) * float(saved.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    if mean <= 0:
        raise Undefined(f"never paid back: a prediction costs {-mean:.3g} {unit} more than the teacher's")
    if mean - half <= 0:
        said = f"{mean:.3g} {unit} a prediction, 95 % interval {mean - half:.3g} to {mean + half:.3g}"
        raise Undefined(f"not surely paid back: the student saves {said}")
