"""`kdbench report`: judge the evidence that is there and write the report again; no model is run."""

from __future__ import annotations

import argparse

from kdbench.cli import options
from kdbench.cli.run import conclude
from kdbench.execute.lock import hold
from kdbench.plan import plan
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
    plugins = options.plugins(args)
    suite = options.read(args, plugins)
    planned = plan(suite, plugins, args.data)
    with hold(args.store):
        return conclude(args, suite, planned, plugins, Store(args.store))
