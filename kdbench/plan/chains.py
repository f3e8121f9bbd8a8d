"""From the steps of a contender to the jobs that make its artefact. Each step is one job, so equal prefixes are shared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kdbench import files, hub
from kdbench.nouns import Compress, Contender, Fit, Job, Load, Params, Refusal, Relabel, Start, Task, digest, plain
from kdbench.plan import keys
from kdbench.plan.texts import PLAIN, Dialect, Texts, brings_tokenizer, layout
from kdbench.registry import Plugins
from kdbench.stages import OTHER, SAW
from kdbench.suite.names import BETWEEN

LARGEST = 2**20
"""Bytes of an `artefact.json` that are read at most."""
CHECKPOINT = "pretrained"
"""The model that every folder with a `config.json` of transformers is an instance of."""
MADE_ELSEWHERE = "made elsewhere"
"""Stands among the examples that a chain learned from for those that nobody here knows."""
TAUGHT = frozenset({"teacher", "top_k"})
"""Evidence of terms and views that comes from the teacher of a fit."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a chain of steps gives: the key of its artefact, the runtime it has, its compute graph, and what it reads.

    graph: equal for artefacts whose shapes, types and sparsity are equal, whatever their weights; such artefacts are timed once.
    saw: the keys of all examples of which the training rows went into it, its teachers' included, and `MADE_ELSEWHERE`.
    """

    key: str
    runtime: str
    graph: str
    reads: Dialect = PLAIN
    saw: frozenset[str] = frozenset()


class Chains:
    """The artefact jobs of one task, made on demand: a contender may start from, or be taught by, another.

    others: those of all tasks by name, for a teacher of another task.
    """

    def __init__(self, task: Task, data: str, teacher_seed: int, plugins: Plugins, others: Mapping[str, Chains]) -> None:
        self._task = task
        self._data = data
        self._teacher_seed = teacher_seed
        self._plugins = plugins
        self._others = others
        self._made: dict[tuple[str, int], Made] = {}
        self.jobs: dict[str, Job] = {}
        self.texts = Texts(task, data, plugins, self.jobs)

    def artefact(self, contender: Contender, seed: int) -> Made:
        """The last artefact of a contender's chain at a seed. There is one teacher for all seeds."""
        seed = self._teacher_seed if contender is self._task.teacher else seed
        if (contender.name, seed) not in self._made:
            made: Made | None = None
            data = self._data
            for step in contender.steps:
                if isinstance(step, Relabel):
                    data = self._relabel(step, data, contender, seed)
                else:
                    made = self._step(step, made, data, (contender, seed))
            assert made is not None, "the suite guarantees a step that makes a model"
            self._made[contender.name, seed] = replace(made, saw=self._saw(contender, seed))
        return self._made[contender.name, seed]

    def _step(self, step: Start | Load | Compress | Fit, before: Made | None, data: str, who: tuple[Contender, int]) -> Made:
        contender, seed = who
        if isinstance(step, Start):
            return self._of(step.source, seed)
        if isinstance(step, Load):
            return self._load(step, contender)
        if isinstance(step, Compress):
            assert before is not None, "the suite refuses a chain that starts with compress"
            return self._compress(step, before, contender, seed)
        return self._fit(step, before, data, who)

    def _of(self, name: str, seed: int) -> Made:
        other, between, own = name.partition(BETWEEN)
        if between:
            return self._others[other]._of(own, seed)
        return self.artefact(next(c for c in self._task.rows() if c.name == name), seed)

    def _saw(self, contender: Contender, seed: int) -> frozenset[str]:
        """What a chain learned from, with `MADE_ELSEWHERE` where something of it was loaded: of that nothing is known."""
        found: frozenset[str] = frozenset()
        for step in contender.steps:
            if isinstance(step, Start):
                found |= self._of(step.source, seed).saw
            elif isinstance(step, Load):
                found |= {MADE_ELSEWHERE}
            elif isinstance(step, Fit | Relabel) or (isinstance(step, Compress) and self._calibrated(step)):
                found |= {self._data}
            if isinstance(step, Relabel) or (isinstance(step, Fit) and self._asked(step) & TAUGHT):
                found |= self._of(step.teacher, seed).saw
        return found

    def _calibrated(self, step: Compress) -> bool:
        return "examples" in self._plugins.get("compressor", step.compressor.name).evidence

    def _load(self, step: Load, contender: Contender) -> Made:
        place = hub.resolve(step.path)
        content = keys.folder(place)
        runtime, name = _said(place)
        code = keys.code("load", *([self._plugins.get("model", name)] if name else []))
        spec: Params = {"path": str(place), "head": step.head, "length": self._task.data.length}
        own = self.texts.spoken and brings_tokenizer(place)
        form = layout(place) if self.texts.answer == "text" else "pair"
        reads = self.texts.own(place, form) if own else self.texts.borrowed(place)
        data = self.texts.asked(place, reads)
        job = Job("load", spec, {"data": data}, code, content, keys.runtime("load", runtime))
        key = self._add(job, contender.name).key
        shaped = self.texts.tokens(self._data, reads)  # the shapes of a file may come from the data, and its rows do
        return Made(key, runtime, digest([content, code, shaped, step.head]), reads)

    def _compress(self, step: Compress, before: Made, contender: Contender, seed: int) -> Made:
        plugin = self._plugins.get("compressor", step.compressor.name)
        spec = {"compressor": plain(step.compressor), "seed": seed if self._calibrated(step) else 0}
        needs = {"data": self.texts.tokens(self._data, before.reads), "artefact": before.key}
        job = Job("compress", spec, needs, keys.code("compress", plugin), "", keys.runtime("compress", before.runtime))
        key = self._add(job, f"{contender.name}, seed {seed}").key
        changed = digest([before.graph, plain(step.compressor), plugin.code])
        graphs = {"same": before.graph, "parameters": changed, "weights": digest(key)}
        graph = graphs[plugin.facts.get("graph", "parameters")]
        return Made(key, plugin.facts.get("gives", "torch"), graph, before.reads)

    def _relabel(self, step: Relabel, data: str, contender: Contender, seed: int) -> str:
        """New training examples: of other texts, or with other labels; validation and test stay."""
        plugin = self._plugins.get("relabeler", step.relabeler.name)
        teacher = self._of(step.teacher, seed)
        needs = {"data": data, "artefact": teacher.key}
        if self.texts.spoken and teacher.runtime == "torch":
            needs["tokens"] = self.texts.tokens(data, teacher.reads)
            needs["tokenizer"] = teacher.reads.tokenizer
        spec = {"relabeler": plain(step.relabeler), "seed": seed}
        job = Job("relabel", spec, needs, keys.code("relabel", plugin), "", keys.runtime("relabel"))
        return self._add(job, f"{contender.name}, seed {seed}").key

    def _fit(self, step: Fit, before: Made | None, data: str, who: tuple[Contender, int]) -> Made:
        contender, seed = who
        methods = [self._plugins.get("method", term.method.name) for term in step.terms]
        views = [self._plugins.get("view", use.name) for use in step.train.views]
        model = [self._plugins.get("model", step.model.name)] if step.model and before is None else []
        spec: Params = {
            "seed": seed,
            "terms": [plain(term) for term in step.terms],
            "train": plain(step.train),
            "model": plain(step.model) if model else None,
        }
        reads = before.reads if before is not None else self.texts.usual(model)
        needs = {"data": self.texts.tokens(data, reads)}
        if before is not None:
            needs["artefact"] = before.key
        needs |= (taught := self._taught(step, data, reads, seed))
        if OTHER in taught and MADE_ELSEWHERE in self._of(step.teacher, seed).saw:
            spec = {**spec, "unknown": True}
        job = Job("fit", spec, needs, keys.code("fit", *methods, *views, *model), "", keys.runtime("fit"))
        key = self._add(job, f"{contender.name}, seed {seed}").key
        shaped = self.texts.tokens(self._data, reads)  # whatever it learned from, new labels or texts are of the same shape
        fresh = digest([shaped, plain(step.model), [plugin.code for plugin in model]])
        return Made(key, "torch", before.graph if before else fresh, reads)

    def _taught(self, step: Fit, data: str, reads: Dialect, seed: int) -> dict[str, str]:
        """What a teacher brings to a fit: itself, where it reads what the student reads, and its recorded answers, where every
        view keeps them valid and they can be recorded.
        """
        methods = [self._plugins.get("method", term.method.name) for term in step.terms]
        views = [self._plugins.get("view", use.name) for use in step.train.views]
        asked = self._asked(step)
        if not asked & TAUGHT:
            return {}
        teacher = self._of(step.teacher, seed)
        if BETWEEN in step.teacher:
            return self._taught_across(step.teacher, teacher, any(method.facts.get("taps", False) for method in methods))
        there = teacher.runtime == "torch" and teacher.reads == reads
        needs = {"teacher": teacher.key} if there else {}
        if all(view.facts.get("recorded", False) for view in views):
            # never recorded: then the teacher is there itself
            inner = any(method.facts.get("inner", False) for method in methods)
            if "teacher" in asked and self.texts.answer in ("class", "vector") and not (inner and "teacher" in needs):
                taps = any(method.facts.get("taps", False) for method in methods)
                needs["outputs"] = self._outputs(teacher, step.teacher, data, taps)
            asking = zip(step.terms, methods, strict=True)
            most = [int(str(term.method.params["k"])) for term, one in asking if "top_k" in one.evidence]
            if most and "teacher" in needs:
                needs["top_k"] = self._top_k(teacher, step.teacher, data, max(most))
        return needs

    def _asked(self, step: Fit) -> set[str]:
        """The evidence that the terms and views of a fit name."""
        plugins = [self._plugins.get("method", term.method.name) for term in step.terms]
        plugins += [self._plugins.get("view", use.name) for use in step.train.views]
        return {name for plugin in plugins for name in plugin.evidence}

    def _taught_across(self, name: str, teacher: Made, taps: bool) -> dict[str, str]:
        """What a teacher of another task brings: its recorded answers to that task's rows, which are joined by id, these rows,
        and all that it learned from, so that the fit can tell whether it knew the test. Never itself: it cannot read these rows.
        """
        other = self._others[name.partition(BETWEEN)[0]]
        needs = {"outputs": other._outputs(teacher, name.partition(BETWEEN)[2], other._data, taps), OTHER: other._data}
        return needs | {f"{SAW}{i}": key for i, key in enumerate(sorted(teacher.saw - {MADE_ELSEWHERE}))}

    def _top_k(self, teacher: Made, name: str, data: str, k: int) -> str:
        """The teacher's k likeliest tokens on the training windows, shared by every fit that asks for as many."""
        needs = {"data": self.texts.tokens(data, teacher.reads), "artefact": teacher.key}
        job = Job("top_k", {"k": k}, needs, keys.code("top_k"), "", keys.runtime("top_k"))
        return self._add(job, f"{name}, {k} tokens").key

    def _outputs(self, teacher: Made, name: str, data: str, taps: bool) -> str:
        """The teacher's recorded answers on the training examples, shared by every fit that may use them."""
        needs = {"data": self.texts.tokens(data, teacher.reads), "artefact": teacher.key}
        job = Job("outputs", {"taps": taps}, needs, keys.code("outputs"), "", keys.runtime("outputs"))
        return self._add(job, name + (", with features" if taps else "")).key

    def _add(self, job: Job, what: str) -> Job:
        return self.jobs.setdefault(job.key, replace(job, label=f"{self._task.name}: {job.stage} {what}"))


def _said(place: Path) -> tuple[str, str]:
    """The runtime of what was made elsewhere, and the name of its model plugin ("" for none). The rest waits for the job."""
    if place.is_file():
        return "predictions", ""
    path = place / "artefact.json"
    if not path.exists():
        return "torch", CHECKPOINT
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
