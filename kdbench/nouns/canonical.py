"""The plain and the canonical form of a record: what is written to JSON, and what is hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Params: TypeAlias = "Mapping[str, Json]"


def plain(value: object) -> Json:
    """A record, mapping or sequence as plain JSON values. Raises TypeError for what has no plain form."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no plain form for {type(value).__name__}")


def canonical(value: object) -> str:
    """One text for one value: sorted keys, no spaces, no NaN. Equal values give equal bytes on every machine."""
    return json.dumps(value, default=_opened, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _opened(value: object) -> Json:
    """A record or mapping that the encoder does not know, one level deep: the rest stays at the speed of the encoder."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no plain form for {type(value).__name__}")


def digest(value: object) -> str:
    """The sha256 of the canonical text, as 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
