"""What a task asks of a model that was made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kdbench.nouns import Artefact, Refusal, Shape


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task asks. shape: of its data; of texts that are no tokens yet, None, and then `answer`, and `length`, the tokens of
    a row, decide it together with the checkpoint's own tokenizer. classes: names, in the order of the labels. prepare: how
    its images are standardised, {mean, std}, or its front end of sound.
    """

    shape: Shape | None
    answer: str
    classes: tuple[str, ...]
    length: int = 0
    prepare: Mapping[str, Any] = field(default_factory=dict)


def taken_for(artefact: Artefact, meta: Mapping[str, Any]) -> Artefact:
    """An artefact that brought no tokenizer of its own, as one for the task's tokens: its vocabulary must be theirs.

    meta: of the tokens. Raises Refusal for a vocabulary of another size.
    """
    config = artefact.model.params.get("config") if artefact.model else None
    size = config.get("vocab_size") if isinstance(config, dict) else None
    if size is not None and size != meta["levels"][0]:
        raise Refusal(
            f"load: a vocabulary of {size} tokens, the task's tokenizer has {meta['levels'][0]}; add its tokenizer.json"
        )
    said: Any = artefact.facts.get("notes") or []
    more = {"tokenizer": meta["tokenizer"], "notes": [*said, "it brought no tokenizer: taken to be made for the task's tokens"]}
    return replace(artefact, facts={**artefact.facts, **more})
