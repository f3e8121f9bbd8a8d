"""Memory that loading the model needs beyond an idle process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="MB",
    low=0.0,
    axis="memory",
    title="Peak memory of loading",
    equation="(VmHWM while loading - resident set when idle) / 10^6",
    source="Linux proc(5), VmHWM of a fresh process",
    convention="peak of the resident set of a fresh child while it loads the model, minus the same child idle; kernel high-water "
    "mark; 1 MB = 10^6 bytes",
    reads="decisions",
)
def peak_memory_loading(memory: Mapping[str, Any]) -> float:
    """(peak while loading - idle) / 10^6."""
    return float(memory["peak_load_bytes"] - memory["idle_bytes"]) / 1e6


def note(memory: Mapping[str, Any]) -> str:
    """The two readings behind the difference."""
    return f"peak {memory['peak_load_bytes'] / 1e6:.1f} MB, idle {memory['idle_bytes'] / 1e6:.1f} MB"
