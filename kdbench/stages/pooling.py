"""How a folder of sentence-transformers makes one vector of the vectors of a text's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.stages import folders

MODULES, LENGTH = "modules.json", "sentence_bert_config.json"
MODES = {"mean_tokens": "mean", "cls_token": "first", "max_tokens": "max"}
"""Its names of the ways of pooling, and those of the model plugin."""

KNOWN = ("Transformer", "Pooling", "Normalize")


def settings(folder: Path, length: int) -> tuple[dict[str, Any], list[str]]:
    """(pooling and normalize as the model plugin takes them, notes). Without modules.json: the mean, as most encoders use.

    length: the tokens of a row. Raises Refusal for a way of pooling, or a module, that is not known here.
    """
    if not folders.present(folder, MODULES):
        return {"pooling": "mean", "normalize": False}, ["the folder does not say how vectors are pooled: the mean over tokens"]
    found: dict[str, Any] = {"pooling": "mean", "normalize": False}
    for one in folders.listed(folder, MODULES):
        kind = str(one.get("type", "")).rpartition(".")[2] if isinstance(one, dict) else ""
        if kind not in KNOWN:
            raise Refusal(f"{MODULES} has a module {kind[:40]!r} (allowed: {', '.join(KNOWN)})")
        if kind == "Pooling":
            place = str(one.get("path", ""))
            if not place or Path(place).name != place:
                raise Refusal(f"{MODULES}: the path {place[:80]!r} must be a plain name")
            found["pooling"] = _mode(folder / place)
        if kind == "Normalize":
            found["normalize"] = True
    said = folders.facts(folder, LENGTH).get("max_seq_length") if folders.present(folder, LENGTH) else None
    longer = isinstance(said, int) and length > said
    return found, [f"made for {said} tokens a row, and asked for {length}"] if longer else []


def _mode(folder: Path) -> str:
    said = folders.facts(folder, folders.CONFIG)
    on = [key.removeprefix("pooling_mode_") for key, value in said.items() if key.startswith("pooling_mode_") and value is True]
    if isinstance(said.get("pooling_mode"), str):
        on = [{"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}.get(said["pooling_mode"], said["pooling_mode"])]
    if len(on) != 1 or on[0] not in MODES:
        raise Refusal(
            f"{folder.name}/{folders.CONFIG} pools by {', '.join(on)[:80] or 'nothing'} (allowed: one of {', '.join(MODES)})"
        )
    return MODES[on[0]]
