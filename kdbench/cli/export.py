"""`kdbench export`: the timings of a run, every contender on every target in every scenario, in the format of another tool.

    kdbench export suite.yaml --format pytest-benchmark --out before.json
    pytest-benchmark compare before.json after.json

No model is run. Formats: pytest-benchmark, csv (a line for each timed call), json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kdbench.cli import options
from kdbench.cli.terminal import clean
from kdbench.nouns import Refusal
from kdbench.registry import nearest

COMPLETE, PARTIAL = 0, 3
NAMES = ("pytest-benchmark", "csv", "json")
"""The formats; kdbench.measure.formats writes them."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    form = argparse.RawDescriptionHelpFormatter
    text = "write a run's timings for other tools"
    parser = subparsers.add_parser("export", help=text, description=__doc__, formatter_class=form)
    options.suite(parser)
    options.places(parser)
    parser.add_argument("--format", metavar="NAME", required=True, help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the file to write (default: standard output)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the timings; 3 where some of what the suite plans was not timed. Raises Refusal for none."""
    if args.format not in NAMES:
        raise Refusal(f"--format {args.format!r}: no such format{nearest(args.format, NAMES)}")
    if args.out is not None and (args.out.is_dir() or not args.out.resolve().parent.is_dir()):
        raise Refusal(
            f"--out {args.out}: {'a folder' if args.out.is_dir() else 'no such folder'} (allowed: a file in one that is there)"
        )
    asked = options.asked(args)
    from kdbench.files import replace  # noqa: PLC0415 - a bad command line costs no numerical library
    from kdbench.measure.formats import FORMATS  # noqa: PLC0415 - as above
    from kdbench.measure.timings import planned, timings  # noqa: PLC0415 - as above
    from kdbench.store import Damaged, Store  # noqa: PLC0415 - as above

    try:
        found = list(timings(asked.suite, asked.plan, Store(args.store)))
    except Damaged as error:
        text = f"{args.store}: an entry is damaged ({error.key[:12]}: {error.why}); `kdbench run {args.suite}` makes it again"
        raise Refusal(text) from None
    if not found:
        raise Refusal(f"{args.store}: holds no timings of this suite; `kdbench run {args.suite}` makes them")
    good = [one for one in found if not one.broken]
    for one in found:
        if one.broken:
            print(clean(f"left out: {one.contender} on {one.target}: {one.broken}"), file=sys.stderr)
    text = FORMATS[args.format](asked.suite.name, found if args.format == "json" else good)
    if args.out is None:
        print(text, end="")
    else:
        replace(args.out, text.encode("utf-8", "backslashreplace"))
        print(args.out)
    missing = planned(asked.plan) - len(good)
    if missing:
        print(f"partial: {missing} of {planned(asked.plan)} timings were not made", file=sys.stderr)
    return PARTIAL if missing else COMPLETE
