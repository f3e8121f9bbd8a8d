"""Open an artefact on a target: what predict, parity, latency and memory share."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Artefact, Refusal, Runner, Shape, canonical
from kdbench.registry import given
from kdbench.stages import Place, artefacts, timing_checks
from kdbench.store import Entry


@dataclass(frozen=True, slots=True)
class Ask:
    """How a model is called and timed. batch: rows a call; length: of sequences, 0 for as they are; decode: the next token is
    asked for, after so many that are remembered; threads: in an operator; pairs: block pairs, more where calls are short;
    seconds: the time they may take.
    """

    batch: int = 1
    length: int = 0
    decode: int = 0
    threads: int = 1
    pairs: int = 60
    seconds: float = 12.0


CHUNK = 256
"""Rows of tokens that are asked at once."""
WIDTH_STEP = 16
"""Widths of batches are multiples of this: a target that compiles a graph for each width meets few of them."""
LOOKED_AT = 2**22
"""Scores of a sequence that `steady` compares."""
STEADY, BESIDE = 1e-3, 1e-2
"""Answers to a row that is asked twice, and alone and beside others, may differ by this share of its largest score."""
_NO_BUNDLE = "this target cannot be timed: its runner has no bundle"
_LATEST: dict[tuple[str, str], Runner] = {}
"""The runner opened last, by artefact and target: a process that predicts on twenty shifted sets exports its network once."""


def open_runner(artefact: Artefact, use: Mapping[str, Any], place: Place, example: Mapping[str, np.ndarray]) -> Runner:
    """The artefact on the target of `use` {name, params}. Raises Refusal where the target does not run this runtime."""
    plugin, _ = place.plugins.load("target", use["name"])
    accepts = plugin.facts["accepts"]
    if artefact.runtime not in accepts:
        raise Refusal(f"{use['name']} runs {' and '.join(accepts)} artefacts; this one is {artefact.runtime}")
    evidence = given(place.plugins.get("target", use["name"]), {"artefact": artefact, "example": example})
    runner = plugin(**evidence, **copy.deepcopy(dict(use["params"])))
    if not isinstance(runner, Runner):
        raise Refusal(f"target {use['name']!r} gave {type(runner).__name__}, not a Runner")
    return runner


def reopened(entry: Entry, use: Mapping[str, Any], place: Place, example: Mapping[str, np.ndarray]) -> Runner:
    """As `open_runner` for the artefact of an entry, kept for the next job of this process that asks for the same.

    Raises Refusal for a file whose answers are not its own: see `steady`.
    """
    key = (entry.key, canonical(use))
    if key not in _LATEST:
        artefact = artefacts.read(entry, place.plugins)
        runner = open_runner(artefact, use, place, example)
        if artefact.runtime != "torch":  # networks that are built here answer in evaluation mode; a file may hold anything
            steady(runner, example)
        _LATEST.clear()
        _LATEST[key] = runner
    return _LATEST[key]


def steady(runner: Runner, x: Mapping[str, np.ndarray]) -> None:
    """Raises Refusal where the rows x {name: array (n, ...)} are not answered alike when they are asked again, or a row otherwise
    alone than among the others. An int8 graph may do the latter by design: its scales can be the whole batch's.

    What is not finite or of another shape is left to those who read the answers.
    """

    def said(rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """The first places of a sequence do, where a vocabulary is large."""
        found = np.asarray(runner.predict(rows))
        places = max(1, LOOKED_AT // max(1, found[..., -1:, :].size)) if found.ndim > 2 else 0
        return np.array(found[:, :places] if places else found, np.float32)

    n = len(next(iter(x.values())))
    first = said(x)
    precision = float(runner.facts.get("tolerance") or 0)  # type: ignore[arg-type]
    if _apart(first, said(x), max(STEADY, precision)):
        raise Refusal(f"invalid output: the same {n} rows, asked twice, have different answers: it is random, or keeps a state")
    if n < 2 or by_batch(runner.facts):
        return
    allowed = max(BESIDE, precision)
    for i in range(n):
        if off := _apart(first[i : i + 1], said({name: values[i : i + 1] for name, values in x.items()}), allowed):
            raise Refusal(
                f"invalid output: a row is answered otherwise alone than beside {n - 1} other (by {off:.2g} of its largest "
                f"score, {allowed:g} allowed): it depends on its batch"
            )


def by_batch(facts: Mapping[str, Any]) -> bool:
    """Whether the answers to a row may depend on the batch around it by design: int8 scales can be the whole batch's, also where
    a runtime then multiplies in float (the fact `scales`).
    """
    return "int8" in str(facts.get("precision", "")) or facts.get("scales") == "batch"


def _apart(here: np.ndarray, there: np.ndarray, allowed: float) -> float:
    """The largest difference of two answers (..., scores), as the honesty checks of timings see it, where some row differs by
    more than is allowed; else 0, and where the two cannot be compared.
    """
    if here.shape != there.shape or here.ndim < 2 or not (np.isfinite(here).all() and np.isfinite(there).all()):
        return 0.0
    seen = timing_checks.nothing()
    timing_checks.compare(seen, here.reshape(-1, here.shape[-1]), there.reshape(-1, here.shape[-1]), allowed)
    return float(seen["largest"]) if seen["wrong"] else 0.0


def first_rows(x: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """The first n rows; where there are fewer, they are repeated from the start."""
    held = len(next(iter(x.values())))
    if not held:
        raise Refusal("no rows to run the model on: the split is empty")
    return {name: np.ascontiguousarray(values[np.arange(n) % held]) for name, values in x.items()}


def asked(spec: Mapping[str, Any], place: Place) -> Ask:
    """What the spec of a job that measures says; what it does not say is as `Ask` has it."""
    threads = int(spec["target"]["params"].get("threads", place.threads))
    return Ask(
        threads=threads, **{name: spec[name] for name in ("batch", "length", "decode", "pairs", "seconds") if name in spec}
    )


def of_length(x: Mapping[str, np.ndarray], length: int, padding: int | None = None) -> dict[str, np.ndarray]:
    """Rows of tokens cut to a length, or repeated up to it, without what fills them up (padding; None for nothing); 0 leaves all
    rows as they are. Raises Refusal for other inputs.
    """
    if not length:
        return dict(x)
    if other := sorted(set(x) - {"tokens"}):
        raise Refusal(f"no length {length}: only tokens have a length, and there is {', '.join(other)}")
    if not x["tokens"].shape[1]:
        raise Refusal(f"no length {length}: the rows have no token that could be repeated")
    tokens = x["tokens"]
    held = (tokens != padding)[:, ::-1] if padding is not None else np.ones(tokens.shape, bool)
    size = np.where(held.any(axis=1), tokens.shape[1] - held.argmax(axis=1), tokens.shape[1])
    return {"tokens": np.take_along_axis(tokens, np.arange(length)[None] % size[:, None], axis=1)}


def answers(runner: Runner, x: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    """Logits, or vectors, float32 (n, classes) of all rows. Tokens go through the model in the order of their length, cut to the
    longest of a batch: nothing attends to what fills them up. Raises Refusal for another shape and for numbers that are not
    finite.
    """
    n = len(next(iter(x.values())))
    if set(x) == {"tokens"}:
        logits = _by_length(runner, x["tokens"], shape.padding)
    else:
        logits = np.asarray(runner.predict(x), dtype=np.float32)
    if logits.ndim != 2 or len(logits) != n or (shape.classes and logits.shape[1] != shape.classes):
        raise Refusal(f"invalid output: logits of shape {logits.shape}, expected {(n, shape.classes or 'd')}")
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise Refusal(f"invalid output: {broken} of {n} rows are not finite")
    return logits


def _by_length(runner: Runner, tokens: np.ndarray, padding: int) -> np.ndarray:
    held = (tokens != padding)[:, ::-1]
    length = np.where(held.any(axis=1), tokens.shape[1] - held.argmax(axis=1), 1)
    order = np.argsort(length, kind="stable")
    parts = []
    for start in range(0, len(order), CHUNK):
        index = order[start : start + CHUNK]
        width = min(tokens.shape[1], -(-int(length[index].max()) // WIDTH_STEP) * WIDTH_STEP)
        parts.append(np.asarray(runner.predict({"tokens": np.ascontiguousarray(tokens[index, :width])}), dtype=np.float32))
    found = np.concatenate(parts)
    if len(found) != len(order):
        raise Refusal(f"invalid output: logits of shape {found.shape} for {len(order)} rows")
    back = np.empty_like(found)
    back[order] = found
    return back


def lay(runner: Runner, folder: Path) -> dict[str, str]:
    """Write the runner's bundle into a new folder. Gives {"folder", "loader"} as the timing script asks for."""
    if runner.bundle is None:
        raise Refusal(_NO_BUNDLE)
    folder.mkdir(parents=True)
    for name, data in runner.bundle.files.items():
        (folder / name).write_bytes(data)
    return {"folder": str(folder), "loader": str(runner.bundle.loader)}


def elsewhere(
    runner: Runner, script: Path, request: Mapping[str, Any], runners: Mapping[str, Runner], files: Mapping[str, bytes]
) -> dict[str, Any] | None:
    """What a measuring script says where the runner runs, given the bundles of all `runners` and files; None if it runs here."""
    if runner.elsewhere is None:
        return None
    bundles = {role: one.bundle for role, one in runners.items() if one.bundle is not None}
    if len(bundles) < len(runners):
        raise Refusal(_NO_BUNDLE)
    return runner.elsewhere(script, request, bundles, files)


def calls(x: Mapping[str, np.ndarray], batch: int, most: int) -> dict[str, np.ndarray]:
    """Inputs of up to `most` calls of `batch` rows each, no row in two of them: arrays (k, batch, ...). Where there are fewer
    than `batch` rows, k is 1 and rows are repeated.
    """
    k = max(1, min(most, len(next(iter(x.values()))) // batch))
    return {name: values.reshape(k, batch, *values.shape[1:]) for name, values in first_rows(x, k * batch).items()}


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as a measuring script reads them."""
    held = io.BytesIO()
    np.savez(held, allow_pickle=False, **{name: np.ascontiguousarray(values) for name, values in arrays.items()})
    return held.getvalue()
