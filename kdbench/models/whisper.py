"""Whisper: an encoder that hears log-mels and a decoder that writes what was said."""

from __future__ import annotations

from torch import nn

from kdbench import Count, Fraction, Refusal, Shape, model

from ._listener import Listener, heard
from ._sequence import fresh


@model(
    kinds=("audio",),
    answers=("text",),
    layout="pair",
    taps=("network.model.encoder.layer_norm", "network.model.decoder.layers.*"),
    inner={
        "query": "network.model.decoder.layers.*.self_attn.q_proj",
        "key": "network.model.decoder.layers.*.self_attn.k_proj",
        "value": "network.model.decoder.layers.*.self_attn.v_proj",
    },
    paper="Radford et al. 2023, Robust Speech Recognition via Large-Scale Weak Supervision",
)
def whisper(  # noqa: PLR0913 - the numbers that say which Whisper it is
    shape: Shape,
    *,
    layers: Count = 2,
    decoder_layers: Count = 2,
    hidden: Count = 64,
    heads: Count = 4,
    intermediate: Count = 256,
    positions: Count = 448,
    dropout: Fraction = 0.0,
) -> nn.Module:
    """A Whisper of `transformers` from its configuration, with fresh weights; nothing is downloaded.

    Audio float32 (b, mels, frames), log-mels of the data, and prefix int64 (b, m) give logits (b, m, vocabulary). As many mel
    bands, frames and tokens as the data have: one position of the encoder for two frames; an odd last one is paired with silence.
    No token is suppressed. positions: of the decoder, at least as many as a row. The defaults are tiny; Whisper-tiny is layers 4,
    decoder_layers 4, hidden 384, heads 6, intermediate 1536 on 80 bands. Taps: the end of the encoder (b, frames / 2, hidden) and
    each layer of the decoder (b, m, hidden).
    """
    written = shape.inputs.get("prefix", (0,))[0]
    if written > positions:
        raise Refusal(f"whisper: rows of {written} tokens, but {positions} positions (allowed: positions {written} or more)")
    options = {
        **heard(shape),
        "encoder_layers": layers,
        "decoder_layers": decoder_layers,
        "d_model": hidden,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": intermediate,
        "decoder_ffn_dim": intermediate,
        "max_target_positions": positions,
        "dropout": dropout,
        "attn_implementation": "sdpa",
        "suppress_tokens": [],
        "begin_suppress_tokens": [],
    }
    return Listener(fresh("Whisper", "ConditionalGeneration", shape, options), 2 * options["max_source_positions"])
