"""Figures from what the jobs made: by the metric plugins themselves, with the judge's own intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdbench.judge import requires
from kdbench.measure.question import AGAINST, MODEL, Question
from kdbench.registry import Plugins
from kdbench.signature import Description
from kdbench.store import Entry, Store
from kdbench.suite.axes import AXES
from kdbench.suite.kinds import parse

if TYPE_CHECKING:
    from kdbench.judge.evidence import Piece

SHOWN = 0.02
"""Differences up to this share are never called faster or slower, however quiet the machine was."""
DRAWS = 1000
ORDER = ("latency", "memory", "energy", "size")
BESIDE = {"null": "latency", "teacher_size": "size", "teacher_energy": "energy"}
"""What metrics are given of the model that is compared with."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A place where evidence is expected: of which model, on which target, in which scenario; the key of the job that brings it,
    or the reason why none does.
    """

    part: str
    target: str
    evidence: str
    scenario: str
    key: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A comparison in words. floor: how far from 1 the reference against itself reads, at least 2 %; word: faster, slower, no
    difference shown, or not measured.
    """

    target: str
    scenario: str
    metric: str
    title: str
    value: float
    low: float
    high: float
    floor: float
    word: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found. rows: as in the table of scores of a run, `contender` being the part (model, against); timings: how
    each pair was timed, with its checks and raw samples; about: the models and the rows.
    """

    names: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    verdicts: tuple[Verdict, ...]
    timings: tuple[Mapping[str, Any], ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    def row(self, metric: str, part: str = MODEL, target: str = "", scenario: str = "") -> Mapping[str, Any]:
        """The row of a metric by its id, on the first target unless one is named. Raises KeyError where there is none."""
        for row in self.rows:
            if (row["metric"], row["contender"], row["slice"]) == (metric, part, scenario) and target in ("", row["target"]):
                return row
        raise KeyError(metric)


def figures(
    question: Question,
    seen: Sequence[Seen],
    opening: Mapping[str, str],
    made: tuple[Store, Mapping[str, str]],
    plugins: Plugins,
) -> Findings:
    """Every metric that measured evidence answers, for every model, target and scenario. made: the store, and why jobs failed."""
    store, failed = made
    entries = {one.key: store.open(one.key) for one in seen if one.key and one.key not in failed}
    rows = [
        row for use in _metrics(plugins, alone=question.against is None) for row in _rows(use, seen, entries, failed, plugins)
    ]
    at = {one.name: i for i, one in enumerate(question.scenarios)}
    rows.sort(key=lambda row: (ORDER.index(row["of"]), row["order"], at.get(row["slice"], 0)))
    about = {
        "models": {part: store.open(opening[part]).json("takes.json") for part in question.models},
        "rows": store.open(opening["rows"]).json("rows.json"),
    }
    timings = tuple(_timing(one, entries[one.key]) for one in seen if one.evidence == "latency" and one.key in entries)
    return Findings(question.names(), tuple(rows), tuple(_verdicts(question, rows)), timings, about)


def _metrics(plugins: Plugins, *, alone: bool) -> Iterator[tuple[Description, dict[str, Any], str]]:
    """Every metric of measured evidence that can be answered here, at each value of its parameters that are choices."""
    offered = {*ORDER, *(["null"] if alone else BESIDE)}
    for about in plugins.describe("metric"):
        if not isinstance(about, Description) or about.facts.get("form") != "measured":
            continue
        asks = requires(about)
        kind = next((kind for kind in ORDER if kind in asks), "")
        if kind and asks <= offered:
            for params in _choices(about):
                yield about, params, kind


def _choices(about: Description) -> Iterator[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for param in about.params:
        kind = parse(param.annotation)
        values = kind.values if kind.form == "choice" else (param.default,)
        found = [{**params, param.name: value} for params in found for value in values]
    yield from found


def _rows(
    use: tuple[Description, dict[str, Any], str],
    seen: Sequence[Seen],
    entries: Mapping[str, Entry],
    failed: Mapping[str, str],
    plugins: Plugins,
) -> Iterator[dict[str, Any]]:
    """The rows of one metric: those of the judge, and one with its reason for every place that has no evidence."""
    from kdbench.judge.ask import open_metric  # noqa: PLC0415 - numpy and scipy, only where something was measured
    from kdbench.judge.measurements import measurements  # noqa: PLC0415 - as above
    from kdbench.judge.resample import seed_of  # noqa: PLC0415 - as above
    from kdbench.judge.rows import rows, subject  # noqa: PLC0415 - as above

    about, params, kind = use
    metric = open_metric(plugins, about.name, params)
    reference = AGAINST if any(one.part == AGAINST for one in seen) else MODEL
    parts = {"teacher": reference, MODEL: MODEL}  # so the judge calls the model that the others are measured against
    usual = [one if isinstance(one, str) else "" for one in AXES]
    place = usual.index(about.name) if about.name in usual else len(usual)
    also = {"of": kind, "order": (place, metric.facts["title"], metric.id), "null": "null" in metric.asks}
    beside = bool(metric.asks & BESIDE.keys()) and not also["null"]  # of the reference it says 1, and nothing
    elsewhere = {(one.part, one.target): one.scenario for one in seen if one.evidence == kind == "energy"}
    found = dict(measurements(metric, _pieces(seen, entries, reference), entries, DRAWS, seed_of("measure", "blocks")))
    have = set()
    for row in rows(found, subject(metric, "measure")):
        if row["seed"] == 0:
            part = parts[row["contender"]]
            row |= {"contender": part, **also, "itself": beside and part == reference}
            row["slice"] = row["slice"] or elsewhere.get((part, row["target"]), "")
            have.add((part, row["target"], row["slice"]))
            yield row
    for one in seen:
        if one.evidence == kind and (one.part, one.target, one.scenario) not in have and one.key not in entries:
            facts = {k: metric.facts.get(k) for k in ("title", "convention", "unit", "better", "axis")}
            yield {**facts, "metric": metric.id, **_nothing(one, failed), **also, "itself": False}


def _pieces(seen: Sequence[Seen], entries: Mapping[str, Entry], reference: str) -> list[Piece]:
    """The evidence that there is, as the judge is told of it."""
    from kdbench.judge.evidence import Piece  # noqa: PLC0415 - see `_rows`
    from kdbench.judge.measurements import BY_SCENARIO  # noqa: PLC0415 - see `_rows`

    found = []
    for one in seen:
        if one.key in entries:
            scenario = one.scenario if one.evidence in BY_SCENARIO else ""
            name = "teacher" if one.part == reference else one.part
            found.append(Piece(one.key, name, 0, one.target, one.evidence, "", "", 0, scenario))
    return found


def _nothing(one: Seen, failed: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of a place without evidence."""
    numbers = dict.fromkeys(("value", "low", "high", "teacher", "delta", "delta_low", "delta_high"), math.nan)
    why = ("undefined", one.why) if one.why else ("failed", failed.get(one.key, "it was not measured"))
    spot = {"contender": one.part, "target": one.target, "slice": one.scenario, "n": None}
    return {**numbers, **spot, "status": why[0], "reason": why[1]}


