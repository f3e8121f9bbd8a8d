"""The decorators of a plugin file, and the parameter types that its signature may use.

A decorator makes a typed value and registers nothing: kdbench finds plugins by listing folders and reads their signatures,
defaults and facts as literals. Write every argument of a decorator as a literal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypedDict, Unpack


@dataclass(frozen=True, slots=True)
class Range:
    """The values a number may take; an open end is excluded."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


Positive: TypeAlias = Annotated[float, Range(low=0, low_open=True)]
NonNegative: TypeAlias = Annotated[float, Range(low=0)]
Fraction: TypeAlias = Annotated[float, Range(low=0, high=1)]
ProperFraction: TypeAlias = Annotated[float, Range(low=0, high=1, low_open=True, high_open=True)]
Count: TypeAlias = Annotated[int, Range(low=1)]
Whole: TypeAlias = Annotated[int, Range(low=0)]

RANGES: Mapping[str, tuple[type, Range]] = {
    "Positive": (float, Range(low=0, low_open=True)),
    "NonNegative": (float, Range(low=0)),
    "Fraction": (float, Range(low=0, high=1)),
    "ProperFraction": (float, Range(low=0, high=1, low_open=True, high_open=True)),
    "Count": (int, Range(low=1)),
    "Whole": (int, Range(low=0)),
}
"""The types above by name: signatures are read as text, without importing the plugin."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin as its file declares it: callable like the function it wraps."""

    kind: str
    function: Callable[..., Any]
    facts: Mapping[str, Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)


Declare: TypeAlias = Callable[[Callable[..., Any]], Plugin]


def _declare(kind: str, /, **facts: Any) -> Declare:
    return lambda function: Plugin(kind, function, facts)


def method(
    *, recipe: Mapping[str, Any] | None = None, taps: bool = False, paper: str = "", train: Mapping[str, Any] | None = None,
    inner: bool = False, across: bool = False,
) -> Declare:  # fmt: skip
    """A loss term `(student, teacher, batch, state, peer, previous, *, params) -> scalar`; each takes only the evidence it names.

    recipe: what `fit: <name>` expands to, term -> weight or mapping; without one, the term alone at weight 1.
    taps: whether the term reads intermediate features; inner: whether it reads the projections of attention (`Outputs.inner`).
    across: whether it compares the examples of a batch with each other, so that the batch cannot be computed in parts. train:
    changes of the recipe of training that the method's paper asks for.
    A file may also hold `state(shapes, n_train) -> nn.Module`: trained with the student, dropped at the end.
    """
    return _declare("method", recipe=recipe, taps=taps, paper=paper, train=train, inner=inner, across=across)


def view(*, recorded: bool = False) -> Declare:
    """What happens to a batch before the forwards, `(batch, rng, student, teacher, *, params) -> batch`.

    recorded: whether teacher outputs that were recorded on the plain examples stay valid.
    """
    return _declare("view", recorded=recorded)


def relabeler() -> Declare:
    """New training data, `(texts, target, label, teacher, answers, probabilities, rng, *, params) -> Relabelled`; each takes only
    the evidence it names.

    texts: object array of str (n, k) of the training examples; target: their references (n,), None for free text; label:
    int64 (n,). teacher: a `Writer`, which continues texts; answers: the texts of a teacher that is a file, (n,); probabilities:
    what the teacher gives each class, float64 (n, classes), in the order of the data's classes. rng: a numpy Generator.
    """
    return _declare("relabeler")


def tokenizer() -> Declare:
    """How texts become tokens, `(texts, *, params) -> bytes`: the `tokenizer.json` of the library tokenizers.

    texts: the texts of the training split, an iterator of str, for those that learn their vocabulary; one that reads a file
    leaves it out. The tokens "[PAD]", "[UNK]", "[BOS]", "[EOS]" stand at 0, 1, 2 and 3 unless the file has its own.
    """
    return _declare("tokenizer")


def harness(
    *,
    files: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    metrics: tuple[str, ...] = ("acc",),
    lower: tuple[str, ...] = (),
    answer: str = "class",
) -> Declare:
    """A task of lm-eval, `(root, *, params) -> dict`: its configuration in memory, with a `custom_dataset` that reads the data
    folder.

    files: as for a dataset. groups: columns of its documents whose results may be compared. metrics: those of lm-eval that the
    configuration asks for, by name ("exact_match,strict-match" where there are several filters); lower: those of which less
    is better. answer: what is asked: a "class" (multiple choice), the "next" tokens (a likelihood) or a "text" (generation).
    """
    return _declare("harness", files=files, groups=groups, metrics=metrics, lower=lower, answer=answer)


def compressor(*, accepts: tuple[str, ...] = ("torch",), gives: str = "torch", graph: str = "parameters") -> Declare:
    """A smaller artefact, `(artefact, examples, *, params) -> artefact`.

    accepts, gives: runtimes; a fit may follow where "torch" is given. graph: what the compute graph depends on: "same" as
    before, the "parameters" of this step, or the "weights" (then each seed is timed). One that names `examples` gets rows of the
    training split, {input name: array}, drawn from the seed: as many as its parameter `calibration` says, else 256.
    """
    return _declare("compressor", accepts=accepts, gives=gives, graph=graph)


