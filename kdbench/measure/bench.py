"""From a question to its jobs, and from what they made to figures. The jobs run as those of a run do: in processes of their own,
one at a time, alone among all work of kdbench on this machine while something is timed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.execute import Event, Outcome, Site, execute
from kdbench.measure.figures import Findings, Seen, figures
from kdbench.measure.question import AGAINST, MODEL, Question
from kdbench.nouns import Job, Json, Refusal, Scenario, Use, labelled, plain
from kdbench.registry import Plugins
from kdbench.stages.energy_script import without
from kdbench.store import Store

STAGES = "kdbench.measure.stages"


class Interrupted(Exception):
    """The user stopped the measuring: nothing is kept."""


@dataclass(slots=True)
class Bench:
    """The jobs of a question in the order in which they can run. opening: those without which nothing can be measured."""

    question: Question
    plugins: Plugins
    jobs: list[Job] = field(default_factory=list)
    opening: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Plan."""
        asked, names = self.question, self.question.names()
        subjects: dict[str, str] = {}
        for part, path in reversed(asked.models.items()):  # the reference first: the other gets the names of its inputs
            needs = {"like": subjects[AGAINST]} if AGAINST in subjects else {}
            subjects[part] = self._open("subject", {"path": str(path.resolve()), "name": names[part]}, needs)
        self.opening |= {part: subjects[part] for part in subjects}
        rows: dict[str, Json] = {
            "input": str(asked.rows.input.resolve()) if asked.rows.input else "",
            "shapes": {name: list(size) for name, size in asked.rows.shapes.items()},
            "ranges": {name: list(limits) for name, limits in asked.rows.ranges.items()},
            "scenarios": [[one.batch, one.length] for one in asked.scenarios],
        }
        self.opening["rows"] = self._open("rows", rows, subjects)
        for part in subjects:
            size = self._add(
                "count",
                {"length": asked.scenarios[0].length},
                {"artefact": subjects[part], "rows": self.opening["rows"]},
                f"size of {names[part]}",
            )
            self.seen += [Seen(part, label, "size", "", size) for label in labelled(asked.targets)]
        for label, use in labelled(asked.targets).items():
            for scenario in asked.scenarios:
                self._scenario(use, label, scenario, subjects)
            self._energy(use, label, subjects)

    def _scenario(self, use: Use, target: str, scenario: Scenario, subjects: dict[str, str]) -> None:
        asked, names = self.question, self.question.names()
        call: dict[str, Json] = {"target": plain(use), "batch": scenario.batch, "length": scenario.length}
        timed = {**call, "pairs": asked.pairs, "seconds": asked.seconds}
        beside, where = {"rows": self.opening["rows"]}, f"on {target}{scenario.name and ', '}{scenario.name}"
        null = {"reference": subjects[asked.reference], **beside}
        key = self._add("pair", {**timed, "null": True}, null, f"{names[asked.reference]} against its own copy {where}")
        self.seen.append(Seen(asked.reference, target, "latency", scenario.name, key))
        if asked.against is not None:
            both = {"reference": subjects[AGAINST], "contender": subjects[MODEL], **beside}
            key = self._add("pair", {**timed, "null": False}, both, f"{names[MODEL]} against {names[AGAINST]} {where}")
            self.seen.append(Seen(MODEL, target, "latency", scenario.name, key))
        for part, subject in subjects.items():
            key = self._add("peak", call, {"artefact": subject, **beside}, f"memory of {names[part]} {where}")
            self.seen.append(Seen(part, target, "memory", scenario.name, key))

    def _energy(self, use: Use, target: str, subjects: dict[str, str]) -> None:
        """Energy where there is a meter, of one row at a time if that is measured, else of the first scenario."""
        facts, asked = self.plugins.get("target", use.name).facts, self.question.scenarios
        scenario = next((one for one in asked if one.batch == 1), asked[0])
        why = "" if facts.get("remote") else without(str(facts.get("device") or "cpu"))
        for part, subject in subjects.items():
            call: dict[str, Json] = {"target": plain(use), "batch": scenario.batch, "length": scenario.length}
            needs = {"artefact": subject, "rows": self.opening["rows"]}
            label = f"energy of {self.question.names()[part]} on {target}"
            key = "" if why else self._add("meter", call, needs, label)
            self.seen.append(Seen(part, target, "energy", scenario.name, key, why))

    def _open(self, stage: str, spec: dict[str, Json], needs: dict[str, str]) -> str:
        return self._add(stage, spec, needs, str(spec.get("name", "rows")))

    def _add(self, stage: str, spec: dict[str, Json], needs: dict[str, str], label: str) -> str:
        job = Job(stage, spec, needs, alone=stage in ("pair", "meter"), label=label)
        if all(job.key != other.key for other in self.jobs):
            self.jobs.append(job)
        return job.key


def measure(
    question: Question, plugins: Plugins, folders: Sequence[Path] = (), tell: Callable[[Event], None] = lambda _: None
) -> Findings:
    """Measure, and give every figure with its interval, status and reason. Nothing is left on the disk.

    folders: those of --plugins, for the processes that do the work. Raises Refusal where a model or its rows are not as they
    must be, and Interrupted after a Ctrl-C. What fails later (a target that cannot run a model, a crash) is a failed figure.
    """
    bench = Bench(question, plugins)
    first = set(bench.opening.values())

    def heard(event: Event) -> None:
        if event.kind != "skipped" and not (event.kind == "failed" and event.key in first):
            tell(event)

    with tempfile.TemporaryDirectory(prefix="kdbench-measure-") as folder:
        store = Store(Path(folder) / "store")
        store.root.mkdir()
        outcome = execute(bench.jobs, store, Site(tuple(folders), workers=1, stages=STAGES), heard)
        _ended(outcome, bench)
        return figures(question, bench.seen, bench.opening, (store, outcome.failed), plugins)


def _ended(outcome: Outcome, bench: Bench) -> None:
    """Raise what the user must know before there can be figures."""
    if outcome.interrupted:
        raise Interrupted
    if outcome.stopped:
        raise Refusal(outcome.stopped)
    for key in (job.key for job in bench.jobs if job.key in set(bench.opening.values())):
        if key in outcome.failed:
            raise Refusal(outcome.failed[key])


def first_error(findings: Findings) -> str:
    """The reason of the first figure that failed; "" where none did."""
    failed: Any = next((row for row in findings.rows if row["status"] == "failed"), None)
    return str(failed["reason"]) if failed else ""
