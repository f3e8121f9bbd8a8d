"""Entries of a store, written by hand, so that a fit can be run alone."""

import itertools

import numpy as np
import torch

from kdbench.nouns import Job, Train, plain
from kdbench.stages import Place, fit, load, outputs, samples
from kdbench.store import Store

STAGES = {"fit": fit, "outputs": outputs, "load": load}
_numbers = itertools.count()


def place(root, plugins):
    torch.set_num_threads(1)
    return Place(plugins, Store(root))


def write_samples(store, kind, x, y, share=(0.6, 0.2), classes=(), levels=(), prepare=None, more=None):
    """A SAMPLES entry as the data stage writes it: the first rows train, then validation, then test."""
    n = len(y)
    split = np.full(n, 2, np.int8)
    split[: int(n * (share[0] + share[1]))] = 1
    split[: int(n * share[0])] = 0
    ids = np.array([f"row-{i:05d}" for i in range(n)])
    rows = samples.Rows(x, np.asarray(y, np.int64), ids, {})
    meta = {
        "kind": kind,
        "classes": list(classes) or [str(c) for c in range(int(np.max(y)) + 1)],
        "positive": None,
        "columns": {"numeric": [], "categorical": []},
        "levels": list(levels),
        "prepare": prepare or {},
        "licence": "",
        "source": "made for a test",
        "notes": [],
        **(more or {}),
    }
    job = Job("data", {"made": next(_numbers), "content": samples.content(rows, split, meta["classes"])})
    with store.write(job) as draft:
        samples.write(draft, rows, split, meta)
    return store.open(job.key)


def digits(store, n=200, share=(0.6, 0.2)):
    """scikit-learn's digits, 1x8x8."""
    from sklearn.datasets import load_digits

    data = load_digits()
    image = np.round(data.images[:n, None] * (255 / 16)).astype(np.uint8)
    prepare = {"image": {"mean": [float(image.mean() / 255)], "std": [float(image.std() / 255)]}}
    return write_samples(store, "image", {"image": image}, data.target[:n], share, prepare=prepare)


def table(store, n=120):
    """A table of two numeric and two categorical columns whose label follows from them."""
    rng = np.random.default_rng(0)
    numeric = rng.normal(size=(n, 2)).astype(np.float32)
    codes = rng.integers(1, 4, (n, 2))
    y = (numeric[:, 0] + (codes[:, 0] == 2) > 0.3).astype(np.int64)
    prepare = {"numeric": {"mean": [0.0, 0.0], "std": [1.0, 1.0]}, "categorical": {}}
    return write_samples(store, "table", {"numeric": numeric, "categorical": codes}, y, levels=(4, 4), prepare=prepare)


def fit_job(terms, model=None, seed=0, **train):
    """terms: {method: weight} or {method: {weight, start, stop, params}}."""
    listed = []
    for name, value in terms.items():
        given = value if isinstance(value, dict) and "from" not in value else {"weight": value}
        use = {"name": name, "params": given.get("params", {})}
        listed.append(
            {"method": use, "weight": given.get("weight", 1.0), "start": given.get("start", 0.0), "stop": given.get("stop", 1.0)}
        )
    recipe = plain(Train(**{"epochs": 2, "batch": 32, "lr": 0.05, **{k: v for k, v in train.items() if k != "views"}}))
    recipe["views"] = [{"name": name, "params": params} for name, params in train.get("views", {}).items()]
    named = {"name": model[0], "params": model[1]} if model else None
    return Job("fit", {"seed": seed, "terms": listed, "train": recipe, "model": named})


def run(job, inputs, where, again=False):
    """Run one stage; the entry that it wrote. `again`: under a key of its own, to run an equal job twice."""
    needs = {role: entry.key for role, entry in inputs.items()} | ({"again": str(next(_numbers))} if again else {})
    job = Job(job.stage, job.spec, needs)
    with where.store.write(job) as draft:
        STAGES[job.stage].run(job, inputs, draft, where)
    return where.store.open(job.key)
