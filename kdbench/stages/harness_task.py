"""A task of lm-eval, opened: from a configuration in memory, or by its name among the tasks that come with lm-eval."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.registry import METRIC_REGISTRY  # type: ignore[import-untyped]
from lm_eval.evaluator import evaluate  # type: ignore[import-untyped]
from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

from kdbench.nouns import Refusal, canonical, digest
from kdbench.registry import given, nearest
from kdbench.stages import Place
from kdbench.stages.harness_stock import near, stock
from kdbench.stages.quiet import SEED

OURS = "kdbench"
"""The key of a configuration's metadata with what lm-eval has no word for (see `About`)."""
ANSWERS = {"multiple_choice": "class", "loglikelihood": "next", "loglikelihood_rolling": "next", "generate_until": "text"}
"""What the models are asked, by lm-eval's output_type."""


@dataclass(frozen=True, slots=True)
class About:
    """What a configuration says beside lm-eval's own keys, in metadata: {kdbench: ...}. groups: fields of its documents whose
    results are compared; cluster, id: fields; right: whether one of the choices is the right one; classes: names of the choices,
    where they mean the same in every document; answer: what it says that it asks, "" for nothing.
    """

    groups: tuple[str, ...] = ()
    cluster: str = ""
    id: str = ""
    right: bool = True
    answer: str = ""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A task with its requests built. documents: those that are asked, in order; arguments: what the model gets, for each."""

    task: Any
    name: str
    about: About
    limit: int | None
    documents: tuple[Mapping[str, Any], ...]
    arguments: tuple[tuple[Any, ...], ...]

    @property
    def form(self) -> str:
        """lm-eval's output_type."""
        return str(self.task.OUTPUT_TYPE)

    def settings(self) -> dict[str, Any]:
        """All that decides what is asked: results with other settings are not comparable."""
        config = self.task.config
        written = config.generation_kwargs if self.form == "generate_until" else None
        return {
            "task": self.name,
            "version": str(self.task.VERSION),
            "form": self.form,
            "shots": int(config.num_fewshot or 0),
            "limit": self.limit or 0,
            "documents": len(self.documents),
            "target_delimiter": config.target_delimiter,
            "fewshot_delimiter": config.fewshot_delimiter,
            "generation": json.loads(json.dumps(written, default=str)),
            "prompts": digest([repr(args) for args in self.arguments]),
            "lm_eval": importlib.metadata.version("lm-eval"),
            "metrics": {name: _word(better) for name, better in self.task.higher_is_better().items()},
        }


def open_task(place: Place, use: Mapping[str, Any], limit: int = 0, shots: int = 0) -> Opened:
    """The task of a harness plugin {name, params}. limit: documents at most, 0 for all (a `limit` among the params comes first);
    shots: examples before each question, 0 for as many as the task says. Raises Refusal, in one line, for what lm-eval refuses.
    """
    plugin, _ = place.plugins.load("harness", use["name"])
    params = dict(use["params"])
    if "limit" in params:
        params["limit"] = limit = params["limit"] or limit
    config = plugin(**given(place.plugins.get("harness", use["name"]), {"root": place.data}), **params)
    if not isinstance(config, dict) or not isinstance(config.get("task"), str):
        raise Refusal(f"harness {use['name']!r} gave no configuration of lm-eval (a dict with the key 'task')")
    return opened(config, limit, shots)


def opened(config: Mapping[str, Any], limit: int = 0, shots: int = 0) -> Opened:
    """As `open_task`, of a configuration. One without an output_type is looked up among the tasks that come with lm-eval."""
    known = "output_type" in config or "custom_dataset" in config
    name = str(config["task"])
    task = _one(name, dict(_with_shots(config, shots)) if known else stock(name))
    if not known and shots and task.config.num_fewshot != 0:
        task.set_config(key="num_fewshot", value=shots)
    if task.OUTPUT_TYPE not in ANSWERS:
        raise Refusal(f"{name}: output_type {task.OUTPUT_TYPE!r}{nearest(str(task.OUTPUT_TYPE), tuple(ANSWERS))}")
    for attribute, what in (("UNSAFE_CODE", "runs code that a model writes"), ("MULTIMODAL", "asks about pictures or sound")):
        if getattr(task, attribute, False):
            raise Refusal(f"{name} {what}; that is not done here")
    for metric, function in task._metric_fn_list.items():
        if function is None and not callable(task.config.process_results):  # lm-eval only logs it, and scores nothing
            raise Refusal(f"{name}: lm-eval has no metric {metric!r}{near(metric, tuple(METRIC_REGISTRY))}")
    about: dict[str, Any] = dict(dict(config.get("metadata") or {}).get(OURS, {}))
    answer = ANSWERS[task.OUTPUT_TYPE]
    if about.get("answer", answer) != answer:
        raise Refusal(f"{name} is of type {task.OUTPUT_TYPE}: say answer: {answer}, not {about['answer']}")
    held: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in about.items()}
    try:
        documents, arguments = _built(task, limit or None)
    except Exception as error:  # whatever the task's templates and data lead to
        raise Refusal(f"lm-eval cannot ask {name}: {_line(error)}") from None
    return Opened(task, name, About(**held), limit or None, documents, arguments)


