"""A transformer whose tokens are the frames of a spectrogram."""

from __future__ import annotations

import torch
from torch import nn

from kdbench import Count, Fraction, Refusal, Shape, model


class _Attention(nn.Module):
    """Self-attention, (b, n, d) -> (b, n, d), `heads` of d / heads numbers; projections without bias, the output with one."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = [part(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)]
        mixed = nn.functional.scaled_dot_product_attention(*split)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.norm1 = _Attention(width, heads), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, width))
        self.norm2, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.dropout(self.attention(x)))
        return self.norm2(x + self.dropout(self.feed(x)))  # type: ignore[no-any-return]


class _Network(nn.Module):
    def __init__(self, patch: nn.Linear, places: int, blocks: list[_Block], classifier: nn.Linear) -> None:
        super().__init__()
        width = patch.out_features
        self.patch, self.blocks, self.classifier = patch, nn.Sequential(*blocks), classifier
        self.start = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, places + 1, width) * 0.02)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        batch, mels, frames = audio.shape
        together = self.patch.in_features // mels
        count = frames // together
        rows = audio[:, :, : count * together].reshape(batch, mels, count, together).permute(0, 2, 1, 3).flatten(2)
        x = torch.cat([self.start.expand(batch, -1, -1), self.patch(rows)], dim=1) + self.places
        return self.classifier(self.blocks(x)[:, 0])  # type: ignore[no-any-return]


@model(
    kinds=("audio",),
    taps=("blocks.*",),
    inner={"query": "blocks.*.attention.query", "key": "blocks.*.attention.key", "value": "blocks.*.attention.value"},
    paper="Berg et al. 2021, Keyword Transformer, arXiv:2104.00769 (KWT)",
)
def keyword_transformer(  # noqa: PLR0913 - the numbers that say which network it is
    shape: Shape, *, width: Count = 64, layers: Count = 4, heads: Count = 1, inner: Count = 256, together: Count = 1,
    dropout: Fraction = 0.0,
) -> nn.Module:  # fmt: skip
    """Encoder blocks over frames: attention in time, and the state of a class token for the classifier.

    Input log-mels (b, mels, frames); gives logits (b, classes). The paper's KWT-1, 2 and 3 have 12 layers and width 64, 128, 192
    with 1, 2, 3 heads and inner 256, 512, 768. together: frames to a token (1 in the paper; 4 costs a fourth); frames that are
    left over at the end are not seen.

    Conventions. Norm after each sum (post-norm), GELU, learned positions, query, key and value without bias, positions and class
    token N(0, 0.02), all else as torch does. No norm before the classifier. Taps: each block, (b, tokens + 1, width).
    Raises Refusal where width is no multiple of heads, or no token is left.
    """
    mels, frames = shape.inputs["audio"]
    if width % heads:
        raise Refusal(f"keyword_transformer: width {width} is not a multiple of heads {heads}")
    if frames < together:
        raise Refusal(f"keyword_transformer: {together} frames to a token, of {frames} (allowed: together 1 to {frames})")
    blocks = [_Block(width, heads, inner, dropout) for _ in range(layers)]
    return _Network(nn.Linear(mels * together, width), frames // together, blocks, nn.Linear(width, shape.classes))
