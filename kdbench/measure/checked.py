"""Models under test: what the fixtures of the pytest plugin give. Nothing here is measured before it is asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.measure.question import AGAINST, MODEL, Question, Rows, scenarios, target, targets
from kdbench.nouns import Refusal, Undefined, Use, plain
from kdbench.registry import Plugins, discover, nearest
from kdbench.report.words import stated

if TYPE_CHECKING:
    import numpy as np

    from kdbench.measure.figures import Findings

RATIO, CPU = "latency_ratio", "cpu_time_ratio"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval, NaN where it has none. unit: of all three; noisy: the null pair is more than 2 % off."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    noisy: bool
    remark: str

    def __str__(self) -> str:
        """`12.1 us (12.0-12.3 us)`."""
        return stated(self.value, self.low, self.high, self.unit)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A model against another, timed in turns. ratio: time of the model over that of the other, low and high its 95 % interval;
    floor: how far the other against itself is off, at least 2 %; word: faster, slower, or no difference shown, where the interval
    does not lie outside of 1 +- floor; cpu: the same of CPU time.
    """

    name: str
    ratio: float
    low: float
    high: float
    floor: float
    word: str
    cpu: Figure
    findings: Findings

    def figure(self, metric: str) -> Figure:
        """Any metric of the model, as `Student.figure`."""
        return _figure(self.findings, metric, MODEL)

    def other(self, metric: str) -> Figure:
        """The same of the model that it is compared with."""
        return _figure(self.findings, metric, AGAINST)

    def __repr__(self) -> str:
        """What an assertion that fails shows."""
        ratio = stated(self.ratio, self.low, self.high, "ratio")
        return f"<{self.name}: {self.word}, {ratio}, noise floor {100 * self.floor:.1f} %>"


