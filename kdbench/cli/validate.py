"""`kdbench validate`: whether a suite can be run, without running any of it."""

from __future__ import annotations

import argparse
import sys

from kdbench.cli import options
from kdbench.suite import load


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("validate", help="check a suite file", description=__doc__)
    options.suite(parser)
    options.folders(parser)
    parser.add_argument("--yes", action="store_true", help="a suite of any size is meant")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print one line for a suite that holds. Raises Refusal, a line for each error, for one that does not."""
    plugins = options.plugins(args)
    suite = load(args.suite, plugins, args.set, **({"cap": sys.maxsize} if args.yes else {}))
    rows = sum(len(task.contenders) for task in suite.tasks)
    counts = ((len(suite.tasks), "task"), (rows, "contender"), (len(suite.seeds), "seed"))
    print(f"ok: {suite.name}: " + ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts))
    return 0
