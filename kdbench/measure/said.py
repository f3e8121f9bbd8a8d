"""Findings as a reader sees them: one table a target, verdicts in words, and as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from kdbench.measure.figures import Findings, Verdict
from kdbench.measure.question import AGAINST, MODEL, Question
from kdbench.nouns import Json, plain
from kdbench.report.words import clean, number, plural, stated
from kdbench.stages.host import fingerprint

FORMAT = 1
HIDDEN = "not applicable"


def tables(findings: Findings) -> Iterator[dict[str, Any]]:
    """{title, heads, rows} of each target, as `kdbench.report.table` prints them."""
    names = {part: clean(name, 30) for part, name in findings.names.items()}
    for target in dict.fromkeys(row["target"] for row in findings.rows):
        lines = []
        mine = [row for row in findings.rows if row["target"] == target]
        for metric, scenario in dict.fromkeys((row["metric"], row["slice"]) for row in mine):
            of = {row["contender"]: row for row in mine if (row["metric"], row["slice"]) == (metric, scenario)}
            first = of.get(MODEL) or next(iter(of.values()))
            if any(row["status"] != HIDDEN for row in of.values()):
                lines.append([_title(findings, first), *(_cell(of.get(part)) for part in names), _remark(findings, of)])
        yield {"title": clean(f"{target}: 95 % intervals", 80), "heads": ["metric", *names.values(), "remark"], "rows": lines}


def _title(findings: Findings, row: Mapping[str, Any]) -> str:
    """With the parameters that tell two metrics of one name apart, the scenario, and who is compared with."""
    title = str(row["title"])
    if "teacher" in title:
        title = title.replace("teacher", "its own copy" if AGAINST not in findings.names else clean(findings.names[AGAINST], 30))
    params = str(row["convention"]).partition(";")[0] if "=" in str(row["convention"]).partition(";")[0] else ""
    beside = ", ".join(part for part in (params if len(params) <= 20 else "", str(row["slice"])) if part)
    return clean(f"{title} ({beside})" if beside else title, 60)


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or row["status"] == HIDDEN or row["itself"]:
        return ""
    if row["value"] is None or math.isnan(row["value"]):
        return str(row["status"])
    return stated(row["value"], row["low"], row["high"], str(row["unit"]))


def _remark(findings: Findings, of: Mapping[str, Mapping[str, Any]]) -> str:
    """What the numbers do not say: the load, what was not counted, why there is none. Said once where all say the same; why
    something failed is said below the table, since it concerns many lines of it.
    """
    rows = [of[part] for part in findings.names if part in of and not of[part]["itself"]]
    said = dict.fromkeys(str(row["reason"]) for row in rows if row["reason"] and row["status"] not in (HIDDEN, "failed"))
    reference = findings.names.get(AGAINST, "the model")
    return clean(" | ".join(said).replace("the teacher", reference), 200)


def failures(findings: Findings) -> Iterator[str]:
    """One line for each reason for which figures failed."""
    for reason in dict.fromkeys(str(row["reason"]) for row in findings.rows if row["status"] == "failed"):
        yield f"failed: {clean(reason, 600)}"


def sentence(findings: Findings, verdict: Verdict) -> str:
    """`Latency: a.onnx is faster than b.onnx on ort_cpu: 0.52x (0.51-0.53), and b.onnx against itself is 0.4 % off`."""
    ours, theirs = (clean(findings.names[part], 60) for part in (MODEL, AGAINST))
    where = f"on {clean(verdict.target, 60)}{verdict.scenario and ', '}{verdict.scenario}"
    what = verdict.title.partition(" / ")[0]
    if verdict.word == "not measured":
        return f"{what}: {ours} against {theirs} was not measured {where}"
    ratio = stated(verdict.value, verdict.low, verdict.high, "ratio")
    told = f"is {verdict.word} than" if verdict.word in ("faster", "slower") else "shows no difference to"
    return (
        f"{what}: {ours} {told} {theirs} {where}: {ratio}; differences up to {number(verdict.floor, 'fraction')} are noise here"
    )


def conditions(findings: Findings) -> Iterator[str]:
    """One line for each pair: how it was timed, under which load, and what the honesty checks found."""
    for timing in findings.timings:
        name, scenario = clean(findings.names[timing["contender"]], 60), timing["scenario"]
        copy = " against its own copy" if timing.get("null") else ""
        checks = timing.get("checks") or {}
        bad = [str(check["text"]) for check in checks.values() if not check["passed"]]
        threads = plural(timing["threads"], "thread")
        parts = [f"{timing['pairs']} block pairs of {timing['calls']} calls, {threads}"]
        before, after = timing.get("load_before"), timing.get("load_after")
        if before is not None and after is not None:
            parts.append(f"load {_load(before)} to {_load(after)}")
        parts += [f"governor {timing['governor']}"] if timing.get("governor") else []
        if timing.get("involuntary_switches") is not None:
            parts.append(f"{timing['involuntary_switches']} involuntary context switches")
        parts.append(f"FAILED: {'; '.join(bad)}" if bad else f"checks passed: {', '.join(checks)}" if checks else "no checks")
        yield clean(f"{timing['target']}{scenario and ', '}{scenario}, {name}{copy}: {'; '.join(parts)}", 600)


def _load(value: Any) -> str:
    return f"{float(value[0] if isinstance(value, list) else value):.1f}"


def origin(findings: Findings) -> Iterator[str]:
    """Where the rows come from, and which inputs were given other names."""
    rows = findings.about["rows"]
    shapes = rows["sizes"][min(rows["sizes"], key=int)]
    said = ", ".join(f"{clean(name, 40)} {' x '.join(map(str, size))}" for name, size in shapes.items())
    yield clean(f"rows: {rows['source']}; {said}", 300)
    if rows["unlike"]:
        named = ", ".join(clean(name, 40) for name in rows["unlike"])
        yield f"{named}: only codes that both models know, so no texts that both read in their own tokens (a suite times those)"
    if rows["spare"]:
        yield clean(f"not used of the file: {', '.join(rows['spare'])}", 200)
    for model in findings.about["models"].values():
        for old, new in model["renamed"].items():
            yield clean(f"{model['name']}: input {old!r} is taken for {new!r}, by its place", 300)


def document(question: Question, findings: Findings) -> dict[str, Json]:
    """Everything as plain JSON: numbers that there are not are null."""
    keep = (
        "metric",
        "contender",
        "target",
        "slice",
        "value",
        "low",
        "high",
        "unit",
        "better",
        "n",
        "status",
        "reason",
        "convention",
    )
    figures = [
        {("scenario" if k == "slice" else "model" if k == "contender" else k): row[k] for k in keep} for row in findings.rows
    ]
    asked = {"pairs": question.pairs, "seconds": question.seconds, "targets": [plain(use) for use in question.targets]}
    body = {
        "format": FORMAT,
        "models": findings.about["models"],
        "rows": findings.about["rows"],
        "asked": asked,
        "host": fingerprint(),
        "figures": figures,
        "verdicts": [plain(one) for one in _finite(findings.verdicts)],
        "timings": list(findings.timings),
    }
    found: dict[str, Json] = _finite(body)
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, Verdict):
        return {name: _finite(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
