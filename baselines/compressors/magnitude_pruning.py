"""Unstructured pruning by magnitude."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from kdbench import Artefact, ProperFraction, Refusal, compressor, mask


@compressor(accepts=("torch",), gives="torch", graph="parameters")
def magnitude_pruning(artefact: Artefact, *, sparsity: ProperFraction = 0.9) -> Artefact:
    """Sets the smallest weights of the whole network to zero: global, unstructured, by absolute value (Han et al. 2015).

    Candidates are the weights of convolutions and linear layers, together, those of GPT-2 too, which are called Conv1D; biases,
    normalisation and embeddings are left alone, and so is an output layer that shares its weight with an embedding.
    Exactly round(sparsity * candidates) of them become zero; among equal values the earlier one goes first. A shared weight
    counts once. The mask is recorded, so that a later fit keeps the zeros. Weights that are zero already are among the
    smallest, so pruning again to a higher sparsity keeps the earlier mask.
    Zeros make the file compress better; dense kernels run no faster with them. Raises Refusal where there is no candidate.
    """
    module = copy.deepcopy(artefact.module)
    weights = list(_candidates(module))
    if not weights:
        raise Refusal("magnitude_pruning: nothing to prune; the network has no convolution or linear layer of its own")
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
    """Name and weight of every convolution and linear layer, each weight once; none that is an embedding as well."""
    words = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    held = {id(m.weight) for m in module.modules() if _multiplies(m)} - words
    for name, parameter in module.named_parameters():
        if id(parameter) in held:
            yield name, parameter


def _multiplies(layer: nn.Module) -> bool:
    """Whether it is a convolution or a linear layer; `transformers` writes the latter as Conv1D, with its weight transposed."""
    if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
        return True
    weight = getattr(layer, "weight", None)
    return type(layer).__name__ == "Conv1D" and isinstance(weight, nn.Parameter) and weight.ndim == 2
