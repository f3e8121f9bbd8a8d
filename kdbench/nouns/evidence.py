"""What flows through a job: examples, networks, and what they said."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.nouns.canonical import Params
from kdbench.nouns.uses import Use

if TYPE_CHECKING:
    import numpy as np
    import torch


ALTERNATIVE = "\x1e"
"""Stands between the references of one example where there are several (the record separator of ASCII). The first one is taught,
the best one counts.
"""
IGNORED = -100
"""The label of a place where no token is asked for; what torch ignores by itself."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a dataset plugin gives: every row, in a fixed order, before any preprocessing.

    kind: "image" (x["image"]: uint8, (n, channels, height, width)), "table" (x["numeric"]: float32 (n, p), and
    x["categorical"]: text (n, q); either may have no columns), "tokens" (x["tokens"]: int64 (n, length)), "text" (x["text"]:
    object array of str, (n, 1), or (n, 2) for pairs; a tokenizer turns it into tokens) or "audio" (x["audio"]: int16
    (n, samples), mono, zeros after the end; `rate` samples a second, and `front` for other log-mel spectrograms than usual: their
    number of `mels`, seconds of a `window` and of a `hop`).
    answer: what is asked of a model about an example: its "class"; the "next" token, all along the text; a "text" (`target`:
    object array of str (n,), the reference, or several with ALTERNATIVE between them); or a "vector", by which texts of one
    meaning are found to be near.
    y: int64 (n,), index into `classes`; -1 for none, allowed where the answer is not a class. ids: text (n,), unique.
    groups: column -> text (n,). target: for "text" the references; for "vector" of pairs the similarity, float (n,).
    split: text (n,) of "train" | "validation" | "test", or "" where kdbench is to split. cluster: text (n,), rows of one
    cluster (a person, a writer) stay together, in splits and in resampling. positive: the class that a decision in
    favour means, where there is one; selection rates exist only then. A NaN in `numeric` is a missing cell (filled with
    the median of train, and noted); infinities are refused. alike: different records may have equal inputs (few or coarse
    columns), so that equal rows in train and test are counted and noted, not refused as a leak. notes: what a reader must know.
    """

    kind: str
    x: Mapping[str, np.ndarray]
    y: np.ndarray
    ids: np.ndarray
    classes: tuple[str, ...]
    licence: str
    source: str
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    split: np.ndarray | None = None
    cluster: np.ndarray | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positive: str | None = None
    alike: bool = False
    notes: tuple[str, ...] = ()
    answer: str = "class"
    target: np.ndarray | None = None
    rate: int = 0
    front: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model must take and give. inputs: name -> per-example shape, in the order of the model's arguments;
    levels: number of codes of each categorical column (0 is "never seen in train"), or for tokens the size of the vocabulary;
    classes: size of the output. answer: "class" (logits (b, classes)), "next" or "text" (logits (b, length, classes), classes
    being the vocabulary; for "text" the input "prefix" holds what was said so far) or "vector" (b, classes). padding: the token
    that fills rows up on the right, which nothing attends to. separator: the token after which the second text of a pair is
    told apart from the first, as the tokenizer does; -1 where it does not.
    """

    kind: str
    inputs: Mapping[str, tuple[int, ...]]
    classes: int
    levels: tuple[int, ...] = ()
    answer: str = "class"
    padding: int = 0
    separator: int = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """Some training examples: x: name -> tensor (b, ...), y: int64 (b,) or soft targets (b, classes),
    index: int64 (b,), the place of each example in the training split (the same for every contender). For tokens y may be int64
    (b, length), IGNORED (-100) where nothing is asked, and padding is the token that fills rows up; a batch is as wide as its
    longest row.
    """

    x: Mapping[str, torch.Tensor]
    y: torch.Tensor
    index: torch.Tensor
    padding: int | None = None

    @property
    def mask(self) -> torch.Tensor | None:
        """Which positions hold a token, bool (b, length); None where the data are no tokens."""
        return None if self.padding is None or "tokens" not in self.x else self.x["tokens"] != self.padding


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network said: logits (b, classes) or (b, length, vocabulary), and its ordered taps, shallow to deep.

    inner: "query", "key" and "value" -> what every attention layer projects its input to, shallow to deep, each (b, heads,
    length, size of a head); scores and relations of attention are computed from these, whatever kernel the network uses.
    """

    logits: torch.Tensor
    taps: Mapping[str, torch.Tensor] = field(default_factory=dict)
    inner: Mapping[str, tuple[torch.Tensor, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopK:
    """What was recorded of a teacher on a batch of token sequences: log_probability float32 and ids int64, (b, length, k), of
    the k likeliest next tokens of each position, likeliest first; rest float32 (b, length, 1), the log-probability of all others
    together (-inf where there are none).
    """

    log_probability: torch.Tensor
    ids: torch.Tensor
    rest: torch.Tensor

    def first(self, k: int) -> TopK:
        """The k likeliest alone: the probability of those that are cut goes to the rest."""
        if k >= self.ids.shape[-1]:
            return self
        rest = self.log_probability[..., k:].logsumexp(-1, keepdim=True).logaddexp(self.rest)
        return TopK(self.log_probability[..., :k], self.ids[..., :k], rest)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of structure, replayed when an artefact is opened. kind: "mask" or "channels" (see `kdbench.nets.edits`)."""

    kind: str
    facts: Params = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a step gives. runtime "torch": `module` is the live network, `model` and `edits` say how to build it again;
    any other runtime ("onnx", ...): `files` holds its bytes, by file name.
    """

    runtime: str
    shape: Shape
    model: Use | None = None
    module: Any = None
    edits: tuple[Edit, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    facts: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a measuring script needs to run a model in any interpreter, here or elsewhere: the model's files, to lay in a folder,
    and the path of a self-contained Python file with `load(folder, threads) -> call`, where `call(inputs)` gives logits, and, if
    {name: array} are not what `call` takes, `ready(x) -> inputs`. Loaders may use numpy.
    """

    files: Mapping[str, bytes]
    loader: Path


