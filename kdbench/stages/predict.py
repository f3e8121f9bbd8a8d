"""Stage predict: what an artefact says on a target about every row of a split.

What is said depends on what was asked: logits of classes, what a language model makes of given tokens and the text that it writes
itself, or vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import Artefact, Job, Refusal, Runner, Shape
from kdbench.stages import Place, artefacts, blackbox, hearing, running, samples, scoring, texts, writing
from kdbench.stages.samples import Rows
from kdbench.stages.tokenizing import TOKENIZER
from kdbench.store import Draft, Entry

REFERENCE: Mapping[str, Any] = {"name": "torch_cpu", "params": {}}
"""Where a teacher runs that is compared with while both speak: as it is, whatever the student runs on."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads data and artefact (and tokenizer, teacher); writes predictions.npz {ids, label, logits, pred, ...} and
    predictions.json {n, split, target, kind}. Columns of other answers than a class are named "column.<name>"; what is known of
    every single token goes into tokens.npz, whose `row` is the place of its example among those ids.

    Fails, rather than scoring nonsense, where an output is not finite or has another shape.
    """
    spec: dict[str, Any] = dict(job.spec)
    rows, shape = samples.read(inputs["data"], spec["split"]), samples.shape(inputs["data"])
    if inputs["artefact"].json(artefacts.ARTEFACT)["runtime"] == blackbox.RUNTIME:
        said, facts = _recorded(artefacts.read(inputs["artefact"], place.plugins), rows), dict[str, Any](made="elsewhere")
    else:
        runner = running.reopened(inputs["artefact"], spec["target"], place, running.first_rows(rows.x, 2))
        said, facts = _ASKED[shape.answer](runner, rows, shape, inputs, place), dict(runner.facts)
    kind = str(said.pop("kind"))
    per_token = {k.removeprefix(scoring.TOKENS): said.pop(k) for k in list(said) if k.startswith(scoring.TOKENS)}
    if per_token:
        draft.arrays("tokens.npz", per_token)
    keep(draft, said)
    about = {
        "n": len(said["ids"]),
        "split": spec["split"],
        "target": {**spec["target"], "facts": facts},
        "kind": kind,
    }
    draft.json("predictions.json", about)


def _recorded(artefact: Artefact, rows: Rows) -> dict[str, Any]:
    """What somebody else wrote down of these examples, by their ids."""
    kind = blackbox.kind_of(artefact)
    if kind == "texts":
        columns = {"column.text": blackbox.texts_of(artefact, rows.ids)}
        if "target" in rows.more:
            columns["column.reference"] = rows.more["target"]
        return {"kind": kind, **_nobody(rows.ids, np.full(len(rows.ids), -1)), **columns}
    return {"kind": kind, "ids": rows.ids.astype(np.str_), **derived(blackbox.logits_of(artefact, rows.ids), rows.y)}


def _classes(runner: Runner, rows: Rows, shape: Shape, inputs: Mapping[str, Entry], place: Place) -> dict[str, Any]:
    logits = running.answers(runner, rows.x, shape)
    columns = {f"column.{k}": rows.more[k] for k in ("truncated",) if k in rows.more}
    return {"kind": "logits", "ids": rows.ids.astype(np.str_), **derived(logits, rows.y), **columns}


def _vectors(runner: Runner, rows: Rows, shape: Shape, inputs: Mapping[str, Entry], place: Place) -> dict[str, Any]:
    """Vectors float32 (n, d); of a pair the second one is a column, beside the similarity that people gave it."""
    columns = {f"column.{k}": rows.more[k] for k in ("truncated", "target") if k in rows.more}
    if "other" in rows.more:
        columns["column.other"] = running.answers(runner, {"tokens": rows.more["other"]}, shape)
    return {"kind": "vectors", **_nobody(rows.ids, rows.y), "logits": running.answers(runner, rows.x, shape), **columns}


def _next(runner: Runner, rows: Rows, shape: Shape, inputs: Mapping[str, Entry], place: Place) -> dict[str, Any]:
    """Sums over the tokens of each document: documents are the examples, however many windows each one fills."""
    said = scoring.score(runner, rows, shape, _teacher(rows, inputs, place), _unknown(inputs))
    documents, first = np.unique(rows.more["document"], return_index=True)
    documents = documents[np.argsort(first)]
    of = {name: at for at, name in enumerate(documents.tolist())}
    code = np.array([of[name] for name in rows.more["document"].tolist()])
    columns: dict[str, Any] = {}
    for name, value in said.items():
        if name.startswith(scoring.TOKENS):
            columns[name] = code[value] if name == scoring.TOKENS + "row" else value
        else:
            total = np.zeros((len(documents), *value.shape[1:]))
            np.add.at(total, code, value)
            columns[f"column.{name}"] = total
    return {"kind": "tokens", **_nobody(documents, np.full(len(documents), -1)), **columns}


def _text(runner: Runner, rows: Rows, shape: Shape, inputs: Mapping[str, Entry], place: Place) -> dict[str, Any]:
    """The text that the model writes by itself, and what it makes of the reference."""
    _begins(rows, inputs)
    said = scoring.score(runner, rows, shape, _teacher(rows, inputs, place), _unknown(inputs))
    written = writing.write(runner, rows, shape, inputs["tokenizer"].bytes(TOKENIZER), rows.y.shape[1])
    more = {f"column.{k}": rows.more[k] for k in ("truncated",) if k in rows.more}
    columns = {k if k.startswith(scoring.TOKENS) else f"column.{k}": v for k, v in {**said, **written}.items()}
    return {"kind": "texts", **_nobody(rows.ids, np.full(len(rows.ids), -1)), **columns, **more}


def _unknown(inputs: Mapping[str, Entry]) -> int | None:
    """The token that stands for what the tokenizer does not know."""
    found: int | None = inputs["data"].json("meta.json").get("special", {}).get("unk")
    return found


def _begins(rows: Rows, inputs: Mapping[str, Entry]) -> None:
    """Raises Refusal where the decoder of a checkpoint begins with other tokens than its rows do, or hears them otherwise."""
    facts, meta = inputs["artefact"].json(artefacts.ARTEFACT).get("facts", {}), inputs["data"].json("meta.json")
    mine = facts.get("decoder_start")
    start = meta.get("start", mine)
    if "prefix" in rows.x and mine is not None and mine != start:
        raise Refusal(f"predict: the decoder of this checkpoint begins with token {mine}, its rows with token {start}")
    if "forced" in facts and facts["forced"] != meta.get("forced", []):
        raise Refusal(f"predict: answers of this checkpoint begin with {facts['forced']}, its rows with {meta.get('forced', [])}")
    if "front" in facts and not hearing.same(facts["front"], meta["prepare"].get("audio", {})):
        raise Refusal("predict: this checkpoint hears otherwise than its rows are given; load it again for these data")


def _teacher(rows: Rows, inputs: Mapping[str, Entry], place: Place) -> Runner | None:
    """The teacher, opened beside the student, where it knows the same tokens."""
    if "teacher" not in inputs:
        return None
    artefact = artefacts.read(inputs["teacher"], place.plugins)
    wanted = inputs["data"].json("meta.json").get("tokenizer")
    if artefact.facts.get("tokenizer") not in (None, wanted):
        raise Refusal("predict: the teacher reads tokens of another tokenizer; what the two say of a token cannot be compared")
    return running.open_runner(artefact, REFERENCE, place, running.first_rows(rows.x, 2))


_ASKED = {"class": _classes, "next": _next, "text": _text, "vector": _vectors}


def _nobody(ids: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a prediction that decides nothing."""
    n = len(ids)
    return {
        "ids": ids.astype(np.str_),
        "label": label.astype(np.int64),
        "logits": np.zeros((n, 0), np.float32),
        "pred": np.zeros(n, np.int64),
    }


def keep(draft: Draft, said: Mapping[str, np.ndarray]) -> None:
    """Write predictions.npz, and each column of texts (an object array) beside it, as `texts.write` does, under its own name."""
    for name, value in said.items():
        if texts.is_text(value):
            texts.write(draft, name, value)
    draft.arrays("predictions.npz", {name: value for name, value in said.items() if not texts.is_text(value)})


def derived(logits: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """The stored columns: label and pred int64 (n,), logits float32 (n, classes), confidence float32 (n,), correct bool (n,).

    pred is the largest logit, the first one where several are equal. confidence is its probability, by a softmax in
    float64. A label of -1 (no label: examples from elsewhere) is never correct.
    """
    pred = logits.argmax(axis=1)
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    confidence = 1.0 / np.exp(wide).sum(axis=1)  # the largest logit is now 0
    label = label.astype(np.int64)
    return {
        "label": label,
        "logits": logits,
        "pred": pred.astype(np.int64),
        "confidence": confidence.astype(np.float32),
        "correct": pred == label,
    }
