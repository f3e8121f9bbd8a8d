"""Stage `tokens`: the texts of an entry as a tokenizer writes them, rows of one width, with what a model is to answer beside
them.

What is asked decides the form of a row: a text or a pair with the special tokens around it (a class, a vector); windows of a
document, each token of which is asked for once (the next token); or a source, and the tokens of its reference (a text). Where the
two share a row, as many places are kept for every answer, whatever the length of its reference: a model that writes is told
nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdbench.nouns import ALTERNATIVE, IGNORED, Job, Refusal
from kdbench.stages import Place, hearing, speech
from kdbench.stages.samples import SPLITS, Rows, raw, write
from kdbench.stages.tokenizing import TOKENIZER, Tokenizer, open_tokenizer
from kdbench.stages.windows import packed, windowed
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: length (tokens a row at most), layout ("pair" or "prompt", for answers in text), start (the token that a decoder
    begins with, where its checkpoint says it), forced (the tokens after it with which its answers begin), front (how a
    checkpoint of speech hears, see `speech.said`). Reads `data` (kind text, or audio with references) and `tokenizer`; writes
    the same examples as tokens int64 (n, length), filled up on the right.

    Beside them: `truncated` bool (n,), `bytes` int64 (n,) of the tokens that are asked for, `target` as it was; meta says the
    size of the vocabulary (levels), the special tokens, what separates a pair, the tokenizer's fingerprint and, of answers in
    text, the token that the answer, or the prompt before it, begins with (start), and those after it (forced).
    """
    del place
    spec: Mapping[str, Any] = job.spec
    length, layout = int(spec["length"]), str(spec["layout"])
    meta = inputs["data"].json("meta.json")
    tokenizer = open_tokenizer(inputs["tokenizer"].bytes(TOKENIZER))
    begins = [_start(tokenizer, layout, one) for one in (spec.get("start"), *spec.get("forced", ()))]
    front = speech.front(spec["front"]) if "front" in spec else None
    parts, codes = [], []
    for code, name in enumerate(SPLITS):
        rows = raw(inputs["data"], name)
        if len(rows.y):
            rows = rows if front is None else _heard(rows, meta, front)
            parts.append(_tokens(rows, meta, tokenizer, (length, layout, name, begins)))
            codes.append(np.full(len(parts[-1].y), code))
    if not parts:
        raise Refusal("tokens: the data have no rows")
    rows, split = together(parts), np.concatenate(codes)
    more = {**_about(tokenizer, meta["kind"]), "layout": layout}
    if meta["answer"] == "text":
        more["start"] = begins[0]
    if begins[1:]:
        more["forced"] = begins[1:]
    if front is not None:
        note = hearing.noted(int(meta["prepare"]["audio"]["rate"]), front)
        more |= {"prepare": {"audio": front}, "notes": [*meta["notes"], note]}
    write(draft, rows, split, {**meta, **more})


def _about(tokenizer: Tokenizer, kind: str) -> dict[str, Any]:
    """What meta says of the tokens."""
    return {
        "kind": "tokens" if kind == "text" else kind,
        "levels": [tokenizer.size],
        "padding": tokenizer.padding,
        "separator": tokenizer.separator,
        "tokenizer": tokenizer.fingerprint,
        "special": {"bos": tokenizer.bos, "eos": tokenizer.eos, "pad": tokenizer.padding, "unk": tokenizer.unknown},
    }


def _start(tokenizer: Tokenizer, layout: str, said: Any) -> int:
    """The token that an answer in text, or the prompt before it, begins with. said: of the checkpoint, None where it does not."""
    usual = tokenizer.before_answer if layout == "pair" or tokenizer.start is None else tokenizer.start
    start = usual if said is None else int(said)
    if not 0 <= start < tokenizer.size:
        raise Refusal(f"tokens: the decoder begins with token {start}, and the tokenizer has {tokenizer.size}")
    return start


def _heard(rows: Rows, meta: Mapping[str, Any], front: Mapping[str, Any]) -> Rows:
    try:
        clips = hearing.heard(rows.x["audio"], int(meta["prepare"]["audio"]["rate"]), front)
    except Refusal as error:
        raise Refusal(f"tokens: {error}") from None
    return replace(rows, x={**rows.x, "audio": clips})


