"""Two small job runners, to prove that the harness can tell them apart: `python toy_runner.py naive|safe OUT`.

The naive one takes a file that exists for one that is complete, and a file that it cannot read for zero.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

JOBS = 4


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def naive(store):
    values = []
    for n in range(JOBS):
        path = store / f"{n}.json"
        if not path.exists():
            write(path, json.dumps({"value": n * n}))
        try:
            values.append(json.loads(path.read_text(encoding="utf-8"))["value"])
        except ValueError:
            values.append(0)
    return values


def safe(store):
    values = []
    for n in range(JOBS):
        path = store / f"{n}.json"
        body = json.dumps({"value": n * n})
        try:
            held, seal = path.read_text(encoding="utf-8").split("\n")
            whole = seal == hashlib.sha256(held.encode()).hexdigest()
        except (OSError, ValueError):
            whole = False
        if not whole:
            write(path.with_suffix(".new"), f"{body}\n{hashlib.sha256(body.encode()).hexdigest()}")
            os.replace(path.with_suffix(".new"), path)
        values.append(json.loads(path.read_text(encoding="utf-8").split("\n")[0])["value"])
    return values


def main(kind, out):
    store = Path(out) / "store"
    store.mkdir(parents=True, exist_ok=True)
    values = {"naive": naive, "safe": safe}[kind](store)
    write(Path(out) / "results.new", json.dumps({"values": values, "seconds": os.times().elapsed}))
    os.replace(Path(out) / "results.new", Path(out) / "results.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
