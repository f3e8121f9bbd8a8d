"""Energy of answers beyond that of waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import Undefined


def net(energy: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Joules of each busy window less the idle power of the two windows around it, and the rows answered in it: (windows,) each.

    Raises Undefined where no meter could be read.
    """
    if energy.get("meter") is None:
        raise Undefined(str(energy.get("reason") or "no meter"))
    seconds, joules = (np.asarray(energy[f"idle_{what}"], dtype=float) for what in ("seconds", "joules"))
    idle = (joules[:-1] + joules[1:]) / (seconds[:-1] + seconds[1:])
    busy_seconds, busy_joules = (np.asarray(energy[f"busy_{what}"], dtype=float) for what in ("seconds", "joules"))
    return busy_joules - idle * busy_seconds, np.asarray(energy["calls"], dtype=float) * float(energy.get("batch", 1))


def idle_watts(energy: Mapping[str, Any]) -> float:
    """Mean power of the idle windows."""
    return float(np.sum(energy["idle_joules"]) / np.sum(energy["idle_seconds"]))
