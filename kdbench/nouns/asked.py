"""What the user asks for: a suite and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kdbench.nouns.canonical import Json, Params


@dataclass(frozen=True, slots=True)
class Use:
    """A plugin by name, with every parameter filled in: what `kd` or `kd: {temperature: 2}` in a suite becomes."""

    name: str
    params: Params = field(default_factory=dict)


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
    """One dataset, its teacher, and the contenders that are compared on it. A suite file always gives a teacher; one without
    steps is absent, as where prediction files are judged without the teacher's.
    """

    name: str
    data: Data
    teacher: Contender
    contenders: tuple[Contender, ...]

    def rows(self) -> tuple[Contender, ...]:
        """The teacher first, if there is one, then the contenders: everything that is measured."""
        return (self.teacher, *self.contenders) if self.teacher.steps else self.contenders


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
class Compare:
    """How contenders are compared. None of it is in the key of any evidence: a change costs no new run.

    metric: the one that ranks, by name or id ("": the first of the axes that has a direction). margin: differences smaller than
    this count as equal, in units of the metric (None: 0.01 where the unit is "fraction", else no margin; 0: no margin).
    base: a contender whose errors under shift are also taken as the base of corruption errors. unlike: what happens to
    contenders with another checkpoint rule or teacher than usual, "apart" (not ranked) or "together". pareto: the metrics of
    the Pareto front, at least two (empty: the ranking metric and the latency ratio, else the parameters).
    """

    metric: str = ""
    margin: float | None = None
    base: str = ""
    unlike: str = "apart"
    pareto: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a model is called when it is measured: `batch` rows at a time, of `length` tokens (0: as the data are)."""

    batch: int = 1
    length: int = 0

    @property
    def name(self) -> str:
        """What rows of scores call it: "batch=32", "length=64", "batch*length=32 & 64"; "" for one row of full length."""
        given = {"batch": self.batch if self.batch != 1 else 0, "length": self.length}
        said = {part: value for part, value in given.items() if value}
        return f"{'*'.join(said)}={' & '.join(map(str, said.values()))}" if said else ""


@dataclass(frozen=True, slots=True)
class Measure:
    """How times and memory are taken. One row of full length at a time is always measured; every combination with `batches`
    (rows a call) and `lengths` (tokens a row, where the data are tokens) comes beside it.

    pairs: block pairs of a comparison with the teacher; seconds: how long one comparison may take, so that slow models get
    fewer pairs. What is measured already stays, whatever is added.
    """

    batches: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    pairs: int = 60
    seconds: float = 12.0

    def scenarios(self, kind: str) -> tuple[Scenario, ...]:
        """All of them for data of a kind, the single stream first."""
        lengths = (0, *self.lengths) if kind in ("tokens", "") else (0,)
        return tuple(Scenario(batch, length) for length in lengths for batch in (1, *self.batches))


def labelled(uses: Sequence[Use]) -> dict[str, Use]:
    """Uses by the name that tells them apart: the plugin's own; where several are of one plugin, with the parameters in which
    they differ, `ssh{host=pi}`. Equal uses are one.
    """
    held: dict[str, Use] = {}
    for use in uses:
        alike = [dict(other.params) for other in uses if other.name == use.name]
        differing = [key for key, value in use.params.items() if any(other.get(key) != value for other in alike)]
        said = ",".join(f"{key}={use.params[key]}" for key in differing)
        held[f"{use.name}{{{said}}}" if said else use.name] = use
    return held


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
    compare: Compare = Compare()
    measure: Measure = Measure()
