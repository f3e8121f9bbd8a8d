"""The rows that models are measured on: real ones from a file, or random ones of the declared shapes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.measure.opened import sized
from kdbench.nouns import Refusal, Scenario
from kdbench.registry import nearest

SEED = 0
CALLS = 32
"""Calls' worth of different random rows that are drawn for the largest batch, where they are no more than MOST bytes."""
MOST = 1 << 27
Declared = Mapping[str, Mapping[str, Any]]


def agreed(models: Mapping[str, Declared]) -> dict[str, dict[str, Any]]:
    """What all models take, by input; of codes, those that all of them know. models: by name, of equal input names. Raises
    Refusal where two sizes or types differ.
    """
    (first, own), *others = models.items()
    found = {name: dict(about) for name, about in own.items()}
    for other, takes in others:
        for name, about in found.items():
            more = takes[name]
            sides = f"input {name[:80]!r}: {first} takes {sized(about['dims'])} {about['dtype']}"
            if about["dtype"] != more["dtype"] or len(about["dims"]) != len(more["dims"]):
                raise Refusal(f"{sides}, {other} takes {sized(more['dims'])} {more['dtype']}: they cannot be given the same rows")
            both = [_same(a, b) for a, b in zip(about["dims"], more["dims"], strict=True)]
            if None in both:
                raise Refusal(f"{sides}, {other} takes {sized(more['dims'])}: they cannot be given the same rows")
            about["dims"] = both
            levels = [held for held in (about.get("levels"), more.get("levels")) if held]
            if len({len(held) for held in levels}) > 1:
                raise Refusal(f"{sides}, {other} as many, but of other columns of codes: they cannot be given the same rows")
            about["levels"] = [min(each) for each in zip(*levels, strict=True)]
    return found


def _same(a: int | str, b: int | str) -> int | str | None:
    if isinstance(a, int) and isinstance(b, int):
        return a if a == b else None
    return a if isinstance(a, int) else b


def sizes(takes: Declared, given: Mapping[str, Sequence[int]], scenario: Scenario) -> dict[str, tuple[int, ...]]:
    """The size of a row of each input, from what is declared, what the user says, and the length of the scenario (which fills
    the open first dimension of a row). Raises Refusal for a size that does not fit, and for one that nobody says.
    """
    for name in given:
        if name not in takes:
            raise Refusal(f"--shape {name[:80]}: the model has no such input{nearest(name, list(takes))}")
    found = {}
    for name, about in takes.items():
        dims, said = list(about["dims"]), given.get(name)
        if isinstance(dims[0], int) and dims[0] != scenario.batch:
            raise Refusal(f"input {name[:80]!r} takes {dims[0]} rows a call and no others (allowed: --batch {dims[0]})")
        if said is not None and (
            len(said) != len(dims) or any(isinstance(d, int) and d != s for d, s in zip(dims[1:], said[1:], strict=True))
        ):
            raise Refusal(f"--shape {name[:80]}={'x'.join(map(str, said))}: the model takes {sized(dims)}")
        if scenario.length and len(dims) > 1 and not isinstance(dims[1], int):
            dims[1] = scenario.length
        dims = [d if isinstance(d, int) or said is None else s for d, s in zip(dims, said or dims, strict=True)]
        open_ = [d for d in dims[1:] if not isinstance(d, int)]
        if open_:
            form = "x".join(["1", *(str(d) if isinstance(d, int) else "N" for d in dims[1:])])
            length = ", or --length N" if dims[1] in open_ and len(open_) == 1 else ""
            raise Refusal(f"input {name[:80]!r} leaves {open_[0][:40]!r} open (say --shape {name[:80]}={form}{length})")
        found[name] = tuple(int(d) for d in dims[1:])
    if scenario.length and not any(
        isinstance(about["dims"][1:2] + [0], list) and _long(about, scenario) for about in takes.values()
    ):
        raise Refusal(f"--length {scenario.length}: no input of the model has an open first dimension of a row")
    return found


def _long(about: Mapping[str, Any], scenario: Scenario) -> bool:
    dims = about["dims"]
    return len(dims) > 1 and (not isinstance(dims[1], int) or dims[1] == scenario.length)


