"""Let a causal language model write: tokens drawn from the distribution that it gives, and from no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kdbench.nouns import Refusal


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. temperature: of the softmax, 0 for the likeliest token; top_k: only among so many likeliest, 0 for
    all; top_p: only among the likeliest tokens that together reach this probability. stop: the token that ends a row, None for
    none; what would follow it is `padding`.

    The defaults draw from the model itself. (Generation elsewhere may cut to 50 tokens where nobody asked for it.)
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: int | None = None
    padding: int = 0

    def __post_init__(self) -> None:
        """Raises Refusal for numbers that no distribution has."""
        if not (self.temperature >= 0 and self.top_k >= 0 and 0 < self.top_p <= 1):
            raise Refusal(
                f"sampling: temperature {self.temperature}, top_k {self.top_k}, top_p {self.top_p} "
                "(allowed: temperature 0 or more, top_k 0 or more, top_p above 0 up to 1)"
            )


def sample(
    module: nn.Module,
    prompts: torch.Tensor,
    new_tokens: int,
    generator: torch.Generator | None = None,
    how: Sampling = Sampling(),
) -> torch.Tensor:
    """The prompts int64 (b, length), all of one length, with `new_tokens` more: (b, length + new_tokens).

    module: tokens (b, length) -> logits (b, length, vocabulary); one with `step(tokens, past) -> (logits of the last position,
    past)` remembers what it has read, another reads everything again for each token. Asked in eval mode and without
    gradients, and left in the mode that it was in. generator: where the random numbers come from; the same state gives the same
    tokens. Raises Refusal for empty prompts and for logits that are not finite.
    """
    if prompts.ndim != 2 or not prompts.shape[1]:
        raise Refusal(f"sampling: prompts must be rows of one or more tokens, not of shape {tuple(prompts.shape)}")
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            return _written(_reader(module), prompts, new_tokens, generator, how)
    finally:
        module.train(was)


def _written(
    read: Callable[..., tuple[torch.Tensor, Any]],
    prompts: torch.Tensor,
    new_tokens: int,
    generator: torch.Generator | None,
    how: Sampling,
) -> torch.Tensor:
    n, length = prompts.shape
    tokens = torch.cat([prompts, prompts.new_full((n, new_tokens), how.padding)], 1)
    going = torch.ones(n, dtype=torch.bool)
    past: Any = None
    for at in range(length, length + new_tokens):
        logits, past = read(tokens[:, :at], past)
        chosen = choose(logits, how, generator)
        tokens[going, at] = chosen[going]  # a row that has ended still draws, so that no row depends on another's end
        if how.stop is not None:
            going &= chosen != how.stop
            if not bool(going.any()):
                break
    return tokens


def _reader(module: nn.Module) -> Callable[..., tuple[torch.Tensor, Any]]:
    step = getattr(module, "step", None)
    if step is None:
        return lambda tokens, _past: (module(tokens)[:, -1], None)
    return lambda tokens, past: step(tokens if past is None else tokens[:, -1:], past)


def choose(logits: torch.Tensor, how: Sampling, generator: torch.Generator | None = None) -> torch.Tensor:
    """One token of each row of logits (b, vocabulary), int64 (b,): the first of the largest at temperature 0, else drawn, in
    float64, by where a uniform number falls among the summed probabilities. Raises Refusal for logits that are not finite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise Refusal("sampling: the model gives logits that are not finite")
    if how.temperature == 0:
        return logits.argmax(-1)
    p = torch.softmax(logits.double() / how.temperature, -1)
    if 0 < how.top_k < p.shape[-1] or how.top_p < 1:
        p = _cut(p, how)
    edges = p.cumsum(-1)
    place = torch.rand((len(p), 1), generator=generator, dtype=torch.float64) * edges[:, -1:]
    return torch.searchsorted(edges, place, right=True).squeeze(1).clamp_(max=p.shape[-1] - 1)


def _cut(p: torch.Tensor, how: Sampling) -> torch.Tensor:
    """Zero but for the likeliest `top_k`, and of these but for the fewest that reach `top_p` (of all, as given)."""
    ranked, order = p.sort(dim=-1, descending=True, stable=True)
    kept = torch.ones_like(ranked, dtype=torch.bool)
    if how.top_k:
        kept[:, how.top_k :] = False
    kept &= ranked.cumsum(-1) - ranked < how.top_p
    return torch.zeros_like(p).scatter_(-1, order, ranked * kept)
