"""Texts of one label come near to each other, and all other texts of the batch are kept away."""

from __future__ import annotations

import torch

from kdbench import Batch, Outputs, Positive, Refusal, method

from ._vectors import cosines, others


@method(recipe={"contrastive": 1.0}, across=True, paper="Khosla et al. 2020, Supervised Contrastive Learning, equation 2 (L_out)")
def contrastive(student: Outputs, batch: Batch, *, temperature: Positive = 0.05) -> torch.Tensor:
    """L = mean over i of -1/|P(i)| sum_(p in P(i)) log(exp(c_ip / T) / sum_(a != i) exp(c_ia / T)), c the cosines of a batch and
    P(i) the other texts of i's label.

    Conventions. The mean over positives stands outside the logarithm (L_out, the better of the paper's two). Texts without a
    label (-1) and texts without another one of their label are no anchors, but stand in every denominator; the mean is over the
    anchors, and a batch without one gives 0; one without any label is refused. Where each label stands twice in a batch this is
    InfoNCE with in-batch negatives (van den Oord et al. 2018; NT-Xent). T = 0.05 as in SimCSE and in
    sentence-transformers (scale 20); the paper has 0.1 for images, and multiplies its loss by T, which is not done here.
    """
    e, y = student.logits, batch.y
    if e.ndim != 2 or y.ndim != 1:
        raise Refusal(
            f"contrastive: outputs of shape {tuple(e.shape)} and labels {tuple(y.shape)}: one vector and label for each"
        )
    if not (y >= 0).any():
        raise Refusal(
            "contrastive: no text of this batch has a label, so nothing says which belong together (choose data with labels)"
        )
    apart = others(e)
    positive = (y[:, None] == y) & (y >= 0) & apart
    count = positive.sum(dim=1)
    log_p = (cosines(e) / temperature).masked_fill(~apart, torch.finfo(e.dtype).min).log_softmax(dim=1)
    of_anchor = -log_p.masked_fill(~positive, 0.0).sum(dim=1) / count.clamp(min=1)
    return of_anchor.sum() / (count > 0).sum().clamp(min=1)