def model(
    *, kinds: tuple[str, ...], answers: tuple[str, ...] = ("class",), taps: tuple[str, ...] = (), paper: str = "",
    inner: Mapping[str, str] | None = None, layout: str = "pair",
) -> Declare:  # fmt: skip
    """An architecture, `(shape, *, params) -> nn.Module`, whose forward takes the inputs of `shape` in order and gives logits.

    kinds: kinds of data it takes; answers: what it can be asked (see `Shape`). inner: "query", "key" and "value" -> the
    submodules that project to them, layer by layer, for terms about attention. layout: of an answer in text, "pair" for an
    encoder and a decoder, "prompt" where the answer continues the source. taps: names of submodules whose outputs are its
    features, shallow to deep; a trailing `.*` stands for all children in order.
    """
    return _declare("model", kinds=kinds, answers=answers, taps=taps, paper=paper, inner=inner, layout=layout)


def dataset(
    *, kind: str, files: tuple[str, ...], licence: str = "", groups: tuple[str, ...] = (), answer: str = "class"
) -> Declare:
    """Examples, `(root, *, params) -> Samples`, whose kind and answer are declared here, too.

    files: what is read, relative to the data folder, or "package:<name>/<path>" inside an installed package; `{param}`
    stands for a parameter. Their bytes are part of every key, so an edited file is never mistaken for the old one.
    groups: the group columns it can give; ("*",) where parameters decide. answer: as in `Samples`, or "{param}".
    """
    return _declare("dataset", kind=kind, files=files, licence=licence, groups=groups, answer=answer)


def shift(*, kinds: tuple[str, ...]) -> Declare:
    """Harder or other inputs, `(x, severity, rng, columns, *, params) -> x`, severity 1..5, deterministic given rng.

    kinds: kinds of data it applies to. Images come as float32 in 0..1, (n, channels, height, width); a table as
    {"numeric", "categorical"} (see `kdbench.stages.shift`); texts as an object array of str (n, k); sound as float32 (n, samples)
    in -1..1.
    """
    return _declare("shift", kinds=kinds)


class MetricFacts(TypedDict, total=False):
    """What a metric's file says of its number; the board and `kdbench show metric` print it.

    unit, low, high: of the value. title: as a column is headed. equation, source: the formula in plain text, and the paper or
    library that defines it. convention: what else is called by the same name, and which one this is. version: raise it when
    the number changes. reads: what must be known of an example: its "decisions", "probabilities" or "logits"; or the "values"
    of a regression, the "tokens" of a language model, the "texts" it wrote, the "vectors" of an encoder; what
    lm-eval said in the "harness"; or only the "inputs". undefined: what a NaN value means ("no positive examples").
    """

    unit: str
    low: float | None
    high: float | None
    title: str
    equation: str
    source: str
    convention: str
    version: int
    reads: str
    undefined: str


METRIC_FACTS: MetricFacts = {
    "unit": "fraction", "low": None, "high": None, "title": "", "equation": "", "source": "", "convention": "", "version": 1,
    "reads": "logits", "undefined": "",
}  # fmt: skip
"""What holds where a metric does not say."""


def metric(*, better: str, form: str = "mean", axis: str = "quality", **facts: Unpack[MetricFacts]) -> Declare:
    """A number from stored evidence, `(predictions, teacher, validation, teacher_validation, ood, ..., *, params)`.

    better: "higher", "lower" or "none". A metric may raise Undefined or NotApplicable, with a reason. form:

    - "mean": gives per-example columns (n,) or (n, d), or Cells, or a tuple of Cells; of their means over the examples
      `finish(means)` (last axis d; default: the mean itself) makes the value. Each row must depend on its own example alone.
      A file with `deviations(means) -> (..., m)` and the norm `size(deviations) -> (...)` of which the value is the size gets
      an interval that holds at zero too.
    - "set": gives the value of a whole set; with an argument `weights` (draws, n) it gives all draws at once, and a file with
      `influence(...) -> (n,)`, its derivative with respect to the weight of each example times n, is resampled through that
      where sets are large.
    - "groups": as "mean", but `finish(means (..., groups, d))`, and `deviations` too, compares the groups of a column.
    - "seeds": as "mean", but `predictions` and `teacher` are tuples, one for each seed.
    - "frame": asks for `group` (n,) and `compared` (levels,) too, and gives a number for the column or for each of its levels.
    - "measured": reads size, cost, latency, memory or parity.
    """
    return _declare("metric", better=better, form=form, axis=axis, **{**METRIC_FACTS, **facts})


class TargetFacts(TypedDict, total=False):
    """What a target's file says of it. reference: it runs the artefact as it is, so that no parity check against eager is due.
    timed: its runners have a bundle, by which latency, memory and energy are measured. needs: packages that must be installed.
    requires: what else the machine must have: "compiler" (C++), "cuda" (an NVIDIA device), "provider" (the execution provider of
    ONNX Runtime that the parameter of this name says). device: where it computes, "cpu" or "cuda". remote: it runs the model
    on another machine. decodes: its runners have a `decoder` for language models that remember what they read.
    """

    reference: bool
    timed: bool
    needs: tuple[str, ...]
    requires: tuple[str, ...]
    device: str
    remote: bool
    decodes: bool


TARGET_FACTS: TargetFacts = {
    "reference": False, "timed": True, "needs": (), "requires": (), "device": "cpu", "remote": False,
    "decodes": False,
}  # fmt: skip
"""What holds where a target does not say."""


def target(*, accepts: tuple[str, ...], **facts: Unpack[TargetFacts]) -> Declare:
    """How and where a model runs, `(artefact, example, *, params) -> Runner`. accepts: runtimes of artefacts."""
    return _declare("target", accepts=accepts, **{**TARGET_FACTS, **facts})


def section(*, title: str, order: int = 50) -> Declare:
    """One section of the report, `(scores, standings, ..., *, params) -> html`."""
    return _declare("section", title=title, order=order)
