"""Size of what the target loads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined, metric


@metric(
    form="measured",
    better="lower",
    unit="bytes",
    low=0.0,
    axis="memory",
    title="Bytes as loaded",
    equation="sum of the sizes of the files that the target loads",
    source="the files of the target's bundle",
    convention="in the target's own format, uncompressed; other than the bytes on disk of the artefact that it is made from",
    reads="decisions",
)
def model_bytes(memory: Mapping[str, Any]) -> float:
    """Bytes of the files in the target's format. Raises Undefined where the target tells none."""
    if not memory.get("model_bytes"):
        raise Undefined("the target has no files of its own")
    return float(memory["model_bytes"])


def note(memory: Mapping[str, Any]) -> str:
    """Bytes by the ending of the files."""
    return ", ".join(f"{ending} {size}" for ending, size in sorted((memory.get("model_files") or {}).items()))
