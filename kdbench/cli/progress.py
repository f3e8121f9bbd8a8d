"""What a person sees while jobs run: one bar with the time left, on a terminal only. Failures are said at once, everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from kdbench.execute import Event

SAID = ("failed", "waiting")
"""Kinds of events that are said in a line of their own."""


@contextmanager
def bar(what: str) -> Iterator[Callable[[Event], None]]:
    """A receiver of events that draws a bar on standard error from the first job on; quiet where that is no terminal."""
    if not sys.stderr.isatty():
        yield _plainly
        return
    with ExitStack() as stack:
        drawn: list[_Bar] = []

        def tell(event: Event) -> None:
            if not drawn:  # a run with nothing to do draws nothing, and does not import what draws
                drawn.append(_Bar(what, stack))
            drawn[0].tell(event)

        yield tell


class _Bar:
    """A bar with the time left."""

    def __init__(self, what: str, stack: ExitStack) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where there is a bar
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._what = what
        self._progress = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        self._task = self._progress.add_task(what)

    def tell(self, event: Event) -> None:
        """Move on; say a failure, and that the run waits, at once."""
        if event.kind in SAID:
            self._progress.console.print(_said(event), markup=False, highlight=False)
        text = f"{self._what}: {event.label or 'waiting'}"[:60]
        self._progress.update(self._task, total=event.total, completed=event.done, description=text)


def _plainly(event: Event) -> None:
    if event.kind in SAID:
        print(_said(event), file=sys.stderr)


def _said(event: Event) -> str:
    return ": ".join(filter(None, (event.kind, event.label, event.reason)))
