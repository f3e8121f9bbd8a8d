"""A million answers of a student and its teacher in a store, judged by every metric that reads nothing else, in one process.

    python million.py FOLDER make [ROWS]
    python million.py FOLDER judge

`judge` prints JSON: CPU seconds from the stored files to rows with intervals of 1,000 resamples; the peak of memory above that
of the idle process, and the size of the decoded arrays; the seconds of each metric. The student is judged beside its teacher
for fidelity, alone for all else. Rates are also judged by ten groups of two columns; areas and curves over all examples.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "judge"))

import numpy as np
from made_evidence import Evidence

from kdbench.judge import requires
from kdbench.judge.ask import open_metric
from kdbench.judge.score import score
from kdbench.nouns import Use
from kdbench.nouns.predictions import KINDS
from kdbench.registry import discover
from kdbench.store import Store

CLASSES = 10
SETUP = {"plain": [], "twins": {}, "base": "", "base_steps": "", "seeds": {}, "ranking": False}


def make(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, CLASSES, rows)
    groups = {"sex": np.where(rng.random(rows) < 0.4, "F", "M"), "age": np.array(list("abcdefgh"))[rng.integers(0, 8, rows)]}
    evidence = Evidence(folder, label, CLASSES, positive=1, groups=groups, resamples=1000)
    for name, skill in (("teacher", 3.5), ("student", 2.5)):
        z = rng.normal(size=(rows, CLASSES)).astype(np.float32)
        z[np.arange(rows), label] += skill
        evidence.predict(name, z)


def names(plugins) -> list[str]:
    found = []
    for one in plugins.describe("metric"):
        needs, form = requires(one), one.facts.get("form", "mean")
        plain = bool(needs) and needs <= {"predictions", "teacher"} and one.facts.get("reads", "logits") in KINDS[0]
        if plain and form in ("mean", "set", "groups"):
            found.append(one.name)
    return found


def memory(what: str) -> int:
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{what}:")[1].split()[0]) * 1024


def judge(folder: Path) -> dict:
    plugins, store = discover(), Store(folder)
    entries = {}
    for manifest in (folder / "store").glob("*/*/manifest.json"):
        entry = store.open(manifest.parent.name)
        entries[entry.manifest["job"]["spec"]["made"][0]] = entry
    inputs = {"data": entries["samples"], "e0": entries["teacher"], "e1": entries["student"]}
    layout = [[f"e{i}", name, 0, "t", "predictions", "test", "", 0] for i, name in enumerate(("teacher", "student"))]
    spec = {"task": "t", "resamples": 1000, "min_group": 30, "setup": SETUP}
    idle, began, spent = memory("VmRSS"), time.process_time(), {}
    for name in names(plugins):
        about = plugins.get("metric", name)
        params = Use(name, {p.name: p.default for p in about.params}).params
        mine = layout if "teacher" in requires(about) else layout[1:]
        groups = [] if about.facts.get("form") == "set" else ["sex", "age"]
        start = time.process_time()
        found = score(open_metric(plugins, name, params), {**spec, "layout": mine, "groups": groups}, inputs)
        spent[name] = round(time.process_time() - start, 3)
        assert any(np.isfinite(row["value"]) for row in found.rows), name
    total, peak = time.process_time() - began, memory("VmHWM") - idle
    decoded = sum(a.nbytes for e in (inputs["e0"], inputs["e1"]) for a in e.arrays("predictions.npz").values())
    slowest = dict(sorted(spent.items(), key=lambda item: -item[1]))
    return {"cpu": total, "metrics": len(spent), "peak": peak, "decoded": decoded, "times": peak / decoded, "each": slowest}


if __name__ == "__main__":
    if sys.argv[2] == "make":
        make(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000)
    else:
        print(json.dumps(judge(Path(sys.argv[1]))))
