"""What the files of a checkpoint of speech say beside its network: how it hears, and which tokens its answers begin with.

Facts alone, as they are in JSON: the planner asks for them before anything is read, and a stage judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kdbench.nouns import Json, Refusal

WHISPER = "whisper"
"""The one model_type of speech whose front end is known here."""
PROCESSOR, TOGETHER, INSIDE = "preprocessor_config.json", "processor_config.json", "feature_extractor"
"""Where the library writes how a checkpoint hears: a file of its own, or a part of another."""
KIND, EXTRACTOR = "feature_extractor_type", "WhisperFeatureExtractor"
USUAL: Mapping[str, Json] = {
    "feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400, "padding_value": 0.0,
    "dither": 0.0, "do_normalize": False, KIND: EXTRACTOR,
}  # fmt: skip
"""What the library takes where the file does not say it."""
RATE = 16_000
"""Samples a second. The library's mel bands end at 8000 Hz whatever the rate, and those here at half the rate."""
WHISPERED = "whisper"
"""How features are scaled: log10 of the power, at most 8 below the loudest of the clip, plus 4, over 4."""
LOWEST, BELOW = -1.5, 2.0
"""What silence is in such features: (-10 + 4) / 4, but at most 8 / 4 below the loudest."""

Read = Callable[[str], Mapping[str, Any] | None]
"""The content of a JSON file beside the network, by name; None where there is none."""


def said(read: Read) -> dict[str, Json]:
    """The settings of the front end that the files name, of those that decide what is heard; {} where there is no such file."""
    found = read(PROCESSOR)
    if found is None:
        inside = (read(TOGETHER) or {}).get(INSIDE)
        found = inside if isinstance(inside, dict) else None
    return {} if found is None else {name: found[name] for name in USUAL if name in found} or {KIND: EXTRACTOR}


def front(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The front end as the stages have it: rate, mels, window and hop in samples, chunk (samples that it hears), scaling.

    settings: as `said` gives them. Raises Refusal where they are none of Whisper's, or such that no log-mels here are the same.
    """
    if not settings:
        raise Refusal(f"there is no {PROCESSOR}, which says how it hears; write it with WhisperFeatureExtractor.save_pretrained")
    held = {**USUAL, **settings}
    for name, only in ((KIND, EXTRACTOR), ("sampling_rate", RATE), ("padding_value", 0), ("dither", 0), ("do_normalize", False)):
        if held[name] != only:
            raise Refusal(f"{PROCESSOR}: {name} is {str(held[name])[:40]!r} (allowed: {only!r})")
    mels, hop, window, seconds = (held[name] for name in ("feature_size", "hop_length", "n_fft", "chunk_length"))
    sizes = {"feature_size": mels, "hop_length": hop, "n_fft": window, "chunk_length": seconds}
    for name, value in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096:
            raise Refusal(f"{PROCESSOR}: {name} is {str(value)[:40]!r} (allowed: 1 to 4096)")
    if window % 2 or hop > window:
        raise Refusal(f"{PROCESSOR}: windows of {window} samples every {hop} (allowed: an even number, and a hop of at most it)")
    chunk = seconds * RATE
    return {"rate": RATE, "mels": mels, "window": window, "hop": hop, "chunk": chunk, "scaling": WHISPERED}


def forced(config: Mapping[str, Any], writing: Mapping[str, Any]) -> tuple[int, ...]:
    """The tokens after the first one with which every answer of a Whisper begins: language, task, no timestamps, as the
    library's `generate` puts them. config, writing: the contents of config.json and generation_config.json.

    Raises Refusal where it would look for the language in the sound: then no rows can be written beforehand.
    """
    if config.get("model_type") != WHISPER:
        return ()
    language, task = writing.get("language"), writing.get("task")
    found = _old(writing.get("forced_decoder_ids") or config.get("forced_decoder_ids")) if language is task is None else []
    if language is not None:
        found = [_numbered(writing, "lang_to_id", str(language).lower())]
    elif writing.get("lang_to_id") and (not found or found[0] is None):
        codes = ", ".join(sorted(map(str, writing["lang_to_id"]))[:3])
        raise Refusal(f'generation_config.json: it finds the language by itself; add "language": one of {codes}, ...')
    if task is not None or (language is not None and writing.get("task_to_id")):
        found.append(_numbered(writing, "task_to_id", str(task or "transcribe")))
    last = writing.get("no_timestamps_token_id")
    if last is not None and not writing.get("return_timestamps") and (not found or found[-1] != last):
        found.append(last)
    if not all(isinstance(token, int) for token in found if token is not None):
        raise Refusal("generation_config.json: the tokens that an answer begins with must be numbers")
    return tuple(token for token in found if token is not None)


def _old(listed: Any) -> list[Any]:
    """`forced_decoder_ids`, [place, token] from place 1, as a list of tokens."""
    if listed is None:
        return []
    pairs = [one for one in listed if isinstance(one, list | tuple) and len(one) == 2] if isinstance(listed, list | tuple) else []
    if not pairs or [place for place, _ in pairs] != list(range(1, len(listed) + 1)):
        raise Refusal(f"forced_decoder_ids {str(listed)[:60]} (allowed: [[1, token], [2, token], ...])")
    return [token for _, token in pairs]


def _numbered(writing: Mapping[str, Any], table: str, name: str) -> Any:
    """The token of a language or a task, which a table of the file names as "en" or "<|en|>"."""
    held = writing.get(table)
    found = {str(key).strip("<|>"): token for key, token in held.items()} if isinstance(held, dict) else {}
    if name.strip("<|>") not in found:
        some = ", ".join(sorted(found)[:5]) + (", ..." if len(found) > 5 else "")
        raise Refusal(f"generation_config.json: {table} has no {name[:40]!r} (allowed: {some or 'none'})")
    return found[name.strip("<|>")]
