"""Whose turn it is on this machine, and a word to the user when it is not ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kdbench.execute.lock import Quiet

NOTICED = 3.0
"""Seconds of waiting for another run after which the user is told."""


class Turn:
    """The turns of one run. root: folder of its store; tell: what takes the reason of a long wait, once for each wait."""

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self._root, self._tell = root, tell
        self._quiet = Quiet()
        self._since: float | None = None
        self._told = False

    def ours(self, *, alone: bool) -> bool:
        """Whether a job may begin now: one that has the machine to itself, or one beside those of other runs. Never waits."""
        try:
            ours = self._ask(alone=alone)
        except OSError:  # no folder that all runs of this user share: at least the runs on this store take turns
            self._quiet = Quiet(self._root)
            ours = self._ask(alone=alone)
        if ours:
            self._since, self._told = None, False
        elif self._since is None:
            self._since = time.monotonic()
        elif not self._told and time.monotonic() - self._since > NOTICED:
            self._tell(f"another run of kdbench {'works' if alone else 'times something'} on this machine")
            self._told = True
        return ours

    def leave(self) -> None:
        """Let others in; does nothing where nothing is held."""
        self._quiet.leave()

    def _ask(self, *, alone: bool) -> bool:
        return self._quiet.take() if alone else self._quiet.share()
