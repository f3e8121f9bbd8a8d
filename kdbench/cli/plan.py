"""`kdbench plan`: what is done, what is to do, and why; nothing is run."""

from __future__ import annotations

import argparse
from collections import Counter

from kdbench.cli import options
from kdbench.nouns import Job
from kdbench.plan import judging, reasons
from kdbench.store import Store


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("plan", help="say what is done, what is to do, and why", description=__doc__)
    options.suite(parser)
    options.places(parser)
    parser.add_argument("--jobs", action="store_true", help="one line for every job that is to do")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    asked = options.asked(args)
    suite, planned = asked.suite, asked.plan
    store = Store(args.store)
    judged = judging(suite, planned, asked.plugins, store.has)
    todo = reasons((*planned.jobs, *judged), store)
    print(f"{suite.name}: {len(planned.jobs)} jobs that make evidence, {len(suite.tasks) * len(suite.axes)} that judge it\n")
    for line in _by_stage((*planned.jobs, *judged), todo):
        print(line)
    if not all(store.has(job.key) for job in planned.jobs):
        print("\njudge jobs are planned over the evidence that is there; more follow as it arrives")
    for line in _details((*planned.jobs, *judged), todo, every=args.jobs):
        print(line)
    return 0


def _by_stage(jobs: tuple[Job, ...], todo: dict[str, str]) -> list[str]:
    total = Counter(job.stage for job in jobs)
    left = Counter(job.stage for job in jobs if job.key in todo)
    return [f"{stage:10} {total[stage] - left[stage]:6} done {left[stage]:6} to do" for stage in total]


def _details(jobs: tuple[Job, ...], todo: dict[str, str], *, every: bool) -> list[str]:
    """Each job to do with its reason; or, shorter, each reason with how many share it."""
    if every:
        return ["", *(f"{job.label}: {todo[job.key]}" for job in jobs if job.key in todo)]
    why = Counter((job.stage, todo[job.key]) for job in jobs if job.key in todo)
    return ["", *(f"{count:6} x {stage}: {reason}" for (stage, reason), count in why.most_common())] if why else []
