"""What the user asks for: a suite, its tasks, and how the contenders of a task are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdbench.nouns.measured import Measure
from kdbench.nouns.steps import Contender
from kdbench.nouns.uses import Use


@dataclass(frozen=True, slots=True)
class ShiftUse:
    """A shift of the test split at some severities (1 mild .. 5 strong)."""

    shift: Use
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Probe:
    """Another dataset on which the models of a task are asked, untrained for it: a shifted domain, or a suite of groups. labels:
    its class -> the task's, where the names differ; groups: the columns that are compared (empty: all that it has).
    """

    dataset: Use
    limit: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """Which examples: a dataset, how much of it, what it is shifted by, what lies outside it, and whose results are compared.

    tokenizer: what turns texts into tokens, for models that bring none of their own; length: the most tokens of a row, the rest
    is cut off and counted.
    """

    dataset: Use
    tokenizer: Use | None = None
    length: int = 128
    limit: Mapping[str, int] = field(default_factory=dict)
    validation: float = 0.15
    shifts: tuple[ShiftUse, ...] = ()
    ood: tuple[Use, ...] = ()
    groups: tuple[str, ...] = ()
    allow_leak: int = 0


@dataclass(frozen=True, slots=True)
class Harness:
    """Questions of lm-eval that the language models of a task are asked. limit: documents of each (0: all); shots: examples
    before each question.
    """

    tasks: tuple[Use, ...] = ()
    limit: int = 0
    shots: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One dataset, its teacher, and the contenders that are compared on it. A suite file always gives a teacher; one without
    steps is absent, as where prediction files are judged without the teacher's.

    home: of a task that follows from another one's `probes` or `harness`, the name of that one: its models are asked here, and
    none is made.
    """

    name: str
    data: Data
    teacher: Contender
    contenders: tuple[Contender, ...]
    probes: tuple[Probe, ...] = ()
    harness: Harness = Harness()
    home: str = ""

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
