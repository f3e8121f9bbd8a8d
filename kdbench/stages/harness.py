"""Stage `harness`: what a language model answers to a task of lm-eval, as predictions that every metric can be asked about.

lm-eval makes the prompts and its own numbers; the model is asked through a target's Runner. Of a multiple choice the stored
logits are the log-likelihoods of the choices, as lm-eval gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, Runner
from kdbench.stages import Place, artefacts, running, samples
from kdbench.stages.harness_answers import Told
from kdbench.stages.harness_columns import columns, known
from kdbench.stages.harness_model import RunnerLM, Words
from kdbench.stages.harness_references import reference
from kdbench.stages.harness_task import Opened, open_task, prompts, run_opened, run_tasks
from kdbench.stages.predict import keep
from kdbench.stages.quiet import quiet
from kdbench.stages.texts import column
from kdbench.stages.tokenizing import TOKENIZER, Tokenizer, open_tokenizer
from kdbench.store import Draft, Entry

__all__ = ["FLOOR", "RunnerLM", "Words", "run", "run_tasks"]

FLOOR = -1e6
"""The log-likelihood of a choice that a question does not have, in nats: finite, and of probability 0."""
BATCH, CELLS = 32, 2**27
"""Rows of a forward pass at most, and logits that it gives (512 MiB): fewer rows where they are long and the vocabulary large."""
UNLIKE = ("task", "form", "shots", "documents", "target_delimiter", "fewshot_delimiter", "prompts")
"""Settings that must be those of the questions entry."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: harness {name, params}, limit, shots, target {name, params}, length (tokens that the model reads; 0 for as it was
    made). Reads data (of stage questions), artefact, and tokenizer where the artefact has no tokenizer.json of its own.

    Writes predictions.npz and predictions.json. kind: "logits" of a multiple choice, "tokens" where texts are scored, "texts"
    where they are written; lm-eval's own values of each document are columns (see `harness_columns`), beside `truncated` (n,)
    and, of a multiple choice, `chance` (n,).
    """
    spec: dict[str, Any] = dict(job.spec)
    tokenizer = _tokenizer(inputs)
    length, batch, runner = _runner(inputs["artefact"], spec, place, tokenizer)
    words = _words(tokenizer)
    held, meta = samples.raw(inputs["data"], "test"), inputs["data"].json("meta.json")
    with quiet():
        one = open_task(place, spec["harness"], int(spec["limit"]), int(spec["shots"]))
        _same(one, meta["harness"])
        model = RunnerLM(runner, words, length=length, batch=batch)
        result = run_opened(model, one)
        logged = result["samples"][one.name]
        if prompts(logged) != meta["harness"]["prompts"]:
            raise Refusal(f"{one.name}: what was asked is not what the questions say; the task draws at random")
        more = columns(one.task, logged, held.cluster)
        kind, arrays, also = _answers(one, logged, model.told, held.y)
    told = [model.told.get(i, Told()) for i in range(len(held.ids))]
    also |= more | {"truncated": np.array([t.truncated for t in told])}
    stored = {f"column.{name}": value for name, value in also.items()}
    keep(draft, {"ids": held.ids.astype(np.str_), **arrays, **stored})
    own = {"length": length, "batch": batch, "truncated": model.truncated, "tokenizer": tokenizer.fingerprint}
    said = {
        "n": len(held.ids),
        "split": "test",
        "kind": kind,
        "target": {**spec["target"], "facts": dict(runner.facts)},
        "harness": {**meta["harness"], **own},
        "results": dict(known(result["results"][one.name])),
        "notes": _notes(model.truncated, length),
    }
    draft.json("predictions.json", said)


def _tokenizer(inputs: Mapping[str, Entry]) -> Tokenizer:
    for name in ("tokenizer", "artefact"):
        if name in inputs and TOKENIZER in inputs[name].names():
            return open_tokenizer(inputs[name].bytes(TOKENIZER))
    raise Refusal(f"lm-eval asks in text, and the model has no {TOKENIZER}")


def _words(tokenizer: Tokenizer) -> Words:
    """An empty context is the token that begins a text, or the one that ends it where there is none."""
    prefix = tokenizer.start
    if prefix is None:
        raise Refusal(f"the {TOKENIZER} has no token that begins or ends a text, which an empty context needs")
    return Words(
        lambda text: tokenizer.plain([text])[0], prefix, tokenizer.text, tokenizer.eos, tokenizer.padding, tokenizer.unknown
    )  # fmt: skip


def _runner(entry: Entry, spec: Mapping[str, Any], place: Place, tokenizer: Tokenizer) -> tuple[int, int, Runner]:
    """(tokens that are read, rows of a pass, the runner)."""
    facts = entry.json(artefacts.ARTEFACT)
    shape = artefacts.to_shape(facts["shape"])
    answer = facts["shape"].get("answer", "class")
    if shape.kind != "tokens" or answer not in ("next", "text") or set(shape.inputs) != {"tokens"}:
        raise Refusal(f"lm-eval asks causal language models; this model takes {', '.join(shape.inputs)} and answers {answer!r}")
    made_with = facts["facts"].get("tokenizer")
    if made_with not in (None, tokenizer.fingerprint) or tokenizer.size > shape.classes:
        raise Refusal(f"the model was made with another tokenizer than this one of {tokenizer.size} tokens; it would read noise")
    length = int(spec["length"]) or int(shape.inputs["tokens"][0])
    example = {"tokens": np.arange(2 * length).reshape(2, length) % tokenizer.size}
    batch = max(1, min(BATCH, CELLS // (length * shape.classes)))
    return length, batch, running.reopened(entry, spec["target"], place, example)


def _same(one: Opened, asked: Mapping[str, Any]) -> None:
    mine = one.settings()
    for name in UNLIKE:
        if mine[name] != asked[name]:
            raise Refusal(f"{one.name}: {name} is {str(mine[name])[:60]!r} here and {str(asked[name])[:60]!r} in the questions")


def _answers(
    one: Opened, logged: Sequence[Mapping[str, Any]], told: Mapping[int, Told], label: np.ndarray
) -> tuple[str, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(kind, the stored arrays, columns)."""
    first: dict[int, Mapping[str, Any]] = {}
    for sample in logged:
        first.setdefault(int(sample["doc_id"]), sample)
    samples_ = [first[i] for i in sorted(first)]
    if one.form == "multiple_choice":
        counts = [len(one.task.doc_to_choice(document)) for document in one.documents]
        logits = likelihoods(samples_, counts)
        return "logits", _decided(logits, label), {"chance": np.array([1 / count for count in counts])}
    none = {**_decided(np.zeros((len(samples_), 0)), label), "label": np.full(len(samples_), -1, np.int64)}
    if one.form == "generate_until":
        written = [_text(sample["resps"][0][0]) for sample in samples_]
        wanted = [_text(reference(one.task, sample["doc"], sample["target"])) for sample in samples_]
        return "texts", none, {"text": column(written), "reference": column(wanted)}
    value = [sample["resps"][0][0] for sample in samples_]
    nll = -np.array([v[0] if isinstance(v, tuple | list) else v for v in value], dtype=np.float64)
    if not np.isfinite(nll).all():
        raise Refusal(f"invalid output: log-likelihoods of {int((~np.isfinite(nll)).sum())} of {len(nll)} texts are not finite")
    size = [len(str(sample["arguments"][0][-1]).encode("utf-8", "replace")) for sample in samples_]
    each = [told.get(i, Told()) for i in range(len(samples_))]
    sums = {name: np.array([getattr(t, name) for t in each], dtype=np.float64) for name in ("tokens", "right", "unknown")}
    return "tokens", none, {"nll": nll, "bytes": np.array(size, np.float64), **sums}


