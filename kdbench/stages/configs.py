"""The config.json of a checkpoint of transformers, as the library understands it, in the form that an artefact keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.registry import nearest
from kdbench.stages import folders, speech

COMMON = ("bert", "distilbert", "gpt2", "llama", "mobilebert", "resnet", "roberta", "t5", "vit", "whisper")
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


def speaking(raw: Mapping[str, Any], folder: Path, heard: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Of a checkpoint of speech: (the tokens that its answers begin with after the first one, and how it hears, as `forced` and
    `front`; notes). heard: the front end of the data. Raises Refusal where its files do not say how it hears, and where the data
    are heard otherwise.
    """

    def read(name: str) -> dict[str, Any] | None:
        return folders.facts(folder, name) if folders.present(folder, name) else None

    front, writing = speech.front(speech.said(read)), read(WRITING) or {}
    mels, places = raw.get("num_mel_bins", 80), raw.get("max_source_positions", 1500)
    frames = int(front["chunk"]) // int(front["hop"])
    if mels != front["mels"] or 2 * places != frames:
        both = f"{front['mels']} bands and {frames} frames, {folders.CONFIG} for {mels} bands and {2 * places} frames"
        raise Refusal(f"{speech.PROCESSOR} is for {both}: they do not belong together")
    if apart := [f"{key} {front[key]} (data: {heard.get(key)})" for key in front if heard.get(key) != front[key]]:
        raise Refusal(f"it hears otherwise than the data are given: {', '.join(apart)}")
    found = {"forced": list(speech.forced(raw, writing)), "front": front}
    silenced = len(writing.get("suppress_tokens") or ()) + len(writing.get("begin_suppress_tokens") or ())
    note = f"{silenced} tokens that the library's generate suppresses (suppress_tokens) may be written here"
    return found, [note] if silenced else []
