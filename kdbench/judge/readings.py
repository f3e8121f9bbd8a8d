"""A number with its bootstrap draws, and where on the board it belongs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from kdbench.nouns import NotApplicable, Undefined

if TYPE_CHECKING:
    from kdbench.judge.slices import Slice

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Spot:
    """What a number is about. shift "" is the clean set, "*" the mean over shifts; severity 0 the mean over severities."""

    contender: str
    seed: int
    target: str
    split: str = ""
    shift: str = ""
    severity: int = 0
    slice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A number. value: NaN where there is none, then `status` and `reason` say why. draws (B,): its bootstrap replicates.

    n: examples (or timed blocks) behind it; units: how many things were resampled. kind: "rate" for a share of independent
    yes-or-no examples, "rate difference" for a paired difference of two such shares: their draws may have no spread; "certain"
    where nothing can vary, as between one artefact under two names.
    means (d,): the sums behind a diagram; curve: the diagram itself. evidence: key of the entry. hits: the bits of a rate's
    examples, by np.packbits. reach: how far down and up an interval made for this kind of number goes, in place of the draws'.
    """

    value: float
    draws: np.ndarray | None = None
    n: int | None = None
    status: str = "ok"
    reason: str = ""
    evidence: str = ""
    units: int = 0
    kind: str = ""
    means: np.ndarray | None = None
    curve: Mapping[str, Any] | None = None
    hits: np.ndarray | None = None
    reach: tuple[float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return not math.isnan(self.value)


Readings: TypeAlias = "Mapping[Spot, Reading]"


def difference(of: Reading, reference: Reading) -> Reading:
    """The paired difference, draw by draw."""
    if not (of.known and reference.known):
        return nothing("undefined", of.reason if not of.known else reference.reason)
    draws = None
    if of.draws is not None and reference.draws is not None:
        size = min(len(of.draws), len(reference.draws))
        draws = of.draws[:size] - reference.draws[:size]
    same = of.evidence == reference.evidence != ""  # one artefact under two names: the difference is 0 for sure
    kind = "certain" if same else "rate difference" if of.kind == reference.kind == "rate" else ""
    reach = None if same or draws is None else _apart(of, reference)
    return Reading(of.value - reference.value, draws, of.n, evidence=of.evidence, units=of.units, kind=kind, reach=reach)


def _apart(of: Reading, reference: Reading) -> tuple[float, float] | None:
    """The interval of a difference from those of its two sides, where both have one made for their kind of number (MOVER: Zou
    and Donner 2008): down = sqrt(a^2 - 2 r a b + b^2) with a how far the first reaches down, b how far the second reaches up,
    and r the correlation of their draws. Draws alone leave out that one side may be too large by more than the other.
    """
    if of.reach is None or reference.reach is None or of.draws is None or reference.draws is None:
        return None
    size = min(len(of.draws), len(reference.draws))
    both = np.stack([of.draws[:size], reference.draws[:size]])
    both = both[:, np.isfinite(both).all(axis=0)]
    varied = both.shape[1] > 1 and bool((np.ptp(both, axis=1) > 0).all())
    r = float(np.corrcoef(both)[0, 1]) if varied else 0.0
    sides = ((of.reach[0], reference.reach[1]), (of.reach[1], reference.reach[0]))
    down, up = (math.sqrt(max(a * a - 2 * r * a * b + b * b, 0.0)) for a, b in sides)
    return down, up


def mean(parts: Sequence[Reading]) -> Reading:
    """The mean of several numbers of one contender and seed, draw by draw; undefined if one of them is."""
    missing = [p for p in parts if not p.known]
    if missing:
        return nothing(missing[0].status, missing[0].reason, missing[0].n)
    size = min((len(p.draws) for p in parts if p.draws is not None), default=0)
    draws = np.mean([p.draws[:size] for p in parts if p.draws is not None], axis=0) if size else None
    doubts = [p for p in parts if p.status != "ok"]
    status, reason = (doubts[0].status, doubts[0].reason) if doubts else ("ok", "")
    return Reading(float(np.mean([p.value for p in parts])), draws, parts[0].n, status, reason, units=parts[0].units)


def nothing(status: str, reason: str, n: int | None = None, evidence: str = "") -> Reading:
    """A reading without a number."""
    return Reading(math.nan, None, n, status, reason, evidence)


def attempt(ask: Callable[[], Found], evidence: str, n: int | None = None) -> Found | Reading:
    """What a plugin gives; or the reading that says why it gave nothing: one that breaks costs that row only."""
    try:
        return ask()
    except NotApplicable as error:
        return nothing("not applicable", str(error), n, evidence)
    except Undefined as error:
        return nothing("undefined", str(error), n, evidence)
    except Exception as error:  # whatever a plugin may raise
        said = str(error) if str(error).startswith("invalid columns") else f"{type(error).__name__}: {error}"
        return nothing("failed", said, n, evidence)


def drawn(facts: Mapping[str, Any], cut: Slice, value: float, draws: np.ndarray, **rest: Any) -> Reading:
    """A value with its draws; a NaN is undefined, and says what that means for the metric of these facts."""
    if math.isnan(value):
        return nothing("undefined", str(facts.get("undefined") or "the metric gives NaN here"), cut.n, rest["evidence"])
    lost = int(np.isnan(draws).sum())
    said = [cut.reason, f"{lost} of {len(draws)} bootstrap draws are undefined" if lost else ""]
    return Reading(value, draws, cut.n, reason="; ".join(filter(None, said)), **rest)