def likelihoods(logged: Sequence[Mapping[str, Any]], counts: Sequence[int]) -> np.ndarray:
    """Log-likelihoods in nats, float64 (n, choices), `FLOOR` where a question has fewer choices than others. Raises Refusal for
    what is not finite.
    """
    made = np.full((len(logged), max(counts)), FLOOR)
    for row, sample, count in zip(made, logged, counts, strict=True):
        row[:count] = [response[0][0] for response in sample["resps"][:count]]
    lost = int((~np.isfinite(made)).any(axis=1).sum())
    if lost:
        raise Refusal(f"invalid output: log-likelihoods of {lost} of {len(made)} questions are not finite")
    return made


def _decided(logits: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """The stored arrays; the decision is the first of the likeliest choices, as in lm-eval."""
    if not logits.shape[1]:
        zero = np.zeros(len(logits), np.int64)
        return {"label": label, "logits": logits, "pred": zero, "confidence": zero.astype(np.float32), "correct": zero > 0}
    pred = logits.argmax(axis=1)
    spread = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return {
        "label": label,
        "logits": logits,
        "pred": pred,
        "confidence": (1 / spread).astype(np.float32),
        "correct": pred == label,
    }


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _notes(truncated: int, length: int) -> list[str]:
    return [f"{truncated} contexts lost their beginning: the model reads {length} tokens"] if truncated else []
