"""DistilBERT's cosine term: hidden states point the same way."""

from __future__ import annotations

import torch
from torch.nn import functional

from kdbench import Batch, Outputs, Refusal, method

from ._encoders import hidden, mean_over_tokens


@method(
    recipe={"kd": {"weight": 5.0, "temperature": 2.0}, "ce": 2.0, "hidden_cosine": 1.0},
    taps=True,
    paper="Sanh et al. 2019, DistilBERT, section 2 (L_cos; weights and temperature of the authors' script)",
)
def hidden_cosine(student: Outputs, teacher: Outputs, batch: Batch) -> torch.Tensor:
    """L = mean over tokens of 1 - cos(h_s, h_t), with h what leaves the last layer of each network.

    Conventions. Mean over the tokens of an example, then over examples (the authors' code pools the tokens of a batch); where a
    token is predicted at each position, over all positions with a label. Padding never counts. Networks must be equally wide,
    as in the paper. The recipe is its triple loss, 5 : 2 : 1 as in the first command of the authors' readme (the one for several
    GPUs has equal weights) and T = 2, their script's default; the second term is masked language modelling there, and
    cross-entropy with the labels of the task here.
    """
    h_s, h_t = (hidden("hidden_cosine", outputs.taps, who)[-1] for outputs, who in ((student, "student"), (teacher, "teacher")))
    if h_s.shape != h_t.shape or h_s.ndim != 3:
        shapes = f"{tuple(h_s.shape[1:])} and {tuple(h_t.shape[1:])}"
        raise Refusal(f"hidden_cosine: hidden states of shapes {shapes}; the paper's are (length, width), equally wide")
    return mean_over_tokens(1 - functional.cosine_similarity(h_s, h_t, dim=-1), batch)
