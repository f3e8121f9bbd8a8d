"""What a suite may say about a remote machine, and the one command that is made of it. A suite is written by anybody."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from kdbench import Refusal

OLDEST = (3, 9)
"""The Python that the far end must have."""

CONFIG = "KDBENCH_SSH_CONFIG"
"""The variable that names another file than ~/.ssh/config. Not a parameter: a suite must not choose whom to trust."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_PYTHON = re.compile(r"(?:/|\.?[A-Za-z0-9_])[A-Za-z0-9_./+-]{0,500}")
_COMMAND = re.compile(r"(?:python|pypy)[0-9.]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A machine, as it is connected to. user, port: None where ~/.ssh/config decides; seconds: for each thing run there."""

    host: str
    user: str | None
    port: int | None
    python: str
    seconds: float

    def command(self, size: int) -> str:
        """The command that reads and runs a program of that many bytes from its input; nothing else is ever run by a shell."""
        oldest = f"({OLDEST[0]},{OLDEST[1]})"
        code = (
            f'import sys;sys.version_info>={oldest} or sys.exit("too old: Python "+sys.version.split()[0]);'
            f'sys.path[:]=[p for p in sys.path if p];exec(compile(sys.stdin.buffer.read({size}),"kdbench","exec"))'
        )
        return f"{shlex.quote(self.python)} -u -c {shlex.quote(code)}"


def place(host: str, port: int | None, python: str, seconds: float) -> Place:
    """Raises Refusal for what is no name of a host, user or Python: the text goes to a shell there, and by a ProxyCommand of
    ~/.ssh/config to one here.
    """
    user, at, name = host.rpartition("@")
    if at and not _NAME.fullmatch(user):
        raise Refusal(f"ssh: host {_shown(host)}: the user is not a plain name (allowed: letters, digits, . _ -)")
    if not (_NAME.fullmatch(name) or _address(name)):
        hint = "; give the port as `port`" if re.fullmatch(r"[\w.-]+:\d+", name) else ""
        allowed = "a name of ~/.ssh/config, HOST or USER@HOST, of letters, digits, . _ -, or an address"
        raise Refusal(f"ssh: host {_shown(host)} is not the name of a host{hint} (allowed: {allowed})")
    if port is not None and port > 65535:
        raise Refusal(f"ssh: port {port} (allowed: 1 to 65535)")
    if not _PYTHON.fullmatch(python) or not _COMMAND.fullmatch(python.rpartition("/")[2]):
        allowed = "python3, or a path of plain characters that ends so, from the root or from the home folder there"
        raise Refusal(f"ssh: python {_shown(python)} (allowed: {allowed})")
    return Place(name, user or None, port, python, seconds)


def config() -> list[str]:
    """The ssh configuration to read: the file that the variable names, else that of the user; none is read where none is."""
    named = os.environ.get(CONFIG)
    if named and not Path(named).is_file():
        raise Refusal(f"{CONFIG}: {named}: no such file (allowed: the whole path of an ssh configuration)")
    usual = Path("~/.ssh/config").expanduser()
    return [named] if named else [str(usual)] if usual.is_file() else []


def _address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return "%" not in name


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:80] + "...")
