"""The config.json of a checkpoint of transformers, as the library understands it, in the form that an artefact keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.registry import nearest
from kdbench.stages import folders

COMMON = ("bert", "distilbert", "gpt2", "llama", "mobilebert", "resnet", "roberta", "t5", "vit")
LEFT_OUT = ("architectures", "transformers_version", "dtype", "torch_dtype", "id2label", "label2id", "attn_implementation")
"""Keys that say nothing about the network; names of classes are read apart."""

CODE = {"auto_map": "code of its own is never run", "quantization_config": "its weights are packed: save them as floats first"}
"""Keys that no checkpoint may have here, and why."""


WRITING = "generation_config.json"
"""What a checkpoint says about writing, apart from its network."""


def settled(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Every number that decides the network, with what the file leaves to the library's defaults, so that another version of the
    library builds the same one. Keys that the library does not know are left out, as the library does.

    Raises Refusal for code, packed weights, an unknown type, and values that the library refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these folders need it

    for key, why in CODE.items():
        if raw.get(key):
            raise Refusal(f"{folders.CONFIG} has {key!r}: {why}")
    library: Any = transformers
    said: Any = raw.get("model_type")
    known = sorted(library.models.auto.configuration_auto.CONFIG_MAPPING_NAMES)
    if said not in known:
        hint = nearest(str(said), known).partition(" (allowed")[0]
        some = ", ".join(COMMON)
        raise Refusal(
            f"{folders.CONFIG}: model_type {str(said)[:40]!r} is unknown{hint} (allowed: {len(known)} types, such as {some})"
        )
    given = {key: value for key, value in raw.items() if key not in ("model_type", *LEFT_OUT) and not key.startswith("_")}
    try:
        usual, made = transformers.AutoConfig.for_model(said), transformers.AutoConfig.for_model(said, **given)
        held, allowed = made.to_dict(), {*usual.to_dict(), *usual.attribute_map}
    except Exception as error:
        raise Refusal(f"{folders.CONFIG} is refused by the library: {' '.join(str(error).split())[:200]}") from None
    placed = raw.get("position_embedding_type", "absolute")
    if placed != "absolute" and "position_embedding_type" not in allowed:
        raise Refusal(f"{folders.CONFIG}: this version of the library has no {said} with {placed!r} positions")
    left = {key: value for key, value in held.items() if key in allowed and key not in LEFT_OUT and not key.startswith("_")}
    return {**left, "model_type": said}


def modest(raw: Mapping[str, Any], held: folders.Weights) -> None:
    """Raises Refusal for a file that describes more layers than the weights can fill: building them would never end."""
    for key, value in raw.items():
        deep = "layer" in key or "depth" in key
        numbers = [n for n in (value if isinstance(value, list) else [value]) if isinstance(n, int)]
        if deep and sum(numbers) > max(len(held.shapes), 1):
            raise Refusal(f"{folders.CONFIG} says {key} {sum(numbers)}, but there are only {len(held.shapes)} tensors")


def decoder_start(raw: Mapping[str, Any], folder: Path) -> int | None:
    """The token that a decoder beside an encoder begins with, as config.json or what stands beside it about writing says; None
    elsewhere, and where neither says it.
    """
    if not raw.get("is_encoder_decoder"):
        return None
    beside = folders.facts(folder, WRITING) if (folder / WRITING).exists() else {}
    said = (one.get("decoder_start_token_id") for one in (raw, beside))
    return next((token for token in said if isinstance(token, int)), None)
