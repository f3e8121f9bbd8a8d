"""Which tokens a contender reads: those of its own tokenizer, where it brought one, else those of the task's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdbench import files, hub
from kdbench.nouns import Job, Json, Load, Params, Refusal, Task, Use, digest
from kdbench.plan import keys
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.stages import speech

USUAL = {"next": Use("bpe", {"vocabulary": 4096}), "text": Use("bpe", {"vocabulary": 4096})}
OTHERWISE = Use("wordpiece", {"vocabulary": 8000})
"""The tokenizer of a task that names none and whose teacher brings none, by what is asked."""
TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
"""The files that make a tokenizer, in any of these ways."""
LARGEST = 2**20
MOST = 2**26
"""Bytes of a configuration, and of a tokenizer.json, that are read at most."""
WRITING = ("tokenizer.json", "vocab.txt", "special_tokens_map.json", "tokenizer_config.json", "config.json")
"""The files of a checkpoint that say how it writes; its weights do not."""
MERGED = ("vocab.json", "merges.txt", "added_tokens.json")
"""Those of one whose tokens are merged bytes, where there is no tokenizer.json."""
BESIDE = ("truncation", "padding")
"""Sections of a tokenizer.json that say how long rows were when it was saved: nothing about what its tokens are."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a model reads. tokenizer: the key of the entry that holds its tokenizer.json, "" for data that are no text; layout:
    how a source and its answer stand in its rows ("pair" or "prompt"); start: what its decoder reads first, where a checkpoint
    with an encoder says it; forced: what it reads next, before every answer; hears: of sound, how its own files say that it
    hears, (name, value) each, where they say it.
    """

    tokenizer: str = ""
    layout: str = "pair"
    start: int | None = None
    forced: tuple[int, ...] = ()
    hears: tuple[tuple[str, Json], ...] = ()


PLAIN = Dialect()


class Texts:
    """The jobs that turn the texts of one task into tokens. spoken: whether there is any text at all."""

    def __init__(self, task: Task, data: str, plugins: Plugins, jobs: dict[str, Job]) -> None:
        about = plugins.about(task.data.dataset)
        self.answer = str(about.get("answer", "class"))
        self.spoken = about.get("kind") == "text" or self.answer == "text"
        self.heard = about.get("kind") == "audio" and self.answer == "text"
        self._task, self._data, self._plugins, self._jobs = task, data, plugins, jobs
        self._written: dict[str, Path] = {}

    def usual(self, model: Sequence[Description] = ()) -> Dialect:
        """What a model that was made here reads: the task's tokens, else the teacher's, else those of a usual tokenizer."""
        if not self.spoken:
            return PLAIN
        form = next((str(one.facts.get("layout", "pair")) for one in model), "pair") if self.answer == "text" else "pair"
        first = self._task.teacher.steps[0] if self._task.teacher.steps else None
        if self._task.data.tokenizer is None and isinstance(first, Load) and brings_tokenizer(hub.resolve(first.path)):
            return self.own(hub.resolve(first.path), form)
        return Dialect(self._learned(self._task.data.tokenizer or USUAL.get(self.answer, OTHERWISE)), form)

    def own(self, place: Path, form: str) -> Dialect:
        """What a checkpoint reads that brought its tokenizer. form: how a source and its answer stand in its rows."""
        return Dialect(self.brought(place), form, *self._begins(place, form))

    def borrowed(self, place: Path) -> Dialect:
        """What a model reads that was made elsewhere, without a tokenizer: what is usual, with its own beginning of an answer."""
        usual = self.usual()
        start, *_ = self._begins(place, usual.layout)
        return usual if start is None else replace(usual, start=start)

    def _begins(self, place: Path, form: str) -> tuple[int | None, tuple[int, ...], tuple[tuple[str, Json], ...]]:
        """What an answer begins with, and how sound is heard."""
        if self.answer != "text" or form != "pair":
            return None, (), ()
        config, writing = (_said(place / name) or {} for name in ("config.json", "generation_config.json"))
        hears = speech.said(lambda name: _said(place / name)) if self.heard and config.get("model_type") == speech.WHISPER else {}
        try:
            forced = speech.forced(config, writing) if hears else ()
        except Refusal:  # its own load says so
            forced = ()
        return decoder_start(config, writing), forced, tuple(sorted(hears.items()))

    def asked(self, place: Path, reads: Dialect) -> str:
        """The examples that a checkpoint is opened for: as it reads them, where it does not bring all that says how."""
        if not self.spoken or (brings_tokenizer(place) and not self.heard):
            return self._data
        return self.tokens(self._data, reads if self.heard else self.usual())

    def tokens(self, examples: str, reads: Dialect) -> str:
        """The key of the examples as a model reads them: the same key where they are no text."""
        if not self.spoken or not reads.tokenizer:
            return examples
        spec: Params = {"length": self._task.data.length, "layout": reads.layout if self.answer == "text" else "pair"}
        if reads.start is not None:
            spec = {**spec, "start": reads.start}
        if reads.forced:
            spec = {**spec, "forced": list(reads.forced)}
        if reads.hears:
            spec = {**spec, "front": dict(reads.hears)}
        needs = {"data": examples, "tokenizer": reads.tokenizer}
        label = f"{self._task.name}: tokens of {examples[:8]}"
        return self._add(Job("tokens", spec, needs, keys.code("tokens"), "", keys.runtime("tokens"), label=label))

    def _learned(self, use: Use) -> str:
        plugin = self._plugins.get("tokenizer", use.name)
        params = {param.name: param.default for param in plugin.params if not param.required} | dict(use.params)
        content = ""
        if params.get("path"):
            place = hub.resolve(str(params["path"]))
            names = WRITING if (place / WRITING[0]).exists() else (*WRITING, *MERGED)
            params["path"], content = str(place), keys.checkpoint(place, names)
        needs = {"data": self._data} if "texts" in plugin.evidence else {}
        spec: Params = {"tokenizer": {"name": use.name, "params": params}}
        label = f"{self._task.name}: tokenizer {use.name}"
        code, runtime = keys.code("tokenizer", plugin), keys.runtime("tokenizer")
        return self._add(Job("tokenizer", spec, needs, code, content, runtime, label=label))

    def brought(self, place: Path) -> str:
        """The tokenizer of a checkpoint, as an entry of its own: who reads it does not wait for the network. Folders that write
        alike share the first one's, so that what their models read is the same.
        """
        return self._learned(Use("file", {"path": str(self._written.setdefault(_writing(place), place))}))

    def _add(self, job: Job) -> str:
        return self._jobs.setdefault(job.key, job).key


def brings_tokenizer(place: Path) -> bool:
    """Whether a folder made elsewhere holds a tokenizer."""
    return place.is_dir() and any(all((place / name).is_file() for name in names) for names in TOKENIZERS)


def layout(place: Path) -> str:
    """How a checkpoint takes an answer in text: after an encoder where its configuration says so, else as a continuation."""
    said = _said(place / "config.json")
    return "pair" if said is None or said.get("is_encoder_decoder") else "prompt"


def decoder_start(config: Mapping[str, Any], writing: Mapping[str, Any]) -> int | None:
    """The token that the decoder of a checkpoint with an encoder reads first, where its files say it: config.json, and what
    stands beside it about writing.
    """
    said = (one.get("decoder_start_token_id") for one in (config, writing))
    return next((token for token in said if isinstance(token, int)), None) if config.get("is_encoder_decoder") else None


def _said(path: Path, most: int = LARGEST) -> dict[str, Any] | None:
    """What a file of a checkpoint says, None where it cannot be read; in the hub's cache files are links."""
    try:
        held = json.loads(files.read(hub.behind(path) or path, most))
    except (OSError, ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def _writing(place: Path) -> str:
    """Equal for folders whose tokenizers write alike: the same tokenizer.json, filled up with the same token."""
    held = {name: _said(place / name) for name in WRITING[2:] if (place / name).exists()}
    own = _said(place / WRITING[0], MOST)
    if own is None or None in held.values():
        return str(place)  # made of several files, or of what cannot be read here: alone
    named = [said["pad_token"] for said in held.values() if said and said.get("pad_token")]
    number = (held.get("config.json") or {}).get("pad_token_id")
    return digest([{k: v for k, v in own.items() if k not in BESIDE}, repr(named or number)])
