"""Which rows of the scores a place on the page shows. A cell holds one row, or none; nothing is averaged here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdbench.report.words import labels

DERIVED = ("retention", "gain", "seed_sd", "bimodality")
"""Numbers that follow from another metric and keep its axis: a section of their own shows them."""


@dataclass(frozen=True)
class View:
    """One task on one target, as the page shows it."""

    task: str
    target: str
    scores: pd.DataFrame
    primary: str

    def rows(self, **where: object) -> pd.DataFrame:
        """Over seeds, those rows whose columns equal `where`; without a word about them: clean, and of all examples."""
        part = self.scores
        for column, value in {"shift": "", "slice": "", **where}.items():
            part = part if value is None else part[part[column] == value]
        return part

    def axis(self, name: str) -> pd.DataFrame:
        """As `rows`, the metrics of an axis without those derived from another metric."""
        part = self.rows(axis=name)
        return part.loc[[not derived(m) for m in part["metric"]]]


def derived(metric: object) -> bool:
    """Whether a metric's name is one of `DERIVED`, for whatever it is derived from."""
    return str(metric).split("{")[0] in DERIVED


def why_apart(row: object) -> str:
    """Why a row of the standings is apart, without the word itself and without how many seeds it has."""
    reason = str(getattr(row, "reason", "")).removeprefix("not ranked: ")
    return re.sub(r"; \d+ seeds?(: checkpoint, examples vary)?$", "", reason)


def views(scores: pd.DataFrame, standings: pd.DataFrame) -> Iterator[View]:
    """Each task on each target, in the order of the scores. Numbers without a target (sizes, cost) stand on every target."""
    scores = over_seeds(scores)
    for task in scores["task"].unique():
        of_task = scores[scores["task"] == task]
        targets = [t for t in of_task["target"].unique() if t] or [""]
        for target in targets:
            part = of_task[of_task["target"].isin([target, ""])]
            yield View(str(task), str(target), part, _primary(part, standings, str(task), str(target)))


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows over seeds (seed -1); where a number has none, the row of its only seed."""
    cell = ["task", "contender", "target", "metric", "split", "shift", "severity", "slice"]
    summary = scores[scores["seed"] == -1]
    have = set(summary[cell].itertuples(index=False, name=None))
    single = scores[scores["seed"] != -1]
    single = single[~single.duplicated(cell, keep=False)]
    extra = [i for i, key in zip(single.index, single[cell].itertuples(index=False, name=None), strict=True) if key not in have]
    return pd.concat([summary, single.loc[extra]]).sort_index() if extra else summary


def contenders(frame: pd.DataFrame) -> list[str]:
    """Names in the order of the board, the teacher first."""
    names = [str(n) for n in frame["contender"].unique()]
    return sorted(names, key=lambda n: n != "teacher")


def short(frame: pd.DataFrame, limit: int = 28) -> dict[str, str]:
    """The label of each contender in charts and narrow tables."""
    return labels(contenders(frame), limit)


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, columns as attributes."""
    yield from frame.itertuples()


def titled(row: object) -> str:
    """The title of a metric with its parameters, where it has some: `OOD AUROC (energy)` for ood_auroc{score=energy}."""
    metric, title = str(getattr(row, "metric", "")), str(getattr(row, "title", "") or "")
    if "{" not in metric or not title:
        return title or metric
    base = metric.partition("{base=")[2].split(",")[0].rstrip("}")
    if (title.endswith(")") and "{of=" in metric) or (base and f"/ {base}" in title):
        return title  # derived from a metric, or relative to a contender, that the title names already
    params = metric.split("{", 1)[1].rstrip("}").split(",")
    said = ", ".join(p.split("=", 1)[-1] if len(params) == 1 and not p[-1:].isdigit() else p for p in params)
    return f"{title} ({said})"


def stating(row: object) -> str:
    """The title with the values of all parameters, those by default too: a coverage at risk says at which risk."""
    title, said = getattr(row, "title", "") or getattr(row, "metric", ""), parameters(getattr(row, "convention", ""))
    return f"{title} ({said})" if said else titled(row)


def parameters(convention: object) -> str:
    """The parameters with which a convention begins, `bins=15`; "" where there are none, or too many for a heading."""
    first = str(convention).split(";")[0]
    return first if re.fullmatch(r"\w+=[^;=]+(, \w+=[^;=]+)*", first) and len(first) < 40 else ""


def facing(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs as a reader wants them: with the teacher second, because it is the contender that is judged, and in today's
    words (WORSE is now NO).
    """
    if pairs.empty:
        return pairs
    out = pairs.assign(verdict=pairs["verdict"].replace("WORSE", "NO"))
    turn = out["a"] == "teacher"
    for one, other in (("a", "b"), ("mcnemar_b", "mcnemar_c"), ("low", "high")):
        if one in out and other in out:
            out[one], out[other] = out[one].where(~turn, out[other]), out[other].where(~turn, out[one])
    for name in ("delta", "low", "high", "effect"):
        if name in out:
            out[name] = out[name].where(~turn, -out[name])
    return out.assign(verdict=out["verdict"].where(~turn, out["verdict"].replace({"BEATS": "NO", "NO": "BEATS"})))


def place(row: object) -> tuple[float, float]:
    """The rank range of a row of the standings; (inf, inf) for none."""
    ends = [getattr(row, name, None) for name in ("rank_low", "rank_high")]
    numbers = [float(e) if e is not None and not pd.isna(e) and e > 0 else float("inf") for e in ends]
    return numbers[0], numbers[1]


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that hold a number."""
    return frame[frame["value"].notna() & frame["status"].isin(["ok", "noisy", "partial"])]


def _primary(part: pd.DataFrame, standings: pd.DataFrame, task: str, target: str) -> str:
    of = standings[(standings["task"] == task) & (standings["target"] == target)]
    if len(of):
        return str(of["metric"].iloc[0])
    quality = part.loc[part["axis"] == "quality", "metric"]
    return str(quality.iloc[0]) if len(quality) else ""
