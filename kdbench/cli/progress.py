"""What a person sees while jobs run: one bar with the time left, on a terminal only. Failures are said at once, everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdbench.execute import Event


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[Event], None]]:
    """A receiver of events that draws a bar on standard error; quiet where that is no terminal, or nothing is to do."""
    if total == 0 or not sys.stderr.isatty():
        yield _failures
        return
    from rich.console import Console  # noqa: PLC0415 - a run with nothing to do draws nothing
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)

        def tell(event: Event) -> None:
            if event.kind == "failed":
                progress.console.print(f"failed: {event.label}: {event.reason}", markup=False, highlight=False)
            progress.update(task, completed=event.done, description=f"{what} {event.label}"[:60])

        yield tell


def _failures(event: Event) -> None:
    if event.kind == "failed":
        print(f"failed: {event.label}: {event.reason}", file=sys.stderr)
