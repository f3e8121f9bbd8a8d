"""A Runner as lm-eval sees a language model: whatever a target runs (an int8 graph, say) is what a task scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped]
from lm_eval.models.utils import (  # type: ignore[import-untyped]
    Collator,
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window  # type: ignore[import-untyped]
from torch.nn import functional

from kdbench.nouns import Refusal, Runner
from kdbench.stages.greedy import greedy
from kdbench.stages.harness_answers import Answer, Told, before_last, longest, scored, together

LIKE = 1e-4
"""Logits of narrow rows differ by no more than this, as a share of the largest, from those of the same rows at full width."""
WRITTEN = 256
"""Tokens that are written at most where a task does not say: lm-eval's own number."""


@dataclass(frozen=True, slots=True)
class Words:
    """How text and tokens become each other. encode: text -> tokens, without special ones; decode: tokens -> text, None where
    nothing is to be written; prefix: the token before an empty context; end: the one that ends a text; fill: what stands behind
    the end of a row, where a causal model does not look; unknown: the token for what the tokenizer does not know, None for none.
    """

    encode: Callable[[str], Sequence[int]]
    prefix: int
    decode: Callable[[Sequence[int]], str] | None = None
    end: int | None = None
    fill: int = 0
    unknown: int | None = None


@dataclass(slots=True)
class _Text:
    """One text being written: at most so many tokens after `start`, up to one of `stops`."""

    tokens: list[int]
    start: int
    most: int
    stops: Sequence[str]
    text: str = ""


