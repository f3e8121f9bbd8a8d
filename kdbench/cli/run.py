"""`kdbench run`: suite -> plan -> evidence -> judgement -> report. Running again does only what is missing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from kdbench.cli import options
from kdbench.cli.options import Asked
from kdbench.cli.progress import bar
from kdbench.execute import Outcome, Site, execute
from kdbench.execute.lock import hold
from kdbench.files import replace
from kdbench.nouns import Job, Refusal, canonical, digest
from kdbench.plan import judging, plan
from kdbench.plan.keys import sources
from kdbench.report import FILES, render, table
from kdbench.signature import Description
from kdbench.store import Damaged, Store

COMPLETE, GATE_FAILED, PARTIAL, INTERRUPTED = 0, 1, 3, 130
"""Exit codes; 2 is a refusal, said by the command line itself."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("run", help="make what is missing, judge it, and write the leaderboard", description=__doc__)
    options.suite(parser)
    options.places(parser)
    options.work(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the suite; the exit code says how complete the board is."""
    asked = options.asked(args)
    store = Store(args.store)
    with hold(args.store):
        before = {job.key for job in asked.plan.jobs if store.has(job.key)}
        interrupted = _execute("evidence", asked.plan.jobs, store, options.site(args)).interrupted
        unchanged(args, asked, store, before)
        return _interrupted() if interrupted else conclude(args, asked, store)


def unchanged(args: argparse.Namespace, asked: Asked, store: Store, before: Collection[str]) -> None:
    """Refuse to go on where a file was edited while it was read, and drop what was made of it: its key is that of the file as it
    was. before: the keys that were there when the run began, which nobody touched.
    """
    fresh = {job.key: job for job in asked.plan.jobs if job.key not in before}
    if not any(job.content for job in fresh.values()):
        return
    now = {job.key for job in plan(asked.suite, asked.plugins, args.data).jobs}
    edited = {key for key, job in fresh.items() if job.content and key not in now}
    if not edited:
        return
    for key, job in fresh.items():  # every job stands behind those that it needs
        if (
            key in edited
            or edited.intersection(job.needs.values())
            or any(edited.intersection(keys) for keys in job.uses.values())
        ):
            edited.add(key)
            store.drop(key)
    named = ", ".join(sorted({fresh[key].label or fresh[key].stage for key in edited if fresh[key].content}))
    raise Refusal(f"a file was changed during the run; what was made of it is dropped ({named[:200]}): run again")


def conclude(args: argparse.Namespace, asked: Asked, store: Store) -> int:
    """Judge the evidence that is there, write the report, and say where it is. The caller holds the store."""
    folder, planned = args.reports / asked.suite.name, asked.plan
    made = {job.key for job in planned.jobs if store.has(job.key)}
    again = [job for job in planned.jobs if job.key in made]  # so that one that turns out to be damaged can be made again
    while True:
        judged = judging(asked.suite, planned, asked.plugins, made.__contains__)
        outcome = _execute("judging", (*again, *judged), store, options.site(args))
        if outcome.interrupted:
            return _interrupted()
        missing = {job.key for job in planned.jobs} - made | set(outcome.failed)
        try:
            _report(asked, judged, store, folder, {key: store.failure(key) for key in sorted(missing)})
        except Damaged as damaged:  # found only now, when it is read: that entry alone is made again
            store.drop(damaged.key)
            continue
        return _say(folder, len(missing))


def _execute(what: str, jobs: tuple[Job, ...], store: Store, site: Site) -> Outcome:
    with bar(what) as tell:
        outcome = execute(jobs, store, site, tell)
    if outcome.stopped:
        raise Refusal(outcome.stopped)
    return outcome


def _interrupted() -> int:
    print("interrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
    return INTERRUPTED


def _report(asked: Asked, judged: tuple[Job, ...], store: Store, folder: Path, failures: Mapping[str, str]) -> None:
    """Write the report, unless the one that is there was made from exactly this."""
    rooms = {"report", "assets", "judge"}
    code = sources(p for p in Path(__file__).parents[1].rglob("*.*") if p.parent.name in rooms)
    sections = [one.code if isinstance(one, Description) else one.reason for one in asked.plugins.describe("section")]
    made_from = digest([asked.suite, asked.plan.cells, [job.key for job in judged], failures, code, sections])
    stamp = folder / "made_from.txt"
    whole = all((folder / name).exists() for name in FILES)
    if whole and stamp.exists() and stamp.read_text(encoding="utf-8") == made_from:
        return
    from kdbench.judge import judge  # noqa: PLC0415 - pandas, only where a report is due

    stamp.unlink(missing_ok=True)
    render(judge(asked.suite, asked.plan, judged, store, asked.plugins), folder, asked.plugins)
    replace(stamp, made_from.encode())


def _say(folder: Path, missing: int) -> int:
    written = json.loads((folder / "standings.json").read_text(encoding="utf-8"))
    table(written["tables"])
    if missing:
        print(f"partial: {missing} jobs have brought nothing; their rows say why", file=sys.stderr)
    missed = [gate for gate in written["gates"] if gate["verdict"] != "PASS"]
    for gate in missed:
        print(f"gate {gate['verdict']}: {canonical(gate)}", file=sys.stderr)
    print(folder / "index.html")
    return PARTIAL if missing else GATE_FAILED if missed else COMPLETE
