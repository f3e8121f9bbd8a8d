"""Job pair: two models timed side by side in this process, by the protocol of the stage latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.nouns import Job, Runner
from kdbench.stages import Place, artefacts, running
from kdbench.stages.latency import time_pair
from kdbench.stages.running import Ask
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {target, batch, length, pairs, seconds, null}. inputs: reference, contender (not for a null pair) and rows.

    Writes latency.npz and latency.json, as the stage latency does.
    """
    spec: dict[str, Any] = dict(job.spec)
    x = rows(inputs, spec)
    example = running.first_rows(x, spec["batch"])

    def opened(role: str) -> Runner:
        return running.open_runner(artefacts.read(inputs[role], place.plugins), spec["target"], place, example)

    timed = time_pair(opened("reference"), opened("reference" if spec["null"] else "contender"), x, ask(spec, place))
    draft.arrays("latency.npz", timed.arrays)
    draft.json("latency.json", {**timed.facts, "null": spec["null"]})


def rows(inputs: Mapping[str, Entry], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of a job's length, in the order of the model's inputs."""
    return inputs["rows"].arrays(f"rows.{spec['length']}.npz")


def ask(spec: Mapping[str, Any], place: Place) -> Ask:
    """How the stages that measure are asked. The rows have the length of the scenario already."""
    threads = int(spec["target"]["params"].get("threads", place.threads))
    return Ask(batch=spec["batch"], threads=threads, pairs=spec.get("pairs", 60), seconds=spec.get("seconds", 12.0))
