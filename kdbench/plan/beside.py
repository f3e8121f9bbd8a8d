"""The jobs of a task that asks the models of another one: a probe, or a task of lm-eval. Nothing is made, timed or counted
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kdbench.nouns import Cell, Job, Params, Suite, Task, Use, labelled, plain
from kdbench.plan import keys
from kdbench.plan.chains import Chains, Made, distinct_seeds
from kdbench.plan.sets import NOT_RECORDED, RECORDED, cannot, dataset, packages, predict, predicted
from kdbench.registry import Plugins
from kdbench.signature import Description


class Beside:
    """The plan of one such task."""

    def __init__(self, suite: Suite, task: Task, plugins: Plugins, root: Path | None) -> None:
        self._suite, self._task, self._plugins, self._root = suite, task, plugins, root
        self.jobs: dict[str, Job] = {}

    def cells(self, home: str, chains: Chains) -> Iterator[Cell]:
        """Every cell of the task; makes the jobs on the way. home, chains: the samples of the task at home, and its models."""
        examples = (self._questions() if self._task.harness.tasks else self._probe(home)).key
        teacher = chains.artefact(self._task.teacher, self._suite.seeds[0])
        for label, use in labelled(self._suite.targets).items():
            target = self._plugins.get("target", use.name)
            for contender in self._task.rows():
                for seed, made in distinct_seeds(chains, contender, self._suite.seeds):
                    cell = Cell(self._task.name, contender.name, seed, label, "predictions", split="test")
                    why = cannot(made.runtime, target, use.params) or (NOT_RECORDED if made.runtime == RECORDED else "")
                    if why:
                        yield replace(cell, reason=why)
                    elif self._task.harness.tasks:
                        yield replace(cell, key=self._ask(made, use, target, examples).key)
                    else:
                        needs = predicted(chains, examples, made, teacher)
                        said = (self._plugins, f"{made.key}/{label}", f"{self._task.name}: predict {made.key[:8]} on {use.name}")
                        yield replace(cell, key=self._add(predict(made, use, "test", needs, said)).key)

    def _probe(self, home: str) -> Job:
        data = self._task.data
        other = self._add(dataset(data.dataset, data, self._plugins, self._root, "probe"))
        spec: Params = {"labels": dict(self._task.probes[0].labels)}
        needs = {"data": home, "other": other.key}
        return self._add(Job("probe", spec, needs, keys.code("probe"), "", keys.runtime("probe"), label=self._task.name))

    def _questions(self) -> Job:
        asked = self._task.harness
        (use,) = asked.tasks
        plugin = self._plugins.get("harness", use.name)
        spec = {"harness": plain(use), "limit": asked.limit, "shots": asked.shots}
        content = keys.files(plugin, use.params, self._root)
        code, runtime = keys.code("questions", plugin), keys.runtime("questions")
        return self._add(Job("questions", spec, {}, code, content, runtime, label=self._task.name))

    def _ask(self, made: Made, use: Use, target: Description, questions: str) -> Job:
        asked = self._task.harness
        plugin = self._plugins.get("harness", asked.tasks[0].name)
        spec = {"harness": plain(asked.tasks[0]), "limit": asked.limit, "shots": asked.shots, "target": plain(use)}
        spec["length"] = self._task.data.length
        needs = {"data": questions, "artefact": made.key, "tokenizer": made.reads.tokenizer}
        content = keys.files(plugin, asked.tasks[0].params, self._root)
        code, runtime = keys.code("harness", target, plugin), keys.runtime("harness", made.runtime, packages(target))
        label = f"{self._task.name}: {made.key[:8]} on {use.name}"
        return self._add(Job("harness", spec, needs, code, content, runtime, together=f"{made.key}/harness", label=label))

    def _add(self, job: Job) -> Job:
        return self.jobs.setdefault(job.key, job)
