"""The kinds of jobs, one file each: `run(job, inputs, draft, place)` reads opened entries and writes one.

This file is read by the planner, so it names the stages without importing them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kdbench.registry import Plugins
from kdbench.store import Store

OTHER = "other_task"
"""The role of the rows that a teacher of another task answered."""
SAW = "saw_"
"""How the roles begin under which a fit is given the examples that a teacher of another task learned from."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the planner must know of a stage. version: raise it when the stage would write other bytes for the same job.
    runtime: the packages whose version is part of the key (see `kdbench.plan.keys.runtime`).
    """

    version: int
    runtime: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job runs. data: folder of external data, if any; threads: numerical threads a job may use."""

    plugins: Plugins
    store: Store
    data: Path | None = None
    threads: int = 1


STAGES: Mapping[str, Stage] = {
    "data": Stage(3),
    "shift": Stage(1),
    "ood": Stage(2),
    "probe": Stage(2),
    "tokenizer": Stage(1, ("tokenizers",)),
    "tokens": Stage(4, ("tokenizers",)),
    "relabel": Stage(2, ("torch", "transformers", "tokenizers")),
    "questions": Stage(3, ("lm-eval", "datasets", "sacrebleu")),
    "harness": Stage(3, ("torch", "onnxruntime", "transformers", "tokenizers", "lm-eval", "datasets", "sacrebleu")),
    "load": Stage(5, ("torch", "transformers", "tokenizers")),
    "fit": Stage(4, ("torch", "transformers")),
    "compress": Stage(4, ("torch", "onnxruntime", "onnx", "torch-pruning")),
    "outputs": Stage(4, ("torch", "transformers")),
    "predict": Stage(4, ("torch", "onnxruntime", "transformers", "tokenizers")),
    "top_k": Stage(1, ("torch", "transformers")),
    "features": Stage(2, ("torch",)),
    "parity": Stage(4, ("torch", "onnxruntime")),
    "size": Stage(3, ("torch", "onnx", "onnxruntime")),
    "latency": Stage(4, ("torch", "onnxruntime")),
    "memory": Stage(3, ("torch", "onnxruntime")),
    "energy": Stage(1, ("torch", "onnxruntime")),
    "judge": Stage(1, ("numpy", "scipy", "fairlearn")),
}
