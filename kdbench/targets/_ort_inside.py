"""Inner values of a graph that ONNX Runtime runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kdbench import Artefact
from kdbench.targets import _ort_loader as loader
from kdbench.targets._onnx_file import opened_up

Inside = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def insider(data: bytes, artefact: Artefact, threads: int, provider: str = loader.CPU) -> Inside | None:
    """Inner values by module path, of the same graph with more outputs; None where there is no network to name them by.

    ONNX Runtime optimises that graph anew: it may fuse less than where the inner values are not asked for.
    """
    if artefact.runtime != "torch":
        return None

    def inside(x: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        model, places = opened_up(data, artefact)
        opened = loader.session(model, threads, provider=provider)
        names = list(dict.fromkeys(places.values()))
        values = opened.run(names, {i.name: np.ascontiguousarray(x[i.name]) for i in opened.get_inputs()}) if names else []
        found = dict(zip(names, values, strict=True))
        return {path: found[name] for path, name in places.items()}

    return inside