def run_opened(model: Any, one: Opened) -> dict[str, Any]:
    """Ask a model. Gives lm-eval's own result: {"results", "samples", ...}. No bootstrap is drawn: intervals come from the
    samples, in kdbench's own judge.
    """
    one.task.set_fewshot_seed(seed=SEED)
    whole = {"tasks": {one.name: one.task}, "groups": {}, "group_map": {}}
    if not any(request.resps for request in one.task.instances):  # built a moment ago, and not answered yet
        one.task.build_all_requests = lambda **_: None
    try:
        return dict(evaluate(lm=model, task_dict=whole, limit=one.limit, bootstrap_iters=0, log_samples=True))
    except Refusal:
        raise
    except Exception as error:  # as above
        raise Refusal(f"lm-eval cannot score {one.name}: {_line(error)}") from None
    finally:
        vars(one.task).pop("build_all_requests", None)


def run_tasks(model: Any, tasks: Sequence[Mapping[str, Any]], limit: int | None = None) -> dict[str, Any]:
    """Score tasks given as lm-eval configurations in memory, offline. Gives lm-eval's own result, without a bootstrap."""
    loaded = TaskManager(include_defaults=False).load([dict(task) for task in tasks])
    return dict(evaluate(lm=model, task_dict=loaded, limit=limit, bootstrap_iters=0, log_samples=True))


def prompts(samples: Iterable[Mapping[str, Any]]) -> str:
    """The hash of what was asked, from lm-eval's samples: that of `settings`."""
    first: dict[int, Any] = {}
    for sample in samples:
        first.setdefault(int(sample["doc_id"]), sample["arguments"])
    return digest([repr(tuple(first[i])) for i in sorted(first)])


def in_json(config: Any) -> dict[str, Any]:
    """A task's configuration as JSON can hold it: code is named, not shown."""
    held = {key: getattr(config, key) for key in type(config).__dataclass_fields__}
    return dict(json.loads(json.dumps({k: v for k, v in held.items() if v is not None}, default=_named, skipkeys=True)))


def _with_shots(config: Mapping[str, Any], shots: int) -> Mapping[str, Any]:
    """Examples come from the questions themselves where a task has no others; lm-eval then leaves out the one that is asked."""
    own = config.get("num_fewshot")
    count = int(own or 0) if own == 0 or not shots else shots
    if config.get("output_type") == "loglikelihood_rolling":
        count = 0
    sources = ("fewshot_split", "fewshot_config", "training_split")
    if any(name in config for name in sources):
        return {**config, "num_fewshot": count}
    if count:
        return {**config, "num_fewshot": count, "fewshot_split": config.get("test_split") or config.get("validation_split")}
    return {**config, "num_fewshot": 0, "fewshot_config": {"samples": []}}


def _one(name: str, config: Mapping[str, Any] | Path) -> Any:
    try:
        spec = str(config) if isinstance(config, Path) else config
        tasks = TaskManager(include_defaults=False).load([spec])["tasks"]
    except Refusal:
        raise
    except Exception as error:  # as above
        said = _line(error)
        lost = any(word in said.lower() for word in ("offline", "couldn't find", "couldn't reach", "connection", "local cache"))
        why = "its data are not on this machine, and nothing is downloaded here" if lost else said
        raise Refusal(f"lm-eval cannot open {name}: {why}") from None
    if len(tasks) != 1:
        raise Refusal(f"{name} stands for {len(tasks)} tasks (allowed: one; name them one by one)")
    return next(iter(tasks.values()))


def _built(task: Any, limit: int | None) -> tuple[tuple[Mapping[str, Any], ...], tuple[tuple[Any, ...], ...]]:
    task.set_fewshot_seed(seed=SEED)
    task.build_all_requests(limit=limit)
    documents = tuple(doc for _, doc in task.doc_iterator(limit=limit))
    asked: list[list[Any]] = [[] for _ in documents]
    for request in task.instances:
        asked[request.doc_id].append(request.args)
    return documents, tuple(tuple(one) for one in asked)


def _named(value: Any) -> Any:
    return f"code: {getattr(value, '__name__', type(value).__name__)}" if callable(value) else canonical(str(value))


def _word(better: Any) -> str:
    return "higher" if better else "lower"


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
