"""`kdbench judge`: score prediction files that were made anywhere, without a suite, a model or training code.

    kdbench judge student.parquet other.csv --teacher teacher.parquet --groups sex,race,sex*race

Files are Parquet, CSV or NPZ with the columns id, label, and logits, probabilities, decision or value (docs/predictions.md).
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.cli import options
from kdbench.cli.terminal import clean
from kdbench.nouns import Compare, Refusal, Use
from kdbench.suite.names import problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kdbench.execute import Site
    from kdbench.nouns import Job, Suite
    from kdbench.predictions.table import Table
    from kdbench.registry import Plugins
    from kdbench.store import Store

INTERRUPTED = 130


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    form = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser(
        "judge", help="score prediction files made anywhere", description=__doc__, formatter_class=form
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="predictions: .parquet, .csv or .npz")
    parser.add_argument("--teacher", metavar="FILE", type=Path, help="predictions that the others are compared with")
    parser.add_argument("--groups", metavar="A,B,A*B", help="group columns and intersections (default: every column group.*)")
    parser.add_argument("--positive", metavar="CLASS", default="", help="the class that is a decision in favour")
    parser.add_argument(
        "--axes", metavar="LIST", help="metrics as in a suite: accuracy, {ece: {bins: 10}} (default: all that apply)"
    )
    parser.add_argument("--metric", metavar="NAME", default="", help="the metric that ranks (default: accuracy)")
    parser.add_argument(
        "--margin", metavar="X", type=float, help="smaller differences count as equal (default: 0.01 of a fraction)"
    )
    parser.add_argument("--resamples", metavar="N", type=int, default=1000, help="bootstrap resamples (default: 1000)")
    parser.add_argument("--min-group", metavar="N", type=int, default=30, help="a smaller group is not judged (default: 30)")
    parser.add_argument("--name", metavar="NAME", default="", help="what to call the comparison (default: after the first file)")
    text = "where evidence is kept (default: .kdbench)"
    parser.add_argument("--store", metavar="DIR", type=Path, default=Path(".kdbench"), help=text)
    text = "where reports are written (default: reports)"
    parser.add_argument("--reports", metavar="DIR", type=Path, default=Path("reports"), help=text)
    options.folders(parser)
    options.work(parser)
    parser.set_defaults(func=run, data=None)


def run(args: argparse.Namespace) -> int:
    """Judge the files; the exit code says how complete the board is. Raises Refusal, one line, before any work."""
    plugins, settings = options.plugins(args), _settings(args)
    site = options.site(args)
    from kdbench.predictions.bring import Question, bring, prepare  # noqa: PLC0415 - a bad option costs no numerical library
    from kdbench.predictions.table import read  # noqa: PLC0415 - as above

    students = _named([(path, read(path)) for path in args.files])
    tables = {**({"teacher": read(args.teacher)} if args.teacher else {}), **students}
    name = _name(args, tables)
    groups = None if args.groups is None else tuple(part.strip() for part in args.groups.split(","))
    target = _common(tables, "kdbench.target") or "files"
    question = Question(tables, name, target, args.positive, groups, settings)

    from kdbench.cli.run import conclude  # noqa: PLC0415 - as above
    from kdbench.execute.lock import hold  # noqa: PLC0415 - as above
    from kdbench.store import Store  # noqa: PLC0415 - as above

    prepared = prepare(question)
    suite = replace(prepared.suite, axes=_axes(args, plugins, prepared.suite, tables))
    for note in prepared.notes:
        print(f"note: {clean(note)}", file=sys.stderr)
    store = Store(args.store)
    with hold(args.store):
        asked = options.Asked(suite, plugins, bring(prepared, store))
        judged = _judged(asked, store, site)
        if judged is None:
            return INTERRUPTED
        return conclude(args, replace(asked, suite=judged), store)


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of the suite. Raises Refusal for numbers that make no sense."""
    if args.resamples < 2:
        raise Refusal(f"--resamples {args.resamples}: at least 2 are needed for an interval")
    if args.min_group < 1:
        raise Refusal(f"--min-group {args.min_group}: at least 1 is expected")
    if args.margin is not None and not (math.isfinite(args.margin) and args.margin >= 0):
        raise Refusal(f"--margin {args.margin}: a number from 0 is expected, in units of the metric that ranks")
    compare = Compare(metric=args.metric, margin=args.margin)
    return {"resamples": args.resamples, "min_group": args.min_group, "compare": compare}


