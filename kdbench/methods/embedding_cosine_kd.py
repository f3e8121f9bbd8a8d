"""The student's vector of a text is turned into the direction of the teacher's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from kdbench import Outputs, method

from ._vectors import mapped


@method(
    recipe={"embedding_cosine_kd": 1.0},
    paper="Sanh et al. 2019, DistilBERT, section 2 (L_cos, there on hidden states)",
)
def embedding_cosine_kd(student: Outputs, teacher: Outputs, state: nn.Module) -> torch.Tensor:
    """L = mean over i of 1 - cos(W e_s,i, e_t,i), with e the vector of a text.

    Conventions. Of the vectors that the model gives, one for each text; DistilBERT's is over all tokens. The length of a vector
    does not count. W as in embedding_mse. A vector of zeros has cosine 0.
    """
    return (1.0 - functional.cosine_similarity(state(student.logits), teacher.logits, dim=-1)).mean()


def state(shapes: Mapping[str, Mapping[str, tuple[int, ...]]], n_train: int) -> nn.Module:
    """W."""
    return mapped("embedding_cosine_kd", shapes)
