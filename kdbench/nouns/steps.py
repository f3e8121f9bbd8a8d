"""How a model is made: the recipe of training, the steps, and the contender that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kdbench.nouns.canonical import Json
from kdbench.nouns.uses import Use


@dataclass(frozen=True, slots=True)
class Term:
    """One weighted loss term of a fit. `weight` may be a schedule; it counts from `start` to `stop` (shares of training)."""

    method: Use
    weight: Json = 1.0
    start: float = 0.0
    stop: float = 1.0


@dataclass(frozen=True, slots=True)
class Train:
    """The recipe of every fit that says nothing else. `select` names the checkpoint rule, which never sees the test split."""

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
    accumulate: int = 1
    views: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Begin from the artefact of another contender (or of `teacher`)."""

    source: str


@dataclass(frozen=True, slots=True)
class Load:
    """Begin from what was made elsewhere. path: a folder with `artefact.json` or with the `config.json` of transformers, or a
    file of predictions. Audited, not trained, unless a fit follows: head "new" puts a fresh head where the checkpoint has none
    for this task.
    """

    path: str
    head: str = ""


@dataclass(frozen=True, slots=True)
class Relabel:
    """Make new training data with a teacher; the fits that follow see these instead of the task's own."""

    relabeler: Use
    teacher: str = "teacher"


@dataclass(frozen=True, slots=True)
class Fit:
    """Train. Without an artefact to go on from, `model` is built and initialised from the seed. teacher: a contender of the task,
    or TASK/CONTENDER of another one, whose answers are recorded and joined by id.
    """

    terms: tuple[Term, ...]
    train: Train
    model: Use | None = None
    teacher: str = "teacher"
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Compress:
    """Turn the artefact into a smaller or cheaper one."""

    compressor: Use


Step: TypeAlias = Start | Load | Relabel | Fit | Compress


@dataclass(frozen=True, slots=True)
class Contender:
    """A row of the leaderboard: a name and the steps that make it."""

    name: str
    steps: tuple[Step, ...]
