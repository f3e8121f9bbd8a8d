"""Why a job failed, in one line that is the same every time: no control characters, addresses or private paths."""

from __future__ import annotations

import os
import re
import signal
import traceback

LONGEST = 500
LOG = 16 << 10
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_DRAFT = re.compile(r"[^\s'\"]*/tmp/\d+-\d+-[0-9a-f]{12}(?:/j\d+)?")
_NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "cannot allocate memory", "Failed to allocate memory")


def line(text: str) -> str:
    """One clean line of at most 500 characters."""
    cut = text if len(text) <= 4 * LONGEST else text[: 4 * LONGEST]
    words = " ".join(clean(cut).split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def clean(text: str) -> str:
    """Without escape sequences, control and bidirectional characters (new lines and tabs stay), addresses, and private paths."""
    text = _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    text = _DRAFT.sub("(temporary folder)", _ADDRESS.sub("0x…", text))
    home = os.path.expanduser("~")
    return text.replace(home + os.sep, "~" + os.sep) if len(home) > 1 else text


def of(error: BaseException, memory: int) -> str:
    """The reason for an exception; `memory` is the cap that the job ran under."""
    try:
        text = str(error)
    except BaseException:  # noqa: B036 - a plugin's own exception may fail in any way while it is shown
        text = "(its message cannot be shown)"
    kind = type(error).__name__
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError | OSError) and any(word in text for word in _NO_MEMORY)):
        return over(memory)
    if kind == "Refusal":
        return line(text)
    return line(f"{kind}: {text[: 8 * LONGEST]}" if text else kind)


def trace(error: BaseException) -> str:
    """The end of the traceback, each line cut: a message of 10 MB stays readable."""
    try:
        lines = "".join(traceback.format_exception(error, limit=-30)).splitlines()
    except BaseException:  # noqa: B036 - as above
        return ""
    return "\n".join(one[:LONGEST] for one in lines[-120:])


def over(memory: int) -> str:
    """The reason for a job that asked for more memory than it may have."""
    return f"memory: over the cap of {memory / 2**30:.1f} GiB" if memory else "memory: the machine has no more"


def ended(status: int, log: str, memory: int) -> str:
    """The reason for a process that ended (`os.waitpid` status) without an answer."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGABRT and any(word in log for word in _NO_MEMORY):
            return over(memory)
        return f"killed by signal {number} ({_signal(number)})"
    return f"ended without a result (exit code {os.waitstatus_to_exitcode(status)})"


def late(seconds: float) -> str:
    """The reason for a job that took too long."""
    return f"timed out after {seconds:g} s"


def needs(label: str, cause: str) -> str:
    """The reason for a job that was not tried: another one, whose root cause is given, failed."""
    return cause if cause.startswith("needs ") else line(f"needs {label}: {cause}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
