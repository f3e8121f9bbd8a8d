"""The board: everything that is known, as tables, in one record."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kdbench.judge import recipes as recipe
from kdbench.judge import standings as standing
from kdbench.judge.ask import metric_id
from kdbench.judge.evidence import measured
from kdbench.judge.expected import missing
from kdbench.judge.facts import facts
from kdbench.judge.gates import COLUMNS as GATE_COLUMNS
from kdbench.judge.gates import gates
from kdbench.judge.rows import COLUMNS, OVER_SEEDS
from kdbench.judge.score import CURVE_COLUMNS
from kdbench.nouns import Job, Plan, Suite
from kdbench.registry import Plugins
from kdbench.store import Entry, Missing, Store

WHOLE = ("seed", "severity", "n")
NUMBERS = ("value", "low", "high", "teacher", "delta", "delta_low", "delta_high")
PAIR_COLUMNS = ("task", "target", "a", "b", "delta", "low", "high", "p", "p_holm", "verdict")
TIMING_COLUMNS = ("task", "contender", "target", "block", "reference_us", "contender_us")


@dataclass(frozen=True)
class Board:
    """Tables of a judged suite. scores: one row a number (see `kdbench.judge.rows.COLUMNS`); curves: points of diagrams;
    standings, pairs: by task and target, on its primary metric; recipes: long facts of how contenders were made; timings: every
    timed block; gates: the suite's conditions; facts: versions, host, data of each task, statistics of the run, warnings.
    """

    suite: Suite
    scores: pd.DataFrame
    curves: pd.DataFrame
    standings: pd.DataFrame
    pairs: pd.DataFrame
    recipes: pd.DataFrame
    timings: pd.DataFrame
    gates: pd.DataFrame
    facts: Mapping[str, Any]


def assemble(
    suite: Suite, plan: Plan, judging: Sequence[Job], store: Store, plugins: Plugins, statistics: Mapping[str, Any] | None = None
) -> Board:
    """Collect what the judge jobs found, add a row with a reason for every planned number that is not there, and rank."""
    entries = {job.key: entry for job in judging if (entry := _open(store, job.key)) is not None}
    scores = _scores(suite, plan, judging, entries, plugins, store)
    over = scores[scores["seed"] == OVER_SEEDS]
    lines, pairs = _standings(suite, over, judging, entries, plugins)
    decided = list(gates(suite.gates, _records(over)))
    curves = [_table(entries[job.key], "curves.parquet") for job in judging if job.key in entries]
    curves = [c for c in curves if len(c)]
    return Board(
        suite,
        scores,
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS)),
        lines,
        pairs,
        pd.DataFrame(list(recipe.recipes(suite, plan, store)), columns=list(recipe.COLUMNS)),
        pd.DataFrame(list(_timings(plan, store)), columns=list(TIMING_COLUMNS)),
        pd.DataFrame(decided, columns=list(GATE_COLUMNS)),
        facts(suite, judging, store, over, dict(statistics or {})),
    )


def _open(store: Store, key: str) -> Entry | None:
    try:
        return store.open(key)
    except Missing:
        return None


def _table(entry: Entry, name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(entry.bytes(name)))


def _scores(
    suite: Suite, plan: Plan, judging: Sequence[Job], entries: Mapping[str, Entry], plugins: Plugins, store: Store
) -> pd.DataFrame:
    found = [_table(entries[job.key], "rows.parquet") for job in judging if job.key in entries]
    names = ("task", "contender", "target", "metric", "shift", "severity", "seed")
    present: set[tuple[Any, ...]] = set()
    for table in found:
        whole = table[table["slice"] == ""]
        present.update(zip(*(whole[name] for name in names), strict=True))
    absent = pd.DataFrame(list(missing(suite, plan, judging, present, plugins, store)), columns=list(COLUMNS))
    tables = [t.reindex(columns=list(COLUMNS)).astype(object) for t in (*found, absent) if len(t)]
    scores = pd.concat(tables, ignore_index=True) if tables else absent
    scores["suite"] = suite.name
    for name in NUMBERS:
        scores[name] = pd.to_numeric(scores[name]).astype(float)
    scores["n"] = pd.to_numeric(scores["n"]).astype("Int64")
    for name in ("seed", "severity"):
        scores[name] = pd.to_numeric(scores[name]).astype("int64")
    for name in [c for c in COLUMNS if c not in (*NUMBERS, *WHOLE)]:
        scores[name] = scores[name].fillna("").astype(str)
    return _ordered(suite, _partial(plan, scores), plugins)


def _partial(plan: Plan, scores: pd.DataFrame) -> pd.DataFrame:
    """A number over seeds of which some brought nothing is partial: the ones that failed might have been the bad ones."""
    planned: dict[tuple[str, str], set[int]] = {}
    for cell in plan.cells:
        planned.setdefault((cell.task, cell.contender), set()).add(cell.seed)
    place = ["task", "contender", "target", "metric", "split", "shift", "severity", "slice"]
    seeds = scores[(scores["seed"] != OVER_SEEDS) & scores["value"].notna()]
    known = seeds.groupby(place, sort=False).size().to_dict()
    failed = scores[(scores["seed"] != OVER_SEEDS) & scores["status"].isin(["failed", "skipped"])]
    why = failed.drop_duplicates(["task", "contender"]).set_index(["task", "contender"])["reason"].to_dict()
    over = scores[(scores["seed"] == OVER_SEEDS) & scores["status"].isin(["ok", "noisy", "partial"])]
    for i, row in zip(over.index, over[place].itertuples(index=False, name=None), strict=True):
        have, want = known.get(row, 0), len(planned.get(row[:2], ()))
        if have < want:
            reason = why.get(row[:2], "")
            scores.loc[i, ["status", "reason"]] = ["partial", f"{have} of {want} seeds{': ' + reason if reason else ''}"]
    return scores


def _ordered(suite: Suite, scores: pd.DataFrame, plugins: Plugins) -> pd.DataFrame:
    """By task, contender, target, metric as the suite names them; then as the judge found them, over seeds first."""
    metrics = [metric_id(plugins.get("metric", use.name), use.params) for use in suite.axes]
    orders = {
        "task": [t.name for t in suite.tasks],
        "contender": list(dict.fromkeys(c.name for t in suite.tasks for c in t.rows())),
        "target": ["", *(t.name for t in suite.targets)],
        "metric": metrics,
    }
    by: list[Any] = [scores[name].map({v: i for i, v in enumerate(order)}).fillna(len(order)) for name, order in orders.items()]
    # rows without a number come last from the concatenation: place and seed put them where they belong
    by += [scores["slice"] != "", scores["slice"], scores["shift"], scores["severity"], scores["seed"]]
    return scores.iloc[np.lexsort([np.asarray(b) for b in reversed(by)])].reset_index(drop=True)


def _standings(
    suite: Suite, over: pd.DataFrame, judging: Sequence[Job], entries: Mapping[str, Entry], plugins: Plugins
) -> tuple[pd.DataFrame, pd.DataFrame]:
    lines: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for task in suite.tasks:
        rows = over[(over["task"] == task.name) & (over["slice"] == "") & over["shift"].isin(["", "ood:*"])]
        primary = next((m for m in _directed(suite, plugins) if (rows["metric"] == m).any()), None)
        if primary is None:
            continue
        rows = rows[rows["metric"] == primary]
        held = [entries[job.key] for job in judging if job.key in entries and _is(job, task.name, primary, plugins)]
        replicates = held[0].arrays("replicates.npz") if held else None
        for target in rows["target"].unique():
            of = _records(rows[rows["target"] == target])
            complete = {row["contender"] for row in of if row["status"] in ("ok", "noisy")}
            found = {line.contender: line for line in standing.lines(replicates, target)} if replicates else {}
            in_table = [found[row["contender"]] for row in of if row["contender"] in found and row["contender"] in complete]
            compared = standing.pairs(in_table, str(of[0]["better"]))
            rank = standing.ranks([line.contender for line in in_table if line.contender != "teacher"], compared)
            against = {({p["a"], p["b"]} - {"teacher"}).pop(): p for p in compared if "teacher" in (p["a"], p["b"])}
            lines += [
                standing.standing(r, _line(r, found), rank.get(r["contender"], (0, 0)), against.get(r["contender"])) for r in of
            ]
            pairs += [{"task": task.name, "target": target, **pair} for pair in compared]
    return _best_first(lines), pd.DataFrame(pairs, columns=list(PAIR_COLUMNS))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _line(row: Mapping[str, Any], found: Mapping[str, standing.Line]) -> standing.Line | None:
    return found.get(row["contender"])


def _directed(suite: Suite, plugins: Plugins) -> Iterator[str]:
    """Metrics with a direction, in the suite's order: the first that a task has is its primary."""
    for use in suite.axes:
        about = plugins.get("metric", use.name)
        if about.facts["better"] != "none":
            yield metric_id(about, use.params)


