"""Encoder-decoders of the library that hear log-mels and write what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kdbench import Refusal, Shape


class Listener(nn.Module):
    """audio float32 (b, mels, frames), prefix int64 (b, m) -> logits (b, m, vocabulary) of what follows each of its tokens.

    frames: that the encoder takes, two for each of its positions. silence: what a frame without sound holds in each band, as the
    least that it can be, and how far it is at most below the loudest of the row; () for 0, the mean of standardised data.
    """

    def __init__(self, network: nn.Module, frames: int, silence: Sequence[float] = ()) -> None:
        super().__init__()
        self.network = network
        self.frames = frames
        self.silence = tuple(silence)

    def forward(self, audio: torch.Tensor, prefix: torch.Tensor) -> torch.Tensor:
        """The network's logits. The encoder has a position for every second frame and takes no other number of frames: those that
        are missing are silence. The decoder's mask is made here, in the form that attention takes: left to itself the library
        looks for packed sequences, with an operator that no ONNX graph has.
        """
        place = torch.arange(prefix.shape[1], device=prefix.device)
        mask = (place[None, :] <= place[:, None])[None, None]
        config: Any = self.network.config
        if config._attn_implementation == "eager":
            mask = (~mask).to(audio.dtype) * torch.finfo(audio.dtype).min
        return self.network(  # type: ignore[no-any-return]
            input_features=self._whole(audio),
            decoder_input_ids=prefix,
            decoder_attention_mask=mask,
            use_cache=False,
            return_dict=True,
        ).logits

    def _whole(self, audio: torch.Tensor) -> torch.Tensor:
        missing = self.frames - audio.shape[-1]
        if not missing or not self.silence:
            return functional.pad(audio, (0, missing))
        lowest, below = self.silence
        quiet = (audio.amax((1, 2), keepdim=True) - below).clamp(min=lowest)
        return torch.cat([audio, quiet.expand(-1, audio.shape[1], missing)], dim=2)


def heard(shape: Shape) -> dict[str, Any]:
    """What the data say of a network that hears them: its bands, and a position of the encoder for two frames."""
    mels, frames = shape.inputs["audio"]
    return {"num_mel_bins": mels, "max_source_positions": (frames + 1) // 2}


def listening(network: nn.Module, shape: Shape, silence: Sequence[float]) -> Listener:
    """The network for these data. Raises Refusal, naming both numbers, where it hears other log-mels, or writes less."""
    made: Any = network.config
    (mels, frames), (written,) = shape.inputs["audio"], shape.inputs["prefix"]
    said, takes = f"pretrained: the {made.model_type} hears", 2 * made.max_source_positions
    if made.num_mel_bins != mels:
        raise Refusal(f"{said} {made.num_mel_bins} mel bands, the data have {mels}")
    if frames > takes or (takes - frames > 1 and not silence):
        raise Refusal(f"{said} {takes} frames, the data have {frames}")
    if silence and (len(silence) != 2 or silence[1] <= 0):
        raise Refusal(f"pretrained: silence {list(silence)} (allowed: two numbers, the second one above 0)")
    if made.vocab_size != shape.classes:
        raise Refusal(f"pretrained: the {made.model_type} has a vocabulary of {made.vocab_size} tokens, the data {shape.classes}")
    if written > made.max_target_positions:
        most = made.max_target_positions
        raise Refusal(f"pretrained: rows of {written} tokens, but {most} positions (allowed: length {most} or less)")
    return Listener(network, takes, silence)