def _named(given: list[tuple[Path, Table]]) -> dict[str, Table]:
    """Each file under the name of its contender: what the file says, else its own name without the ending."""
    tables: dict[str, Table] = {}
    for path, table in given:
        name = table.raw.meta.get("kdbench.contender", "") or path.stem
        if not name.strip() or clean(name) != name or len(name) > 100:
            raise Refusal(f"{path}: {clean(name)[:60]!r} is no name for a contender; rename the file")
        if name == "teacher":
            raise Refusal(f"{path}: its contender is called 'teacher'; give it as --teacher {path}, or rename the file")
        if name in tables:
            text = f"{path}: the contender {name!r} is also that of {tables[name].path}"
            raise Refusal(f"{text}; rename one file, or say another kdbench.contender in its metadata")
        tables[name] = table
    return tables


def _name(args: argparse.Namespace, tables: Mapping[str, Table]) -> str:
    """The name of the comparison, which becomes a folder: as asked, else the task that all files name, else the first file's."""
    name = args.name or _common(tables, "kdbench.task") or args.files[0].stem
    if why := problem(name):
        raise Refusal(f"--name: {why}" if args.name else f"{args.files[0]}: {why}; say --name NAME")
    return name


def _common(tables: Mapping[str, Table], key: str) -> str:
    """What all files say under a key of their metadata; "" where they say nothing or differ."""
    said = {table.raw.meta.get(key, "") for table in tables.values()}
    one = said.pop() if len(said) == 1 else ""
    return one if clean(one) == one and not problem(one) else ""


def _axes(args: argparse.Namespace, plugins: Plugins, suite: Suite, tables: Mapping[str, Table]) -> tuple[Use, ...]:
    """The metrics to judge, the one that ranks first. Raises Refusal."""
    from kdbench.predictions.choose import axes, listed, ranked_by  # noqa: PLC0415 - see `run`

    regression = any(table.kind == "values" for table in tables.values())
    given = listed(args.axes, plugins) if args.axes is not None else axes(plugins, suite, tables)
    return ranked_by(args.metric, given, plugins, regression=regression)


def _judged(asked: options.Asked, store: Store, site: Site) -> Suite | None:
    """Run the judge jobs and print every number; the suite without metrics that apply to no contender. None: interrupted."""
    from kdbench.cli.compared import applies, compared  # noqa: PLC0415 - see `run`
    from kdbench.cli.progress import bar  # noqa: PLC0415 - see `run`
    from kdbench.execute import execute  # noqa: PLC0415 - see `run`
    from kdbench.plan import judging  # noqa: PLC0415 - see `run`

    jobs = judging(asked.suite, asked.plan, asked.plugins, store.has)
    with bar("judging") as tell:
        outcome = execute(jobs, store, site, tell)
    if outcome.stopped:
        raise Refusal(outcome.stopped)
    if outcome.interrupted:
        print("interrupted: what was judged is kept; run the same command again to go on", file=sys.stderr)
        return None
    kept = [(_metric(job), job) for job in jobs if applies(store, job)]
    compared(store, [job for _, job in kept], asked.suite)
    return replace(asked.suite, axes=tuple(use for use, _ in kept) or asked.suite.axes[:1])


def _metric(job: Job) -> Use:
    facts: Any = job.spec["metric"]
    return Use(**facts)
