"""The record of the fit that made an artefact: its epochs, and when it first was good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import NotApplicable, Undefined


def accuracies(cost: Mapping[str, Any]) -> list[float]:
    """Validation accuracy after each epoch. Raises NotApplicable for what no fit made, Undefined without a validation split."""
    history = cost.get("history") or []
    if not history:
        elsewhere = cost.get("parity", {}).get("made_elsewhere")
        why = "made elsewhere: there is no record of its training" if elsewhere else "its last step is no training: no epochs"
        raise NotApplicable(why)
    found = [entry.get("validation_accuracy") for entry in history]
    if any(value is None for value in found):
        raise Undefined("there is no validation split: its accuracy per epoch is not known")
    return [float(value) for value in found]


def epochs_to(cost: Mapping[str, Any], quality: float) -> int:
    """Epochs until the validation accuracy first reaches `quality`. Raises Undefined where it never does, with the best."""
    found = accuracies(cost)
    for epoch, value in enumerate(found, start=1):
        if value >= quality:
            return epoch
    best = max(found)
    raise Undefined(f"never reached {quality:g}: the best of {len(found)} epochs is {best:.4g}, in epoch {found.index(best) + 1}")


def part_of(cost: Mapping[str, Any], what: str, quality: float) -> float:
    """What the fit had spent of "examples" or "cpu_seconds" by then: its total, in equal parts for its epochs."""
    return float(cost[what]) * epochs_to(cost, quality) / len(accuracies(cost))


def reached(cost: Mapping[str, Any], quality: float) -> str:
    """In which epoch, and whether the steps before the fit had spent something too."""
    earlier = cost.get("chain", {}).get("examples", 0) - cost["examples"]
    said = f"reached in epoch {epochs_to(cost, quality)} of {len(accuracies(cost))}"
    return f"{said}; earlier steps, with {earlier:g} examples, are not counted" if earlier else said
