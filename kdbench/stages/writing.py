"""What a model writes: the likeliest token after what it has read and written so far, again and again, until it ends.

It goes through the runner of the target, so that an int8 graph writes as int8. Nothing is remembered between tokens: every step
reads all that was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from kdbench.nouns import IGNORED, Refusal, Runner, Shape
from kdbench.stages.greedy import greedy
from kdbench.stages.samples import Rows
from kdbench.stages.texts import column
from kdbench.stages.tokenizing import Tokenizer, open_tokenizer

LARGEST = 2**23
"""Logits that one call may give (32 MB): the rows of a batch follow from it."""
MOST_ROWS = 64


def write(runner: Runner, rows: Rows, shape: Shape, tokenizer_json: bytes, most: int) -> dict[str, np.ndarray]:
    """Greedy decoding of every row. Gives `text` and, where the rows know it, `reference`, object arrays of str (n,); `written`
    int64 (n,), the tokens written, without the one that ends; `ended` bool (n,), whether the model ended by itself.

    rows: of an answer in text; with an input "prefix" the answer begins after its first tokens, as many as in every row come
    before what is asked for, else after the part of "tokens" that is not asked for, which is cut the same whatever its reference
    is (see `tokens.room`). most: new tokens at most; no row grows wider than the rows of the data, for a model may have no
    positions beyond. Raises Refusal for logits of another shape or that are not finite, and for most < 1.
    """
    if most < 1:
        raise Refusal(f"writing: {most} new tokens (allowed: 1 or more)")
    tokenizer = open_tokenizer(tokenizer_json)
    starts = _starts(rows, shape)
    answers: list[list[int]] = [[] for _ in starts]
    ended = np.zeros(len(starts), bool)
    for index in _batches(rows, starts, shape, most):
        for at, (written, stopped) in zip(index, _written(runner, (rows, index), starts, shape, (tokenizer, most)), strict=True):
            answers[at], ended[at] = written, stopped
    found = {"text": column([tokenizer.text(answer) for answer in answers])}
    if "target" in rows.more:
        found["reference"] = rows.more["target"]
    return {**found, "written": np.array([len(answer) for answer in answers], np.int64), "ended": ended}


def _starts(rows: Rows, shape: Shape) -> list[list[int]]:
    """What is there before the first word of each answer: the decoder's first tokens, or the prompt."""
    if "prefix" in rows.x:
        places = np.flatnonzero((rows.y != IGNORED).any(axis=0))
        begins = int(places[0]) + 1 if len(places) else 1
        return [row[:begins].tolist() for row in rows.x["prefix"]]
    found = []
    for tokens, y in zip(rows.x["tokens"], rows.y, strict=True):
        asked = np.flatnonzero(y != IGNORED)
        filled = np.flatnonzero(tokens != shape.padding)
        end = int(asked[0]) + 1 if len(asked) else int(filled[-1]) + 1 if len(filled) else 1
        found.append(tokens[:end].tolist())
    return found


def _batches(rows: Rows, starts: list[list[int]], shape: Shape, most: int) -> Iterator[np.ndarray]:
    """Rows of like length together, the longest first, as many as the logits of the last step allow."""
    size = _read(rows, shape) + np.array([len(start) for start in starts], np.int64)
    order = np.argsort(-size, kind="stable")
    first = 0
    while first < len(order):
        width = min(len(starts[order[first]]) + most, shape.inputs["prefix" if "prefix" in rows.x else "tokens"][0])
        count = max(1, min(MOST_ROWS, LARGEST // (width * max(1, shape.classes))))
        yield order[first : first + count]
        first += count


def _read(rows: Rows, shape: Shape) -> np.ndarray:
    """How many tokens of the source each row has, int64 (n,); 0 where the source is the prompt itself, or no tokens."""
    if "prefix" not in rows.x or "tokens" not in rows.x:
        return np.zeros(len(rows.y), np.int64)
    filled = rows.x["tokens"] != shape.padding
    return np.asarray(np.where(filled.any(axis=1), filled.shape[1] - np.argmax(filled[:, ::-1], axis=1), 1))


def _written(
    runner: Runner, of: tuple[Rows, np.ndarray], starts: list[list[int]], shape: Shape, how: tuple[Tokenizer, int]
) -> list[tuple[list[int], bool]]:
    """The tokens that each row of a batch writes, and whether it ended."""
    (rows, index), (tokenizer, most) = of, how
    asked = "prefix" if "prefix" in rows.x else "tokens"
    room = shape.inputs[asked][0]
    said = [list(starts[at]) for at in index]
    fixed = {name: value[index] for name, value in rows.x.items() if name != asked}

    def ask(going: list[int]) -> np.ndarray:
        return _next(runner, (fixed, rows, index), [said[i] for i in going], going, shape)

    def enough(i: int) -> bool:
        return len(said[i]) - len(starts[index[i]]) >= most or len(said[i]) > room

    ended = greedy(ask, said, tokenizer.eos, enough)
    return [(said[i][len(starts[at]) :], ended[i]) for i, at in enumerate(index)]


def _next(
    runner: Runner,
    source: tuple[Mapping[str, np.ndarray], Rows, np.ndarray],
    said: list[list[int]],
    going: list[int],
    shape: Shape,
) -> np.ndarray:
    """Logits (k, vocabulary) of the token that follows what k rows have said."""
    fixed, rows, index = source
    width = max(map(len, said))
    tokens = np.full((len(said), width), shape.padding, np.int64)
    for place, row in zip(tokens, said, strict=True):
        place[: len(row)] = row
    x: dict[str, np.ndarray] = {}
    for name in rows.x:
        value = tokens if name not in fixed else fixed[name][going]
        if name == "tokens" and name in fixed:
            value = value[:, : int(_read(rows, shape)[index[going]].max())]
        x[name] = np.ascontiguousarray(value)
    logits = np.asarray(runner.predict(x), dtype=np.float32)
    expected = (len(said), width, shape.classes)
    if logits.shape != expected:
        raise Refusal(f"invalid output: logits of shape {logits.shape}, expected {expected} (rows, tokens, vocabulary)")
    found = logits[np.arange(len(said)), [len(row) - 1 for row in said]]
    broken = int((~np.isfinite(found)).any(axis=1).sum())
    if broken:
        raise Refusal(f"invalid output: {broken} of {len(said)} rows are not finite")
    return np.asarray(found)