def _verdicts(question: Question, rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    """Each ratio of times in words. The null pair is the same ratio of the reference to its own copy."""
    if question.against is None:
        return
    for row in rows:
        if row["contender"] != MODEL or not row["null"]:
            continue
        place = (row["metric"], row["target"], row["slice"])
        null = next(
            (r["value"] for r in rows if r["contender"] == AGAINST and (r["metric"], r["target"], r["slice"]) == place), math.nan
        )
        floor = max(abs(null - 1), SHOWN) if math.isfinite(null) else math.nan
        value, low, high = row["value"], row["low"], row["high"]
        yield Verdict(row["target"], row["slice"], row["metric"], row["title"], value, low, high, floor, word(low, high, floor))


def word(low: float, high: float, floor: float) -> str:
    """What an interval of a ratio of times shows: it must lie outside of 1 +- floor as a whole."""
    if any(not math.isfinite(x) for x in (low, high, floor)):
        return "not measured"
    return "faster" if high < 1 - floor else "slower" if low > 1 + floor else "no difference shown"


def _timing(one: Seen, entry: Entry) -> dict[str, Any]:
    facts = entry.json("latency.json")
    samples = {name: value.tolist() for name, value in entry.arrays("latency.npz").items()}
    return {"contender": one.part, "target": one.target, "scenario": one.scenario, **facts, "samples": samples}
