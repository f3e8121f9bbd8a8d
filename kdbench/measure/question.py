"""What is to be measured: the models, where and how they are called, and the rows they are given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdbench.nouns import Refusal, Scenario, Use
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.stages.available import lacks
from kdbench.suite.axes import MEASURED
from kdbench.suite.cursor import Cursor
from kdbench.suite.nodes import compose
from kdbench.suite.uses import use

MODEL, AGAINST = "model", "against"
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".t7", ".joblib")
LARGEST_JSON = 2**20


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows the models are given. input: an .npz with one array (n, ...) for each input; without it rows are random, drawn
    from the shapes and types that the model declares. shapes: sizes (rows, ...) of inputs whose dimensions are open; ranges: the
    least and greatest value of an input, both included.
    """

    input: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What to measure. pairs: block pairs of one comparison at most; seconds: the time that one comparison may take."""

    model: Path
    targets: tuple[Use, ...]
    against: Path | None = None
    scenarios: tuple[Scenario, ...] = (Scenario(),)
    rows: Rows = field(default_factory=Rows)
    pairs: int = 60
    seconds: float = 12.0

    @property
    def models(self) -> dict[str, Path]:
        """The models by their part; the one that is compared with comes last."""
        return {MODEL: self.model, **({AGAINST: self.against} if self.against is not None else {})}

    @property
    def reference(self) -> str:
        """The part of the model that others are timed against: the only one, where it is alone."""
        return MODEL if self.against is None else AGAINST

    def names(self) -> dict[str, str]:
        """What each model is called: its file or folder, with as much of the path as tells them apart."""
        paths = {part: path.resolve() for part, path in self.models.items()}
        short = {part: path.name for part, path in paths.items()}
        if len(set(short.values())) < len(short):
            short = {part: "/".join(path.parts[-2:]) for part, path in paths.items()}
        if len(set(short.values())) < len(short):
            short = {part: str(path) for part, path in self.models.items()}
        return short if len(set(short.values())) == len(short) else {part: f"{name} ({part})" for part, name in short.items()}


def scenarios(batches: Sequence[int], lengths: Sequence[int]) -> tuple[Scenario, ...]:
    """Every combination, each once. Raises Refusal for numbers that are none of a call."""
    for option, values in (("--batch", batches), ("--length", lengths)):
        for value in values:
            if not 1 <= value <= 1 << 20:
                raise Refusal(f"{option} {value}: allowed is a whole number from 1 to {1 << 20}")
    return tuple(dict.fromkeys(Scenario(batch, length) for length in lengths or (0,) for batch in batches or (1,)))


def target(text: str, plugins: Plugins) -> Use:
    """A target as in a suite: `ort_cpu` or `ort_cpu: {threads: 2}`. Raises Refusal, with the nearest name for an unknown one."""
    log: list[str] = []
    node = compose(text, lambda _line, _column: f"target {ascii(text)[1:-1][:80]}")
    made = None if node is None else use(Cursor(node, "", log, Path()), "target", plugins)
    if log or made is None:
        raise Refusal("\n".join(log) or "target: found nothing (allowed: a name such as ort_cpu)")
    return made


def targets(asked: Iterable[str], models: Iterable[Path], plugins: Plugins) -> tuple[Use, ...]:
    """The targets to measure on: those asked for, else the first that runs all of these models. Raises Refusal where one of
    them cannot run one of the models.
    """
    runtimes = {path: runtime(path) for path in models}
    chosen: list[Use] = []
    for text in asked:
        one = target(text, plugins)
        chosen += [one] if one not in chosen else []
    if not chosen:
        every = (*MEASURED, *plugins.names("target"))
        names = [name for name in every if not _wrong(name, runtimes, plugins) and not _needy(name, plugins)]
        if not names:
            raise Refusal(f"no target runs {' and '.join(sorted(set(runtimes.values())))} models")
        return (target(names[0], plugins),)
    for one in chosen:
        if wrong := _wrong(one.name, runtimes, plugins):
            others = [name for name in plugins.names("target") if not _wrong(name, runtimes, plugins)]
            raise Refusal(f"{wrong} (allowed: {', '.join(others) or 'no target'})")
        if why := lacks(plugins.get("target", one.name), one.params):
            raise Refusal(f"target {one.name} is not available on this machine: {why}")
    return tuple(chosen)


def runtime(path: Path) -> str:
    """What a model is for: "onnx" for a file, else what the artefact.json of a folder says. Raises Refusal."""
    if path.is_dir():
        try:
            with open(path / "artefact.json", "rb") as file:
                said = json.loads(file.read(LARGEST_JSON)).get("runtime", "torch")
        except FileNotFoundError:
            raise Refusal(f"{path}: a folder without artefact.json is no saved student (allowed: an ONNX file, or a folder "
                          "with artefact.json, as `load:` takes)") from None  # fmt: skip
        except (OSError, ValueError, AttributeError, RecursionError):
            raise Refusal(f"{path}: artefact.json is not a mapping in plain JSON") from None
        return str(said)
    if not path.exists():
        raise Refusal(f"{path}: no such file or folder")
    if not path.is_file():
        raise Refusal(f"{path}: not a regular file or folder")
    if path.suffix in PICKLES:
        raise Refusal(f"{path}: may hold code and is not opened (allowed: an ONNX file, or a folder with artefact.json and "
                      "weights.safetensors)")  # fmt: skip
    return "onnx"


def _needy(name: str, plugins: Plugins) -> bool:
    """Whether a target has parameters that only the user knows, or needs what this machine lacks."""
    about = plugins.get("target", name)
    params = {param.name: param.default for param in about.params}
    return any(param.required for param in about.params) or bool(lacks(about, params))


def _wrong(name: str, runtimes: Mapping[Path, str], plugins: Plugins) -> str:
    """Why a target cannot run one of these models; "" where it can."""
    about: Description = plugins.get("target", name)
    accepts = about.facts.get("accepts", ())
    if not about.facts.get("timed", True):
        return f"target {name} cannot be timed"
    for path, found in runtimes.items():
        if found not in accepts:
            return f"target {name} runs {' and '.join(accepts)} models, and {path} is {found}"
    return ""
