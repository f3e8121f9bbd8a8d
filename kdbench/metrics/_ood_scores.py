"""Scores that tell in-distribution inputs from foreign ones. Higher is more in-distribution, for every one of them."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions

OF_LOGITS = ("max_logit", "energy")
"""Scores that need the logits themselves: probabilities know them only up to a constant for each example."""


def ood_score(predictions: Predictions, name: str) -> np.ndarray:
    """The score (n,) of each example, float64; only its order has a meaning.

    msp: as max_k p_k (Hendrycks and Gimpel 2017). max_logit: max_k z_k (Hendrycks et al. 2022). energy: logsumexp_k z_k, the
    negative of the free energy at temperature 1 (Liu et al. 2020). entropy: as sum_k p_k log p_k, minus the entropy.
    Rounded to 9 decimals, so that equal scores stay tied whatever the order of the classes. Raises NotApplicable for a score
    of logits where only probabilities are known (their energy is 0 for every input).
    """
    if name in OF_LOGITS and predictions.kind != "logits":
        raise NotApplicable(f"{name} needs logits; {predictions.kind} are known")
    found = {"msp": _msp, "max_logit": _max_logit, "energy": _energy, "entropy": _entropy}[name](predictions)
    return np.asarray(np.round(found, 9))


def _msp(predictions: Predictions) -> np.ndarray:
    """What ranks as the largest probability: its logarithm as given, or its log-odds, which do not tie where it rounds to 1."""
    z = predictions.logits.astype(np.float64)
    top = z.argmax(axis=1)
    rows = np.arange(len(z))
    largest = z[rows, top]
    if predictions.kind == "probabilities":
        return np.asarray(largest)
    z[rows, top] = -np.inf
    second = z.max(axis=1)
    z -= second[:, None]
    return np.asarray(largest - second - np.log(np.exp(z).sum(axis=1)))


def _max_logit(predictions: Predictions) -> np.ndarray:
    return np.asarray(predictions.logits.max(axis=1).astype(np.float64))


def _energy(predictions: Predictions) -> np.ndarray:
    z = predictions.logits.astype(np.float64)
    top = z.max(axis=1)
    return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(axis=1)))


def _entropy(predictions: Predictions) -> np.ndarray:
    """-log H: it ranks as -H does, and keeps its order where H is nearly 0."""
    entropy = -np.einsum("ik,ik->i", predictions.probability, predictions.log_probability)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(np.maximum(entropy, 0.0)))  # infinite where H is 0: the most certain of all
