"""Why a remote machine could not be used: one line each, with what to do."""

from __future__ import annotations

import socket
from typing import Any

import asyncssh

from kdbench import Refusal
from kdbench.targets._ssh_answers import clean, last_line
from kdbench.targets._ssh_place import OLDEST, Place

_NOT_FOUND, _NOT_RUN = 127, 126
"""The exit codes of a shell for a command that is not there, and for one that it cannot run."""


_WHY: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((socket.gaierror,), "no such host: neither the ssh configuration nor the name service knows it"),
    ((ConnectionRefusedError,), "refuses the connection{port}: is its SSH server running?"),
    ((asyncssh.HostKeyNotVerifiable,), "its host key is not accepted: {said}; nothing was sent"),
    ((asyncssh.PermissionDenied,), "accepts none of the keys offered{user}; try `ssh {host}` (passwords are never used)"),
    ((asyncssh.KeyExchangeFailed,), "no common way to begin, or none of the kinds of host key that known_hosts has: {said}"),
    (
        (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, ConnectionResetError, BrokenPipeError),
        "the connection was lost in the middle of the work",
    ),
    ((TimeoutError,), "no answer in time: is it on, and is the network up?"),
    ((asyncssh.KeyImportError, asyncssh.KeyEncryptionError), "a key of the ssh configuration cannot be read: {said}"),
    ((asyncssh.ConfigParseError,), "the ssh configuration cannot be read: {said}"),
    ((asyncssh.DisconnectError,), "ended the connection: {said}"),
)
"""What an error means, the first that fits."""


def of(place: Place, error: BaseException) -> Refusal:
    """The reason for what connecting or speaking raised."""
    said, port, user = clean(str(error), 200), place.port, place.user
    for kinds, why in _WHY:
        if isinstance(error, kinds):
            words = {"port": f" at port {port}" if port else "", "user": f" for user {user!r}" if user else ""}
            return Refusal(f"ssh: {place.host}: {why.format(said=said, host=place.host, **words)}")
    if isinstance(error, FileNotFoundError) and error.filename:
        return Refusal(f"ssh: {place.host}: the ssh configuration names a file that is not there: {clean(str(error.filename))}")
    if isinstance(error, OSError) and error.strerror:
        return Refusal(f"ssh: {place.host}: {clean(error.strerror)}")
    return Refusal(f"ssh: {place.host}: {type(error).__name__}: {said}")


def changed(place: Place, shown: str) -> Refusal:
    """What is to be said about a host key that is not the one in known_hosts."""
    return Refusal(
        f"ssh: {place.host}: its host key ({clean(shown)}) is not the one in known_hosts: it was set up again, or somebody "
        f"stands in between; nothing was sent. If you know why: `ssh-keygen -R {place.host}`, then `ssh {place.host}`"
    )


def unknown(place: Place, shown: str) -> Refusal:
    """What is to be said about a host key where known_hosts has none."""
    return Refusal(
        f"ssh: {place.host}: its host key ({clean(shown)}) is not in known_hosts; nothing was sent. Compare it with what "
        f"`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says there, then accept it by `ssh {place.host}`"
    )


def ended(place: Place, agent: asyncssh.SSHClientProcess[bytes], complaint: str) -> Refusal:
    """Why the agent said nothing more."""
    code, said = agent.exit_status, last_line(complaint)
    who = f"ssh: {place.host}: "
    if "too old: Python" in said:
        oldest = ".".join(map(str, OLDEST))
        found = said.partition("too old: ")[2]
        return Refusal(f"{who}{place.python} is {found}; {oldest} or newer is needed (`python` names another)")
    if code == _NOT_FOUND:
        return Refusal(f"{who}has no {place.python} ({said}); install it, or name another by `python`")
    if code == _NOT_RUN:
        return Refusal(f"{who}cannot run {place.python}: {said}")
    if code is None and not agent.exit_signal:
        return Refusal(f"{who}the connection was lost in the middle of the work")
    how = f"exit code {code}" if code is not None else "by a signal"
    return Refusal(f"{who}what runs there ended ({how}): {said or 'it said nothing'}")


def unwritten(place: Place, error: asyncssh.SFTPError, size: int, free: Any) -> Refusal:
    """Why a file could not be written there: mostly, because the disk is full."""
    full = isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded)
    if isinstance(free, int) and (full or free < size):
        return Refusal(
            f"ssh: {place.host}: its disk is full: {size / 2**20:.1f} MiB were to be written, {free / 2**20:.1f} MiB are free in "
            "the temporary folder (TMPDIR there)"
        )
    return Refusal(f"ssh: {place.host}: a file of {size} bytes cannot be written there: {clean(str(error), 200)}")


def no_files(place: Place, error: BaseException) -> Refusal:
    """Why files cannot travel."""
    why = f"{type(error).__name__}: {clean(str(error), 120)}"
    return Refusal(f"ssh: {place.host}: offers no SFTP, or a start-up file of its shell prints something ({why})")


def script(place: Place, name: str, ran: dict[str, Any]) -> Refusal:
    """Why a script failed there. ran: what the agent says about it."""
    who, said = f"ssh: {place.host}: ", last_line(str(ran.get("err", "")))
    code = ran.get("code")
    if ran.get("busy") is True:
        return Refusal(f"{who}another measurement ran there for all of {place.seconds:g} s")
    if ran.get("late") is True:
        return Refusal(f"{who}{name} was not done after {place.seconds:g} s (`timeout`)")
    if code in (-4, -11):
        hint = (
            "illegal instruction: a library there is built for another processor" if code == -4 else "a library there is broken"
        )
        return Refusal(f"{who}{name} crashed ({hint})")
    if code == -9:
        return Refusal(f"{who}{name} was killed there, mostly because memory ran out")
    if "No space left on device" in said:
        return Refusal(f"{who}its disk is full: {said}")
    return Refusal(f"{who}{name} failed there: {said or f'exit code {clean(str(code), 20)}'}")


def model(place: Place, said: dict[str, Any]) -> Refusal:
    """Why the model cannot run there: what `_ssh_predict` foresaw."""
    who = f"ssh: {place.host}: "
    if "missing" in said:
        name, why = clean(str(said["missing"]), 40), clean(str(said.get("why", "")), 200)
        if why.startswith("ModuleNotFoundError") and repr(name) in why:
            return Refusal(f"{who}{name} is not installed for {place.python}: `{place.python} -m pip install numpy onnxruntime`")
        return Refusal(f"{who}{name} cannot be imported by {place.python}, is it made for this processor and system? {why}")
    return Refusal(f"{who}its ONNX Runtime refuses the file: {clean(str(said['refused']))}")
