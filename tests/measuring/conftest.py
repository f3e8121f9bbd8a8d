"""A small store with samples and trained-looking artefacts, made through the same doors as the engine uses."""

import numpy as np
import pytest
import torch

from kdbench.nouns import Artefact, Job, Shape, Use
from kdbench.registry import Plugins, discover
from kdbench.stages import Place, artefacts, compress, networks, samples
from kdbench.store import Store

IMAGE = Shape("image", {"image": (1, 8, 8)}, 3)
TABLE = Shape("table", {"numeric": (5,), "categorical": (2,)}, 2, (4, 5))


def rows(n, shape=IMAGE, seed=0):
    """Raw rows of that shape."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, shape.classes, n)
    if shape.kind == "image":
        x = {"image": np.clip(rng.normal(80 + 40 * y[:, None, None, None], 30, (n, 1, 8, 8)), 0, 255).astype(np.uint8)}
    else:
        x = {
            "numeric": rng.standard_normal((n, 5)).astype(np.float32),
            "categorical": np.stack([rng.integers(1, 4, n), rng.integers(1, 5, n)], 1),
        }
    return samples.Rows(x, y, np.array([f"row{i}" for i in range(n)]), {"half": np.array(["a", "b"])[np.arange(n) % 2]})


def network(name, params, shape=IMAGE, seed=0):
    """A built network whose batch norms have run and whose biases are not all alike, as after training."""
    plugins = discover()
    module = networks.rebuild(plugins, Use(name, params), shape, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for m in module.modules():
            if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
                m.running_mean.copy_(torch.randn(m.running_mean.shape, generator=rng) * 0.1)
                m.running_var.copy_(1 + 0.2 * torch.rand(m.running_var.shape, generator=rng))
                m.bias.copy_(torch.randn(m.bias.shape, generator=rng) * 0.1)
    return Artefact("torch", shape, Use(name, params), module.eval())


class World:
    """A store, the place a job runs in, and short ways to put things there."""

    def __init__(self, root, plugins: Plugins):
        self.place = Place(plugins, Store(root))

    def data(self, shape=IMAGE, n=90, seed=0):
        made = rows(n, shape, seed)
        split = np.repeat(np.array([0, 1, 2], np.int8), [n // 2, n // 6, n - n // 2 - n // 6])
        prepare = {"image": {"mean": [0.45], "std": [0.2]}, "numeric": {"mean": [0.0] * 5, "std": [1.0] * 5}}
        meta = {
            "kind": shape.kind,
            "classes": [str(c) for c in range(shape.classes)],
            "positive": None,
            "columns": {},
            "levels": list(shape.levels),
            "prepare": prepare,
            "licence": "none",
            "source": "made here",
            "notes": [],
        }
        return self.put(
            Job("data", {"n": n, "seed": seed, "kind": shape.kind}), lambda draft: samples.write(draft, made, split, meta)
        )

    def artefact(self, artefact, record=None, tag=""):
        record = artefacts.chained(record or {"cpu_seconds": 2.0, "examples": 100, "teacher_passes": 10}, None)
        return self.put(Job("fit", {"tag": tag or str(artefact.model)}), lambda draft: artefacts.write(draft, artefact, record))

    def put(self, job, write):
        with self.place.store.write(job) as draft:
            write(draft)
        return self.place.store.open(job.key)

    def run(self, stage, spec, inputs):
        """Run a stage as the engine does."""
        job = Job(stage.__name__.rsplit(".", 1)[1], spec)
        return self.put(job, lambda draft: stage.run(job, inputs, draft, self.place))

    def compress(self, name, params, inputs, seed=0):
        """A compressed artefact, with the defaults filled in as the suite would."""
        full = {p.name: p.default for p in self.place.plugins.get("compressor", name).params} | params
        return self.run(compress, {"compressor": {"name": name, "params": full}, "seed": seed}, inputs)


@pytest.fixture
def world(tmp_path, plugins):
    return World(tmp_path / "store", plugins)
