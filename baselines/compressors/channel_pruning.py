"""Structured pruning, the same share of every layer."""

from __future__ import annotations

from typing import Literal

from kdbench import Artefact, ProperFraction, compressor

from . import _channels


@compressor(accepts=("torch",), gives="torch", graph="parameters")
def channel_pruning(artefact: Artefact, *, ratio: ProperFraction = 0.5, importance: Literal["l1", "l2"] = "l2") -> Artefact:
    """Removes whole channels, so that the network really becomes smaller and faster (Li et al. 2017; Fang et al. 2023, DepGraph).

    ratio: the share of channels that every layer loses (not of parameters or FLOPs: half of the channels leaves about a
    quarter of the weights). Layers that must agree (residual sums, a normalisation and its convolution) lose the same channels.
    importance: mean over such a group of the l1 norm, or of the squared l2 norm, of the weights that a channel owns, as
    torch-pruning normalises it. The last layer keeps its outputs. What is kept is recorded, so that the network can be rebuilt.
    Every seed gives the same shapes; to rank channels across layers, see `channel_pruning_global`.
    Raises Refusal where the network's structure cannot be followed.
    """
    return _channels.prune(artefact, ratio, importance, across=False)
