"""A checkpoint folder of transformers as an artefact: the model plugin that builds its architecture, its weights, its tokenizer.

The files are read here, without trust; the library only puts the tensors where they belong (it knows the names of all its
versions), and what it finds missing, left over or of another shape is judged here: nothing stays as it was drawn, unless the
step asked for a new head.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from kdbench.nouns import Artefact, Json, Refusal, Shape, Use
from kdbench.registry import Plugins
from kdbench.stages import configs, folders, heads, networks, pixels, pooling, speech
from kdbench.stages.tokenizing import TOKENIZER, Tokenizer, normal
from kdbench.stages.wanted import Wanted

MODEL, READER = "pretrained", "file"
"""The model plugin that builds what a configuration of transformers describes, and the tokenizer plugin that reads a folder's."""


def open_checkpoint(folder: Path, plugins: Plugins, wanted: Wanted, head: str = "") -> Artefact:
    """The artefact of a folder with config.json and weights in safetensors; of its tokenizer, too, where the data are texts.

    head: "" for the head that the checkpoint has, whose classes are put in the order of the data by their names; "new" for a
    fresh one, from a fixed seed. facts["notes"] of the artefact says what a reader of the results should know. Raises Refusal, in
    one line, for whatever is not as it must be.
    """
    if head not in ("", heads.NEW):
        raise Refusal(f"head {head!r} (allowed: {heads.NEW})")
    raw, held = folders.facts(folder, folders.CONFIG), folders.weights(folder)
    configs.modest(raw, held)
    config = configs.settled(raw)
    hears = wanted.shape is not None and (wanted.shape.kind, wanted.answer) == ("audio", "text")
    data = tokenizer_of(folder, plugins) if wanted.shape is None or hears else b""
    tokenizer = Tokenizer(data) if data else None
    shape = wanted.shape or text_shape(tokenizer, wanted, pair=bool(config.get("is_encoder_decoder")))
    notes = _types(held)
    vocabulary = config.get("vocab_size", 0)
    notes += _cut(config, shape) if tokenizer else []
    params: dict[str, Any] = {param.name: param.default for param in plugins.get("model", MODEL).params}
    if shape.answer == "vector":
        found, more = pooling.settings(folder, *shape.inputs["tokens"])
        params, notes = {**params, **found}, [*notes, *more]
    if shape.kind == "image":
        found, more = pixels.settings(folder, wanted.prepare, shape.inputs["image"][0])
        params, notes = {**params, **found}, [*notes, *more]
    spoken: dict[str, Any] = {}
    if hears:
        spoken, more = configs.speaking(raw, folder, wanted.prepare)
        params, notes = {**params, "silence": [speech.LOWEST, speech.BELOW]}, [*notes, *more]
    use = Use(MODEL, {**params, "config": config})
    _modest(plugins, use, shape, held)
    module = networks.rebuild(plugins, use, shape)
    notes += _padding(module.network, raw, shape)
    notes += _fill(module.network, _read(module.network, folder, vocabulary), heads.Task(raw, wanted.classes, shape, head))
    facts: dict[str, Json] = {"classes": list(wanted.classes), "made_elsewhere": True, "notes": list(notes)}
    facts |= spoken | {
        "decoder_start": configs.decoder_start(raw, folder),
        "tokenizer": tokenizer.fingerprint if tokenizer else None,
    }
    said = {key: value for key, value in facts.items() if value is not None}
    return Artefact("torch", shape, use, module.eval(), (), {TOKENIZER: data} if data else {}, said)


def tokenizer_of(folder: Path, plugins: Plugins) -> bytes:
    """The tokenizer.json of a checkpoint folder, in its stored form. Raises Refusal where there is none."""
    plugin, _ = plugins.load("tokenizer", READER)
    beside = ("vocab.json", "merges.txt", "added_tokens.json")
    for name in (TOKENIZER, "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", *beside):
        folders.sound(folder, name)
    return normal(plugin(path=str(folder)))


def text_shape(tokenizer: Tokenizer | None, wanted: Wanted, *, pair: bool) -> Shape:
    """The shape of texts as a checkpoint's own tokenizer writes them. pair: whether an encoder reads the source, and a decoder
    the "prefix" of the answer.
    """
    assert tokenizer is not None, "texts without a tokenizer have no shape"
    inputs = {"tokens": (wanted.length,)}
    if wanted.answer == "text" and pair:
        inputs["prefix"] = (wanted.length,)
    classes = {"class": len(wanted.classes), "vector": 0}.get(wanted.answer, tokenizer.size)
    return Shape("tokens", inputs, classes, (tokenizer.size,), wanted.answer, tokenizer.padding, tokenizer.separator)