def _is(job: Job, task: str, metric: str, plugins: Plugins) -> bool:
    use: Any = job.spec["metric"]
    return job.spec["task"] == task and metric_id(plugins.get("metric", use["name"]), use["params"]) == metric


def _best_first(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Within each table the teacher, then ranks, then the best value; what has no result last."""
    tables = {place: i for i, place in enumerate(dict.fromkeys((line["task"], line["target"]) for line in lines))}

    def key(line: dict[str, Any]) -> tuple[Any, ...]:
        sign = -1 if line["better"] == "higher" else 1
        value = line["value"] if line["value"] == line["value"] else np.inf * sign
        return (
            tables[line["task"], line["target"]],
            line["contender"] != "teacher",
            not line["complete"],
            line["rank_low"],
            sign * value,
        )

    columns = (
        list(lines[0]) if lines else ["task", "target", "contender", "metric", "rank_low", "rank_high", "complete", "reason"]
    )
    ordered: list[dict[str, Any]] = sorted(lines, key=key)
    return pd.DataFrame(ordered, columns=columns)


def _timings(plan: Plan, store: Store) -> Iterator[dict[str, Any]]:
    """The fastest call of every timed block, in microseconds, of the first seed that there is."""
    seen: set[tuple[str, str, str]] = set()
    for cell in plan.cells:
        place = (cell.task, cell.contender, cell.target)
        entry = _open(store, cell.key) if cell.evidence == "latency" and cell.key and place not in seen else None
        if entry is None:
            continue
        seen.add(place)
        held = measured(entry, "latency")
        head = dict(zip(TIMING_COLUMNS[:3], place, strict=True))
        best = zip(held["wall_reference"].min(axis=1), held["wall_contender"].min(axis=1), strict=True)
        for block, (reference, contender) in enumerate(best):
            yield {**head, "block": block, "reference_us": float(reference) * 1e6, "contender_us": float(contender) * 1e6}
