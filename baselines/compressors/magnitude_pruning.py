"""Unstructured pruning by magnitude."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from kdbench import Artefact, ProperFraction, compressor, mask


@compressor(accepts=("torch",), gives="torch", graph="parameters")
def magnitude_pruning(artefact: Artefact, *, sparsity: ProperFraction = 0.9) -> Artefact:
    """Sets the smallest weights of the whole network to zero: global, unstructured, by absolute value (Han et al. 2015).

    Candidates are the weights of convolutions and linear layers, together; biases, normalisation and embeddings are left alone.
    Exactly round(sparsity * candidates) of them become zero; among equal values the earlier one goes first. A shared weight
    counts once. The mask is recorded, so that a later fit keeps the zeros. Weights that are zero already are among the
    smallest, so pruning again to a higher sparsity keeps the earlier mask.
    Zeros make the file compress better; dense kernels run no faster with them.
    """
    module = copy.deepcopy(artefact.module)
    weights = list(_candidates(module))
    sizes = np.concatenate([w.detach().abs().float().reshape(-1).numpy() for _, w in weights])
    keep = np.ones(sizes.size, dtype=bool)
    keep[np.argsort(sizes, kind="stable")[: round(sparsity * sizes.size)]] = False
    kept, start = {}, 0
    with torch.no_grad():
        for name, weight in weights:
            kept[name] = keep[start : start + weight.numel()].reshape(tuple(weight.shape))
            weight.mul_(torch.from_numpy(kept[name]))
            start += weight.numel()
    facts = {**artefact.facts, "sparsity": float(1 - keep.mean()), "prunable": int(sizes.size)}
    return Artefact("torch", artefact.shape, artefact.model, module, (*artefact.edits, mask(kept)), {}, facts)


def _candidates(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Name and weight of every convolution and linear layer, each weight once."""
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    held = {id(m.weight) for m in module.modules() if isinstance(m, layers)}
    for name, parameter in module.named_parameters():
        if id(parameter) in held:
            yield name, parameter
