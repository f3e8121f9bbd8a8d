"""Whisper: an encoder that hears log-mels and a decoder that writes what was said."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kdbench import Count, Fraction, Refusal, Shape, model

from ._sequence import fresh


class _Listener(nn.Module):
    """audio float32 (b, mels, frames), prefix int64 (b, m) -> logits (b, m, vocabulary) of what follows each of its tokens."""

    def __init__(self, network: nn.Module, frames: int) -> None:
        super().__init__()
        self.network = network
        self.frames = frames

    def forward(self, audio: torch.Tensor, prefix: torch.Tensor) -> torch.Tensor:
        """The network's logits. The encoder has a position for every second frame and takes no other number of frames: one that
        is missing is silence. The decoder's mask is made here, in the form that attention takes: left to itself the library
        looks for packed sequences, with an operator that no ONNX graph has.
        """
        heard = functional.pad(audio, (0, self.frames - audio.shape[-1]))
        place = torch.arange(prefix.shape[1], device=prefix.device)
        mask = (place[None, :] <= place[:, None])[None, None]
        return self.network(  # type: ignore[no-any-return]
            input_features=heard, decoder_input_ids=prefix, decoder_attention_mask=mask, use_cache=False, return_dict=True
        ).logits


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
    mels, frames = shape.inputs["audio"]
    written = shape.inputs.get("prefix", (0,))[0]
    if written > positions:
        raise Refusal(f"whisper: rows of {written} tokens, but {positions} positions (allowed: positions {written} or more)")
    pairs = (frames + 1) // 2
    options = {
        "num_mel_bins": mels,
        "encoder_layers": layers,
        "decoder_layers": decoder_layers,
        "d_model": hidden,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": intermediate,
        "decoder_ffn_dim": intermediate,
        "max_source_positions": pairs,
        "max_target_positions": positions,
        "dropout": dropout,
        "attn_implementation": "sdpa",
        "suppress_tokens": [],
        "begin_suppress_tokens": [],
    }
    return _Listener(fresh("Whisper", "ConditionalGeneration", shape, options), 2 * pairs)
