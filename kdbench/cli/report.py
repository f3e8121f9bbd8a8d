"""`kdbench report`: judge the evidence that is there and write the report again; no model is run."""

from __future__ import annotations

import argparse

from kdbench.cli import options
from kdbench.cli.run import conclude
from kdbench.execute.lock import hold
from kdbench.store import Store


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("report", help="write the report again from the evidence that is there", description=__doc__)
    options.suite(parser)
    options.places(parser)
    options.work(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the report; the exit code says how complete the board is."""
    asked = options.asked(args)
    with hold(args.store):
        return conclude(args, asked, Store(args.store))
