"""`kdbench predictions`: write what the store holds as files that `kdbench judge`, or anyone else, can score again.

    kdbench predictions suite.yaml --out DIR

gives DIR/<task>/<target>/<contender>.parquet (docs/predictions.md) of all that was run; no model is run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from kdbench.cli import options
from kdbench.nouns import Refusal
from kdbench.registry import nearest

COMPLETE, PARTIAL = 0, 3


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    form = argparse.RawDescriptionHelpFormatter
    text = "write the stored predictions as files"
    parser = subparsers.add_parser("predictions", help=text, description=__doc__, formatter_class=form)
    options.suite(parser)
    options.places(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--contender", metavar="NAME", default="", help="only this contender (or teacher)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths; 3 where some of what the suite plans was not run. Raises Refusal for none."""
    asked = options.asked(args)
    names = [row.name for task in asked.suite.tasks for row in task.rows()]
    if args.contender and args.contender not in names:
        raise Refusal(f"--contender {args.contender!r}: no such contender{nearest(args.contender, list(dict.fromkeys(names)))}")
    if args.out.exists() and not args.out.is_dir():
        raise Refusal(f"--out {args.out}: not a folder")
    from kdbench.predictions.export import export  # noqa: PLC0415 - a bad command line costs no numerical library
    from kdbench.store import Damaged, Store  # noqa: PLC0415 - as above

    store, written, without = Store(args.store), 0, []
    try:
        for task in asked.suite.tasks:
            paths = list(_printed(export(task, asked.plan, store, args.out, args.contender)))
            written += len(paths)
            if not paths and any(
                c.task == task.name and c.evidence == "predictions" and store.has(c.key) for c in asked.plan.cells
            ):
                without.append(task.name)
    except Damaged as found:
        text = f"{args.store}: an entry is damaged ({found.key[:12]}: {found.why}); `kdbench run {args.suite}` makes it again"
        raise Refusal(text) from None
    if without:
        print(f"not written: {', '.join(without)}: only answers in classes or values have a form as a file", file=sys.stderr)
    if not written and not without:
        raise Refusal(f"{args.store}: holds no predictions of this suite; `kdbench run {args.suite}` makes them")
    wanted = [c for c in asked.plan.cells if c.evidence == "predictions" and c.key and args.contender in ("", c.contender)]
    missing = sum(not store.has(cell.key) for cell in wanted)
    if missing:
        print(f"partial: {missing} of {len(wanted)} sets of predictions were not made", file=sys.stderr)
    return PARTIAL if missing else COMPLETE


def _printed(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        print(path)
        yield path
