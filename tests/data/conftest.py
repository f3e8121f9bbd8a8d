"""Runs the stages data, shift and ood in a store of the test's own, on plugins or on samples made in the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from kdbench.declare import Plugin
from kdbench.nouns import Job, Samples
from kdbench.stages import Place, data, ood, shift
from kdbench.store import Entry, Store


class Planted:
    """Plugins, of which the dataset "planted" gives the samples of the test."""

    def __init__(self, plugins, samples: Samples | None) -> None:
        self._plugins, self._samples = plugins, samples

    def get(self, kind, name):
        return self._plugins.get(kind, name)

    def load(self, kind, name):
        if name == "planted":
            return Plugin("dataset", lambda root: self._samples, {}), None
        return self._plugins.load(kind, name)


class Kitchen:
    def __init__(self, plugins, store: Store, root: Path | None) -> None:
        self.plugins, self.store, self.root = plugins, store, root

    def data(self, name: str | Samples, params: Mapping | None = None, **spec) -> Entry:
        planted = name if isinstance(name, Samples) else None
        use = {"name": "planted" if planted else name, "params": dict(params or {})}
        spec = {"dataset": use, "limit": {}, "validation": 0.15, "groups": [], "allow_leak": 0, "seed": 0, "role": "home", **spec}
        return self._run(data, Job("data", spec), {}, planted)

    def shift(self, entry: Entry, name: str, severity: int, **params) -> Entry:
        spec = {"shift": {"name": name, "params": params}, "severity": severity}
        return self._run(shift, Job("shift", spec, {"data": entry.key}), {"data": entry})

    def ood(self, entry: Entry, other: Entry) -> Entry:
        return self._run(ood, Job("ood", {}, {"data": entry.key, "other": other.key}), {"data": entry, "other": other})

    def _run(self, stage, job: Job, inputs: Mapping[str, Entry], planted: Samples | None = None) -> Entry:
        self.store.drop(job.key)
        with self.store.write(job) as draft:
            stage.run(job, inputs, draft, Place(Planted(self.plugins, planted), self.store, self.root))
        return self.store.open(job.key)


@pytest.fixture(scope="session")
def kitchen(plugins, tmp_path_factory) -> Kitchen:
    """The stages, with the data folder where there is one."""
    root = os.environ.get("KDBENCH_DATA")
    return Kitchen(plugins, Store(tmp_path_factory.mktemp("store")), Path(root) if root else None)


@pytest.fixture
def make_table() -> Callable[..., Samples]:
    """A table of n rows with two numeric columns and one categorical, two classes; keyword arguments replace fields."""

    def make(n: int = 200, **fields) -> Samples:
        rng = np.random.default_rng(0)
        y = np.arange(n) % 2
        given = {
            "kind": "table",
            "x": {
                "numeric": (rng.normal(size=(n, 2)) + y[:, None]).astype(np.float32),
                "categorical": np.array([["a"], ["b"], ["c"]])[np.arange(n) % 3],
            },
            "y": y,
            "ids": np.array([f"r{i}" for i in range(n)]),
            "classes": ("no", "yes"),
            "licence": "none",
            "source": "made in the test",
            "columns": {"numeric": ("f0", "f1"), "categorical": ("c0",)},
        }
        return Samples(**{**given, **fields})

    return make
