"""A remote machine for as long as this process lives: one connection, one folder there, nothing sent twice."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench import Bundle, Refusal
from kdbench.targets import _ssh_agent, _ssh_reasons
from kdbench.targets import _ssh_answers as answers
from kdbench.targets._ssh_link import Link
from kdbench.targets._ssh_place import Place

_OPEN: dict[tuple[int, Place], Session] = {}
"""By process too: a fork must not speak on its parent's connection, nor close it."""

_FOLDER = re.compile(r"/[^\0-\x1f\x7f]{1,400}")


class Session:
    """The folder there. host: what the machine says about itself."""

    def __init__(self, place: Place) -> None:
        self.place, self.link = place, Link(place, Path(_ssh_agent.__file__).read_bytes())
        whose, hello = f"ssh: {place.host}", self.link.hello
        folder = hello.get("folder")
        if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
            raise Refusal(f"{whose}: it names no folder to work in")
        self.host, self._folder = answers.host(hello.get("host"), whose), folder
        self._sent: set[str] = set()

    def alive(self) -> bool:
        """Whether the far end still answers."""
        try:
            return "free" in self.link.ask({"do": "free"}, 1.0)
        except Refusal:
            return False

    def file(self, name: str, data: bytes) -> str:
        """The path there of a file with this content; sent once."""
        return f"{self.folder({name: data})}/{name}"

    def folder(self, files: Mapping[str, bytes]) -> str:
        """The path there of a folder of these files; sent once."""
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            if not re.fullmatch(r"\w[\w.-]{0,100}", name):
                raise Refusal(f"ssh: {name!r} is not a plain name of a file")
            digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
        path = f"{self._folder}/{digest.hexdigest()[:32]}"
        if path not in self._sent:
            self.link.make(path)
            for name, data in files.items():
                self.link.put(f"{path}/{name}", data)
            self._sent.add(path)
        return path

    def forget(self, path: str) -> None:
        """Remove a file of a folder of ours, which may then be sent again."""
        self._sent.discard(path.rpartition("/")[0])
        self.link.remove(path)

    def model(self, bundle: Bundle) -> dict[str, str]:
        """Where a model's folder and loader lie there."""
        loader = bundle.loader
        return {"folder": self.folder(bundle.files), "loader": self.file(loader.name, loader.read_bytes())}

    def run(self, script: Path, request: Mapping[str, Any], *, alone: bool) -> dict[str, Any]:
        """What a script prints about a request. alone: never beside another script there."""
        program = self.file(script.name, script.read_bytes())
        words = [program, self.file("request.json", json.dumps(dict(request)).encode())]
        asked = {"do": "run", "words": words, "alone": alone, "threads": request["threads"], "seconds": self.place.seconds}
        asked["cwd"] = request.get("files", self._folder)
        ran = self.link.ask(asked, self.place.seconds)
        if ran.get("code") != 0 or ran.get("busy") or ran.get("late"):
            raise _ssh_reasons.script(self.place, script.name, ran)
        whose = f"ssh: {self.place.host}: {script.name}"
        return answers.plain(answers.loaded(str(ran.get("out", "")), whose), whose)


def session(place: Place) -> Session:
    """The session of this process, made anew where the connection was lost since it was last used."""
    key = (os.getpid(), place)
    held = _OPEN.get(key)
    if held is not None and not held.alive():
        _OPEN.pop(key).link.close()
        held = None
    if held is None:
        held = _OPEN[key] = Session(place)
    return held


@atexit.register
def close() -> None:
    """End all sessions of this process."""
    for pid, place in list(_OPEN):
        if pid == os.getpid():
            with contextlib.suppress(Exception):
                _OPEN.pop((pid, place)).link.close()
