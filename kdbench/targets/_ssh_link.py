"""One SSH connection by plain blocking calls: the only file that speaks asyncssh.

The event loop runs only within a call, and what asyncio would do in a thread is done at once: a job that leaves a thread behind
gets no second one in its process, and the connection is to serve them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import asyncssh

from kdbench import Refusal
from kdbench.targets import _ssh_answers as answers
from kdbench.targets import _ssh_place, _ssh_reasons
from kdbench.targets._ssh_place import Place

T = TypeVar("T")

FIXED: dict[str, Any] = {
    "agent_forwarding": False, "x11_forwarding": False, "preferred_auth": "publickey", "password": None, "password_auth": False,
    "kbdint_auth": False, "host_based_auth": False, "gss_kex": False, "gss_auth": False,
    "connect_timeout": 20, "login_timeout": 30, "keepalive_interval": 15, "keepalive_count_max": 3,
}  # fmt: skip
"""What no configuration changes: keys alone, nothing forwarded; a connection that says nothing for a minute is lost."""

PATIENCE = 60.0
"""Seconds that the far end gets beside those of the work it was given."""


class _AtOnce(ThreadPoolExecutor):
    """Looks names of hosts up without a thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Client(asyncssh.SSHClient):
    """Says no to a host key that is not known, and keeps it for the message."""

    def __init__(self) -> None:
        self.refused: tuple[str, str, int, asyncssh.SSHKey] | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for a key that is not in known_hosts."""
        self.refused = (host, addr, port, key)
        return False


class Link:
    """A connection with the agent running at its far end. `hello` is what the agent says first. Raises Refusal throughout:
    one line that says what went wrong, and what to do.
    """

    def __init__(self, place: Place, source: bytes) -> None:
        logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # each failure is told once, by its Refusal
        self.place = place
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_AtOnce())
        self._client = _Client()
        self._sftp: asyncssh.SFTPClient | None = None
        try:
            with self._told():
                self._run(self._open(source), 90.0)
            self.hello = self._answer(PATIENCE)
        except BaseException:
            self.close()
            raise

    async def _open(self, source: bytes) -> None:
        asked: dict[str, Any] = {"config": _ssh_place.config(), **FIXED}
        asked |= {name: value for name, value in (("port", self.place.port), ("username", self.place.user)) if value}
        self._known = asyncssh.SSHClientConnectionOptions(host=self.place.host, **asked).known_hosts
        if self._known is None:
            said = "the ssh configuration switches known_hosts off (UserKnownHostsFile none), but host keys are always checked"
            raise Refusal(f"ssh: {self.place.host}: {said}")
        self._connection = await asyncssh.connect(self.place.host, **asked, client_factory=lambda: self._client)
        command = self.place.command(len(source))
        self._agent = await self._connection.create_process(command, encoding=None, request_pty=False, send_env=())
        self._agent.stdin.write(source)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What the agent answers within these seconds (and a minute of grace)."""
        with self._told():
            self._agent.stdin.write(json.dumps(request).encode() + b"\n")
        return self._answer(seconds + PATIENCE)

    def put(self, path: str, data: bytes) -> None:
        """Write a file there."""
        with self._told():
            try:
                self._run(self._write(path, data), PATIENCE + len(data) / 1e5)
                return
            except asyncssh.SFTPError as error:
                why = error
        free = self.ask({"do": "free"}, 1.0).get("free")
        raise _ssh_reasons.unwritten(self.place, why, len(data), free)

    def get(self, path: str, size: int) -> bytes:
        """A file of exactly that many bytes."""
        with self._told():
            data = self._run(self._read(path, size + 1), PATIENCE + size / 1e5)
        if len(data) != size:
            more = "more" if len(data) > size else str(len(data))
            raise Refusal(f"ssh: {self.place.host}: it answered {more} bytes where {size} were to come")
        return data

    def make(self, path: str) -> None:
        """Make a folder there, if it is not there."""
        with self._told():
            self._run(self._files_then(lambda sftp: sftp.makedirs(path, exist_ok=True)), PATIENCE)

    def remove(self, path: str) -> None:
        """Remove a file there."""
        with self._told():
            self._run(self._files_then(lambda sftp: sftp.remove(path)), PATIENCE)

    def close(self) -> None:
        """End the connection; the agent then removes what it holds. Does nothing if it is closed."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(Exception):
            self._run(self._closed(), 10.0)
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            with contextlib.suppress(BaseException):
                self._loop.run_until_complete(task)
        self._loop.close()

    async def _closed(self) -> None:
        if hasattr(self, "_agent"):
            self._agent.stdin.write_eof()
            await asyncio.wait_for(self._agent.wait_closed(), 5.0)
        if hasattr(self, "_connection"):
            self._connection.close()
            await self._connection.wait_closed()

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return self._loop.run_until_complete(asyncio.wait_for(work, seconds))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (asyncssh.Error, OSError, ValueError, TimeoutError) as error:
            raise self._reason(error) from error

    def _reason(self, error: BaseException) -> Refusal:
        if self._client.refused is None:
            return _ssh_reasons.of(self.place, error)
        host, addr, port, key = self._client.refused
        held = asyncssh.match_known_hosts(self._known, host, addr, port if port != 22 else None)
        say = _ssh_reasons.changed if any(held[:2]) else _ssh_reasons.unknown
        return say(self.place, f"{key.get_algorithm()} {key.get_fingerprint()}")

    def _answer(self, seconds: float) -> dict[str, Any]:
        with self._told():
            line, ended = self._run(self._line(), seconds)
        if ended is not None:
            raise ended
        return answers.loaded(line, f"ssh: {self.place.host}")

    async def _line(self) -> tuple[bytes, Refusal | None]:
        """The next line of JSON; before it, what the start-up files of a shell may print. Or why there is none."""
        held = b""
        while True:
            line, found, rest = held.partition(b"\n")
            if found and line.startswith(b"{"):
                return line, None
            if found:
                held = rest
                continue
            data = await self._agent.stdout.read(1 << 16)
            if not data:
                return b"", _ssh_reasons.ended(self.place, self._agent, await self._complaint())
            if len(held) > answers.LONGEST:
                return b"", Refusal(f"ssh: {self.place.host}: it talks without end instead of answering")
            held += data

    async def _complaint(self) -> str:
        with contextlib.suppress(TimeoutError, asyncssh.Error):
            await asyncio.wait_for(self._agent.wait_closed(), 5.0)
            said = await asyncio.wait_for(self._agent.stderr.read(1 << 14), 5.0)
            return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return ""

    async def _files(self) -> asyncssh.SFTPClient:
        if self._sftp is None:
            try:
                self._sftp = await asyncio.wait_for(self._connection.start_sftp_client(), 30.0)
            except (asyncssh.SFTPError, asyncssh.ChannelOpenError, TimeoutError) as error:
                raise _ssh_reasons.no_files(self.place, error) from error
        return self._sftp

    async def _files_then(self, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, T]]) -> T:
        return await work(await self._files())

    async def _write(self, path: str, data: bytes) -> None:
        sftp = await self._files()
        async with sftp.open(path, "wb") as file:
            await file.write(data)

    async def _read(self, path: str, size: int) -> bytes:
        sftp = await self._files()
        async with sftp.open(path, "rb") as file:
            return await file.read(size)
