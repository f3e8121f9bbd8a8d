"""Size of the model file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import metric


@metric(
    form="measured",
    better="lower",
    unit="bytes",
    low=0.0,
    axis="size",
    title="Bytes on disk",
    equation="sum of the sizes of the files",
    source="the manifest of the store",
    convention="the files that are shipped, uncompressed",
    reads="decisions",
)
def bytes_on_disk(size: Mapping[str, Any]) -> float:
    """Bytes of the model's files."""
    return float(size["bytes"])


def note(size: Mapping[str, Any]) -> str:
    """The formats, where there are several."""
    formats = size.get("bytes_by_format") or {}
    return ", ".join(f"{name} {n}" for name, n in sorted(formats.items())) if len(formats) > 1 else ""