def _tokens(rows: Rows, meta: Mapping[str, Any], tokenizer: Tokenizer, form: tuple[int, str, str, list[int]]) -> Rows:
    length, layout, split, begins = form
    answer = meta["answer"]
    if answer == "next":
        return packed(rows, tokenizer, length) if split == "train" else windowed(rows, tokenizer, length)
    if answer == "text":
        return _answered(rows, tokenizer, (begins, length), layout)
    texts = rows.x["text"]
    if answer == "vector" and texts.shape[1] == 2:
        (one, lost), (other, more) = (tokenizer.cut(texts[:, j].tolist(), length) for j in (0, 1))
        beside = {"other": filled(other, length, tokenizer.padding), "truncated": np.array(lost) | np.array(more)}
        return replace(rows, x={"tokens": filled(one, length, tokenizer.padding)}, more={**rows.more, **beside})
    given = texts[:, 0].tolist() if texts.shape[1] == 1 else [tuple(row) for row in texts.tolist()]
    ids, lost = tokenizer.cut(given, length)
    tokens = filled(ids, length, tokenizer.padding)
    return replace(rows, x={"tokens": tokens}, more={**rows.more, "truncated": np.array(lost, bool)})


def _answered(rows: Rows, tokenizer: Tokenizer, form: tuple[list[int], int], layout: str) -> Rows:
    """A source and its reference. "pair": two rows of tokens, the second one after the decoder's first tokens; "prompt": one
    row, in which the reference follows the source, and half of the row is the reference's. A prompt that is too long loses its
    beginning, a reference its end; `bytes` are those of the tokens that are left of it. form: first tokens, length.
    """
    begins, length = form
    asked = length + 1 - len(begins)
    if asked < 1:
        raise Refusal(f"tokens: length {length} is no more than the {len(begins)} tokens that every answer begins with")
    if "target" not in rows.more:
        raise Refusal("tokens: the data have no reference texts, which the answer 'text' needs")
    target = tokenizer.spans([text.partition(ALTERNATIVE)[0] for text in rows.more["target"].tolist()])
    ends = [] if tokenizer.eos is None else [tokenizer.eos]
    most = room(length) if layout == "prompt" else asked
    size = np.array([sum(spans[:most]) for _, spans in target], np.int64)
    if layout == "prompt":
        tokens, y, lost = _prompts(rows, tokenizer, [ids + ends for ids, _ in target], (begins[0], length))
        return replace(rows, x={"tokens": tokens}, y=y, more={**rows.more, "bytes": size, "truncated": lost})
    prefix = [[*begins, *ids][:length] for ids, _ in target]
    wanted = [[*[IGNORED] * (len(begins) - 1), *ids, *ends][:length] for ids, _ in target]
    lost = np.array([len(ids) + len(ends) > asked for ids, _ in target], bool)
    x = dict(rows.x)
    if "text" in x:
        sources, short = tokenizer.cut(x.pop("text")[:, 0].tolist(), length)
        x["tokens"], lost = filled(sources, length, tokenizer.padding), lost | np.array(short, bool)
    x["prefix"] = filled(prefix, length, tokenizer.padding)
    return replace(rows, x=x, y=filled(wanted, length, IGNORED), more={**rows.more, "bytes": size, "truncated": lost})


def _prompts(
    rows: Rows, tokenizer: Tokenizer, targets: Sequence[Sequence[int]], form: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels and what was cut. A prompt may have `length + 1 - room(length)` tokens, a reference `room(length)`: the last
    one is asked for, and never read.
    """
    start, length = form
    if "text" not in rows.x:
        raise Refusal("tokens: only texts can stand before an answer in one row; choose an encoder-decoder model")
    tokens, wanted, lost = [], [], []
    for ids, target in zip(tokenizer.plain(rows.x["text"][:, 0].tolist()), targets, strict=True):
        answer = list(target[: room(length)])
        prompt = [start, *ids]
        kept = prompt[-(length + 1 - room(length)) :]
        row = [*kept, *answer]
        tokens.append(row[:-1])
        wanted.append([IGNORED] * (len(kept) - 1) + answer)
        lost.append(len(kept) < len(prompt) or len(answer) < len(target))
    return filled(tokens, length, tokenizer.padding), filled(wanted, length, IGNORED), np.array(lost, bool)


def room(length: int) -> int:
    """Tokens of an answer, with the one that ends it, that have a place in a row behind every prompt."""
    return max(1, length // 2)


def filled(rows: Sequence[Sequence[int]], length: int, filling: int) -> np.ndarray:
    """int64 (n, length): each row, filled up on the right."""
    made = np.full((len(rows), length), filling, np.int64)
    for place, row in zip(made, rows, strict=True):
        place[: len(row)] = row
    return made


def together(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, in their order. Group columns that a part does not have are empty in its rows."""

    def join(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(values))

    columns = dict.fromkeys(name for part in parts for name in part.groups)
    groups = {c: join([p.groups.get(c, np.full(len(p.y), "", "U1")) for p in parts]) for c in columns}
    cluster = None if parts[0].cluster is None else join([p.cluster for p in parts if p.cluster is not None])
    x = {name: join([p.x[name] for p in parts]) for name in parts[0].x}
    more = {name: join([p.more[name] for p in parts]) for name in parts[0].more}
    return Rows(x, join([p.y for p in parts]), join([p.ids for p in parts]), groups, cluster, more)
