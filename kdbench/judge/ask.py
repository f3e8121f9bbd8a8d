"""A metric plugin as the judge uses it: its id, its facts, and calls that hand over exactly the evidence that it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdbench.judge import requires
from kdbench.judge.axes import convention, metric_id
from kdbench.nouns import Cells, Params
from kdbench.registry import Plugins


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its parameters. asks: the evidence it names; `error`, `curve`, ...: companions, where its file has them."""

    id: str
    form: str
    asks: frozenset[str]
    facts: Mapping[str, Any]
    function: Callable[..., Any]
    companions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, offered: Mapping[str, Any]) -> Any:
        """The columns, blocks or value that the function gives for this evidence."""
        return _call(self.function, {**offered, **self.params})

    def finish(self, means: np.ndarray) -> np.ndarray:
        """Means (..., d) to values (...); the mean itself where the file has no `finish`."""
        finish = self.companions.get("finish")
        if finish is None:
            return np.asarray(means[..., 0])
        return np.asarray(_call(finish, self.params, means), dtype=np.float64)

    def curve(self, of: np.ndarray | Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The diagram that belongs to the number: its name, and x, y (and share, low, high) of points. of: the same means (d,),
        or for a metric of a set the same evidence.
        """
        curve = self.companions.get("curve")
        if curve is None:
            return None
        found: Mapping[str, Any] = (
            _call(curve, self.params, of) if isinstance(of, np.ndarray) else _call(curve, {**of, **self.params})
        )
        return found

    def influence(self, offered: Mapping[str, Any]) -> np.ndarray | None:
        """The derivative of a set's value with respect to the weight of each example, times n; None without that companion, and
        where it says that the value is not straight enough for one.
        """
        influence = self.companions.get("influence")
        found = None if influence is None else _call(influence, {**offered, **self.params})
        return None if found is None else np.asarray(found, dtype=np.float64)

    def held(self, offered: Mapping[str, Any]) -> Iterator[Cells]:
        """The cells whose signed sums the number of a set is the size of; only where the file has that companion."""
        found: Iterator[Cells] = _call(self.companions["held"], {**offered, **self.params})
        return found

    def deviations(self, means: np.ndarray) -> np.ndarray:
        """What the number is the size of, from means (..., d) or of groups (..., G, d); see `size`."""
        return np.asarray(_call(self.companions["deviations"], self.params, means), dtype=np.float64)

    def size(self, deviations: np.ndarray) -> np.ndarray:
        """The norm or seminorm of deviations that is the number, where the file has both companions."""
        return np.asarray(_call(self.companions["size"], self.params, deviations), dtype=np.float64)

    def say(self, companion: str, offered: Mapping[str, Any]) -> str:
        """What `note` or `doubt` of the file says of this evidence; "" without one."""
        function = self.companions.get(companion)
        return "" if function is None else str(_call(function, {**offered, **self.params}))

    def guess(self, chance: float) -> float:
        """The number of one who guesses among the choices and is right with this probability; only with that companion."""
        return float(_call(self.companions["guess"], {"chance": chance, **self.params}))

    @property
    def weighted(self) -> bool:
        """Whether a metric of a set gives all draws at once."""
        return "weights" in inspect.signature(self.function).parameters

    @property
    def better(self) -> str:
        """Which direction is better: higher, lower or none."""
        return str(self.facts["better"])

    def clip(self, value: float) -> float:
        """A bound of an interval, brought back into the range of the number."""
        low, high = self.facts.get("low"), self.facts.get("high")
        value = value if low is None else max(value, float(low))
        return value if high is None else min(value, float(high))


def open_metric(plugins: Plugins, name: str, params: Params) -> Metric:
    """Import the file of a metric. Raises Refusal."""
    description = plugins.get("metric", name)
    plugin, module = plugins.load("metric", name)
    companions = {c: getattr(module, c) for c in description.companions if not c.startswith("_")}
    facts = {**plugin.facts, "title": plugin.facts.get("title") or name, "convention": convention(description, params)}
    metric = metric_id(description, params)
    return Metric(metric, str(plugin.facts["form"]), requires(description), facts, plugin.function, companions, params)


def _call(function: Callable[..., Any], offered: Mapping[str, Any], *first: Any) -> Any:
    names = list(inspect.signature(function).parameters.values())[len(first) :]
    return function(*first, **{p.name: offered[p.name] for p in names if p.name in offered})
