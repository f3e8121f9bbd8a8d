"""What flows through a job: examples, networks, and what they said."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.nouns.asked import Use
from kdbench.nouns.canonical import Params

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True, slots=True)
class Samples:
    """What a dataset plugin gives: every row, in a fixed order, before any preprocessing.

    kind: "image" (x["image"]: uint8, (n, channels, height, width)), "table" (x["numeric"]: float32 (n, p), and
    x["categorical"]: text (n, q); either may have no columns) or "tokens" (x["tokens"]: int64 (n, length)).
    y: int64 (n,), index into `classes`. ids: text (n,), unique. groups: column -> text (n,).
    split: text (n,) of "train" | "validation" | "test", or "" where kdbench is to split. cluster: text (n,), rows of one
    cluster (a person, a writer) stay together, in splits and in resampling. positive: the class that a decision in
    favour means, where there is one; selection rates exist only then. A NaN in `numeric` is a missing cell (filled with
    the median of train, and noted); infinities are refused. alike: different records may have equal inputs (few or coarse
    columns), so that equal rows in train and test are counted and noted, not refused as a leak. notes: what a reader must know.
    """

    kind: str
    x: Mapping[str, np.ndarray]
    y: np.ndarray
    ids: np.ndarray
    classes: tuple[str, ...]
    licence: str
    source: str
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    split: np.ndarray | None = None
    cluster: np.ndarray | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positive: str | None = None
    alike: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model must take and give. inputs: name -> per-example shape, in the order of the model's arguments;
    levels: number of codes of each categorical column (0 is "never seen in train"); classes: size of the output.
    """

    kind: str
    inputs: Mapping[str, tuple[int, ...]]
    classes: int
    levels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some training examples: x: name -> tensor (b, ...), y: int64 (b,) or soft targets (b, classes),
    index: int64 (b,), the place of each example in the training split (the same for every contender).
    """

    x: Mapping[str, torch.Tensor]
    y: torch.Tensor
    index: torch.Tensor


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network said: logits (b, classes) or (b, length, vocabulary), and its ordered taps, shallow to deep."""

    logits: torch.Tensor
    taps: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of structure, replayed when an artefact is opened. kind: "mask" or "channels" (see `kdbench.nets.edits`)."""

    kind: str
    facts: Params = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a step gives. runtime "torch": `module` is the live network, `model` and `edits` say how to build it again;
    any other runtime ("onnx", ...): `files` holds its bytes, by file name.
    """

    runtime: str
    shape: Shape
    model: Use | None = None
    module: Any = None
    edits: tuple[Edit, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    facts: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a measuring script needs to run a model in any interpreter, here or elsewhere: the model's files, to lay in a folder,
    and the path of a self-contained Python file with `load(folder, threads) -> call`, where `call(inputs)` gives logits, and, if
    {name: array} are not what `call` takes, `ready(x) -> inputs`. Loaders may use numpy.
    """

    files: Mapping[str, bytes]
    loader: Path


@dataclass(frozen=True, slots=True)
class Runner:
    """A model as it runs on a target. predict: {name: array (n, ...)} -> float32 logits (n, classes).
    bundle: how to time the same compiled object; facts: what really ran (provider, precision, versions).

    inside: {name: array (n, ...)} -> inner values by the path of the network's module, to find where an export first diverges.
    elsewhere: for a model that runs on another machine, `(script, request, bundles by role, files by name) -> result` runs a
    measuring script there.
    """

    predict: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    bundle: Bundle | None = None
    facts: Params = field(default_factory=dict)
    inside: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None = None
    elsewhere: Callable[[Path, Mapping[str, Any], Mapping[str, Bundle], Mapping[str, bytes]], dict[str, Any]] | None = None


def group_file(column: str) -> str:
    """The file of a group column in an entry: group.<column>.npy, with a hash for a name that is not a plain word."""
    plain_word = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", column)
    return f"group.{column if plain_word else hashlib.sha256(column.encode()).hexdigest()[:16]}.npy"
