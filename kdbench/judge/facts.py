"""What stands beside the numbers: versions, host, data, statistics of the run, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from kdbench.entry import manifest_of
from kdbench.judge.cut_off import cut_off
from kdbench.judge.rows import OVER_SEEDS
from kdbench.judge.suspicions import suspicions
from kdbench.nouns import Job, Suite
from kdbench.store import Missing, Store


def facts(
    suite: Suite, judging: Sequence[Job], store: Store, scores: pd.DataFrame, statistics: Mapping[str, Any]
) -> dict[str, Any]:
    """One mapping of plain values. scores: the whole table. versions, host: as the manifests of the evidence say,
    not of the process that reads them.
    """
    versions: dict[str, str] = {}
    host: dict[str, Any] = {}
    tasks: dict[str, Any] = {}
    for key in dict.fromkeys(key for job in judging for key in (*job.needs.values(), job.key)):
        made = _made(store, key)
        versions |= {str(k): str(v) for k, v in made.get("versions", {}).items()}
        host = host or dict(made.get("host", {}))
    for job in judging:
        if job.spec["task"] not in tasks:
            tasks[str(job.spec["task"])] = _data(store, job.needs["data"])
    found = {"versions": dict(sorted(versions.items())), "host": host, "tasks": tasks, **statistics}
    over = scores[scores["seed"] == OVER_SEEDS]
    said = [*_warnings(suite, tasks, over), *cut_off(judging, store), *suspicions(scores, tasks, store)]
    return {**found, "warnings": [*said, *statistics.get("warnings", [])]}


def _made(store: Store, key: str) -> Mapping[str, Any]:
    """What the manifest says about the process that made an entry; read once, unchecked: it is shown, not judged."""
    try:
        return dict(manifest_of(store.place(key), key).get("made", {}))
    except Missing:
        return {}


def _data(store: Store, key: str) -> dict[str, Any]:
    try:
        meta = store.open(key).json("meta.json")
    except Missing:
        return {}
    names = ("kind", "n", "classes", "positive", "groups", "clustered", "licence", "source", "notes", "content", "chance")
    return {name: meta[name] for name in names if name in meta}


def _warnings(suite: Suite, tasks: Mapping[str, Any], over: pd.DataFrame) -> Iterator[str]:
    for name, meta in tasks.items():
        yield from (f"{name}: {note}" for note in meta.get("notes", ()))
    if len(suite.seeds) == 1:
        yield "one seed: the intervals and ranks are about these checkpoints, not about the methods"
    scenario = (over["slice"] != "") & (over["axis"] != "bias")
    over = over.assign(title=over["title"].where(~scenario, over["title"] + ", " + over["slice"]))
    noisy = over[over["status"] == "noisy"].drop_duplicates(["task", "contender", "target", "title", "reason"])
    for (title, reason), rows in noisy.groupby(["title", "reason"], sort=False):
        places = [
            f"{task} on {target} ({', '.join(of['contender'])})"
            for (task, target), of in rows.groupby(["task", "target"], sort=False)
        ]
        yield f"{title} is noisy: {reason}: {'; '.join(places)}"
    broken = over[over["status"].isin(["failed", "partial"]) & ((over["slice"] == "") | (over["axis"] != "bias"))]
    for (task, contender, status, reason), rows in broken.groupby(["task", "contender", "status", "reason"], sort=False):
        titles = list(dict.fromkeys(rows["title"]))
        named = f"{', '.join(titles[:2])}: " if len(titles) < 3 else ""  # a contender that failed has no number at all
        yield f"{task}: {contender}: {named}{status}: {reason}"
