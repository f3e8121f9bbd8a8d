"""The jobs that time models and read their memory and energy, for every scenario that the suite asks for.

Measured evidence depends on the compute graph, not on the weights: any artefact of the graph will do, and none is in the key.
A job's spec holds what that job does and nothing of the others, so that a further batch size times nothing again.

A contender that reads other tokens than the reference is timed beside it on the same texts, each model on its own tokens of them.
The two entries of tokens are in the spec of such a job: how many tokens the texts have in each is a part of what is timed. It has
no times by length: a length counts tokens, and as many tokens are not the same text in both; one that cut the contender's rows
where the reference's text ends would be a length of neither. Nor has a language model any: the windows in which it reads a
document are so many of its own tokens, and end at other places than the reference's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kdbench.nouns import Cell, Job, Json, Measure, Params, Scenario, Use, digest, plain
from kdbench.plan import keys
from kdbench.plan.chains import Made
from kdbench.signature import Description
from kdbench.stages.energy_script import without
from kdbench.stages.host import fingerprint


@dataclass(frozen=True, slots=True)
class Seat:
    """One artefact on one target. cell: its place on the board; alike: keys of the artefacts with the same graph; why: why the
    target cannot run it, "" if it can; unpaired: why there is no teacher to pair it with; data: key of its samples.
    """

    cell: Cell
    made: Made
    use: Use
    target: Description
    alike: tuple[str, ...]
    why: str
    unpaired: str
    data: str


class Measuring:
    """The measured evidence of a task. about: the facts of its dataset; reference: the teacher, beside which all are timed, and
    the key of the samples as it reads them.
    """

    def __init__(self, asked: Measure, task: str, about: Params, reference: tuple[Made, str]) -> None:
        self._asked, self._task, (self._teacher, self._read) = asked, task, reference
        self._answer = str(about.get("answer", "class"))
        self._scenarios = asked.scenarios(str(about.get("kind", "")), self._answer)
        self._host = digest(plain(fingerprint()))

    def cells(self, seat: Seat) -> Iterator[tuple[Cell, Job | None]]:
        """Each cell with the job that brings it, or with the reason why there is none."""
        why = seat.why
        if not why and not seat.target.facts.get("timed", True):
            why = f"{seat.target.name} cannot be timed: it offers no way to run its model in a process of its own"
        unpaired = why or (f"no reference to pair with: for the teacher, {seat.unpaired}" if seat.unpaired else "")
        for scenario in self._scenarios:
            alone = unpaired or self._unlike(seat, scenario)
            forgets = scenario.decode and not seat.target.facts.get("decodes", False)
            yield self._cell(seat, self._latency(seat, scenario), alone or (NO_CACHE if forgets else ""), scenario)
            if not scenario.decode:  # what it remembers is counted, not read off the machine
                yield self._cell(seat, self._memory(seat, scenario), why, scenario)
        yield self._cell(seat, self._energy(seat), why or _meterless(seat.target), Scenario())

    def _cell(self, seat: Seat, job: Job, why: str, scenario: Scenario) -> tuple[Cell, Job | None]:
        cell = replace(seat.cell, evidence=job.stage, scenario=scenario.name)
        return (replace(cell, reason=why), None) if why else (replace(cell, key=job.key), job)

    def _unlike(self, seat: Seat, scenario: Scenario) -> str:
        """Why the reference has no rows that say the same as the contender's; "" where it has."""
        if seat.data == self._read:
            return ""
        if self._answer == "next":
            return OTHER_WINDOWS
        return OTHER_LENGTHS if scenario.length else ""

    def _latency(self, seat: Seat, scenario: Scenario) -> Job:
        alike = seat.data == self._read
        asked = {**_said(scenario), "pairs": self._asked.pairs, "seconds": self._asked.seconds}
        asked |= {"reference": self._teacher.graph, "null": alike and seat.made.graph == self._teacher.graph}
        uses = {"reference": (self._teacher.key,)}
        if not alike:  # what both read is not in the spec, so that what was timed before there was a choice stays
            asked |= {"tokens": {"reference": self._read, "contender": seat.data}}
            uses |= {"reference_data": (self._read,)}
        return self._job("latency", seat, asked, scenario.name, **uses)

    def _memory(self, seat: Seat, scenario: Scenario) -> Job:
        return self._job("memory", seat, _said(scenario), scenario.name)

    def _energy(self, seat: Seat) -> Job:
        return self._job("energy", seat, _said(Scenario()), "")

    def _job(self, stage: str, seat: Seat, asked: Params, scenario: str, **uses: tuple[str, ...]) -> Job:
        spec = {"target": plain(seat.use), "graph": seat.made.graph, "host": self._host, **asked}
        offered = {"artefact": seat.alike, "data": (seat.data,), **uses}
        label = f"{self._task}: {stage} of graph {seat.made.graph[:8]} on {seat.use.name}{scenario and ', '}{scenario}"
        needs = tuple(seat.target.facts.get("needs", ()))
        code, runtime = keys.code(stage, seat.target), keys.runtime(stage, seat.made.runtime, needs)
        return Job(stage, spec, {}, code, "", runtime, offered, alone=stage != "memory", label=label)


OTHER_WINDOWS = "it reads other tokens than the teacher, and their windows of a document are not the same text"
OTHER_LENGTHS = (
    "it reads other tokens than the teacher, and a length in tokens is not the same text for both: see its row of full length"
)
NO_CACHE = "no cache: on this target a model reads everything again for each token; see its times by length"


def _said(scenario: Scenario) -> dict[str, Json]:
    """A scenario in a spec: what is not asked for is not said, so that evidence from before it could be asked stays."""
    said = {"batch": scenario.batch, "length": scenario.length}
    return {**said, "decode": scenario.decode} if scenario.decode else dict(said)


def _meterless(target: Description) -> str:
    """Why no meter can be read where the target runs its models; "" where one can, and where that is not known before."""
    return "" if target.facts.get("remote") else without(str(target.facts.get("device") or "cpu"))
