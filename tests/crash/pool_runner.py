"""Twelve torch-free jobs through the real pool and store: `python pool_runner.py OUT`. Writes results.json from the entries."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "execute"))

import toys

from kdbench.execute.lock import hold
from kdbench.store import Damaged, Missing, Store


def jobs():
    first = [toys.add(n) for n in range(4)]
    second = [toys.add(10 + n, first[n : n + 2], together="pair") for n in range(3)]
    third = [toys.add(20 + n, second) for n in range(3)]
    return [*first, *second, *third, toys.add(30, third, alone=True), toys.add(40, uses={"any": (third[0].key,)})]


def main(out):
    root = Path(out) / "kd"
    with hold(root):
        store = Store(root)
        for _ in range(3):
            outcome, *_ = toys.go(jobs(), root)
            if outcome.failed or outcome.stopped or outcome.interrupted:
                print(outcome, file=sys.stderr)
                return 3
            try:
                rows = [entry(store.open(job.key)) for job in jobs()]
                break
            except (Damaged, Missing) as error:
                store.drop(error.args[0])
        else:
            return 4
        beside = Path(out) / "results.new"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump(rows, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, Path(out) / "results.json")
    return 0


def entry(held):
    """All of an entry but when it was made: sequence and cost differ from run to run."""
    made = {k: v for k, v in held.manifest["made"].items() if k != "sequence"}
    return {
        "key": held.key,
        "job": held.manifest["job"],
        "files": held.manifest["files"],
        "made": made,
        "value": held.json("value.json"),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
