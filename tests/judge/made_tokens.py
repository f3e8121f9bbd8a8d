"""What a language model said of the tokens of some texts, made up token by token."""

import numpy as np

from kdbench import Predictions

VOCABULARY = 30


def distributions(m, skill, rng):
    """Probabilities (m, V) and the tokens that came, likelier the more skill; infinite skill knows them."""
    token = rng.integers(0, VOCABULARY, m)
    if np.isinf(skill):
        return np.eye(VOCABULARY)[token], token
    z = rng.normal(size=(m, VOCABULARY)) + skill * np.eye(VOCABULARY)[token]
    p = np.exp(z)
    return p / p.sum(1, keepdims=True), token


def columns(p, token, row, n, teacher=None):
    """The columns of n texts; row (m,): which text a token is of."""
    m, every = len(token), np.arange(len(token))

    def summed(value):
        return np.bincount(row, value, n)

    log_p = np.log(np.maximum(p, 1e-300))
    confidence, right = p.max(1), (p.argmax(1) == token).astype(float)
    cell = row * 15 + np.maximum(np.ceil(confidence * 15 - 1e-12).astype(int) - 1, 0)
    found = {
        "tokens": summed(np.ones(m)), "bytes": 3.0 * summed(np.ones(m)) + 1.0, "nll": -summed(log_p[every, token]),
        "right": summed(right), "entropy": -summed((p * log_p).sum(1)),
        "bin_count": np.bincount(cell, minlength=n * 15).reshape(n, 15).astype(float),
        "bin_confidence": np.bincount(cell, confidence, n * 15).reshape(n, 15),
        "bin_right": np.bincount(cell, right, n * 15).reshape(n, 15),
    }  # fmt: skip
    if teacher is not None:
        log_t = np.log(np.maximum(teacher, 1e-300))
        found["kl"] = summed((teacher * (log_t - log_p)).sum(1))
        found["reverse_kl"] = summed((p * (log_p - log_t)).sum(1))
        found["agree"] = summed((teacher.argmax(1) == p.argmax(1)).astype(float))
        found["teacher_nll"] = -summed(log_t[every, token])
    return found


def said(of, ids=None):
    """Predictions of kind "tokens" with these columns."""
    n = len(of["tokens"])
    ids = np.array([f"text {i}" for i in range(n)]) if ids is None else ids
    nothing = np.full(n, -1)
    return Predictions(ids, nothing, np.zeros((n, 0)), np.zeros(n, np.int64), (), None, "tokens", of)


def evidence(n, skill, rng):
    """Predictions of n texts of 1 to 12 tokens; the teacher of a perfect model is itself."""
    row = np.repeat(np.arange(n), rng.integers(1, 13, n))
    p, token = distributions(len(row), skill, rng)
    teacher = p if np.isinf(skill) else distributions(len(row), 3.0, rng)[0]
    return {"predictions": said(columns(p, token, row, n, teacher))}
