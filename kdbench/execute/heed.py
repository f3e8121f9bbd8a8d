"""Ctrl-C and its like, turned into something to wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Heed:
    """How often the user has asked to stop; `handle` becomes readable each time."""

    def __init__(self) -> None:
        self.asked = 0
        self.handle, self._bell = os.pipe()
        os.set_blocking(self.handle, False)
        os.set_blocking(self._bell, False)

    def ring(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Count, and wake whoever waits."""
        self.asked += 1
        with contextlib.suppress(OSError):
            os.write(self._bell, b"!")

    def hush(self) -> None:
        """Empty the bell, so that only the next ring wakes."""
        with contextlib.suppress(OSError):
            os.read(self.handle, 4096)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.handle)
        os.close(self._bell)


@contextlib.contextmanager
def heeded() -> Iterator[Heed]:
    """Count SIGINT, SIGTERM and SIGHUP instead of dying; those that are ignored stay so. In another thread than the main one
    signals cannot be caught, and go where they went before.
    """
    heed = Heed()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, heed.ring)
    try:
        yield heed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        heed.close()
