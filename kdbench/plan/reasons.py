"""Why a job is still to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdbench.nouns import Job
from kdbench.store import MANIFEST, Store


def reasons(jobs: Sequence[Job], store: Store) -> dict[str, str]:
    """Key -> why it must run: never made, failed last time, damaged, or made before under other conditions (and which)."""
    missing = [job for job in jobs if not store.has(job.key)]
    earlier = _earlier(store) if missing else {}
    return {job.key: _reason(job, store, earlier.get(job.label)) for job in missing}


def _reason(job: Job, store: Store, before: Mapping[str, Any] | None) -> str:
    if store.place(job.key).exists():
        return "damaged: it will be made again"
    failed = store.failure(job.key)
    if failed:
        return f"failed last time: {failed}"
    if before is None:
        return "never made"
    now = job.identity()
    changed = [part for part in ("stage", "code", "content", "runtime") if now[part] != before.get(part)]
    changed += [f"spec.{name}" for name in _different(now["spec"], before.get("spec"))]
    changed += [f"input {name!r}" for name in _different(now["needs"], before.get("needs"))]
    return f"changed since it was made: {', '.join(changed)}"


def _different(now: Any, before: Any) -> Iterator[str]:
    before = before if isinstance(before, Mapping) else {}
    for name in sorted({*now, *before}):
        if now.get(name) != before.get(name):
            yield str(name)


def _earlier(store: Store) -> dict[str, Mapping[str, Any]]:
    """Label -> identity of an entry that was made under it, for saying what has changed since."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted((store.root / "store").glob(f"*/*/{MANIFEST}")):
        try:
            manifest = json.loads(path.read_bytes())
            found[str(manifest["label"])] = manifest["job"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
