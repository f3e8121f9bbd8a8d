"""Runs a causal language model as it writes: the next token after a row that it remembers. Needs torch and the network's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

MODULE = "module.pt"
_LATEST: list[nn.Module] = []
"""The network loaded last: it reads inputs while they are made ready, which is not timed."""


def load(folder: str, threads: int) -> Callable[[Any], np.ndarray]:
    """The network that the target wrote a moment ago, ready to write."""
    torch.set_num_threads(threads)
    # Not a checkpoint: whoever asks for the timing pickled its live network a moment ago, to have the very same object run.
    module = torch.load(Path(folder) / MODULE, map_location="cpu", weights_only=False)
    _LATEST[:] = [module]
    return lambda x: call(module, x)


def ready(x: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Rows of tokens, and the memory of all but the last token of each; where no network is loaded yet, its first call reads."""
    made = unread(x)
    for module in _LATEST:
        _read(module, made)
    return made


def unread(x: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Rows of tokens that no network has read."""
    return {"tokens": torch.from_numpy(np.array(x["tokens"])), "past": None}


def call(module: nn.Module, x: dict[str, Any]) -> np.ndarray:
    """The logits (n, vocabulary) float32 of the token after each row. What is remembered is left as it was, for the next call."""
    _read(module, x)
    more, step = x["tokens"].shape[1] > 1, cast("Callable[..., Any]", module.step)
    with torch.inference_mode():
        logits, past = step(x["tokens"][:, -1:], x["past"])
        if more:
            past.crop(-1)
        return np.asarray(logits.float().numpy())


def _read(module: nn.Module, x: dict[str, Any]) -> None:
    if x["past"] is None and x["tokens"].shape[1] > 1:
        with torch.inference_mode():
            x["past"] = cast("Callable[..., Any]", module.step)(x["tokens"][:, :-1])[1]
