"""TinyBERT: embeddings, hidden states and attention scores, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from kdbench import Batch, Outputs, Refusal, method

from ._encoders import comparable, hidden, layer_map, mean_over_tokens, projections, scores


@method(
    recipe={
        "tinybert": {"weight": 1.0, "stop": 0.5},
        "kd": {"weight": 1.0, "temperature": 1.0, "start": 0.5},
    },
    taps=True,
    inner=True,
    paper="Jiao et al. 2020, TinyBERT: Distilling BERT for Natural Language Understanding, equations 7 to 9 and 11",
)
def tinybert(
    student: Outputs, teacher: Outputs, batch: Batch, state: nn.ModuleDict, *, layers: list[int] | None = None
) -> torch.Tensor:
    """L = MSE(E_s W_e, E_t) + sum_m [MSE(H_s,m W_h, H_t,g(m)) + mean over heads of MSE(A_s,m, A_t,g(m))], with E the embeddings,
    H_m the hidden states after layer m and A_m = Q K^T / sqrt(d), attention before its softmax.

    Conventions. layers: g(m) for each layer of the student, 1 is the teacher's first; by default m N / M (rounded down), the
    paper's uniform map. MSE: mean over the dimensions, or over pairs of tokens, of an example, then over examples; padding never
    counts (the authors' code sets scores at padding to 0 and divides by them, too). W_e and W_h have no bias, are trained with
    the student and dropped. Equally many heads, as in the paper. The recipe is its two stages: this alone, then the teacher's
    soft labels at T = 1, without the true ones; the paper gives the second 3 of 23 epochs (of 13 on the largest tasks) with a
    learning rate of its own, under one falling schedule it gets half.
    """
    e = mean_over_tokens((state["embedding"](_first(student)) - _first(teacher)).square().mean(-1), batch)
    h_s, h_t = hidden("tinybert", student.taps, "student"), hidden("tinybert", teacher.taps, "teacher")
    a_s, a_t = _scores(student, "student", len(h_s)), _scores(teacher, "teacher", len(h_t))
    total = e
    for m, g in enumerate(layer_map("tinybert", layers, len(h_s), len(h_t))):
        total = total + mean_over_tokens((state["hidden"](h_s[m]) - h_t[g - 1]).square().mean(-1), batch)
        total = total + _pairs(a_s[m], a_t[g - 1], batch)
    return total


def state(shapes: Mapping[str, Mapping[str, tuple[int, ...]]], n_train: int) -> nn.ModuleDict:
    """W_e and W_h."""
    widths = [[size[-1] for size in shapes[who].values()][:2] for who in ("student", "teacher")]
    if any(len(width) < 2 for width in widths):
        raise Refusal("tinybert: student and teacher need taps for their embeddings and for each layer")
    (e_s, h_s), (e_t, h_t) = widths
    return nn.ModuleDict({"embedding": nn.Linear(e_s, e_t, bias=False), "hidden": nn.Linear(h_s, h_t, bias=False)})


def _first(outputs: Outputs) -> torch.Tensor:
    return next(iter(outputs.taps.values()))


def _scores(outputs: Outputs, who: str, layers: int) -> list[torch.Tensor]:
    found = [projections("tinybert", outputs, role, who) for role in ("query", "key")]
    if len(found[0]) != layers:
        raise Refusal(f"tinybert: the {who} has {layers} layers, but {len(found[0])} with attention")
    return [scores(q, k) for q, k in zip(*found, strict=True)]


def _pairs(a_s: torch.Tensor, a_t: torch.Tensor, batch: Batch) -> torch.Tensor:
    comparable("tinybert", a_s, a_t, batch)
    gaps = (a_s - a_t).square().mean(1)
    if batch.mask is None:
        return gaps.mean()
    keys = batch.mask[:, None, :]
    return mean_over_tokens((gaps * keys).sum(-1) / keys.sum(-1).clamp(min=1), batch)
