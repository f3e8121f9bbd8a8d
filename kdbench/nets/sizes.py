"""How big a torch network is: parameters counted once however often they are used, zeros apart, embeddings apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn


def torch_sizes(module: nn.Module) -> dict[str, int]:
    """Counts of a torch network.

    parameters: elements of unique storage (a tensor tied to another, or a view of it, counts once); parameters_by_name: with
    every name counted, as a naive sum would; nonzeros: of the unique ones; embedding_parameters: those of nn.Embedding and
    nn.EmbeddingBag, counted once, which weigh but do not compute; buffers: elements of unique buffer storage (running
    statistics), in none of the other counts.

    The 8-bit weights of torch.ao layers, which are no parameters of torch, are counted as they are stored, with their biases;
    one of them is zero where it equals its zero point. Scales and zero points are not counted.
    """
    named = list(module.named_parameters(remove_duplicate=False))
    tables = [m.weight for m in module.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    packed = {id(m): list(_packed(m)) for m in module.modules()}
    total, nonzero = _unique((*(p for _, p in named), *(t for held in packed.values() for t in held if not t.is_quantized)))
    small = [t for held in packed.values() for t in held if t.is_quantized]
    looked_up = [t for m in module.modules() if _is_packed_table(m) for one in m.modules() for t in packed[id(one)]]
    whole = sum(t.numel() for t in small)
    by_name = [t for m in _named_again(module) for t in packed[id(m)]]
    return {
        "parameters": total + whole,
        "parameters_by_name": sum(p.numel() for _, p in named) + sum(t.numel() for t in by_name),
        "nonzeros": nonzero + sum(int(torch.count_nonzero(t.dequantize())) for t in small),
        "embedding_parameters": _unique(tables)[0] + sum(t.numel() for t in looked_up),
        "buffers": _unique(module.buffers())[0],
    }


def _named_again(module: nn.Module) -> Iterator[nn.Module]:
    """Every submodule as often as it has a name."""
    return (m for _, m in module.named_modules(remove_duplicate=False))


def _packed(module: nn.Module) -> Iterator[torch.Tensor]:
    """What a module keeps outside of torch's parameters and buffers: it says so when it is asked for its own state."""
    held: dict[str, Any] = {}
    module._save_to_state_dict(held, "", True)
    known = {*module._parameters, *module._buffers, "_extra_state"}
    for name, value in held.items():
        if name not in known:
            yield from _tensors(value)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of more than one number inside of nested lists and torch's packed objects."""
    if isinstance(value, torch.Tensor):
        if value.ndim:
            yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, torch.ScriptObject):
        yield from _tensors(value.unpack() if hasattr(value, "unpack") else value.__getstate__())


def _is_packed_table(module: nn.Module) -> bool:
    kind = type(module)
    return kind.__module__.startswith("torch.ao.nn.quantized") and kind.__name__ in ("Embedding", "EmbeddingBag")


def _unique(tensors: Iterable[torch.Tensor]) -> tuple[int, int]:
    """(elements, non-zero elements) of the memory that the tensors cover, each place once."""
    covered: dict[tuple[int, torch.dtype], tuple[torch.Tensor, torch.Tensor]] = {}
    for tensor in tensors:
        value = tensor.detach()
        storage = value.untyped_storage()
        key = (storage.data_ptr(), value.dtype)
        if key not in covered:
            flat = torch.empty(0, dtype=value.dtype).set_(storage)
            covered[key] = (flat, torch.zeros(flat.numel(), dtype=torch.bool))
        covered[key][1].as_strided(value.size(), value.stride(), value.storage_offset()).fill_(True)
    total = sum(int(seen.sum()) for _, seen in covered.values())
    return total, sum(int(torch.count_nonzero(flat[seen])) for flat, seen in covered.values())


def cache_bytes(module: nn.Module, tokens: int = 8) -> float | None:
    """Bytes that a language model keeps in memory for each token of one row while it writes; None for one that keeps none.

    Asked of the model itself: the tensors of its memory after `tokens` tokens, shared ones once.
    """
    step = getattr(module, "step", None)
    if step is None:
        return None
    was = module.training
    with torch.no_grad():
        _, past = step(torch.zeros((1, tokens), dtype=torch.int64))
        module.train(was)
    held = {t.data_ptr(): t.numel() * t.element_size() for layer in past.layers for t in (layer.keys, layer.values)}
    return float(sum(held.values()) / tokens)
