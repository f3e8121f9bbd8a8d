"""lm-eval on a Runner: whatever a target runs (an int8 graph, say) is what the task scores, not the float network behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped]
from lm_eval.evaluator import evaluate  # type: ignore[import-untyped]
from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window  # type: ignore[import-untyped]

from kdbench.nouns import Refusal, Runner


class RunnerLM(TemplateLM):  # type: ignore[misc]
    """A causal language model that is a Runner of kind tokens: {"tokens": int64 (n, length)} -> logits (n, length, vocabulary).

    encode: text -> token ids, without special tokens. prefix: the token that stands before an empty context. length: the
    fixed width of the token array. Shorter rows are filled up on the right, which a causal model does not see; longer ones lose
    their beginning, and `truncated` counts them. Log-likelihoods are summed in float64 nats.
    """

    def __init__(
        self, runner: Runner, encode: Callable[[str], Sequence[int]], *, prefix: int, length: int, batch: int = 16
    ) -> None:
        super().__init__()
        self.truncated = 0
        self._runner, self._encode, self._prefix, self._length, self._batch = runner, encode, prefix, length, batch

    @property
    def eot_token_id(self) -> int:
        """The token before an empty context."""
        return self._prefix

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids of a text; special tokens are never added."""
        return [int(token) for token in self._encode(string)]

    def _loglikelihood_tokens(self, requests: Sequence[Any], disable_tqdm: bool = False, **_: Any) -> list[tuple[float, bool]]:
        """(log-likelihood of the continuation, whether greedy decoding would give it) for each (text, context, continuation)."""
        found: list[tuple[float, bool]] = []
        for start in range(0, len(requests), self._batch):
            pairs = [(list(context), list(wanted)) for _, context, wanted in requests[start : start + self._batch]]
            rows = np.full((len(pairs), self._length), self._prefix, dtype=np.int64)
            for row, (context, wanted) in zip(rows, pairs, strict=True):
                seen = (context + wanted)[:-1]  # the last token is predicted, never read
                self.truncated += len(seen) > self._length
                row[: min(len(seen), self._length)] = seen[-self._length :]
            logits = self._runner.predict({"tokens": rows})
            for one, (context, wanted) in zip(logits, pairs, strict=True):
                end = min(len(context) + len(wanted) - 1, self._length)
                found.append(_score(one[max(end - len(wanted), 0) : end], wanted))
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-likelihood of each whole text, read in windows of `length` tokens that do not overlap in what they score."""
        totals = []
        for (text,) in (request.args for request in requests):
            tokens = self.tok_encode(text)
            windows = get_rolling_token_windows(tokens, self._prefix, max_seq_len=self._length, context_len=1)
            pairs = [("", *make_disjoint_window(window)) for window in windows]
            totals.append(sum(value for value, _ in self._loglikelihood_tokens(pairs)))
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Refused: a Runner scores given tokens."""
        raise Refusal("a Runner scores text and does not generate it: choose tasks of type multiple_choice or loglikelihood")


def run_tasks(model: RunnerLM, tasks: Sequence[Mapping[str, Any]], limit: int | None = None) -> dict[str, Any]:
    """Score tasks given as lm-eval configurations in memory, offline. Gives lm-eval's own result: {"results", "samples", ...}.

    No bootstrap is drawn: intervals come from the samples, in kdbench's own judge.
    """
    loaded = TaskManager(include_defaults=False).load([dict(task) for task in tasks])
    return dict(evaluate(lm=model, task_dict=loaded, limit=limit, bootstrap_iters=0, log_samples=True))


def _score(logits: np.ndarray, wanted: Sequence[int]) -> tuple[float, bool]:
    """Logits (k, vocabulary) before each of the last k wanted tokens."""
    if len(logits) < len(wanted):
        raise Refusal(f"a continuation of {len(wanted)} tokens does not fit into a model of length {len(logits)}")
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    spread = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    at = np.arange(len(wanted))
    return float(spread[at, wanted].sum()), bool((logits.argmax(axis=1) == np.asarray(wanted)).all())
