"""Structured pruning, all layers in one ranking."""

from __future__ import annotations

from typing import Literal

from kdbench import Artefact, ProperFraction, compressor

from . import _channels


@compressor(accepts=("torch",), gives="torch", graph="weights")
def channel_pruning_global(
    artefact: Artefact, *, ratio: ProperFraction = 0.5, importance: Literal["l1", "l2"] = "l2"
) -> Artefact:
    """Removes whole channels, the least important of the whole network first; as `channel_pruning` otherwise.

    ratio: the share of all channels together; no layer loses more than 95 % (or the ratio, where that is more). The shapes that
    result depend on the weights, so every seed is another compute graph and is timed on its own.
    """
    return _channels.prune(artefact, ratio, importance, across=True)
