"""Ask one metric plugin about arrays, as the judge does, without a store."""

import numpy as np

from kdbench import Predictions
from kdbench.judge.ask import open_metric
from kdbench.judge.columns import sums, tidy
from kdbench.registry import discover

PLUGINS = discover()


def metric(name, **params):
    about = PLUGINS.get("metric", name)
    return open_metric(PLUGINS, name, {**{p.name: p.default for p in about.params}, **params})


def predictions(logits, label, positive=None, kind="logits"):
    """kind "probabilities": `logits` are probabilities; "values": predicted numbers (n,)."""
    logits, label = np.asarray(logits), np.asarray(label)
    if kind == "probabilities":
        logits = np.log(np.maximum(logits.astype(np.float64), np.finfo(np.float32).tiny))
    logits = logits[:, None] if logits.ndim == 1 else logits
    ids = np.array([f"r{i}" for i in range(len(label))])
    pred = logits[:, 0] if kind == "values" else logits.argmax(axis=1)
    return Predictions(ids, label, logits, pred, tuple(f"c{k}" for k in range(logits.shape[1])), positive, kind)


def value(name, of, params=None, **evidence):
    """The number for these predictions; evidence: teacher, validation, ood, ... as the metric names them."""
    one = metric(name, **(params or {}))
    found = one({"predictions": of, **evidence})
    if one.form == "set":
        return float(found)
    n = len(of[0].ids) if isinstance(of, tuple) else len(of.ids)
    means = sums(tidy(found, n))[0] / n
    return float(one.finish(means))


def over_groups(name, of, group, params=None, **evidence):
    """The number of a metric of form "groups" for a group code (n,) per example."""
    one = metric(name, **(params or {}))
    columns = tidy(one({"predictions": of, **evidence}), len(of.ids))
    count = int(group.max()) + 1
    means = sums(columns, group, count) / np.bincount(group, minlength=count)[:, None]
    return float(one.finish(means))
