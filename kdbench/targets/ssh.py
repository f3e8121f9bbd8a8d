"""ONNX Runtime on another machine, over SSH."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from kdbench import Artefact, Count, Positive, Runner, Whole, target
from kdbench.targets import _ssh_place

if TYPE_CHECKING:
    import numpy as np


@target(accepts=("torch", "onnx"), needs=("asyncssh", "onnx"), remote=True)
def ssh(  # noqa: PLR0913 - keyword-only: the schema of a suite
    artefact: Artefact,
    example: Mapping[str, np.ndarray],
    *,
    host: str,
    port: Whole = 0,
    python: str = "python3",
    threads: Count = 1,
    timeout: Positive = 600.0,
    exporter: Literal["torchscript", "dynamo"] = "torchscript",
) -> Runner:
    """ONNX Runtime's CPU provider on any host with Python 3.9 or newer, numpy and onnxruntime: a Raspberry Pi, an edge box.

    host: a name of ~/.ssh/config, HOST or USER@HOST. port: 0 for the one of ~/.ssh/config. python: its command there, or its
    path from the root or the home folder. threads: inside one operator. timeout: seconds that one script may take there.
    exporter: as of the target ort_cpu.

    Keys and known hosts are those of the user's ssh configuration, never of a suite; host keys are always checked, passwords
    never used. The graph, the inputs and the measuring scripts travel; predictions and raw samples come back. docs/remote.md
    says what is checked. Raises Refusal, one line, for whatever is in the way.
    """
    from kdbench.targets import _ssh_model  # noqa: PLC0415 - needs asyncssh and onnx, which not everybody has

    place = _ssh_place.place(host, port or None, python, timeout)
    return _ssh_model.runner(place, artefact, example, threads, exporter)
