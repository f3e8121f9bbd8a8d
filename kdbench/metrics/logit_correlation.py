"""Correlation of the student's logits with the teacher's, example by example."""

from __future__ import annotations

import numpy as np

from kdbench import Cells, Predictions, metric

from ._fourfold import ratio


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    unit="correlation",
    axis="fidelity",
    title="Correlation of logits",
    convention="Pearson's r between the K logits of one example, then the mean over examples (not r over all logits at once, "
    "not ranks); examples with constant logits on either side have no r and are left out; with two classes r is +1 or -1",
    undefined="no example has logits that vary on both sides",
    equation="mean over i of sum_k (z_S,ik - mean z_S,i)(z_T,ik - mean z_T,i) / (K sd(z_S,i) sd(z_T,i))",
    source="Huang et al. 2022, Knowledge distillation from a stronger teacher (DIST)",
    reads="logits",
)
def logit_correlation(predictions: Predictions, teacher: Predictions) -> Cells:
    """One cell that holds the examples with a correlation, and the correlation as its value, (n,)."""
    classes = predictions.logits.shape[1]
    ours, theirs = _shifted(predictions.logits), _shifted(teacher.logits)
    of_ours, of_theirs = (np.einsum("nk->n", z) for z in (ours, theirs))
    product = np.einsum("nk,nk->n", ours, theirs) - of_ours * of_theirs / classes
    own = np.einsum("nk,nk->n", ours, ours) - of_ours**2 / classes
    other = np.einsum("nk,nk->n", theirs, theirs) - of_theirs**2 / classes
    known = (own > 0) & (other > 0)
    r = np.zeros(len(known))
    np.divide(product, np.sqrt(own) * np.sqrt(other), out=r, where=known)
    return Cells(np.where(known, 0, -1), 1, (np.clip(r, -1.0, 1.0),))


def finish(means: np.ndarray) -> np.ndarray:
    """(..., 2) to (...): the mean correlation of the examples that have one."""
    return ratio(means[..., 1], means[..., 0])


def note(predictions: Predictions, teacher: Predictions) -> str:
    """How many examples were left out."""
    constant = (np.ptp(predictions.logits, axis=1) == 0) | (np.ptp(teacher.logits, axis=1) == 0)
    count = int(constant.sum())
    return f"{count} of {len(constant)} examples have constant logits: left out" if count else ""


def _shifted(logits: np.ndarray) -> np.ndarray:
    """Float64 (n, K), the first logit of each row taken from all: r stays, and a constant row becomes exactly 0.

    With a 0 in the row, sum z^2 - (sum z)^2 / K is never less than sum z^2 / K: at most the factor K is lost to cancellation.
    """
    z = logits.astype(np.float64)
    z -= z[:, :1].copy()
    return z
