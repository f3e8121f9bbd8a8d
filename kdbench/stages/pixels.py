"""How a checkpoint of transformers wants its images standardised, against how the task's images come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.stages import folders

PROCESSOR = "preprocessor_config.json"


def settings(folder: Path, prepare: Mapping[str, Any], channels: int) -> tuple[dict[str, Any], list[str]]:
    """(scale and offset of each channel as the model plugin takes them, notes).

    prepare: the mean and standard deviation, of numbers from 0 to 1, by which the task's images are standardised. Without the
    folder's own numbers the task's are taken to be right. Raises Refusal for numbers that standardise nothing.
    """
    if not folders.present(folder, PROCESSOR):
        return {}, ["the folder does not say how its images were standardised: taken to be as the task's are"]
    said = folders.facts(folder, PROCESSOR)
    mean, std = (_numbers(said.get(name), channels) for name in ("image_mean", "image_std"))
    if said.get("do_normalize") is False or mean is None or std is None:
        mean, std = [0.0] * channels, [1.0] * channels
    here = {name: [float(value) for value in prepare.get(name, usual)] for name, usual in (("mean", [0.0]), ("std", [1.0]))}
    here = {name: values * channels if len(values) == 1 else values for name, values in here.items()}
    if any(value <= 0 for value in std):
        raise Refusal(f"{PROCESSOR}: image_std {std} (allowed: numbers above 0)")
    scale = [s / t for s, t in zip(here["std"], std, strict=True)]
    offset = [(m - t) / s for m, t, s in zip(here["mean"], mean, std, strict=True)]
    return {"scale": scale, "offset": offset}, [f"images are standardised by its own mean {mean} and deviation {std}"]


def _numbers(said: Any, channels: int) -> list[float] | None:
    """One number a channel; a list for three channels, of which all are equal, also fits one."""
    if not isinstance(said, list) or not all(isinstance(n, int | float) for n in said) or not said:
        return None
    if len(said) != channels and len(set(said)) > 1:
        raise Refusal(f"{PROCESSOR} standardises {len(said)} channels, the data have {channels}")
    return [float(said[0])] * channels if len(said) != channels else [float(n) for n in said]
