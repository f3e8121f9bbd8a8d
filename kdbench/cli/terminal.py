"""Text for a terminal: nothing that a file or a plugin says may steer it."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, colour or reorder text: control, format (bidi overrides), surrogates, separators."""


def clean(text: str) -> str:
    """One printable line: tabs and line ends become a space, other steering characters disappear."""
    spaced = text.replace("\t", " ").replace("\r\n", " ").replace("\n", " ")
    return "".join(char for char in spaced if unicodedata.category(char) not in STEERING)


def styled(stream: TextIO) -> bool:
    """Whether bold text is welcome: a terminal that is not dumb, and no wish for plain text (NO_COLOR)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def bold(text: str, on: bool) -> str:
    """The text in bold where `on`, else as it is."""
    return f"\x1b[1m{text}\x1b[0m" if on else text
