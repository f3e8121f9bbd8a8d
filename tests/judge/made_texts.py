"""Texts that a model wrote, made for a test: predictions of them, and what a metric of texts may ask for."""

import numpy as np

from kdbench import ALTERNATIVE, Predictions

WORDS = """the a cat sat on mat , . 3.5 x-ray Straße 12-13 café it's e.g. U.S. (really) 42% -5 dogs & ran <b> naïve 中文 "so" """
WORDS = WORDS.split()


def texts(written, references):
    """References: text, or a tuple of alternatives."""
    joined = [ALTERNATIVE.join(r) if isinstance(r, tuple) else r for r in references]
    n = len(written)
    columns = {"text": np.array(written, dtype=object), "reference": np.array(joined, dtype=object)}
    ids = np.array([f"r{i}" for i in range(n)])
    return Predictions(ids, np.full(n, -1), np.zeros((n, 0)), np.zeros(n, int), kind="texts", columns=columns)


def drawn(n, seed, several=1):
    """Sentences of odd words, and references that are like them."""
    rng = np.random.default_rng(seed)
    written, references = [], []
    for _ in range(n):
        words = list(rng.choice(WORDS, rng.integers(1, 14)))
        written.append(" ".join(words))
        made = []
        for _ in range(several):
            other = [w if rng.random() < 0.7 else str(rng.choice(WORDS)) for w in words if rng.random() < 0.9] or ["cat"]
            made.append(" ".join(other))
        references.append(tuple(made))
    return written, references


def evidence(n, skill, rng):
    """What a metric of texts may ask for: of all skill the references themselves, of none other sentences."""
    sentences = [" ".join(rng.choice(WORDS, rng.integers(5, 14))) for _ in range(2 * n)]
    keep = rng.random((2, n)) < (0.2 if skill < 0 else 0.6 if np.isfinite(skill) else 2)
    kinds = [[sentences[i] if k else sentences[n + i] for i, k in enumerate(row)] for row in keep]
    return {name: texts(written, sentences[:n]) for name, written in zip(("predictions", "teacher"), kinds, strict=True)}
