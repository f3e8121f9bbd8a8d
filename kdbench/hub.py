"""Where a checkpoint lies: in a folder, in an installed package, or in the cache of the Hugging Face hub."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal

PACKAGE = "package:"
ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(@[\w./-]{1,100})?")
SAFE = ("*.json", "*.safetensors", "vocab.txt", "*/config.json")
"""What is fetched: weights without code, and facts. Nothing that could be unpickled, and no Python."""
FORMS = "a folder or file, package:NAME/FOLDER, or a hub id OWNER/NAME@REVISION"


def resolve(name: str) -> Path:
    """The local place of a checkpoint. An existing path wins; "package:NAME/FOLDER" lies inside an installed package, which is
    not imported; "OWNER/NAME" or "OWNER/NAME@REVISION" is a model of the hub: from its cache where it is there, else fetched.

    Raises Refusal, in one line, for what is not there, cannot be fetched, or needs a licence that was not accepted.
    """
    if name.startswith(PACKAGE):
        return _in_package(name.removeprefix(PACKAGE))
    with contextlib.suppress(OSError, ValueError):  # a name too long, or with a zero in it
        if Path(name).exists():
            return Path(name)
    if Path(name).is_absolute() or not ID.fullmatch(name):
        raise Refusal(f"load: {name[:200]!r}: no such file or folder (allowed: {FORMS})")
    return _of_hub(name)


def behind(path: Path) -> Path | None:
    """The regular file that a path stands for: itself, or, in the hub's cache, the blob of the same model that it links to.

    None for a link to anywhere else, and for what is no regular file.
    """
    try:
        if path.is_symlink():
            target = path.resolve(strict=True)
            kept = next((up.parent / "blobs" for up in path.absolute().parents if up.name == "snapshots"), None)
            return target if kept is not None and target.parent == kept.resolve() and target.is_file() else None
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        return None


def _in_package(text: str) -> Path:
    package, _, inside = text.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise Refusal(f"load: package {package[:80]!r} is not installed: pip install {package[:80].replace('_', '-')}")
    place = Path(next(iter(spec.submodule_search_locations))) / inside
    if ".." in Path(inside).parts or not place.exists():
        raise Refusal(f"load: package {package!r} holds no {inside[:80]!r}")
    return place


def _of_hub(name: str) -> Path:
    import huggingface_hub  # noqa: PLC0415 - only for names of the hub
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    repository, _, revision = name.partition("@")
    asked: dict[str, Any] = {"revision": revision or None, "cache_dir": _cache(), "allow_patterns": list(SAFE)}
    with contextlib.suppress(errors.LocalEntryNotFoundError, ValueError):
        return Path(huggingface_hub.snapshot_download(repository, local_files_only=True, **asked))
    try:
        with _quiet():
            return Path(huggingface_hub.snapshot_download(repository, etag_timeout=10, **asked))
    except errors.GatedRepoError:
        why = "its owner asks for an agreement: accept it on the hub's page, then log in with `hf auth login`"
    except errors.RevisionNotFoundError:
        why = f"the hub has no revision {revision!r} of it"
    except errors.RepositoryNotFoundError:
        why = "the hub has no such model, or it is private: `hf auth login`"
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        why = f"not in the cache, and the hub cannot be reached ({type(error).__name__}); fetch it where there is a network"
    raise Refusal(f"load: {name}: {why}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's lines about every try: what came of them is said once."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _cache() -> str | None:
    """The folder of the cache as the environment names it now; None for the usual one."""
    home = os.environ.get("HF_HOME")
    return os.environ.get("HF_HUB_CACHE") or (str(Path(home) / "hub") if home else None)
