"""Divergences between what two networks say, with their gradients, position by position. Shared by the terms on tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from kdbench import IGNORED, Batch, Outputs, Refusal

Rule: TypeAlias = Callable[..., tuple[torch.Tensor, torch.Tensor]]
"""(log p_s (k, V), further tensors of k rows) -> the divergence of each row (k,), and its gradient (k, V) with respect to the
student's logits."""

STEP = 2**17
"""Numbers that are worked on at once: they stay in the processor's cache."""


def mean(student: Outputs, batch: Batch, rule: Rule, *beside: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """The mean of a rule over the examples, or over all positions of the batch whose label is not -100; times T^2.

    beside: tensors of the shape of the student's logits but for their last axis. Only one more tensor of the size of the
    logits is made: the gradient, a few rows at a time. Raises Refusal where the vocabularies or the positions differ.
    """
    z = student.logits
    if any(one.shape[:-1] != z.shape[:-1] for one in beside):
        raise Refusal(f"student and teacher differ in their positions: {tuple(z.shape[:-1])} and {tuple(beside[0].shape[:-1])}")
    rows = (batch.y != IGNORED).flatten().nonzero().squeeze(1) if z.ndim == 3 else torch.arange(len(z))
    flat = [one.reshape(-1, one.shape[-1]) for one in (z, *beside)]
    value: torch.Tensor = _Mean.apply(flat[0], flat[1:], rows, rule, temperature)  # type: ignore[no-untyped-call]
    return temperature**2 * value


def between(student: Outputs, teacher: Outputs, batch: Batch, rule: Rule, temperature: float) -> torch.Tensor:
    """As `mean`, for a rule of log p_s and log p_t, both softened by T."""
    if student.logits.shape[-1] != teacher.logits.shape[-1]:
        sizes = f"{student.logits.shape[-1]} and {teacher.logits.shape[-1]}"
        raise Refusal(f"student and teacher differ in the size of their vocabulary: {sizes}")

    def softened(log_p: torch.Tensor, z_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return rule(log_p, torch.log_softmax(z_t if temperature == 1 else z_t / temperature, -1))

    return mean(student, batch, softened, teacher.logits, temperature=temperature)


class _Mean(torch.autograd.Function):
    """Value and gradient in one go. A row that does not count has no gradient."""

    @staticmethod
    def forward(
        ctx: Any, z: torch.Tensor, beside: list[torch.Tensor], rows: torch.Tensor, rule: Rule, temperature: float
    ) -> torch.Tensor:
        whole = len(rows) == len(z)
        gradient = torch.empty_like(z) if whole else torch.zeros_like(z)
        total = torch.zeros((), dtype=torch.float64)
        for part in torch.split(rows, max(1, STEP // z.shape[-1])):
            mine = slice(int(part[0]), int(part[-1]) + 1) if whole else part
            taken = z[mine] if temperature == 1 else z[mine] / temperature
            value, slope = rule(torch.log_softmax(taken, -1), *(one[mine] for one in beside))
            total += value.sum(dtype=torch.float64)
            gradient[mine] = slope
        ctx.gradient, ctx.scale = gradient, 1.0 / (temperature * max(1, len(rows)))
        return (total / max(1, len(rows))).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return ctx.gradient * (above[0] * ctx.scale), None, None, None, None


def forward_kl(log_p_s: torch.Tensor, log_p_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """KL(p_t || p_s); its gradient is p_s - p_t."""
    p_t = log_p_t.exp()
    return (p_t * (log_p_t - log_p_s)).sum(-1), log_p_s.exp().sub_(p_t)


def reverse_kl(log_p_s: torch.Tensor, log_p_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """KL(p_s || p_t)."""
    return _through(log_p_s.exp(), log_p_s - log_p_t, 1.0)


def mixed(beta: float) -> Rule:
    """The sum b KL(p_t || m) + (1 - b) KL(p_s || m), m = b p_t + (1 - b) p_s, 0 < b < 1."""

    def rule(log_p_s: torch.Tensor, log_p_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        p_s, p_t = log_p_s.exp(), log_p_t.exp()
        log_m = _log(beta * p_t + (1 - beta) * p_s)
        value, slope = _through(p_s, log_p_s - log_m, 1 - beta)  # what moves with m itself cancels between the two sums
        return value + beta * (p_t * (log_p_t - log_m)).sum(-1), slope

    return rule


def skewed_forward(skew: float) -> Rule:
    """KL(p_t || m), m = l p_t + (1 - l) p_s."""

    def rule(log_p_s: torch.Tensor, log_p_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        p_s, p_t = log_p_s.exp(), log_p_t.exp()
        m = (skew * p_t + (1 - skew) * p_s).clamp_min_(TINY)
        slope = p_t / m * (skew - 1)
        return (p_t * (log_p_t - m.log())).sum(-1), p_s * (slope - (p_s * slope).sum(-1, keepdim=True))

    return rule


def skewed_reverse(skew: float) -> Rule:
    """KL(p_s || m), m = (1 - l) p_t + l p_s."""

    def rule(log_p_s: torch.Tensor, log_p_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        p_s, p_t = log_p_s.exp(), log_p_t.exp()
        m = (skew * p_s + (1 - skew) * p_t).clamp_min_(TINY)
        apart = log_p_s - m.log()
        slope = apart - skew * p_s / m
        return (p_s * apart).sum(-1), p_s * (slope - (p_s * slope).sum(-1, keepdim=True))

    return rule


def bucketed(
    log_p_s: torch.Tensor, log_q: torch.Tensor, ids: torch.Tensor, rest: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """KL over the k tokens `ids` (n, k) of log-probability `log_q` and one outcome that holds all others, `rest` (n, 1)."""
    rest_t, q = rest.exp(), log_q.exp()
    q = q * ((1 - rest_t) / q.sum(-1, keepdim=True))  # they were rounded one by one
    others = log_p_s.exp().scatter_(-1, ids, 0.0)
    rest_s = others.sum(-1, keepdim=True).clamp_min_(TINY)
    top = log_p_s.gather(-1, ids)
    tail = torch.xlogy(rest_t, rest_t) - rest_t * rest_s.log()
    value = (torch.xlogy(q, q) - q * top).sum(-1) + tail.squeeze(-1)
    return value, others.mul_(1 - rest_t / rest_s).scatter_(-1, ids, top.exp() - q)


def truncated(
    log_p_s: torch.Tensor, log_q: torch.Tensor, ids: torch.Tensor, rest: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The part of KL that the k tokens `ids` (n, k) have."""
    del rest
    q, top = log_q.exp(), log_p_s.gather(-1, ids)
    covered = q.sum(-1, keepdim=True)
    return (q * (log_q - top)).sum(-1), log_p_s.exp().mul_(covered).scatter_(-1, ids, top.exp() * covered - q)


def conditional(
    log_p_s: torch.Tensor, log_q: torch.Tensor, ids: torch.Tensor, rest: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """KL between both, given that the token is one of the k `ids` (n, k)."""
    del rest
    log_t, log_s = log_q.log_softmax(-1), log_p_s.gather(-1, ids).log_softmax(-1)
    slope = torch.zeros_like(log_p_s).scatter_(-1, ids, log_s.exp() - log_t.exp())
    return (log_t.exp() * (log_t - log_s)).sum(-1), slope


TINY = torch.finfo(torch.float32).tiny
"""Where both probabilities round to nothing their mean has no logarithm, and they add nothing."""


def _log(m: torch.Tensor) -> torch.Tensor:
    return m.clamp_min_(TINY).log_()


def _through(p_s: torch.Tensor, apart: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum factor * sum p_s apart, and its gradient where `apart` itself adds none: factor p_s (apart - sum p_s apart)."""
    value = (p_s * apart).sum(-1)
    return factor * value, apart.sub_(value[:, None]).mul_(p_s).mul_(factor)
