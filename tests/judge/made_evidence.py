"""Small made-up stores: evidence written as the stages write it, so that the judge can be tested without a model."""

import numpy as np

from kdbench.judge.axes import metric_id
from kdbench.nouns import Cell, Contender, Data, Job, Load, Plan, Suite, Task, Use, plain
from kdbench.registry import discover
from kdbench.stages import Place
from kdbench.stages.judge import run
from kdbench.store import Store

MADE = {"host": {"cpu": "made up", "cores": 2}, "versions": {"numpy": np.__version__}}


class Evidence:
    """A store of one task, filled piece by piece; `judged()` runs the judge jobs as the planner would make them."""

    def __init__(self, root, labels, classes=2, positive=None, groups=None, cluster=None, min_group=30, resamples=300):
        self.store, self.plugins, self.task = Store(root), discover(), "task"
        self.labels, self.classes, self.positive = np.asarray(labels, dtype=np.int64), classes, positive
        self.ids = np.array([f"row{i:05d}" for i in range(len(self.labels))])
        self.groups = {k: np.asarray(v, dtype=str) for k, v in (groups or {}).items()}
        self.resamples, self.min_group, self.cells, self.jobs = resamples, min_group, [], []
        with self.write("data", "samples") as draft:
            draft.json(
                "meta.json",
                {
                    "kind": "table", "classes": [f"c{k}" for k in range(classes)], "positive": positive, "groups": {},
                    "clustered": cluster is not None, "n": {"train": 1, "validation": 0, "test": len(self.labels)},
                    "licence": "CC0", "source": "made up", "notes": ["made up"],
                },
            )  # fmt: skip
            draft.array("ids.npy", np.append(self.ids, "train0"))
            draft.array("y.npy", np.append(self.labels, 0))
            draft.array("split.npy", np.append(np.full(len(self.labels), 2), 0).astype(np.int8))
            for column, values in self.groups.items():
                draft.array(f"group.{column}.npy", np.append(values, values[0]))
            if cluster is not None:
                draft.array("cluster.npy", np.append(np.asarray(cluster, dtype=str), "nobody"))
        self.data = self.jobs[-1].key

    def write(self, stage, *names):
        job = Job(stage, {"made": [str(n) for n in names]})
        self.jobs.append(job)
        return self.store.write(job, MADE)

    def cell(self, evidence, contender, seed, target="torch_cpu", key=None, reason="", **where):
        key = self.jobs[-1].key if key is None else key
        self.cells.append(Cell(self.task, contender, seed, target, evidence, key, reason=reason, **where))

    def predict(self, contender, logits, seed=0, target="torch_cpu", split="test", shift="", severity=0, ids=None, labels=None):
        logits = np.asarray(logits, dtype=np.float32)
        labels = self.labels if labels is None else np.asarray(labels, dtype=np.int64)
        ids = self.ids[: len(logits)] if ids is None else ids
        z = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        pred = logits.argmax(axis=1)
        with self.write("predict", contender, seed, target, split, shift, severity) as draft:
            held = {
                "ids": ids,
                "label": labels,
                "logits": logits,
                "pred": pred,
                "confidence": p.max(axis=1).astype(np.float32),
                "correct": pred == labels,
            }
            draft.arrays("predictions.npz", held)
            draft.json("predictions.json", {"n": len(logits), "split": split})
        self.cell("predictions", contender, seed, target, split=split, shift=shift, severity=severity)

    def foreign(self, contender, logits, name="other", **where):
        ids = np.array([f"foreign{i}" for i in range(len(logits))])
        self.predict(contender, logits, shift=f"ood:{name}", ids=ids, labels=np.full(len(logits), -1), **where)

    def json(self, evidence, contender, value, seed=0, target="torch_cpu"):
        name = {"cost": "record"}.get(evidence, evidence)
        with self.write(evidence, contender, seed, target) as draft:
            draft.json(f"{name}.json", value)
        self.cell(evidence, contender, seed, target)

    def latency(self, contender, wall_reference, wall_contender, seed=0, target="torch_cpu"):
        with self.write("latency", contender, seed, target) as draft:
            draft.arrays(
                "latency.npz",
                {
                    "wall_reference": wall_reference,
                    "wall_contender": wall_contender,
                    "cpu_reference": wall_reference,
                    "cpu_contender": wall_contender,
                },
            )
            draft.json("latency.json", {"order": "ABBA", "load_before": [0.5, 0, 0], "load_after": [0.7, 0, 0]})
        self.cell("latency", contender, seed, target)

    def setup(self):
        """As the planner would say it: nobody was trained here."""
        return {"plain": [], "twins": {}, "base": "", "base_steps": "", "seeds": {}, "ranking": False}

    def plan(self):
        return Plan(tuple(self.jobs), tuple(self.cells))

    def suite(self, *metrics, gates=(), seeds=None):
        names = [n for n in dict.fromkeys(c.contender for c in self.cells) if n != "teacher"]
        made = {n: Contender(n, (Load("made"),)) for n in ("teacher", *names)}
        task = Task(self.task, Data(Use("made")), made["teacher"], tuple(made[n] for n in names))
        targets = tuple(Use(t) for t in dict.fromkeys(c.target for c in self.cells))
        seeds = seeds or tuple(sorted({c.seed for c in self.cells}))
        return Suite(
            "made", seeds, (task,), targets, tuple(self.use(m) for m in metrics), tuple(gates), self.resamples, self.min_group
        )

    def use(self, metric):
        name, params = (metric, {}) if isinstance(metric, str) else metric
        about = self.plugins.get("metric", name)
        return Use(name, {**{p.name: p.default for p in about.params}, **params})

    def job(self, metric, cells=None):
        use, layout, needs = self.use(metric), [], {"data": self.data}
        for cell in self.cells if cells is None else cells:
            if cell.key and self.store.has(cell.key):
                needs[f"e{len(layout)}"] = cell.key
                layout.append(
                    [
                        f"e{len(layout)}",
                        cell.contender,
                        cell.seed,
                        cell.target,
                        cell.evidence,
                        cell.split,
                        cell.shift,
                        cell.severity,
                        cell.scenario,
                    ]
                )
        spec = {
            "task": self.task, "metric": plain(use), "layout": layout, "groups": list(self.groups), "resamples": self.resamples,
            "min_group": self.min_group, "setup": self.setup(),
        }  # fmt: skip
        return Job("judge", spec, needs)

    def run(self, job):
        inputs = {role: self.store.open(key) for role, key in job.needs.items()}
        with self.store.write(job, MADE) as draft:
            run(job, inputs, draft, Place(self.plugins, self.store))

    def judged(self, *metrics):
        jobs = [self.job(metric) for metric in metrics]
        for job in jobs:
            self.run(job)
        return jobs

    def board(self, *metrics, gates=(), seeds=None, statistics=None):
        from kdbench.judge import judge

        jobs = self.judged(*metrics)
        return judge(self.suite(*metrics, gates=gates, seeds=seeds), self.plan(), jobs, self.store, self.plugins, statistics)

    def id(self, metric):
        use = self.use(metric)
        return metric_id(self.plugins.get("metric", use.name), use.params)


def noisy_logits(labels, classes, skill, rng):
    """Logits of a model that is right more often the larger `skill` is."""
    z = rng.normal(size=(len(labels), classes))
    z[np.arange(len(labels)), labels] += skill
    return z


def row(board, **where):
    """The one row of the scores that is meant: over seeds, clean, all examples, unless said otherwise."""
    part = board.scores
    for column, value in {"seed": -1, "shift": "", "severity": 0, "slice": "", **where}.items():
        part = part[part[column] == value]
    assert len(part) == 1, (where, len(part))
    return part.iloc[0]
