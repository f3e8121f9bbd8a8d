"""Opens a dataset of the hub at one commit, from the cache of the library `datasets` or over the network, and reads it as text.

Offline, `datasets.load_dataset(name, revision=...)` gives the newest copy in its cache, whatever its revision, with a warning.
Here the copy is chosen by its commit, and what was opened is checked again.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdbench import Refusal
from kdbench.datasets._sheet import MOST_CELLS, Sheet, check_text
from kdbench.datasets._text import MOST_TEXT

COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?", re.ASCII)


def opened(name: str, config: str, revision: str) -> Any:
    """The builder of a dataset, whose data lie in the cache. Raises Refusal."""
    if not NAME.fullmatch(name) or ".." in name:
        raise Refusal(f"hub: name: {name[:80]!r} (allowed: owner/dataset, as 'nyu-mll/glue')")
    if not COMMIT.fullmatch(revision):
        raise Refusal(f"hub: revision: {revision[:60]!r} may move; name a commit, 40 hexadecimal digits{_known(name, config)}")
    if importlib.util.find_spec("datasets") is None:
        raise Refusal("hub: the library datasets is not installed; pip install datasets")
    builder = _cached(name, config, revision) or _fetched(name, config, revision)
    if builder.hash != revision:
        raise Refusal(f"hub: {name} at {revision} is not in the cache and cannot be fetched (offered instead: {builder.hash})")
    return builder


def sheets(builder: Any, splits: Mapping[str, str], columns: Sequence[str]) -> dict[str, Sheet]:
    """Columns of splits, as text: ours -> sheet, for splits: ours -> theirs. Labels go by their names. Raises Refusal."""
    held = {}
    for ours, theirs in splits.items():
        if theirs not in (builder.info.splits or {}):
            known = ", ".join(builder.info.splits or {}) or "none"
            raise Refusal(f'hub: {builder.repo_id}: {ours}: no split {theirs!r} (allowed: {known}, or "" for none)')
        data = builder.as_dataset(theirs)
        if data.num_rows * len(columns) > MOST_CELLS:
            raise Refusal(f"hub: {builder.repo_id}: {theirs}: {data.num_rows} rows; at most {MOST_CELLS} cells are read")
        place = Path(f"{builder.repo_id}:{theirs}")
        for name in columns:
            Sheet(place, dict.fromkeys(data.column_names, ())).column(name, "expected")
        held[ours] = Sheet(place, {name: _texts(data, name, place) for name in columns})
        if not data.num_rows:
            raise Refusal(f"{place}: no rows")
    return held


def _texts(data: Any, name: str, place: Path) -> list[str]:
    """A column as text: a class by its name, numbers in their shortest form, nothing for null."""
    names, values = getattr(data.features[name], "names", None), data.with_format(None)[name][:]
    if names is not None:
        row = next((i for i, v in enumerate(values, 1) if v is None or not 0 <= v < len(names)), 0)
        if row:
            raise Refusal(
                f"{place}: row {row}, column {name!r}: label {values[row - 1]} is none; a split whose labels are secret?"
            )
        return [names[v] for v in values]
    for row, value in enumerate(values, 1):
        if isinstance(value, (list, dict, bytes)):
            raise Refusal(f"{place}: row {row}, column {name!r}: a {type(value).__name__} is no text")
    out = [v if isinstance(v, str) else "" if v is None else str(v).lower() for v in values]
    check_text(place, name, out, MOST_TEXT)
    return out


def _folders(name: str, config: str, version: str = "*", commit: str = "*") -> list[Path]:
    """Prepared copies in the cache of `datasets`: <owner>___<name>/<configuration>/<version>/<commit>."""
    from datasets import config as settings  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
    from datasets.naming import camelcase_to_snakecase  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

    *owner, last = name.split("/")
    stem = Path(settings.HF_DATASETS_CACHE) / "___".join([*owner, camelcase_to_snakecase(last)])
    return sorted(p for p in stem.glob(f"{config or '*'}/{version}/{commit}") if (p / "dataset_info.json").is_file())


def _known(name: str, config: str) -> str:
    """A hint: the commits that the cache holds."""
    if importlib.util.find_spec("datasets") is None:
        return ""
    commits = sorted({p.name for p in _folders(name, config) if COMMIT.fullmatch(p.name)})
    return f" (in the cache: {', '.join(commits[:5])})" if commits else ""


def _cached(name: str, config: str, revision: str) -> Any:
    """The copy of this commit in the cache; None where there is none."""
    found = _folders(name, config, commit=revision)
    if not found:
        return None
    if len(found) > 1:
        raise Refusal(f"hub: {name}: config: say which (allowed: {', '.join(sorted({p.parts[-3] for p in found}))})")
    from datasets.packaged_modules.cache.cache import Cache  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

    place = found[0]
    last = name.split("/")[-1]
    return Cache(dataset_name=last, repo_id=name, config_name=place.parts[-3], version=place.parts[-2], hash=revision)


def _fetched(name: str, config: str, revision: str) -> Any:
    """Over the network. Raises Refusal in one line where that fails."""
    import datasets  # noqa: PLC0415 - optional

    if Path(name).exists():
        raise Refusal(f"hub: {name}: a folder of this name lies here, and `datasets` would read it; run from another folder")
    datasets.disable_progress_bars()
    try:
        builder = datasets.load_dataset_builder(name, config or None, revision=revision)
        builder.download_and_prepare()
    except Exception as error:  # noqa: BLE001 - the library raises errors of its HTTP clients, of its own, and plain ones
        said = " ".join(str(error).split())[:160]
        raise Refusal(
            f"hub: {name}{f' {config}' if config else ''} at {revision[:12]} is not in the cache and cannot be fetched ({said})"
            f"{_known(name, config)}"
        ) from None
    return builder
