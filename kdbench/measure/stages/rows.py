"""Job rows: what the models are asked, the same for all of them, for every length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdbench.measure import inputs as made
from kdbench.measure.stages.subject import TAKES
from kdbench.nouns import Job, Refusal, Scenario
from kdbench.stages import Place
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: {input, shapes, ranges, scenarios: [[batch, length], ...]}. inputs: the models, by part.

    Writes rows.<length>.npz for each length (0: as the rows are), arrays (n, ...) by input, and rows.json, where they come from
    and of which inputs (unlike) one model knows more codes than the other.
    """
    spec: dict[str, Any] = dict(job.spec)
    models = [entry.json(TAKES) for _, entry in sorted(inputs.items())]
    models.sort(key=lambda said: said["runtime"] != "torch")  # a network takes its inputs by their place, a graph by name
    takes = made.agreed({said["name"]: _ordered(said) for said in models})
    asked = [Scenario(*one) for one in spec["scenarios"]]
    batch = max(scenario.batch for scenario in asked)
    for name, size in spec["shapes"].items():
        if size[0] not in {1, *(scenario.batch for scenario in asked)}:
            raise Refusal(f"--shape {name[:80]}: {size[0]} rows a call (say --batch {size[0]}, and 1 here)")
    about: dict[str, Any] = {"source": "drawn at random, seed 0", "spare": [], "sizes": {}, "unlike": []}
    path = Path(spec["input"]) if spec["input"] else None
    real: dict[str, Any] = {}
    if path is not None:
        real, about["spare"] = made.real_rows(path, takes)
        about["source"] = path.name
    for scenario in asked:
        name = f"rows.{scenario.length}.npz"
        if path is None:
            sizes = made.sizes(takes, spec["shapes"], scenario)
            rows = {} if name in draft.files else made.random_rows(takes, sizes, spec["ranges"], batch)
            about["unlike"] = [name for name in takes if _unlike(models, name) and name not in spec["ranges"]]
        else:
            rows = made.fitted(path, real, takes, scenario)
        if name not in draft.files:
            draft.arrays(name, rows)
            shapes = {key: list(value.shape) for key, value in rows.items()}
            about["sizes"][str(scenario.length)] = shapes
    draft.json("rows.json", about)


def _unlike(models: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether the models say of an input that they know other codes."""
    return len({tuple(levels) for said in models if (levels := said["inputs"][name].get("levels"))}) > 1


def _ordered(said: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in the order of the model, which JSON does not keep."""
    return {name: said["inputs"][name] for name in said["order"]}
