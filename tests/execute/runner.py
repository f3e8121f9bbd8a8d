"""A run in a process of its own, to be killed: `python runner.py ROOT [sleep] [jobs]`. Prints one line per event."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import toys

from kdbench.execute.lock import hold
from kdbench.nouns import Refusal


def jobs(root, sleep, count):
    log = str(Path(root) / "log")
    first = [toys.add(n, sleep=sleep, log=log) for n in range(count)]
    return [*first, toys.add(1000, first, log=log)]


def main(root, sleep="0.1", count="8"):
    try:
        with hold(Path(root)):
            print("locked", flush=True)
            outcome, *_ = toys.go(
                jobs(root, float(sleep), int(count)), root, tell=lambda one: print(one.kind, one.label, flush=True)
            )
    except Refusal as refusal:
        print(refusal)
        return 2
    print("outcome", outcome.done, outcome.interrupted, flush=True)
    return 130 if outcome.interrupted else 3 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
