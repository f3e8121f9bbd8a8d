"""From the steps of a contender to the jobs that make its artefact. Each step is one job, so equal prefixes are shared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kdbench import files
from kdbench.nouns import Compress, Contender, Fit, Job, Load, Params, Refusal, Start, Step, Task, digest, plain
from kdbench.plan import keys
from kdbench.registry import Plugins

LARGEST = 2**20
"""Bytes of an `artefact.json` that are read at most."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a chain of steps gives: the key of its artefact, the runtime it has, and its compute graph.

    graph: equal for artefacts whose shapes, types and sparsity are equal, whatever their weights; such artefacts are timed once.
    """

    key: str
    runtime: str
    graph: str


class Chains:
    """The artefact jobs of one task, made on demand: a contender may start from, or be taught by, another."""

    def __init__(self, task: Task, data: str, teacher_seed: int, plugins: Plugins) -> None:
        self._task = task
        self._data = data
        self._teacher_seed = teacher_seed
        self._plugins = plugins
        self._made: dict[tuple[str, int], Made] = {}
        self.jobs: dict[str, Job] = {}

    def artefact(self, contender: Contender, seed: int) -> Made:
        """The last artefact of a contender's chain at a seed. There is one teacher for all seeds."""
        seed = self._teacher_seed if contender is self._task.teacher else seed
        if (contender.name, seed) not in self._made:
            made: Made | None = None
            for step in contender.steps:
                made = self._step(step, made, contender, seed)
            assert made is not None, "the suite guarantees at least one step"
            self._made[contender.name, seed] = made
        return self._made[contender.name, seed]

    def _step(self, step: Step, before: Made | None, contender: Contender, seed: int) -> Made:
        if isinstance(step, Start):
            return self._of(step.source, seed)
        if isinstance(step, Load):
            return self._load(step, contender)
        if isinstance(step, Compress):
            assert before is not None, "the suite refuses a chain that starts with compress"
            return self._compress(step, before, contender, seed)
        return self._fit(step, before, contender, seed)

    def _of(self, name: str, seed: int) -> Made:
        return self.artefact(next(c for c in self._task.rows() if c.name == name), seed)

    def _load(self, step: Load, contender: Contender) -> Made:
        content = keys.folder(Path(step.path))
        runtime, name = _said(Path(step.path) / "artefact.json")
        code = keys.code("load", *([self._plugins.get("model", name)] if name else []))
        job = Job("load", {"path": step.path}, {"data": self._data}, code, content, keys.runtime("load", runtime))
        key = self._add(job, contender.name).key
        return Made(key, runtime, digest([content, code, self._data]))  # the shapes of a file may come from the data

    def _compress(self, step: Compress, before: Made, contender: Contender, seed: int) -> Made:
        plugin = self._plugins.get("compressor", step.compressor.name)
        spec = {"compressor": plain(step.compressor), "seed": seed if "examples" in plugin.evidence else 0}
        needs = {"data": self._data, "artefact": before.key}
        job = Job("compress", spec, needs, keys.code("compress", plugin), "", keys.runtime("compress", before.runtime))
        key = self._add(job, f"{contender.name}, seed {seed}").key
        changed = digest([before.graph, plain(step.compressor), plugin.code])
        graphs = {"same": before.graph, "parameters": changed, "weights": digest(key)}
        return Made(key, plugin.facts.get("gives", "torch"), graphs[plugin.facts.get("graph", "parameters")])

    def _fit(self, step: Fit, before: Made | None, contender: Contender, seed: int) -> Made:
        methods = [self._plugins.get("method", term.method.name) for term in step.terms]
        views = [self._plugins.get("view", use.name) for use in step.train.views]
        model = [self._plugins.get("model", step.model.name)] if step.model and before is None else []
        spec: Params = {
            "seed": seed,
            "terms": [plain(term) for term in step.terms],
            "train": plain(step.train),
            "model": plain(step.model) if model else None,
        }
        needs = {"data": self._data}
        if before is not None:
            needs["artefact"] = before.key
        if any("teacher" in plugin.evidence for plugin in (*methods, *views)):
            needs["teacher"] = self._of(step.teacher, seed).key
            if all(view.facts.get("recorded", False) for view in views):
                taps = any(method.facts.get("taps", False) for method in methods)
                needs["outputs"] = self._outputs(needs["teacher"], step.teacher, taps)
        job = Job("fit", spec, needs, keys.code("fit", *methods, *views, *model), "", keys.runtime("fit"))
        key = self._add(job, f"{contender.name}, seed {seed}").key
        fresh = digest([self._data, plain(step.model), [plugin.code for plugin in model]])
        return Made(key, "torch", before.graph if before else fresh)

    def _outputs(self, teacher: str, name: str, taps: bool) -> str:
        """The teacher's recorded answers on the training examples, shared by every fit that may use them."""
        needs = {"data": self._data, "artefact": teacher}
        job = Job("outputs", {"taps": taps}, needs, keys.code("outputs"), "", keys.runtime("outputs"))
        return self._add(job, name + (", with features" if taps else "")).key

    def _add(self, job: Job, what: str) -> Job:
        return self.jobs.setdefault(job.key, replace(job, label=f"{self._task.name}: {job.stage} {what}"))


def _said(path: Path) -> tuple[str, str]:
    """The runtime that a folder made elsewhere declares, and the name of its model ("" for none). The rest waits for the job."""
    try:
        facts = json.loads(files.read(path, LARGEST))
        model = facts.get("model")
        if isinstance(model, dict):
            model = model["name"] if set(model) == {"name", "params"} else next(iter(model), None)
        return str(facts.get("runtime", "torch")), str(model or "")
    except (OSError, ValueError, AttributeError, RecursionError):
        raise Refusal(f"load: {path}: not a small JSON object that names a model") from None


def distinct_seeds(chains: Chains, contender: Contender, seeds: tuple[int, ...]) -> Iterator[tuple[int, Made]]:
    """The seeds at which a contender differs from itself: a chain without randomness is one checkpoint, not three equal ones."""
    seen: set[str] = set()
    for seed in seeds:
        made = chains.artefact(contender, seed)
        if made.key not in seen:
            seen.add(made.key)
            yield seed, made
