"""Energy of predictions, by the machine's own meters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench import Undefined, metric

from ._net_energy import idle_watts, net

OTHERS = 0.05


@metric(
    form="measured",
    better="lower",
    unit="J",
    low=0.0,
    axis="energy",
    title="Energy / 1000 predictions",
    equation="1000 sum_w (E_w - P_w t_w) / sum_w rows_w: E_w joules of busy window w, t_w its seconds, P_w idle power beside it",
    source="Linux powercap (RAPL package counters), NVML total energy; idle windows in turns with busy ones",
    convention="one row a call, back to back; power of waiting with the model loaded subtracted; processor packages, without "
    "memory and board, and the device where one is used; a meter or nothing; interval by bootstrap over windows",
    reads="decisions",
)
def energy(energy: Mapping[str, Any]) -> np.ndarray:
    """Net joules and rows of each window, (windows, 2)."""
    joules, rows = net(energy)
    if joules.sum() <= 0:
        raise Undefined("below what the meter can tell: waiting took as much as answering")
    return np.stack([joules, rows], axis=1)


def finish(blocks: np.ndarray) -> np.ndarray:
    """Joules of 1000 rows, (..., windows, 2) -> (...)."""
    joules, rows = np.moveaxis(blocks.mean(axis=-2), -1, 0)
    return np.asarray(1000 * joules / rows)


def doubt(energy: Mapping[str, Any]) -> str:
    """Whether other work took the same packages' energy."""
    share = energy.get("other_cpu")
    if share is None:
        return "whether other work ran meanwhile is not known"
    return f"other work took {100 * share:.0f} % of the machine's CPU time meanwhile" if share > OTHERS else ""


def note(energy: Mapping[str, Any]) -> str:
    """The meter, and the idle power that was subtracted."""
    return f"{energy['meter']}, idle {idle_watts(energy):.1f} W"
