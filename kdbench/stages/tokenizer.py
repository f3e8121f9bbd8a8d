"""Stage `tokenizer`: what turns the texts of a task into tokens, learned on its training texts or read from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdbench.nouns import ALTERNATIVE, Job, Refusal
from kdbench.registry import given
from kdbench.stages import Place
from kdbench.stages.samples import Rows, raw
from kdbench.stages.tokenizing import TOKENIZER, normal
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: tokenizer {name, params}. Reads `data`, of which the tokenizer sees the training split alone; writes
    tokenizer.json.
    """
    use: Mapping[str, Any] = job.spec["tokenizer"]  # type: ignore[assignment]
    plugin, _ = place.plugins.load("tokenizer", use["name"])
    offered = {"texts": _texts(raw(inputs["data"], "train"))} if "data" in inputs else {}  # a file has nothing to learn
    evidence = given(place.plugins.get("tokenizer", use["name"]), offered)
    made = plugin(**evidence, **use["params"])
    if not isinstance(made, bytes):
        raise Refusal(f"tokenizer {use['name']!r} gave {type(made).__name__}; the bytes of a {TOKENIZER} expected")
    draft.write(TOKENIZER, normal(made))


def _texts(rows: Rows) -> Iterator[str]:
    """Every text of the rows, and the references, which a model has to write."""
    for name in ("text", "target"):
        held = rows.x.get(name, rows.more.get(name))
        if held is not None and held.dtype == object:
            for texts in held.ravel().tolist():
                yield from texts.split(ALTERNATIVE)
