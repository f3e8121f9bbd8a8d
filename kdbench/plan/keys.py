"""What goes into a key beside the spec: hashes of plugin code, of files outside the store, and versions of the runtime."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from kdbench.nouns import Params, Refusal, digest
from kdbench.signature import Description
from kdbench.stages import STAGES


def code(stage: str, *plugins: Description) -> str:
    """The version of the stage and the source of every plugin that takes part."""
    return digest([STAGES[stage].version, sorted(p.code for p in plugins)])


BUILT_IN = ("torch", "onnx")
"""The runtimes of artefacts that kdbench itself opens; what opens any other is the plugin that it belongs to."""


@cache
def runtime(stage: str, artefact: str = "torch", needs: tuple[str, ...] = ()) -> str:
    """major.minor of the packages that make the evidence of a stage from an artefact, with those that a target needs: "torch
    2.13, onnxruntime 1.31".
    """
    names = dict.fromkeys((*(STAGES[stage].runtime if artefact in BUILT_IN else ()), *needs))
    return ", ".join(f"{name} {_version(name)}" for name in names)


def files(dataset: Description, params: Params, root: Path | None) -> str:
    """One hash over the files that a dataset says it reads. Refuses a file that is not there, before any work."""
    return digest([_sha256(_locate(name.format_map(params), dataset, root)) for name in dataset.facts.get("files", ())])


def folder(path: Path) -> str:
    """One hash over the regular files of a checkpoint folder, by name. Links are not followed."""
    if not path.is_dir():
        raise Refusal(f"load: {path}: no such folder (allowed: a folder with artefact.json and its weights)")
    held = sorted(p for p in path.iterdir() if p.is_file() and not p.is_symlink())
    if not any(p.name == "artefact.json" for p in held):
        raise Refusal(f"load: {path}: has no artefact.json, the file that names the model")
    return digest({p.name: _sha256(p) for p in held})


def sources(paths: Iterable[Path]) -> str:
    """One hash over source files: for stages whose results are cheap to make again, and must follow every change."""
    return digest({f"{p.parent.name}/{p.name}": _sha256(p) for p in sorted(paths)})


def _version(package: str) -> str:
    try:
        return ".".join(importlib.metadata.version(package).split(".")[:2])
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _locate(name: str, dataset: Description, root: Path | None) -> Path:
    if name.startswith("package:"):
        package, _, inside = name.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise Refusal(f"dataset {dataset.name!r}: package {package!r} is not installed")
        return Path(next(iter(spec.submodule_search_locations))) / inside
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
