"""Memory that the model and its answers need on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import NotApplicable, metric


@metric(
    form="measured",
    better="lower",
    unit="MB",
    low=0.0,
    axis="memory",
    title="Peak device memory",
    equation="largest sum of the tensors that the device's allocator held / 10^6",
    source="CUDA caching allocator of PyTorch, torch.cuda.max_memory_allocated",
    convention="bytes in tensors, model included; not what the allocator keeps in reserve, nor the context; 1 MB = 10^6 bytes",
    reads="decisions",
)
def peak_device_memory(memory: Mapping[str, Any]) -> float:
    """Peak bytes of the allocator / 10^6. Raises NotApplicable where the model uses no device of its own."""
    peak = memory.get("device_peak_bytes")
    if peak is None:
        raise NotApplicable("the model runs on the processor: there is no device memory")
    return float(peak) / 1e6
