"""From a file, or an option, to text that is safe to parse."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from kdbench.nouns import Refusal

LARGEST = 1 << 20
"""Bytes of a suite file."""

LONGEST = 4096
"""Characters of one value."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KERNEL = ("/proc", "/dev", "/sys")
_CONTROL = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff\U000e0000-\U000e0fff]"
)
_WORD = re.compile(rf"[^\s,\[\]{{}}]{{{LONGEST + 1},}}")
_ESCAPES = {"\t": "a tab (indent with spaces)", "\0": "a NUL byte (is it a text file?)"}


def read(path: Path) -> str:
    """The text of a suite file: a regular file of at most 1 MiB in UTF-8. Raises Refusal, which never quotes the content."""
    if _URL.match(str(path)):
        raise Refusal(f"{path}: a URL; only local files are read")
    try:
        place = path.resolve(strict=True)
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refusal(f"{path}: no such file") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise Refusal(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    regular = stat.S_ISREG(os.fstat(handle).st_mode) and not kernel(place)
    if not regular:
        os.close(handle)
        raise Refusal(f"{path}: not a regular file")
    with open(handle, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Refusal(f"{path}: larger than {LARGEST} bytes; a suite is a few kilobytes")
    return decode(data, str(path))


def decode(data: bytes, name: str) -> str:
    """UTF-8 without control characters, with or without a byte order mark."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise Refusal(f"{name}:1:1: the file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal(f"{name}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from None
    bad = unsafe(text)
    if bad:
        place, what = bad
        raise Refusal(f"{name}:{place}: {what}")
    return text


def unsafe(text: str) -> tuple[str, str] | None:
    """Where ("line:column") and what, for the first thing that a suite never holds: control characters, endless words."""
    control = _CONTROL.search(text)
    if control:
        return _place(text, control.start()), f"holds {control_name(control[0])}"
    word = _WORD.search(text)
    return (_place(text, word.start()), f"a value of more than {LONGEST} characters") if word else None


def control_name(character: str) -> str:
    """How a character that cannot be shown is named."""
    return _ESCAPES.get(character, f"the control character U+{ord(character):04X}")


def invisible(text: str) -> str:
    """The first control, format or direction character of a value other than a line break; "" where there is none."""
    found = _CONTROL.search(text.replace("\r", "\0"))
    return text[found.start()] if found else ""


def kernel(place: Path) -> bool:
    """Whether a resolved path is one of the kernel's own, which only look like files."""
    return any(place.is_relative_to(folder) for folder in _KERNEL)


def local(text: str, base: Path) -> str:
    """The absolute form of a path that a suite names, relative to `base`. Raises ValueError with what is wrong with it."""
    if "://" in text or _URL.match(text):
        raise ValueError(f"{text!r} is a URL; only local files and folders are read")
    if not text.strip():
        raise ValueError("the path is empty")
    try:
        place = (base / text).resolve()
        mode = place.stat().st_mode if not kernel(place) else 0
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"no such file or folder: {text!r} (relative paths start at the folder of the suite)") from None
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"the path {text!r} cannot be followed") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{text!r} is not a regular file or folder")
    return str(place)


def _place(text: str, index: int) -> str:
    start = text.rfind("\n", 0, index) + 1
    return f"{text.count(chr(10), 0, index) + 1}:{index - start + 1}"
