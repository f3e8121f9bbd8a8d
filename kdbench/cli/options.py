"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.registry import Plugins, discover

if TYPE_CHECKING:
    from kdbench.execute import Site
    from kdbench.nouns import Plan, Suite


def suite(parser: argparse.ArgumentParser) -> None:
    """The suite file and `--set`: args.suite is a path, args.set a list of "path=value"."""
    parser.add_argument("suite", metavar="SUITE", type=Path, help="the suite file (YAML)")
    parser.add_argument("--yes", action="store_true", help="a suite of any size is meant")
    text = "override one value, e.g. --set train.epochs=2; may be repeated"
    parser.add_argument("--set", metavar="PATH=VALUE", action="append", default=[], help=text)


def folders(parser: argparse.ArgumentParser) -> None:
    """`--plugins DIR`, repeatable: args.plugins is a list of paths."""
    text = "a folder of plugins (methods/, metrics/, ...); may be repeated"
    parser.add_argument("--plugins", metavar="DIR", type=Path, action="append", default=[], help=text)


def places(parser: argparse.ArgumentParser) -> None:
    """Where things lie: args.plugins, args.data (None without option and KDBENCH_DATA), args.store, args.reports."""
    folders(parser)
    named = os.environ.get("KDBENCH_DATA")
    text = "where external data lies (default: $KDBENCH_DATA)"
    parser.add_argument("--data", metavar="DIR", type=Path, default=Path(named) if named else None, help=text)
    text = "where evidence is kept (default: .kdbench)"
    parser.add_argument("--store", metavar="DIR", type=Path, default=Path(".kdbench"), help=text)
    text = "where reports are written (default: reports)"
    parser.add_argument("--reports", metavar="DIR", type=Path, default=Path("reports"), help=text)


def plugins(args: argparse.Namespace) -> Plugins:
    """Built-in, installed and `--plugins` plugins, listed without importing them. Raises Refusal for a folder that is not one."""
    return discover(args.plugins)


def work(parser: argparse.ArgumentParser) -> None:
    """How jobs run: args.workers, args.timeout, args.memory. None of these is part of any result."""
    parser.add_argument("--workers", metavar="N", type=int, help="jobs at once (default: one per core)")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=3600.0, help="time limit of one job (default: 3600)")
    text = "memory limit of one job (default: an equal share of the machine; 0: none)"
    parser.add_argument("--memory", metavar="GIB", type=float, help=text)


def read(args: argparse.Namespace, plugins: Plugins) -> Suite:
    """The suite that the command names, with its overrides. Raises Refusal, a line for each error, for one that does not hold."""
    from kdbench.suite import load  # noqa: PLC0415 - commands without a suite never read one

    return load(args.suite, plugins, args.set, **({"cap": sys.maxsize} if args.yes else {}))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was asked about: a suite, the plugins that it names, and its plan."""

    suite: Suite
    plugins: Plugins
    plan: Plan


def asked(args: argparse.Namespace) -> Asked:
    """The suite that the command names, planned. Raises Refusal before anything is run."""
    from kdbench.plan import plan  # noqa: PLC0415 - as above

    found = plugins(args)
    suite = read(args, found)
    return Asked(suite, found, plan(suite, found, args.data))


def site(args: argparse.Namespace) -> Site:
    """Where and how jobs run. Raises Refusal for what no machine can do."""
    from kdbench.execute import Site  # noqa: PLC0415 - `kdbench list` shares this file and runs no job

    given = {"workers": args.workers} if args.workers is not None else {}
    if args.memory is not None:
        given["memory"] = int(args.memory * 2**30)
    return Site(tuple(args.plugins), args.data, timeout=args.timeout, **given)
