"""Documents as windows of tokens for a language model: what it reads, and the token that follows each one it reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdbench.nouns import IGNORED, Refusal
from kdbench.stages.samples import Rows
from kdbench.stages.tokenizing import Tokenizer


def windowed(rows: Rows, tokenizer: Tokenizer, length: int) -> Rows:
    """Each document in windows that share no token that is asked for; every token is asked for exactly once.

    The first window of a document begins with the token of beginnings, a later one with the last token of the window before, as
    in lm-eval's rolling likelihood. Ids are "<document>/<window>"; `document` says which one a window is of.
    """
    first = _context(tokenizer)
    tokens, wanted, sizes, source, number = [], [], [], [], []
    for at, (ids, spans) in enumerate(tokenizer.spans(rows.x["text"][:, 0].tolist())):
        row = [first, *ids]
        for k in range(0, max(len(ids), 1), length):
            tokens.append(row[k : k + length][: len(ids) - k])
            wanted.append(ids[k : k + length])
            sizes.append(sum(spans[k : k + length]))
            source.append(at)
            number.append(k // length)
    place = np.array(source)
    ids_ = np.array([f"{rows.ids[at]}/{k}" for at, k in zip(source, number, strict=True)])
    groups = {name: value[place] for name, value in rows.groups.items()}
    return _rows((tokens, wanted, sizes), ids_, groups, rows.ids[place], (length, tokenizer.padding))


def packed(rows: Rows, tokenizer: Tokenizer, length: int) -> Rows:
    """All documents in one stream, an end of text after each, cut into full windows: nothing is padded (but the last window).

    Groups of documents are lost, as a window may hold several, and `document` is the window itself.
    """
    end = tokenizer.eos if tokenizer.eos is not None else _context(tokenizer)
    stream, sizes = [_context(tokenizer)], [0]
    for ids, spans in tokenizer.spans(rows.x["text"][:, 0].tolist()):
        stream += [*ids, end]
        sizes += [*spans, 0]
    cuts = range(0, len(stream) - 1, length)
    tokens = [stream[k : k + length][: len(stream) - 1 - k] for k in cuts]
    wanted = [stream[k + 1 : k + 1 + length] for k in cuts]
    ids_ = np.array([f"train/{k // length:06d}" for k in cuts])
    held = (tokens, wanted, [sum(sizes[k + 1 : k + 1 + length]) for k in cuts])
    return _rows(held, ids_, {name: np.full(len(ids_), "", "U1") for name in rows.groups}, ids_, (length, tokenizer.padding))


def _rows(
    held: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]], Sequence[int]],
    ids: np.ndarray,
    groups: dict[str, np.ndarray],
    document: np.ndarray,
    form: tuple[int, int],
) -> Rows:
    tokens, wanted, sizes = held
    length, padding = form
    x, y = np.full((len(ids), length), padding, np.int64), np.full((len(ids), length), IGNORED, np.int64)
    for i, (row, label) in enumerate(zip(tokens, wanted, strict=True)):
        x[i, : len(row)], y[i, : len(label)] = row, label
    more = {"bytes": np.array(sizes, np.int64), "truncated": np.zeros(len(ids), bool), "document": document}
    return Rows({"tokens": x}, y, ids, groups, None, more)


def _context(tokenizer: Tokenizer) -> int:
    """What stands before the first token of a text."""
    if tokenizer.start is None:
        raise Refusal(
            "tokens: the tokenizer has neither a beginning nor an end of text, and a language model needs one to begin with"
        )
    return tokenizer.start