@dataclass(frozen=True, slots=True)
class Runner:
    """A model as it runs on a target. predict: {name: array (n, ...)} -> float32 logits (n, classes).
    bundle: how to time the same compiled object; facts: what really ran (provider, precision, versions).

    inside: {name: array (n, ...)} -> inner values by the path of the network's module, to find where an export first diverges.
    decoder: of a language model that remembers what it has read, the same model as it writes: its `predict` gives the logits
    (n, vocabulary) of the token after each row, and its bundle reads the row before it is timed, all but the last token.
    elsewhere: for a model that runs on another machine, `(script, request, bundles by role, files by name) -> result` runs a
    measuring script there.
    """

    predict: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    bundle: Bundle | None = None
    facts: Params = field(default_factory=dict)
    inside: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None = None
    decoder: Runner | None = None
    elsewhere: Callable[[Path, Mapping[str, Any], Mapping[str, Bundle], Mapping[str, bytes]], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """A teacher that continues texts. begin: (texts, tokens) -> the first tokens of each, as text; write: (prompts, tokens,
    temperature, top_k, top_p, seed) -> what it writes after each, up to so many tokens, without the prompt; temperature 0 is the
    likeliest token, top_k 0 and top_p 1 cut nothing off.
    """

    begin: Callable[[Sequence[str], int], list[str]]
    write: Callable[[Sequence[str], int, float, int, float, int], list[str]]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """New training rows. source: int64 (m,), the old training row that each comes from; its groups and its cluster carry on.
    texts: object array of str (m, k), target: (m,), label: int64 (m,); None for what stays as it was. notes: what a reader must
    know.
    """

    source: np.ndarray
    texts: np.ndarray | None = None
    target: np.ndarray | None = None
    label: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def group_file(column: str) -> str:
    """The file of a group column in an entry: group.<column>.npy, with a hash for a name that is not a plain word."""
    plain_word = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", column)
    return f"group.{column if plain_word else hashlib.sha256(column.encode()).hexdigest()[:16]}.npy"
