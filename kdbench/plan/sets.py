"""Sets of examples, and the jobs that predict them: what a task's own planner and that of its probes share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdbench.nouns import Data, Job, Params, Use, plain
from kdbench.plan import keys
from kdbench.plan.chains import Chains, Made
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.stages import available

REFERENCE = "torch_cpu"
"""Where a teacher is opened that speaks beside its student, whatever that one runs on (see the stage `predict`)."""


@dataclass(frozen=True, slots=True)
class Set:
    """A set of examples to predict: the key of its samples, and what was done to them."""

    samples: str
    split: str
    shift: str = ""
    severity: int = 0


def dataset(use: Use, data: Data, plugins: Plugins, root: Path | None, role: str = "home") -> Job:
    """The job that reads a dataset. role: "home" where models train on it, "ood" or "probe" where they only meet it."""
    plugin = plugins.get("dataset", use.name)
    spec: Params = {
        "dataset": plain(use),
        "limit": dict(data.limit),
        "validation": data.validation,
        "allow_leak": data.allow_leak,
        "seed": 0,
        "role": role,
    }
    content = keys.files(plugin, use.params, root)
    return Job("data", spec, {}, keys.code("data", plugin), content, keys.runtime("data"), label=f"data {use.name}")


def predicted(chains: Chains, samples: str, made: Made, teacher: Made) -> dict[str, str]:
    """What a prediction needs: the examples as the model reads them, the model, its tokenizer where it writes texts, and the
    teacher where what it says cannot be stored: over a vocabulary the two are compared while they speak.
    """
    texts = chains.texts
    needs = {"data": texts.tokens(samples, made.reads), "artefact": made.key}
    if texts.answer == "text" and made.reads.tokenizer:
        needs["tokenizer"] = made.reads.tokenizer
    if (
        texts.answer in ("next", "text")
        and made.key != teacher.key
        and made.reads == teacher.reads
        and teacher.runtime == "torch"
    ):
        needs["teacher"] = teacher.key
    return needs


def predict(made: Made, use: Use, split: str, needs: dict[str, str], said: tuple[Plugins, str, str]) -> Job:
    """The job that asks a model on a target. said: the plugins, the jobs that share its process, and its label."""
    plugins, together, label = said
    target = plugins.get("target", use.name)
    spec = {"target": plain(use), "split": split}
    beside = [plugins.get("target", REFERENCE)] if "teacher" in needs else []
    code, runtime = keys.code("predict", target, *beside), keys.runtime("predict", made.runtime, packages(target))
    return Job("predict", spec, needs, code, "", runtime, together=together, label=label)


def packages(target: Description) -> tuple[str, ...]:
    """The packages that a target needs."""
    return tuple(target.facts.get("needs", ()))


RECORDED = "predictions"
"""The runtime of answers that were recorded elsewhere: there is no model to run."""
NO_MODEL = "its answers were recorded elsewhere: there is no model here"
NOT_RECORDED = "its answers were recorded elsewhere, on the task's own rows as they are: of others nothing is known"


def cannot(runtime: str, target: Description, params: Params) -> str:
    """Why an artefact cannot run on a target; "" if it can. Recorded answers stand where a model runs as it is."""
    missing = available.lacks(target, params)
    if missing:
        return f"not available on this machine: {missing}"
    if runtime == RECORDED:
        return "" if target.facts.get("reference", False) else NO_MODEL
    if runtime not in target.facts["accepts"]:
        return f"{target.name} runs {' and '.join(target.facts['accepts'])} artefacts; this one is {runtime}"
    return ""
