"""The student's vector of a text is pulled to the teacher's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from kdbench import Outputs, method

from ._vectors import mapped


@method(
    recipe={"embedding_mse": 1.0},
    paper="Reimers & Gurevych 2020, Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
)
def embedding_mse(student: Outputs, teacher: Outputs, state: nn.Module) -> torch.Tensor:
    """L = mean over i and d of (W e_s,i - e_t,i)^2, with e the vector of a text, not normalised.

    Conventions. The mean is over examples and dimensions (the authors' MSELoss in sentence-transformers; a sum over dimensions
    is d times as large). W is the identity where the widths agree; else linear without a bias, trained with the student and
    dropped at the end: the student then has the teacher's geometry up to that map, and is compared by its own
    (sentence-transformers shortens the teacher by principal components instead). No labels.
    """
    return functional.mse_loss(state(student.logits), teacher.logits)


def state(shapes: Mapping[str, Mapping[str, tuple[int, ...]]], n_train: int) -> nn.Module:
    """W."""
    return mapped("embedding_mse", shapes)
