"""The records that travel through kdbench, from the suite file to the report.

Everything here is data: frozen, typed, and built from the standard library alone, so that reading a suite or planning a
run costs no numerical library. Arrays and tensors appear only inside annotations.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Params: TypeAlias = "Mapping[str, Json]"


class Refusal(Exception):
    """Bad input, found before work starts. The text is one line: what, where, what is allowed, the nearest right answer."""


class Undefined(Exception):
    """Raised by a metric: this number does not exist for this evidence. The text is the reason, one line."""


class NotApplicable(Exception):
    """Raised by a metric: the question makes no sense here (a selection rate without a positive class). The text says why."""


# --- what the user asks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """A plugin by name, with every parameter filled in: what `kd` or `kd: {temperature: 2}` in a suite becomes."""

    name: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Term:
    """One weighted loss term of a fit. `weight` may be a schedule; the term counts from `start` to `stop` (shares of training)."""

    method: Use
    weight: Json = 1.0
    start: float = 0.0
    stop: float = 1.0


@dataclass(frozen=True, slots=True)
class Train:
    """The recipe shared by every fit that does not say otherwise. `select` names the checkpoint rule and never sees the test split."""

    epochs: int = 10
    batch: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    schedule: str = "cosine"
    warmup: float = 0.0
    clip: float | None = None
    select: str = "last"
    precision: str = "fp32"
    views: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Begin from the artefact of another contender (or of `teacher`)."""

    source: str


@dataclass(frozen=True, slots=True)
class Load:
    """Begin from a folder made elsewhere: `artefact.json` that names the model, and its weights. Audited, not trained."""

    path: str


@dataclass(frozen=True, slots=True)
class Fit:
    """Train. Without an artefact to go on from, `model` is built and initialised from the seed."""

    terms: tuple[Term, ...]
    train: Train
    model: Use | None = None
    teacher: str = "teacher"
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Compress:
    """Turn the artefact into a smaller or cheaper one."""

    compressor: Use


Step: TypeAlias = Start | Load | Fit | Compress


@dataclass(frozen=True, slots=True)
class Contender:
    """A row of the leaderboard: a name and the steps that make it."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ShiftUse:
    """A shift of the test split at some severities (1 mild .. 5 strong)."""

    shift: Use
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Data:
    """Which examples: a dataset, how much of it, what it is shifted by, what lies outside it, and whose results are compared."""

    dataset: Use
    limit: Mapping[str, int] = field(default_factory=dict)
    validation: float = 0.15
    shifts: tuple[ShiftUse, ...] = ()
    ood: tuple[Use, ...] = ()
    groups: tuple[str, ...] = ()
    allow_leak: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One dataset, its teacher, and the contenders that are compared on it."""

    name: str
    data: Data
    teacher: Contender
    contenders: tuple[Contender, ...]

    def rows(self) -> tuple[Contender, ...]:
        """The teacher first, then the contenders: everything that is measured."""
        return (self.teacher, *self.contenders)


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on the confidence bound of a number: `at_least` on its low end, `at_most` on its high end.

    `of` is the number itself ("value") or its paired difference to the teacher ("delta").
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    of: str = "value"
    slice: str = ""
    contender: str = ""
    task: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The whole question: validated, complete (defaults filled in), and independent of the file it came from."""

    name: str
    seeds: tuple[int, ...]
    tasks: tuple[Task, ...]
    targets: tuple[Use, ...]
    axes: tuple[Use, ...]
    gates: tuple[Gate, ...] = ()
    resamples: int = 1000
    min_group: int = 30


# --- what has to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work whose result is stored under `key`.

    The key is the hash of everything that decides the result: `stage`, `spec`, `needs` (role -> key of another job),
    `code`, `content` (hash of files outside the store) and `runtime`. The other fields say how to run it and change no result:
    `uses` offers inputs any one of which will do (equal graphs are timed once), `together` names jobs that share a process,
    `alone` asks for a quiet machine.
    """

    stage: str
    spec: Params
    needs: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    content: str = ""
    runtime: str = ""
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    together: str = field(default="", compare=False)
    alone: bool = field(default=False, compare=False)
    label: str = field(default="", compare=False)

    def identity(self) -> dict[str, Json]:
        """What the key is made of."""
        return {
            "stage": self.stage,
            "spec": dict(self.spec),
            "needs": dict(self.needs),
            "code": self.code,
            "content": self.content,
            "runtime": self.runtime,
        }

    @property
    def key(self) -> str:
        """64 hex digits: the sha256 of the canonical JSON of `identity`."""
        return digest(self.identity())


@dataclass(frozen=True, slots=True)
class Cell:
    """A place on the board where evidence is expected, and the job that brings it; or the reason why there is none.

    `evidence` is predictions | parity | size | cost | latency | memory. For predictions, `split` is validation | test, and
    `shift`/`severity` say what was done to the test split ("" for nothing, "ood:<dataset>" for a companion set).
    """

    task: str
    contender: str
    seed: int
    target: str
    evidence: str
    key: str = ""
    split: str = ""
    shift: str = ""
    severity: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All jobs in an order in which they can run, and the cells of the board that wait for them."""

    jobs: tuple[Job, ...]
    cells: tuple[Cell, ...]

    def job(self, key: str) -> Job:
        """The job of that key."""
        return next(job for job in self.jobs if job.key == key)


# --- what flows through a job ----------------------------------------------------------------------------------------


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
    """What the timing script needs to run a model in any interpreter, here or elsewhere: files to lay in a folder, and the
    path of a self-contained Python file with `load(folder, threads) -> call`, `call(inputs) -> logits`, where inputs are what the same file's
    `read(folder)` gives.
    """

    files: Mapping[str, bytes]
    loader: Path


@dataclass(frozen=True, slots=True)
class Runner:
    """A model as it runs on a target. predict: {name: array (n, ...)} -> float32 logits (n, classes).
    bundle: how to time the same compiled object; facts: what really ran (provider, precision, versions).
    """

    predict: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    bundle: Bundle | None = None
    facts: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Stored answers of one contender on one set. ids text (n,), label int64 (n,), logits float32 (n, classes); derived:
    probability (n, classes), pred int64 (n,), confidence (n,) = probability of pred, correct bool (n,).
    """

    ids: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    probability: np.ndarray
    pred: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray
    classes: tuple[str, ...] = ()
    positive: int | None = None


# --- canonical form --------------------------------------------------------------------------------------------------


def plain(value: object) -> Json:
    """A record, mapping or sequence as plain JSON values. Raises TypeError for what has no plain form."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no plain form for {type(value).__name__}")


def canonical(value: object) -> str:
    """One text for one value: sorted keys, no spaces, no NaN. Equal values give equal bytes on every machine."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """The sha256 of the canonical text, as 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def group_file(column: str) -> str:
    """The file of a group column in an entry: group.<column>.npy, or a hash of a name that is not a plain word ("/", "<", ...)."""
    plain_word = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", column)
    return f"group.{column if plain_word else hashlib.sha256(column.encode()).hexdigest()[:16]}.npy"
