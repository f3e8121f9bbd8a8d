"""Windows of tokens in a store, as the stage that makes them writes them."""

import itertools

import numpy as np

from kdbench.nouns import Job
from kdbench.stages import samples

VOCABULARY = 11
_numbers = itertools.count()


def windows(store, n=80, length=10, order=None, tokenizer="f" * 64):
    """Sequences 0 1 2 3 ... modulo 11 from a random start, with a digit that is wrong here and there; y is the next token."""
    rng = np.random.default_rng(0)
    stream = (rng.integers(0, VOCABULARY, n)[:, None] + np.arange(length + 1)) % VOCABULARY
    stream = np.where(rng.random(stream.shape) < 0.1, rng.integers(0, VOCABULARY, stream.shape), stream)
    split = np.repeat(np.array([0, 1, 2], np.int8), [int(n * 0.6), int(n * 0.2), n - int(n * 0.6) - int(n * 0.2)])
    ids = np.array([f"window-{i:04d}" for i in range(n)])
    if order is not None:
        stream, ids = stream[order], ids[order]
    more = {"bytes": np.full(n, 3 * length, np.int64)}
    rows = samples.Rows({"tokens": stream[:, :-1]}, stream[:, 1:].copy(), ids, {}, None, more)
    meta = {
        "kind": "tokens", "answer": "next", "classes": [], "positive": None, "columns": {}, "levels": [VOCABULARY], "padding": 0,
        "tokenizer": tokenizer, "prepare": {}, "licence": "", "source": "made for a test", "notes": [],
    }  # fmt: skip
    job = Job("data", {"made": next(_numbers), "content": samples.content(rows, split, [])})
    with store.write(job) as draft:
        samples.write(draft, rows, split, meta)
    return store.open(job.key)
