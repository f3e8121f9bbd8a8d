"""What lm-eval stores of the documents of a task, made up: an accuracy and a perplexity."""

import numpy as np

from kdbench import Predictions


def evidence(n, skill, rng):
    """Answers that are right the more often, and words the likelier, the more skill; infinite skill knows them."""
    right = rng.random(n) < 1 / (1 + np.exp(-skill))
    word = np.zeros(n) if np.isinf(skill) else -rng.gamma(2.0, np.exp(-skill / 2), n)
    columns = {"lm_eval.acc:mean:higher": right.astype(float), "lm_eval.perplexity:perplexity:lower": word}
    ids, none = np.array([f"r{i}" for i in range(n)]), np.zeros(n, int)
    return {"predictions": Predictions(ids, none - 1, np.zeros((n, 0)), none, kind="tokens", columns=columns)}