def _types(held: folders.Weights) -> list[str]:
    stored = sorted(set(held.types.values()) & set(folders.FLOATS) - {"F32"})
    return [f"weights stored as {', '.join(stored)} were read as float32"] if stored else []


def _cut(config: dict[str, Any], shape: Shape) -> list[str]:
    """Make the vocabulary of the network that of the tokens. Rows that belong to no token (padding of the table to a round
    number) are cut off; a table that is too small is refused.
    """
    size, tokens = config.get("vocab_size"), shape.levels[0] if shape.levels else 0
    if not isinstance(size, int) or not tokens or size == tokens:
        return []
    if size < tokens:
        raise Refusal(
            f"{folders.CONFIG} has a vocabulary of {size} tokens, the tokenizer has {tokens}: they do not belong together"
        )
    config["vocab_size"] = tokens
    return [f"{size - tokens} of {size} rows of its vocabulary belong to no token of the tokenizer and were cut off"]


def _modest(plugins: Plugins, use: Use, shape: Shape, held: folders.Weights) -> None:
    """Raises Refusal for a configuration of far more numbers than the files hold, before any memory is asked for."""
    plugin, _ = plugins.load("model", use.name)
    with torch.device("meta"):
        bare = plugin(shape, **copy.deepcopy(dict(use.params)))
    described = sum(p.numel() for p in bare.parameters())
    if described > 2 * held.numbers + 2**24:
        raise Refusal(
            f"{folders.CONFIG} describes a network of {described} numbers, but the files of weights hold {held.numbers}"
        )


def _padding(network: Any, raw: Mapping[str, Any], shape: Shape) -> list[str]:
    """What another padding than the configuration's means: nothing, but where positions are counted from it."""
    said = raw.get("pad_token_id")
    if shape.kind != "tokens" or said is None or said == shape.padding:
        return []
    if any(hasattr(m, "create_position_ids_from_input_ids") for m in network.modules()):
        raise Refusal(
            f"{folders.CONFIG} has pad_token_id {said}, the tokenizer pads with {shape.padding}: positions depend on it"
        )
    return [f"{folders.CONFIG} has pad_token_id {said}; rows are padded with {shape.padding}, as the tokenizer says"]


def _read(network: Any, folder: Path, vocabulary: int) -> heads.Found:
    """The library's network of the same kind, filled with the tensors of the folder, and what did not fit."""
    config = copy.deepcopy(network.config)
    cut = getattr(config, "vocab_size", 0)
    if isinstance(vocabulary, int) and vocabulary > cut:
        config.vocab_size = vocabulary
    poolless = (
        "add_pooling_layer" in inspect.signature(type(network).__init__).parameters and getattr(network, "pooler", None) is None
    )
    more = {"add_pooling_layer": False} if poolless else {}
    try:
        with _quiet(), torch.random.fork_rng(devices=()):
            made, info = type(network).from_pretrained(
                None,
                config=config,
                state_dict=folders.tensors(folder),
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **more,
            )
            if isinstance(vocabulary, int) and vocabulary > cut:
                made.resize_token_embeddings(cut, mean_resizing=False)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"the library cannot read the weights: {' '.join(str(error).split())[:200]}") from None
    mismatched = {name: (tuple(found), tuple(wanted)) for name, found, wanted in info["mismatched_keys"]}
    return heads.Found(made, frozenset(info["missing_keys"]), frozenset(info["unexpected_keys"]), mismatched)


def _fill(network: Any, found: heads.Found, task: heads.Task) -> list[str]:
    """Copy what was found into the network of the artefact; a new head stays as it was drawn there. Gives notes."""
    fresh, notes = heads.judge(network, found, task)
    notes += heads.align(found.network, task)
    state = found.network.state_dict()
    for name, value in state.items():
        bad = int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
        if bad and name not in fresh:
            raise Refusal(f"weights of {name!r}: {bad} of {value.numel()} numbers are not finite")
    own = network.state_dict()
    network.load_state_dict({name: own[name] if name in fresh else value for name, value in state.items()})
    return notes


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's report and bars: what it would say is judged here."""
    import transformers  # noqa: PLC0415 - heavy, and only these folders need it

    log: Any = transformers.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
