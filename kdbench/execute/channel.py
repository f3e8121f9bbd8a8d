"""Messages between two processes: JSON lines over a socket, neither side ever waiting for the other."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, TypeAlias

Message: TypeAlias = "dict[str, Any]"


class Channel:
    """One end. Wait for the socket (`fileno`) to be readable, and writable while `waiting`; then call `receive` and `flush`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = end
        self.open = True
        self._out = b""
        self._in = b""

    def fileno(self) -> int:
        """For `selectors`."""
        return self.end.fileno()

    @property
    def waiting(self) -> bool:
        """Whether there is something that the other side had no room for."""
        return bool(self._out)

    def send(self, message: Message) -> None:
        """Queue a message, and write as much as there is room for."""
        self._out += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Write what the other side has room for. A closed other side is noticed here and in `receive`."""
        try:
            while self._out:
                self._out = self._out[self.end.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self._out = b""
            self.open = False

    def receive(self) -> list[Message]:
        """The messages that have arrived. `open` turns False at the end of the stream; an unfinished last line is dropped."""
        try:
            while data := self.end.recv(1 << 16):
                self._in += data
            self.open = False
        except BlockingIOError:
            pass
        except OSError:
            self.open = False
        *whole, self._in = self._in.split(b"\n")
        return [json.loads(line) for line in whole]

    def close(self) -> None:
        """Close this end."""
        self.open = False
        with contextlib.suppress(OSError):
            self.end.close()
