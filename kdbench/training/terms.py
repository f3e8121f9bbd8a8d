"""The loss of a fit: a weighted sum of method plugins, each called with the evidence that it asks for by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kdbench.nouns import Json, Params, Refusal, Term
from kdbench.registry import Plugins, nearest
from kdbench.training.schedules import active, is_schedule, progress_at, value_at

EVIDENCE = ("student", "teacher", "batch", "state", "peer", "previous", "top_k")
"""What a method may ask for: outputs of the student, of the teacher, of the other student of the cohort (detached), of the
student as it was at the end of the epoch before (its first weights in the first epoch); the batch; its own state module; and
what was recorded of the teacher's k likeliest tokens, k being its parameter `k`."""


@dataclass(frozen=True, slots=True)
class LossTerm:
    """One loaded term. state: the companion function that makes its module, where the method has one."""

    name: str
    function: Callable[..., Any]
    evidence: tuple[str, ...]
    params: Params
    weight: Json
    start: float
    stop: float
    taps: bool
    state: Callable[..., nn.Module] | None
    inner: bool = False
    across: bool = False


def load_terms(plugins: Plugins, terms: Sequence[Term]) -> tuple[LossTerm, ...]:
    """Import the methods of a fit. Raises Refusal for evidence that no fit has and for two terms of one method."""
    loaded: list[LossTerm] = []
    for term in terms:
        name = term.method.name
        described = plugins.get("method", name)
        for asked in described.evidence:
            if asked not in EVIDENCE:
                raise Refusal(f"method {name!r} asks for {asked!r}, which no fit has{nearest(asked, EVIDENCE)}")
        if any(name == other.name for other in loaded):
            raise Refusal(f"method {name!r} stands twice in one fit; give it one weight, which may be a schedule")
        plugin, module = plugins.load("method", name)
        state = getattr(module, "state", None) if "state" in described.evidence else None
        if "state" in described.evidence and not callable(state):
            raise Refusal(f"method {name!r} asks for its state, but its file has no function `state(shapes, n_train)`")
        taps, inner, across = (bool(described.facts.get(fact)) for fact in ("taps", "inner", "across"))
        when = (term.weight, term.start, term.stop)
        loaded.append(LossTerm(name, plugin, described.evidence, term.method.params, *when, taps, state, inner, across))
    if not loaded:
        raise Refusal("a fit needs at least one loss term, e.g. `ce: 1`")
    return tuple(loaded)


def asks(terms: Sequence[LossTerm], evidence: str) -> bool:
    """Whether some term asks for this evidence."""
    return any(evidence in term.evidence for term in terms)


def check_always_active(terms: Sequence[LossTerm], steps: int) -> None:
    """Raises Refusal where some step of the fit would have no loss at all."""
    for step in range(steps):
        if not any(active(term.start, term.stop, step, steps) for term in terms):
            raise Refusal(f"no loss term is active at {step / steps:.0%} of training; widen a term's start and stop")


def make_state(term: LossTerm, shapes: Mapping[str, Any], n_train: int, seed: int) -> nn.Module | None:
    """The module of a term, initialised from its own stream; None for a term without one.

    Parameters of the method that `state` names as keyword-only arguments are handed to it; a schedule cannot shape a module.
    """
    if term.state is None:
        return None
    wanted = [p.name for p in inspect.signature(term.state).parameters.values() if p.kind is p.KEYWORD_ONLY]
    given = {name: term.params[name] for name in wanted if name in term.params}
    for name, value in given.items():
        if is_schedule(value):
            raise Refusal(f"method {term.name!r}: {name!r} shapes its state, so it cannot be a schedule")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = term.state(shapes, n_train, **given)
    if not isinstance(module, nn.Module):
        raise Refusal(f"method {term.name!r}: `state` gives {type(module).__name__}, not a torch module")
    return module


def total(
    terms: Sequence[LossTerm], evidence: Mapping[str, Any], states: Mapping[str, nn.Module], step: int, steps: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The weighted sum of the terms that are active at this step, and each of them unweighted (detached).

    Raises Refusal for a term that gives no scalar.
    """
    progress = progress_at(step, steps)
    whole: torch.Tensor | None = None
    parts: dict[str, torch.Tensor] = {}
    for term in terms:
        if not active(term.start, term.stop, step, steps):
            continue
        held = {**evidence, "state": states.get(term.name)}
        params = {name: value_at(value, progress) for name, value in term.params.items()}
        loss = term.function(*(held[name] for name in term.evidence), **params)
        if not isinstance(loss, torch.Tensor) or loss.ndim != 0:
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise Refusal(f"method {term.name!r} must give a scalar tensor, not {found}")
        parts[term.name] = loss.detach()
        weighted = float(value_at(term.weight, progress)) * loss
        whole = weighted if whole is None else whole + weighted
    if whole is None or not whole.requires_grad:
        raise Refusal(f"no loss term gives the student a gradient at step {step + 1} (terms: {', '.join(parts) or 'none'})")
    return whole, parts
