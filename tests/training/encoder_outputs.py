"""What encoders of some size say about three texts of 6, 4 and 1 tokens, made of random numbers."""

import numpy as np
import torch

from kdbench.nouns import Batch, Outputs

TOKENS = [[5, 2, 9, 4, 3, 7], [8, 6, 1, 2, 0, 0], [3, 0, 0, 0, 0, 0]]
LENGTHS = (6, 4, 1)


def encoder(seed, layers=2, width=8, heads=2, grad=False, classes=3):
    rng = np.random.default_rng(seed)

    def made(*shape):
        return torch.tensor(rng.normal(size=(3, *shape)), dtype=torch.float32, requires_grad=grad)

    taps = {"embeddings": made(6, width), **{f"layer.{i}": made(6, width) for i in range(layers)}}
    inner = {role: tuple(made(heads, 6, width // heads) for _ in range(layers)) for role in ("query", "key", "value")}
    return Outputs(made(classes), taps, inner)


def texts():
    return Batch({"tokens": torch.tensor(TOKENS)}, torch.tensor([0, 2, 1]), torch.arange(3), 0)


def wider(outputs, batch, by=3, fill=7.0):
    """The same with more padding on the right, and numbers there that must not count."""

    def stretched(value, axis):
        shape = list(value.shape)
        shape[axis] = by
        return torch.cat([value, torch.full(shape, fill)], axis)

    taps = {name: stretched(value, 1) for name, value in outputs.taps.items()}
    inner = {role: tuple(stretched(value, 2) for value in layers) for role, layers in outputs.inner.items()}
    tokens = stretched(batch.x["tokens"].float(), 1).long()
    tokens[:, -by:] = 0
    return Outputs(outputs.logits, taps, inner), Batch({"tokens": tokens}, batch.y, batch.index, batch.padding)