@dataclass(frozen=True, slots=True)
class Target:
    """Where models run. text: as in a suite, "" for the first target that runs the model; folders: of plugins."""

    text: str = ""
    folders: tuple[Path, ...] = ()

    @property
    def plugins(self) -> Plugins:
        """The plugins that it is one of."""
        return discover(self.folders)

    @property
    def name(self) -> str:
        """The name of the plugin; "" where the model decides."""
        return target(self.text, self.plugins).name if self.text else ""

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, those by default too."""
        return dict(target(self.text, self.plugins).params) if self.text else {}

    def lacks(self) -> str:
        """What this machine lacks for it, "" for nothing. Raises Refusal for a name that is none."""
        from kdbench.stages.available import lacks  # noqa: PLC0415 - only where a fixture is used

        if not self.text:
            return ""
        use = target(self.text, self.plugins)
        return lacks(self.plugins.get("target", use.name), use.params)

    def use(self, *models: Path) -> Use:
        """The target with its parameters, for these models. Raises Refusal where it cannot run one of them."""
        return targets([self.text] if self.text else [], models, self.plugins)[0]

    def predict(self, model: str | Path, x: Mapping[str, np.ndarray]) -> np.ndarray:
        """What a model says about rows {input: array (n, ...)} on this target, in this process."""
        from kdbench.measure.opened import open_model  # noqa: PLC0415 - numerical libraries, only where they are used
        from kdbench.stages import Place  # noqa: PLC0415 - as above
        from kdbench.stages.running import open_runner  # noqa: PLC0415 - as above
        from kdbench.store import Store  # noqa: PLC0415 - as above

        plugins, path = self.plugins, Path(model)
        artefact, _ = open_model(path, plugins)
        runner = open_runner(artefact, plain(self.use(path)), Place(plugins, Store(Path())), x)  # type: ignore[arg-type]
        return runner.predict(x)


@dataclass(frozen=True, slots=True, repr=False)
class Student:
    """A model under test. asked: fields of a Question beside the models and the target; folders: where relative paths start;
    cache: what was measured already, by question.
    """

    path: Path
    target: Target
    asked: Mapping[str, Any] = field(default_factory=dict)
    folders: Sequence[Path] = ()
    cache: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """What an assertion that fails shows."""
        return f"<{self.path.name}{f' on {self.target.text}' if self.target.text else ''}>"

    @property
    def latency(self) -> Figure:
        """Best case of one call, in microseconds."""
        return self.figure("latency")

    @property
    def memory(self) -> Figure:
        """Peak resident memory while it answers, beyond an idle process, in MB of 10^6 bytes."""
        return self.figure("peak_memory")

    @property
    def flops(self) -> Figure:
        """Floating-point operations of one row, 2 for each multiply-add."""
        return self.figure("flops")

    @property
    def parameters(self) -> Figure:
        """Stored numbers."""
        return self.figure("parameters")

    @property
    def bytes(self) -> Figure:
        """Size of its files."""
        return self.figure("bytes_on_disk")

    def figure(self, metric: str) -> Figure:
        """Any metric of measured evidence by its id, e.g. "latency_percentile{p=99}". Raises Undefined, with the reason, where
        there is no number, and Refusal for a metric that is none.
        """
        return _figure(self._measured(None), metric, MODEL)

    def against(self, model: str | Path) -> Comparison:
        """Time it against another model, in turns. Raises Undefined, with the reason, where that gave no number."""
        path = found(model, self.folders)
        held = self._measured(path)
        ratio, cpu = _figure(held, RATIO, MODEL), _figure(held, CPU, MODEL)
        verdict = next(one for one in held.verdicts if one.metric == RATIO)
        name = f"{held.names[MODEL]} against {held.names[AGAINST]} on {verdict.target}"
        return Comparison(name, ratio.value, ratio.low, ratio.high, verdict.floor, verdict.word, cpu, held)

    def _measured(self, other: Path | None) -> Findings:
        """Measured now, unless this session has done so already. A comparison tells all about the model itself, too."""
        from kdbench.measure.bench import Interrupted, measure  # noqa: PLC0415 - only where something is measured

        models = [self.path, *([other] if other is not None else [])]
        question = Question(self.path, (self.target.use(*models),), other, **self.asked)
        key = json.dumps([plain(question.targets), *(str(asked) for asked in (self.path, self.asked))], default=str)
        known: dict[str, Findings] = self.cache.setdefault(key, {})
        wanted = str(other or next(iter(known), ""))
        if wanted not in known:
            try:
                known[wanted] = measure(question, self.target.plugins, self.target.folders)
            except Interrupted:
                raise KeyboardInterrupt from None
        return known[wanted]


def options(said: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """The fields of a Question beside models and target, from the arguments of a marker."""
    rows = Rows(
        found(said["input"], folders) if said.get("input") else None,
        {name: tuple(size) for name, size in said.get("shapes", {}).items()},
        {name: (float(low), float(high)) for name, (low, high) in said.get("ranges", {}).items()},
    )
    called = scenarios([int(said.get("batch", 1))], [int(said["length"])] if said.get("length") else [])
    limits = {name: kind(said[name]) for name, kind in (("pairs", int), ("seconds", float)) if name in said}
    return {"scenarios": called, "rows": rows, **limits}


def found(path: str | Path, folders: Sequence[Path]) -> Path:
    """A path as a test names it: below the first of the folders that has it. Raises Refusal."""
    for folder in folders:
        if (folder / path).exists():
            return folder / path
    raise Refusal(f"{path}: no such file or folder (looked in {', '.join(map(str, dict.fromkeys(folders)))})")


def _figure(held: Findings, metric: str, part: str) -> Figure:
    ids = dict.fromkeys(row["metric"] for row in held.rows)
    row = next((row for row in held.rows if (row["metric"], row["contender"]) == (metric, part)), None)
    if row is None:
        raise Refusal(f"no metric {metric!r} was measured{nearest(metric, list(ids))}")
    if not math.isfinite(row["value"]):
        raise Undefined(f"{metric} of {held.names[part]} on {row['target']}: {row['status']}: {row['reason']}")
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    title = f"{row['title']} of {held.names[part]}"
    return Figure(title, value, low, high, str(row["unit"]), row["status"] == "noisy", str(row["reason"]))
