"""Symmetric, bounded divergence between the probabilities of student and teacher (Lin 1991)."""

from __future__ import annotations

import numpy as np

from kdbench import Predictions, metric


@metric(
    better="lower",
    unit="nats",
    low=0.0,
    high=0.6931471805599453,
    axis="fidelity",
    title="Jensen-Shannon divergence",
    convention="the divergence, not its square root (scipy's jensenshannon is the distance); natural logarithm, "
    "equal weights, at most ln 2; mean over examples",
    equation="1/n sum_i (KL(p_T || m) + KL(p_S || m)) / 2, m = (p_T + p_S) / 2",
    source="Lin 1991, Divergence measures based on the Shannon entropy",
    reads="probabilities",
)
def jensen_shannon_divergence(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """(KL(p_T || m) + KL(p_S || m)) / 2, (n,)."""
    middle = predictions.probability + teacher.probability
    middle /= 2.0
    np.maximum(middle, np.finfo(np.float64).tiny, out=middle)  # where both are 0 they add nothing
    np.log(middle, out=middle)
    found = np.zeros(len(middle))
    for of in (predictions, teacher):
        found += np.einsum("nk,nk->n", of.probability, of.log_probability - middle)
    return np.clip(found / 2.0, 0.0, np.log(2.0))  # rounding can leave -1e-17