def random_rows(
    takes: Declared, rows: Mapping[str, tuple[int, ...]], ranges: Mapping[str, Sequence[float]], batch: int
) -> dict[str, np.ndarray]:
    """Rows drawn with a fixed seed: standard normal, or even between the ends of a range; codes below their number of levels.

    Raises Refusal for whole numbers whose range nobody says.
    """
    for name in ranges:
        if name not in takes:
            raise Refusal(f"--range {name[:80]}: the model has no such input{nearest(name, list(takes))}")
    each = sum(int(np.prod(size, dtype=np.int64)) * np.dtype(takes[name]["dtype"]).itemsize for name, size in rows.items())
    n = max(2 * batch, min(CALLS * batch, MOST // max(1, each)))
    rng = np.random.default_rng(SEED)
    return {name: _draw(rng, name, (n, *size), takes[name], ranges.get(name)) for name, size in rows.items()}


def _draw(
    rng: np.random.Generator, name: str, size: tuple[int, ...], about: Mapping[str, Any], limits: Sequence[float] | None
) -> np.ndarray:
    dtype = np.dtype(about["dtype"])
    if dtype.kind == "f":
        held = rng.standard_normal(size) if limits is None else rng.uniform(limits[0], limits[1], size)
        return held.astype(dtype)
    levels = about.get("levels") or []
    if limits is not None:
        ends = (int(np.ceil(limits[0])), int(np.floor(limits[1])))
        least = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not least[0] <= ends[0] <= ends[1] <= least[1]:
            raise Refusal(f"--range {name[:80]}={limits[0]:g}:{limits[1]:g}: no whole numbers of type {dtype} lie in it")
        return rng.integers(ends[0], ends[1], size, dtype=np.int64, endpoint=True).astype(dtype)
    if levels:
        return rng.integers(0, np.asarray(levels, dtype=np.int64), size, dtype=np.int64).astype(dtype)
    raise Refusal(
        f"input {name[:80]!r} takes whole numbers ({dtype}), and nothing says which: give real rows (--input FILE.npz) or "
        f"a range (--range {name[:80]}=0:1000)"
    )


def real_rows(path: Path, takes: Declared) -> tuple[dict[str, np.ndarray], list[str]]:
    """The rows of an .npz, an array (n, ...) for each input, and the names of arrays that no input has. Raises Refusal."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if not hasattr(held, "files"):
                raise Refusal(f"--input {path}: a single array; save it by name, as numpy.savez(file, {next(iter(takes))}=rows)")
            spare = sorted(set(held.files) - set(takes))
            for name in takes:
                if name not in held.files:
                    raise Refusal(f"--input {path}: has no rows for input {name[:80]!r}{nearest(name, held.files)}")
            found = {name: np.asarray(held[name]) for name in takes}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not an .npz file of plain arrays"
        raise Refusal(f"--input {path}: {why}") from None
    counts = {len(value) if value.ndim else 0 for value in found.values()}
    if len(counts) > 1 or not min(counts):
        raise Refusal(
            f"--input {path}: holds {' and '.join(map(str, sorted(counts)))} rows (allowed: as many for each input, at least one)"
        )
    return {name: _cast(path, name, value, np.dtype(takes[name]["dtype"])) for name, value in found.items()}, spare


def _cast(path: Path, name: str, value: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The rows in the type of the input, where that loses nothing but digits behind the point."""
    if not np.can_cast(value.dtype, dtype, "same_kind"):
        raise Refusal(f"--input {path}: {name[:80]!r} holds {value.dtype}, and the model takes {dtype}")
    made = value.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(made, value):
        raise Refusal(f"--input {path}: {name[:80]!r} holds numbers that are too large for {dtype}")
    return made


def fitted(path: Path, x: Mapping[str, np.ndarray], takes: Declared, scenario: Scenario) -> dict[str, np.ndarray]:
    """Real rows for a scenario: cut to its length where the model leaves it open. Raises Refusal for a row of another size."""
    found = {}
    for name, value in x.items():
        dims = list(takes[name]["dims"])
        if value.ndim != len(dims):
            raise Refusal(f"--input {path}: {name[:80]!r} has the shape {value.shape}, and the model takes {sized(dims)}")
        if scenario.length and len(dims) > 1 and not isinstance(dims[1], int):
            if value.shape[1] < scenario.length:
                raise Refusal(f"--length {scenario.length}: the rows of {name[:80]!r} in {path} are {value.shape[1]} long")
            value = value[:, : scenario.length]
        if any(isinstance(d, int) and d != s for d, s in zip(dims[1:], value.shape[1:], strict=True)):
            raise Refusal(f"--input {path}: {name[:80]!r} has the shape {value.shape}, and the model takes {sized(dims)}")
        found[name] = np.ascontiguousarray(value)
    return found