class RunnerLM(TemplateLM):  # type: ignore[misc]
    """A causal language model that is a Runner of kind tokens: {"tokens": int64 (n, length)} -> logits (n, length, vocabulary).

    length: the widest row that the model takes. Shorter rows are filled up on the right, which a causal model does not see, to
    the longest of their batch; where the runner answers otherwise for narrow rows (a graph of fixed width, activations that are
    quantised over the whole batch) to the full length. A context that is too long loses its beginning, and `told` says so.

    Batches and arithmetic are those of lm-eval's own HFLM: rows by falling length, one row for all continuations that differ in
    their last token alone, log-softmax in float32, sums in float32. So the same logits give the same scores to the last bit.
    """

    def __init__(self, runner: Runner, words: Words, *, length: int, batch: int = 32) -> None:
        super().__init__()
        self.told: dict[int, Told] = {}
        self.truncated = 0
        self._runner, self._words, self._length, self._batch = runner, words, length, batch
        self._narrow: bool | None = None
        self._known: dict[str, list[int]] = {}

    @property
    def eot_token_id(self) -> int:
        """The token before an empty context."""
        return self._words.prefix

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids of a text; special tokens are never added. The last texts are remembered: choices share their context."""
        if string not in self._known:
            if len(self._known) > self._batch:
                self._known.clear()
            self._known[string] = [int(token) for token in self._words.encode(string)]
        return list(self._known[string])

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """(log-likelihood in nats, whether greedy decoding would give it) of each continuation, given its context."""
        found: list[Answer] = super().loglikelihood(requests, disable_tqdm=True)
        for request, answer in zip(requests, found, strict=True):
            self._tell(request, answer)
        return [(answer.value, answer.greedy) for answer in found]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[float]:
        """The log-likelihood of each whole text, read in windows of `length` tokens that do not overlap in what they score."""
        windows: list[tuple[Any, list[int], list[int]]] = []
        place = []
        for i, request in enumerate(requests):
            tokens = self.tok_encode(request.args[0])
            cut = get_rolling_token_windows(tokens, self._words.prefix, max_seq_len=self._length, context_len=1)
            pairs = [("", *make_disjoint_window(window)) for window in cut]
            windows += pairs
            place += [i] * len(pairs)
        totals = [0.0] * len(requests)
        for start in range(0, len(windows), self._batch):
            found = self._loglikelihood_tokens(windows[start : start + self._batch])
            for i, answer in zip(place[start : start + self._batch], found, strict=True):
                totals[i] += answer.value
                self._tell(requests[i], answer)
        return totals

    def _loglikelihood_tokens(self, requests: Sequence[Any], disable_tqdm: bool = True, **_: Any) -> list[Answer]:
        """What the model says of each (text, context, continuation). A continuation that is longer than the model reads is scored
        in parts of half that length, each with what stands before it.
        """
        parts = [list(self._parts(*request)) for request in requests]
        answers = iter(self._asked([part for several in parts for part in several]))
        told = [together([next(answers) for _ in several]) for several in parts]
        unknown = [list(wanted).count(self._words.unknown) for *_, wanted in requests]
        found = [replace(answer, unknown=count) for answer, count in zip(told, unknown, strict=True)]
        self.truncated += sum(answer.truncated for answer in found)
        return found

    def _parts(self, text: Any, context: list[int], wanted: list[int]) -> Iterator[tuple[Any, list[int], list[int]]]:
        step = max(1, self._length // 2) if len(wanted) > self._length else max(1, len(wanted))
        for start in range(0, len(wanted), step):
            yield text, context + wanted[:start], wanted[start : start + step]

    def _asked(self, requests: Sequence[Any]) -> list[Answer]:
        order = Collator(requests, sort_fn=longest, group_by="contexts", group_fn=before_last)
        found: list[Answer] = []
        for chunk in order.get_batched(n=self._batch):
            rows = [(context + wanted)[-self._length - 1 :][:-1] for _, context, wanted in chunk]
            logits = self._logits(rows)
            for (text, context, wanted), row, kept in zip(chunk, logits, rows, strict=True):
                scores = functional.log_softmax(torch.from_numpy(row[len(kept) - len(wanted) : len(kept)]), dim=-1)[None]
                cut = len(context) + len(wanted) - 1 > self._length
                for _, continuation, part in order.get_cache(text, context, wanted, scores):
                    found.append(scored(part[0, -len(continuation) :], continuation, cut))
        return list(order.get_original(found))

    def _logits(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits (n, width, vocabulary) of rows of tokens; what stands behind a row's end means nothing."""
        widest = max(map(len, rows))
        if self._narrow is None and widest < self._length:
            self._narrow = self._agree([rows[0]])
        return self._given(rows, widest if self._narrow else self._length)

    def _agree(self, rows: Sequence[Sequence[int]]) -> bool:
        """Whether the runner gives narrow rows the same logits as wide ones."""
        wide = self._given(rows, self._length)[:, : len(rows[0])]
        try:
            narrow = self._given(rows, len(rows[0]))
        except Exception:  # whatever a runtime raises for a shape that it does not take
            return False
        return narrow.shape == wide.shape and bool(np.abs(narrow - wide).max() <= LIKE * max(1.0, float(np.abs(wide).max())))

    def _given(self, rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
        tokens = np.full((len(rows), width), self._words.fill, dtype=np.int64)
        for row, held in zip(tokens, rows, strict=True):
            row[: len(held)] = held
        logits = np.asarray(self._runner.predict({"tokens": tokens}))
        if logits.ndim != 3 or logits.shape[:2] != tokens.shape:
            raise Refusal(f"invalid output: logits of shape {logits.shape}, expected {(*tokens.shape, 'vocabulary')}")
        return logits

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:
        """What the model writes after each context, greedily, up to one of the stops that the task names or the end of a text.

        Each token is a whole forward pass, for a Runner has no memory. Raises Refusal where the task asks for samples.
        """
        if self._words.decode is None:
            raise Refusal("a Runner scores text and does not generate it: choose tasks of type multiple_choice or loglikelihood")
        texts = [self._begun(request) for request in requests]
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i].tokens))
        for start in range(0, len(order), self._batch):
            self._write([texts[i] for i in order[start : start + self._batch]], self._words.decode)
        return [str(postprocess_generated_text(text.text, list(text.stops), None)) for text in texts]

    def _write(self, texts: Sequence[_Text], decode: Callable[[Sequence[int]], str]) -> None:
        """Some texts at once, each to its end."""

        def ask(going: list[int]) -> np.ndarray:
            rows = [texts[i].tokens for i in going]
            return self._logits(rows)[np.arange(len(rows)), [len(row) - 1 for row in rows]]

        def enough(i: int) -> bool:
            text = texts[i]
            written = text.tokens[text.start :]
            text.text = decode(written) if written else ""
            return len(written) >= text.most or any(stop and stop in text.text for stop in text.stops)

        greedy(ask, [text.tokens for text in texts], self._words.end, enough)

    def _begun(self, request: Any) -> _Text:
        """An empty text after its context."""
        context, asked = request.args
        settings = normalize_gen_kwargs(dict(asked), WRITTEN)
        if settings.get("do_sample") or float(settings.get("temperature") or 0.0) > 0:
            raise Refusal(
                "the task asks for samples; only greedy texts can be compared (allowed: do_sample: false, temperature: 0)"
            )
        most = int(settings["max_gen_toks"])
        if most >= self._length:
            raise Refusal(f"the task asks for {most} new tokens; the model reads {self._length} (allowed: fewer new tokens)")
        tokens = self.tok_encode(context) or [self._words.prefix]
        kept = tokens[most - self._length :]
        self._tell(request, Answer(0.0, 0, 0, len(kept) < len(tokens)))
        self.truncated += len(kept) < len(tokens)
        return _Text(list(kept), len(kept), most, tuple(handle_stop_sequences(settings.get("until"), eos=None)))

    def _tell(self, request: Any, answer: Answer) -> None:
        told = self.told.setdefault(int(getattr(request, "doc_id", 0) or 0), Told())
        told.tokens += answer.tokens
        told.right += answer.right
        told.unknown += answer.unknown
        told.truncated |= answer.truncated
