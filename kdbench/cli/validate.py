"""`kdbench validate`: whether a suite can be run, without running any of it."""

from __future__ import annotations

import argparse

from kdbench.cli import options


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("validate", help="check a suite file", description=__doc__)
    options.suite(parser)
    options.folders(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print one line for a suite that holds. Raises Refusal, a line for each error, for one that does not."""
    suite = options.read(args, options.plugins(args))
    rows = sum(len(task.contenders) for task in suite.tasks)
    counts = ((len(suite.tasks), "task"), (rows, "contender"), (len(suite.seeds), "seed"))
    print(f"ok: {suite.name}: " + ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts))
    return 0
