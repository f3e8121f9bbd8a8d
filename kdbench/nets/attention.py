"""Attention by its plain steps, for those who must see inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_attention() -> Iterator[None]:
    """nn.MultiheadAttention and nn.TransformerEncoderLayer without their fused kernel of evaluation.

    That kernel has no ONNX form, and no counter sees what it multiplies.
    """
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
