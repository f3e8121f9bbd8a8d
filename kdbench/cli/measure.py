"""`kdbench measure`: latency, memory, size, operations and energy of one model, or of two beside each other, without a suite.

    kdbench measure student.onnx --against teacher.onnx
    kdbench measure my_student --target 'ort_cpu: {threads: 2}' --batch 1 --batch 32

MODEL is an ONNX file, or a folder with artefact.json, as `load:` takes. The figures are those of a board (docs/measuring.md).
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.cli import options
from kdbench.cli.terminal import clean
from kdbench.nouns import Refusal

if TYPE_CHECKING:
    from kdbench.measure.figures import Findings
    from kdbench.measure.question import Question
    from kdbench.registry import Plugins

COMPLETE, PARTIAL, INTERRUPTED = 0, 3, 130
WIDE = 100
"""Columns of a terminal from which remarks stand in the table, and not below it."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    form = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser(
        "measure", help="measure one model, alone or against another", description=__doc__, formatter_class=form
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="an ONNX file, or a folder with artefact.json")
    parser.add_argument("--against", metavar="MODEL", type=Path, help="the model to time it against, in turns")
    text = "where it runs, as in a suite: ort_cpu or 'ort_cpu: {threads: 2}'; may be repeated (default: the first that runs it)"
    parser.add_argument("--target", metavar="NAME", action="append", default=[], help=text)
    text = "rows a call; may be repeated (default: 1)"
    parser.add_argument("--batch", metavar="N", type=int, action="append", default=[], help=text)
    text = "the open first dimension of a row, such as tokens; may be repeated"
    parser.add_argument("--length", metavar="N", type=int, action="append", default=[], help=text)
    text = "real rows: an .npz with an array (n, ...) for each input (default: random rows, drawn with a fixed seed)"
    parser.add_argument("--input", metavar="FILE", type=Path, help=text)
    text = "sizes of an input with open dimensions, e.g. --shape pixels=1x3x224x224; may be repeated"
    parser.add_argument("--shape", metavar="NAME=SIZES", action="append", default=[], help=text)
    text = "least and greatest value of an input, e.g. --range input_ids=0:30521; may be repeated"
    parser.add_argument("--range", metavar="NAME=LOW:HIGH", action="append", default=[], help=text)
    parser.add_argument("--pairs", metavar="N", type=int, default=60, help="block pairs of a comparison (default: 60)")
    text = "time that one comparison may take; slower models get fewer pairs (default: 12)"
    parser.add_argument("--seconds", metavar="S", type=float, default=12.0, help=text)
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write every figure, check and raw sample to a file")
    options.folders(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; 3 where a figure failed. Raises Refusal for what cannot be measured."""
    plugins = options.plugins(args)
    asked = question(args, plugins)
    from kdbench.cli.progress import bar  # noqa: PLC0415 - the help and a refusal do without it
    from kdbench.execute.lock import Quiet  # noqa: PLC0415 - as above
    from kdbench.files import replace  # noqa: PLC0415 - as above
    from kdbench.measure import bench, said  # noqa: PLC0415 - as above

    _wait(Quiet())
    try:
        with bar("measuring") as tell:
            findings = bench.measure(asked, plugins, args.plugins, tell)
    except bench.Interrupted:
        print("interrupted: nothing of it is kept", file=sys.stderr)
        return INTERRUPTED
    _print(findings)
    if args.json is not None:
        text = json.dumps(said.document(asked, findings), indent=1, allow_nan=False, ensure_ascii=False)
        replace(args.json, (text + "\n").encode("utf-8", "backslashreplace"))
    failed = bench.first_error(findings)
    if failed:
        print(f"partial: {clean(failed)}", file=sys.stderr)
    return PARTIAL if failed else COMPLETE


def question(args: argparse.Namespace, plugins: Plugins) -> Question:
    """What the options ask. Raises Refusal."""
    from kdbench.measure.question import Question, Rows, scenarios, targets  # noqa: PLC0415 - reads YAML: not for the help

    models = [args.model, *([args.against] if args.against is not None else [])]
    if args.pairs < 3:
        raise Refusal(f"--pairs {args.pairs}: at least 3 are needed for an interval")
    if not (math.isfinite(args.seconds) and 0 < args.seconds <= 3600):
        raise Refusal(f"--seconds {args.seconds:g}: allowed is a time above 0, up to 3600")
    if args.input is not None and not args.input.is_file():
        raise Refusal(f"--input {args.input}: no such file")
    if args.input is not None and (args.shape or args.range):
        raise Refusal(f"--input {args.input}: real rows have their own sizes and values; leave out --shape and --range")
    if args.json is not None and not args.json.resolve().parent.is_dir():
        raise Refusal(f"--json {args.json}: no such folder")
    shapes = dict(_shape(text) for text in args.shape)
    ranges = dict(_range(text) for text in args.range)
    chosen = targets(args.target, models, plugins)
    rows = Rows(args.input, shapes, ranges)
    return Question(args.model, chosen, args.against, scenarios(args.batch, args.length), rows, args.pairs, args.seconds)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """`name=1x3x224x224`; a name may itself hold an equals sign."""
    name, _, sizes = text.rpartition("=")
    parts = sizes.lower().split("x")
    if not name or not all(part.isascii() and part.isdecimal() and 0 < int(part[:10]) < 1 << 31 for part in parts):
        raise Refusal(f"--shape {text[:80]!r}: found no name=sizes (allowed: such as --shape pixels=1x3x224x224)")
    return name, tuple(map(int, parts))


def _range(text: str) -> tuple[str, tuple[float, float]]:
    """`name=0:1000`."""
    name, _, limits = text.rpartition("=")
    low, _, high = limits.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not name or not all(map(math.isfinite, ends)) or ends[0] > ends[1]:
        raise Refusal(f"--range {text[:80]!r}: found no name=low:high (allowed: such as --range input_ids=0:30521)")
    return name, ends


def _wait(quiet: object) -> None:
    """Say that we wait, where another run is timing something."""
    from kdbench.execute.lock import Quiet  # noqa: PLC0415 - see `run`

    if isinstance(quiet, Quiet):
        try:
            free = quiet.take()
        except OSError:
            return
        quiet.leave()
        if not free:
            print("waiting: another run of kdbench is at work on this machine, and a timed model must be alone", file=sys.stderr)


def _print(findings: Findings) -> None:
    from kdbench.measure import said  # noqa: PLC0415 - see `run`
    from kdbench.report import table  # noqa: PLC0415 - see `run`

    narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE
    shown = list(said.tables(findings))
    table([{**one, "heads": one["heads"][:-1], "rows": [row[:-1] for row in one["rows"]]} for one in shown] if narrow else shown)
    remarks = dict.fromkeys(f"{row[0]}: {row[-1]}" for one in shown for row in one["rows"] if narrow and row[-1])
    for line in (*remarks, *said.origin(findings), *said.conditions(findings), *said.failures(findings)):
        print(line)
    for verdict in findings.verdicts:
        print(said.sentence(findings, verdict))
