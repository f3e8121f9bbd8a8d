"""What goes into a key beside the spec: hashes of plugin code, of files outside the store, and versions of the runtime."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import stat
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from kdbench import hub
from kdbench.nouns import Params, Refusal, digest
from kdbench.signature import Description
from kdbench.stages import STAGES
from kdbench.stages.harness_stock import stock


def code(stage: str, *plugins: Description) -> str:
    """The version of the stage and the source of every plugin that takes part."""
    return digest([STAGES[stage].version, sorted(p.code for p in plugins)])


BUILT_IN = ("torch", "onnx")
"""The runtimes of artefacts that kdbench itself opens; what opens any other is the plugin that it belongs to."""

STOCK = "lm_eval:"
WHOLE = frozenset({"lm-eval"})
"""Packages of which every release may change what is asked: the prompts of lm-eval's tasks do in patch releases."""


@cache
def runtime(stage: str, artefact: str = "torch", needs: tuple[str, ...] = ()) -> str:
    """The versions of the packages that make the evidence of a stage from an artefact, with those that a target or a metric
    needs: major.minor, "torch 2.13, onnxruntime 1.31"; the whole version of those in `WHOLE`.
    """
    names = dict.fromkeys((*(STAGES[stage].runtime if artefact in BUILT_IN else ()), *needs))
    return ", ".join(f"{name} {_version(name)}" for name in names)


def files(dataset: Description, params: Params, root: Path | None) -> str:
    """One hash over the files that a dataset says it reads; where the user names the place, a folder stands for the files in it.
    "lm_eval:<task>" is the file of a task that comes with lm-eval, with the files beside it, which it includes and runs.
    Refuses a file that is not there, before any work.
    """
    held = [(name, _locate(name.format_map(params), dataset, root)) for name in dataset.facts.get("files", ())]
    whole = ("{", STOCK)
    return digest([checkpoint(place) if name.startswith(whole) and place.is_dir() else _sha256(place) for name, place in held])


def folder(path: Path) -> str:
    """One hash over a file, or over the regular files of a checkpoint folder, by name, and the configurations of its parts.
    Links are not followed, but those of the hub's cache to its own blobs.
    """
    if path.is_file():
        return _sha256(path)
    if not path.is_dir():
        raise Refusal(f"load: {path}: no such folder (allowed: a folder with artefact.json or config.json, and its weights)")
    found = {place.relative_to(path).as_posix(): hub.behind(place) for place in (*path.iterdir(), *path.glob("*/config.json"))}
    held = {name: place for name, place in found.items() if place is not None}
    if not {"artefact.json", "config.json"} & set(held):
        raise Refusal(f"load: {path}: has neither artefact.json nor the config.json of transformers, which name the model")
    return digest({name: _sha256(place) for name, place in held.items()})


def checkpoint(path: Path, only: Sequence[str] = ()) -> str:
    """One hash over a file, or over the regular files of a folder of a tokenizer or a model; `only`: those of these names."""
    if path.is_file():
        return _sha256(path)
    return digest({p.name: _sha256(p) for p in sorted(path.iterdir()) if p.is_file() and (not only or p.name in only)})


def sources(paths: Iterable[Path]) -> str:
    """One hash over source files: for stages whose results are cheap to make again, and must follow every change."""
    return digest({f"{p.parent.name}/{p.name}": _sha256(p) for p in sorted(paths)})


def _version(package: str) -> str:
    try:
        found = importlib.metadata.version(package)
        return found if package in WHOLE else ".".join(found.split(".")[:2])
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _locate(name: str, dataset: Description, root: Path | None) -> Path:
    if name.startswith("package:"):
        package, _, inside = name.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise Refusal(f"dataset {dataset.name!r}: package {package!r} is not installed")
        return Path(next(iter(spec.submodule_search_locations))) / inside
    if name.startswith(STOCK):
        return stock(name.removeprefix(STOCK)).parent
    if Path(name).is_absolute():
        return Path(name)
    if root is None:
        raise Refusal(f"dataset {dataset.name!r} needs a data folder: give --data DIR or set KDBENCH_DATA (expected: {name})")
    return root / name


def _sha256(path: Path) -> str:
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise Refusal(f"{path}: not a regular file")
        return _hash(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror or 'cannot be read'}") from None


@cache
def _hash(path: Path, _changed: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
