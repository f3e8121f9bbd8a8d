"""The door for networks of the transformers library: any of its architectures, from a configuration."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Literal

import torch
from torch import nn

from kdbench import Refusal, Shape, model

from ._causal import Causal
from ._listener import heard, listening
from ._pretrained import Classifier, Encoder, ImageClassifier, Translator, located

AUTO: Mapping[tuple[str, str], tuple[str, str]] = {
    ("audio", "text"): ("AutoModelForSpeechSeq2Seq", "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES"),
    ("image", "class"): ("AutoModelForImageClassification", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"),
    ("tokens", "class"): ("AutoModelForSequenceClassification", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"),
    ("tokens", "next"): ("AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
    ("tokens", "text"): ("AutoModelForSeq2SeqLM", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"),
    ("tokens", "vector"): ("AutoModel", "MODEL_MAPPING_NAMES"),
}
"""Kind and answer -> the class of the library that builds such networks, and the table of the types that it knows."""

COMMON = ("bert", "distilbert", "gpt2", "llama", "mobilebert", "resnet", "roberta", "t5", "vit")
SAID_ELSEWHERE = ("architectures", "transformers_version", "_name_or_path", "dtype", "torch_dtype")
"""Keys of a configuration that say nothing about the network."""

FOLLOWS = ("model_type", "num_labels", "id2label", "label2id", "pad_token_id")
"""Keys that are read elsewhere, or follow the data."""

READ = ("num_labels", "rope_theta", "rope_scaling", "decoder_start_token_id")
"""Keys that the library reads, though it writes others for them."""


@model(
    kinds=("tokens", "image", "audio"),
    answers=("class", "next", "text", "vector"),
    taps=("*",),
    paper="https://huggingface.co/docs/transformers, AutoModel*.from_config",
)
def pretrained(  # noqa: PLR0913 - what a folder says beside its configuration
    shape: Shape,
    *,
    config: dict[str, Any],
    attention: Literal["sdpa", "eager"] = "sdpa",
    pooling: Literal["mean", "first", "max"] = "mean",
    normalize: bool = False,
    scale: list[float] | None = None,
    offset: list[float] | None = None,
    silence: list[float] | None = None,
) -> nn.Module:
    """A network of `transformers` from the content of its config.json, with fresh float32 weights that start as the library does;
    nothing is downloaded, and no code beside the library's runs.

    config: {model_type, ...}; what it does not say of the data (vocab_size, num_channels, image_size) follows them, the number of
    classes and the padding always do. What is asked decides which network of this type it is: a classifier of images or of tokens
    (an encoder's, or that of a decoder's last token), a language model ("next"), an encoder-decoder ("text"; without the input
    "prefix" a language model), or an encoder of vectors ("vector"): the mean of its last layer over tokens that are no padding,
    their maximum, or the first token, and then of length 1 with `normalize`. attention: the fused kernel of torch where the
    architecture has one, or "eager", plain matrix products. scale, offset: what each channel
    of an image is multiplied by, and what is added then, for weights that learned on images standardised otherwise. silence: what
    fills up rows of sound, the least, and how far below the loudest at most. Taps: what enters the first layer, and each layer.

    Raises Refusal for code of its own (auto_map), an unknown type or option (the library would ignore it), rows longer than
    its positions, another vocabulary, and a "language model" that sees the tokens it is to predict.
    """
    auto, held = _door(shape, config)
    made = _config(shape, held)
    if shape.answer == "vector" and getattr(made, "is_encoder_decoder", False):
        auto = "AutoModelForTextEncoding"  # its encoder alone
    extra: dict[str, Any] = {"add_pooling_layer": False} if shape.answer == "vector" and _pools(made) else {}
    if attention == "eager":  # else the library's own choice: the fused kernel wherever the architecture has one
        extra["attn_implementation"] = attention
    try:
        network = getattr(_library(), auto).from_config(made, dtype=torch.float32, trust_remote_code=False, **extra)
    except Exception as error:
        raise Refusal(f"pretrained: {held['model_type']!r} cannot be built: {_first(error)}") from error
    if shape.kind == "image":
        module: nn.Module = ImageClassifier(network, *_channels(shape, scale, offset))
    elif shape.kind == "audio":
        module = listening(network, shape, silence or ())
    else:
        module = _surrounded(network, shape, pooling, normalize)
    return located(module)  # type: ignore[no-any-return]


def _surrounded(network: nn.Module, shape: Shape, pooling: str, normalize: bool) -> nn.Module:
    if shape.answer == "vector":
        return Encoder(network, shape.padding, pooling, normalize, shape.separator)
    if shape.answer == "class":
        return Classifier(network, shape.padding, shape.separator)
    if "prefix" in shape.inputs:
        return Translator(network, shape.padding)
    _blind(module := Causal(network), shape)
    return module


def _channels(shape: Shape, scale: list[float] | None, offset: list[float] | None) -> tuple[list[float], list[float]]:
    channels = shape.inputs["image"][0]
    held = (scale or [1.0] * channels, offset or [0.0] * channels)
    if any(len(one) != channels for one in held):
        raise Refusal(f"pretrained: scale and offset need one number for each of {channels} channels")
    return held


def _door(shape: Shape, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The builder of the library for what is asked, and the configuration without what says nothing about the network."""
    for key, instead in (
        ("auto_map", "code of its own is never run"),
        ("quantization_config", "save its weights as floats first"),
    ):
        if config.get(key):
            raise Refusal(f"pretrained: the configuration has {key!r}: {instead}")
    answer = shape.answer
    if (shape.kind, answer) not in AUTO:
        raise Refusal(f"pretrained: no network of transformers gives the answer {answer!r} to {shape.kind} data here")
    if answer == "text" and "prefix" not in shape.inputs and shape.kind == "tokens":
        answer = "next"
    auto, table = AUTO[shape.kind, answer]
    known = sorted(getattr(_library().models.auto.modeling_auto, table)) if shape.kind != "audio" else ["whisper"]
    said = str(config.get("model_type"))
    if said not in known:
        close = get_close_matches(said, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        some = ", ".join(name for name in COMMON if name in known) or known[0]
        raise Refusal(
            f"pretrained: no network for the answer {answer!r} to {shape.kind} from model_type {said[:40]!r}{hint} "
            f"(allowed: the {len(known)} types of transformers' {auto}, such as {some})"
        )
    return auto, {key: value for key, value in copy.deepcopy(dict(config)).items() if key not in SAID_ELSEWHERE}


def _config(shape: Shape, held: dict[str, Any]) -> Any:
    library, said = _library(), str(held["model_type"])
    usual = library.AutoConfig.for_model(said)
    allowed = {*usual.to_dict(), *usual.attribute_map, *READ}
    for key in held:
        if key not in allowed:
            close = get_close_matches(key, sorted(allowed), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Refusal(f"pretrained: a {said} configuration has no option {key!r}{hint}")
    given = {key: value for key, value in held.items() if key not in FOLLOWS}
    given |= {key: value for key, value in _follows(shape).items() if key not in held and hasattr(usual, key)}
    for key in ("bos_token_id", "eos_token_id"):  # the library's defaults may lie beyond a small vocabulary
        if key not in held and (getattr(usual, key, None) or 0) >= given.get("vocab_size", 0):
            given[key] = None
    try:
        made = library.AutoConfig.for_model(said, **given)
    except Exception as error:
        raise Refusal(f"pretrained: options of {said!r} are refused: {_first(error)}") from error
    if shape.kind != "audio":
        _fits(made, shape, said)
    if shape.kind != "image":
        made.pad_token_id = shape.padding
    if shape.answer == "class":
        made.num_labels, made.problem_type = shape.classes, None
    return made


def _follows(shape: Shape) -> dict[str, Any]:
    """What the data say of a network that does not say it itself."""
    if shape.kind == "image":
        channels, *size = shape.inputs["image"]
        return {"num_channels": channels, "image_size": size[0] if size[0] == size[1] else size}
    vocabulary = {"vocab_size": shape.levels[0] if shape.levels else shape.classes}
    return vocabulary | (heard(shape) if shape.kind == "audio" else {})


def _fits(made: Any, shape: Shape, said: str) -> None:
    """Raises Refusal, naming both numbers, where the network is for other data."""
    if shape.kind == "image":
        channels, *size = shape.inputs["image"]
        asked = getattr(made, "image_size", None)
        whole = [asked, asked] if isinstance(asked, int) else list(asked or size)
        if getattr(made, "num_channels", channels) != channels or whole != size:
            seen = f"{made.num_channels}x{whole[0]}x{whole[1]}"
            raise Refusal(f"pretrained: the {said} is for images {seen}, the data have {channels}x{size[0]}x{size[1]}")
        return
    if shape.answer == "class" and getattr(made, "is_encoder_decoder", False):
        raise Refusal(f"pretrained: an encoder-decoder ({said}) gives no class of a row (allowed: answer text, or an encoder)")
    if "prefix" not in shape.inputs and shape.answer in ("next", "text") and getattr(made, "is_decoder", None) is False:
        raise Refusal(
            f"pretrained: this {said} is an encoder, which sees the tokens it would predict (allowed: is_decoder: true)"
        )
    vocabulary = shape.levels[0] if shape.levels else shape.classes
    exact = shape.answer in ("next", "text")
    if made.vocab_size < vocabulary or (exact and made.vocab_size != shape.classes):
        raise Refusal(f"pretrained: the {said} has a vocabulary of {made.vocab_size} tokens, the data have {vocabulary}")
    if shape.answer == "vector" and shape.classes not in (0, made.hidden_size):
        raise Refusal(f"pretrained: the {said} gives vectors of {made.hidden_size} numbers, not of {shape.classes}")
    most = positions(made, shape.padding)
    longest = max(size for (size,) in shape.inputs.values())
    if most is not None and longest > most:
        raise Refusal(
            f"pretrained: rows of {longest} tokens, but the {said} has {most} positions (allowed: length {most} or less)"
        )


def positions(made: Any, padding: int) -> int | None:
    """The tokens that a row may have; None where positions are relative. RoBERTa and its kin count positions from behind the
    number of the padding.
    """
    if hasattr(made, "relative_attention_num_buckets"):
        return None
    most = getattr(made, "max_position_embeddings", None)
    if not isinstance(most, int) or most <= 0:
        return None
    return most - padding - 1 if "roberta" in made.model_type or made.model_type in ("camembert", "longformer") else most


def _pools(made: Any) -> bool:
    """Whether the base network has a pooler that can be left out: vectors are pooled here."""
    builds: Callable[..., Any] = _library().models.auto.modeling_auto.MODEL_MAPPING[type(made)]
    return "add_pooling_layer" in inspect.signature(builds).parameters


def _blind(module: nn.Module, shape: Shape) -> None:
    """Raises Refusal for a network whose answer to a token depends on later ones: it would be asked for what it sees."""
    if next(module.parameters()).is_meta:
        return
    length = min(8, *shape.inputs["tokens"])
    one = torch.arange(length)[None] % shape.classes
    other = one.clone()
    other[0, -1] = (other[0, -1] + 1) % shape.classes
    module.eval()
    try:
        with torch.no_grad():
            apart = (module(one) - module(other))[:, : length - 1].abs()
    except Exception as error:
        raise Refusal(f"pretrained: the language model does not run on {length} tokens: {_first(error)}") from error
    finally:
        module.train()
    if apart.numel() and bool((apart > 1e-4).any()):
        raise Refusal("pretrained: this network sees the tokens that it is to predict; it is no causal language model")


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _library() -> Any:
    import transformers  # noqa: PLC0415 - heavy, and only this model needs it

    return transformers
