"""The board: everything that is known, as tables, in one record."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kdbench.judge import datasets as dataset
from kdbench.judge import pareto as front
from kdbench.judge import parity as like
from kdbench.judge import recipes as recipe
from kdbench.judge import standings as standing
from kdbench.judge.axes import axes, metric_id
from kdbench.judge.calls import CALL_COLUMNS, calls
from kdbench.judge.curves import CURVE_COLUMNS
from kdbench.judge.discovery import COLUMNS as DISCOVERY_COLUMNS
from kdbench.judge.evidence import measured
from kdbench.judge.expected import PLACE, missing
from kdbench.judge.exports import EXPORT_COLUMNS, exports
from kdbench.judge.facts import facts
from kdbench.judge.gates import COLUMNS as GATE_COLUMNS
from kdbench.judge.gates import gates
from kdbench.judge.ranking import discoveries, ranking
from kdbench.judge.rows import COLUMNS, OVER_SEEDS
from kdbench.nouns import Job, Plan, Suite, labelled
from kdbench.registry import Plugins
from kdbench.store import Entry, Missing, Store

WHOLE = ("seed", "severity", "version", "n")
NUMBERS = ("value", "low", "high", "teacher", "delta", "delta_low", "delta_high")
PAIR_COLUMNS = (
    "task", "target", "metric", "a", "b", "delta", "low", "high", "p", "p_holm", "verdict", "test", "scope", "effect",
    "effect_kind", "margin", "p_equivalent", "p_equivalent_holm", "needed", "needed_n", "needed_seeds", "mcnemar_b", "mcnemar_c",
    "mcnemar_p", "mcnemar_seed", "odds_ratio",
)  # fmt: skip
"""The columns of the pairs (see `kdbench.judge.pairs.pairs`). mcnemar_*: of one checkpoint each, those of mcnemar_seed."""
TIMING_COLUMNS = ("task", "contender", "target", "scenario", "block", "reference_us", "contender_us")


@dataclass(frozen=True)
class Board:
    """Tables of a judged suite. scores: one row a number (see `kdbench.judge.rows.COLUMNS`); curves: points of diagrams;
    standings, pairs: by task and target, on its primary metric; recipes: long facts of how contenders were made; timings: every
    timed block; gates: the suite's conditions; facts: versions, host, data of each task, statistics of the run, warnings.
    pareto: who is on the front of two or more metrics; datasets: contenders over several tasks; parity: how recipes differ, and
    who is not ranked for it; discoveries: slices in which a contender loses most against the teacher; calls: how the timed calls
    were spread, and under what load; exports: what the check of each exported model against the original found.
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
    pareto: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(front.COLUMNS)))
    datasets: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(dataset.COLUMNS)))
    parity: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(like.COLUMNS)))
    discoveries: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(DISCOVERY_COLUMNS)))
    calls: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(CALL_COLUMNS)))
    exports: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(EXPORT_COLUMNS)))


def assemble(
    suite: Suite, plan: Plan, judging: Sequence[Job], store: Store, plugins: Plugins, statistics: Mapping[str, Any] | None = None
) -> Board:
    """Collect what the judge jobs found, add a row with a reason for every planned number that is not there, and rank."""
    entries = {job.key: entry for job in judging if (entry := _open(store, job.key)) is not None}
    held = axes(suite, plugins)
    scores = _scores(suite, plan, judging, entries, plugins, store)
    over = scores[scores["seed"] == OVER_SEEDS]
    recipes = pd.DataFrame(list(recipe.recipes(suite, plan, store)), columns=list(recipe.COLUMNS))
    parity = like.parity(suite, recipes, scores, plugins)
    apart = like.apart(parity, suite) if suite.compare.unlike == "apart" else {}
    ranked = ranking(suite, over, _replicates(judging, entries, plugins), held, apart)
    decided = list(gates(suite.gates, _records(over)))
    curves = [_table(entries[job.key], "curves.parquet") for job in judging if job.key in entries]
    curves = [c for c in curves if len(c)]
    found = [e for job in judging if (e := entries.get(job.key)) is not None and "discoveries.parquet" in e.names()]
    homes = {task.name for task in suite.tasks if not task.home}
    over_tasks, tests = dataset.datasets([row for row in ranked.standings if row["task"] in homes])
    return Board(
        suite,
        scores,
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS)),
        _frame(ranked.standings, standing.COLUMNS),
        _frame(ranked.pairs, PAIR_COLUMNS),
        recipes,
        pd.DataFrame(list(_timings(plan, store)), columns=list(TIMING_COLUMNS)),
        _frame(decided, GATE_COLUMNS),
        facts(suite, judging, store, scores, {**(statistics or {}), **({"datasets": tests} if tests else {})}),
        _frame(ranked.pareto, front.COLUMNS),
        _frame(over_tasks, dataset.COLUMNS),
        _frame(parity, like.COLUMNS),
        discoveries((_table(e, "discoveries.parquet") for e in found), DISCOVERY_COLUMNS),
        _frame(list(calls(plan, store)), CALL_COLUMNS),
        _frame(list(exports(plan, store)), EXPORT_COLUMNS),
    )


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _replicates(
    judging: Sequence[Job], entries: Mapping[str, Entry], plugins: Plugins
) -> Callable[[str, str], Mapping[str, np.ndarray] | None]:
    """A look-up of replicates by task and metric id; each file is read once."""
    keys: dict[tuple[str, str], str] = {}
    for job in judging:
        use: Any = job.spec["metric"]
        if job.key in entries:
            keys.setdefault((str(job.spec["task"]), metric_id(plugins.get("metric", use["name"]), use["params"])), job.key)
    read: dict[str, Mapping[str, np.ndarray]] = {}

    def find(task: str, metric: str) -> Mapping[str, np.ndarray] | None:
        key = keys.get((task, metric))
        if key is not None and key not in read:
            read[key] = entries[key].arrays("replicates.npz")
        return None if key is None else read[key]

    return find


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
    names = (*PLACE, "seed")
    present: set[tuple[Any, ...]] = set()
    for table in found:
        whole = table[(table["slice"] == "") | (table["axis"] != "bias")]
        present.update(zip(*(whole[name] for name in names), strict=True))
    absent = pd.DataFrame(list(missing(suite, plan, judging, present, plugins, store)), columns=list(COLUMNS))
    tables = [t.reindex(columns=list(COLUMNS)).astype(object) for t in (*found, absent) if len(t)]
    scores = pd.concat(tables, ignore_index=True) if tables else absent
    scores["suite"] = suite.name
    for name in NUMBERS:
        scores[name] = pd.to_numeric(scores[name]).astype(float)
    scores["n"] = pd.to_numeric(scores["n"]).astype("Int64")
    for name in ("seed", "severity", "version"):
        scores[name] = pd.to_numeric(scores[name]).astype("int64")
    for name in [c for c in COLUMNS if c not in (*NUMBERS, *WHOLE)]:
        scores[name] = scores[name].fillna("").astype(str)
    joint = {metric_id(plugins.get("metric", u.name), u.params) for u in suite.axes if _joint(plugins, u.name)}
    return _ordered(suite, _partial(plan, scores, joint, store), plugins)


def _joint(plugins: Plugins, name: str) -> bool:
    return bool(plugins.get("metric", name).facts.get("form") == "seeds")


def _partial(plan: Plan, scores: pd.DataFrame, joint: Collection[str], store: Store) -> pd.DataFrame:
    """A number over seeds of which some brought nothing is partial: the ones that failed might have been the bad ones.

    joint: metrics that read all seeds at once; of these the seeds that have predictions count.
    """
    planned: dict[tuple[str, str], set[int]] = {}
    read: dict[tuple[str, str, str], set[int]] = {}
    for cell in plan.cells:
        planned.setdefault((cell.task, cell.contender), set()).add(cell.seed)
        if joint and cell.evidence == "predictions" and cell.split == "test" and cell.key and store.has(cell.key):
            read.setdefault((cell.task, cell.contender, cell.target), set()).add(cell.seed)
    place = ["task", "contender", "target", "metric", "split", "shift", "severity", "slice"]
    seeds = scores[(scores["seed"] != OVER_SEEDS) & scores["value"].notna()]
    known = seeds.groupby(place, sort=False).size().to_dict()
    failed = scores[(scores["seed"] != OVER_SEEDS) & scores["status"].isin(["failed", "skipped"])]
    why = failed.drop_duplicates(["task", "contender"]).set_index(["task", "contender"])["reason"].to_dict()
    of_seeds = scores[scores["seed"] != OVER_SEEDS]
    there = set(of_seeds[place].itertuples(index=False, name=None))
    without = of_seeds[of_seeds["value"].isna() & (of_seeds["reason"] != "")].drop_duplicates(place)
    said = dict(zip(without[place].itertuples(index=False, name=None), without["reason"], strict=True))
    over = scores[(scores["seed"] == OVER_SEEDS) & scores["status"].isin(["ok", "noisy", "partial"])]
    for i, row in zip(over.index, over[place].itertuples(index=False, name=None), strict=True):
        if row[3] not in joint and row not in there:  # about all seeds at once, such as their spread
            continue
        have = len(read.get(row[:3], ())) if row[3] in joint else known.get(row, 0)
        want = len(planned.get(row[:2], ()))
        if have < want:
            reason = said.get(row) or why.get(row[:2], "")
            scores.loc[i, ["status", "reason"]] = ["partial", f"{have} of {want} seeds{': ' + reason if reason else ''}"]
    return scores


def _ordered(suite: Suite, scores: pd.DataFrame, plugins: Plugins) -> pd.DataFrame:
    """By task, contender, target, metric as the suite names them; then as the judge found them, over seeds first."""
    metrics = [metric_id(plugins.get("metric", use.name), use.params) for use in suite.axes]
    orders = {
        "task": [t.name for t in suite.tasks],
        "contender": list(dict.fromkeys(c.name for t in suite.tasks for c in t.rows())),
        "target": ["", *labelled(suite.targets)],
        "metric": metrics,
    }
    by: list[Any] = [scores[name].map({v: i for i, v in enumerate(order)}).fillna(len(order)) for name, order in orders.items()]
    by.append(scores["metric"])  # those that the suite does not name, as errors under shift, come after its own
    # rows without a number come last from the concatenation: place and seed put them where they belong
    scenarios = {scenario.name: i for i, scenario in enumerate(suite.measure.scenarios("tokens"))}
    by += [scores["slice"] != "", scores["slice"].map(scenarios).fillna(0)]
    by += [scores[name] for name in ("slice", "shift", "severity", "seed")]
    return scores.iloc[np.lexsort([np.asarray(b) for b in reversed(by)])].reset_index(drop=True)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _timings(plan: Plan, store: Store) -> Iterator[dict[str, Any]]:
    """The fastest call of every timed block of every scenario, in microseconds, of the first seed that there is."""
    seen: set[tuple[str, ...]] = set()
    for cell in plan.cells:
        place = (cell.task, cell.contender, cell.target, cell.scenario)
        entry = _open(store, cell.key) if cell.evidence == "latency" and cell.key and place not in seen else None
        if entry is None:
            continue
        seen.add(place)
        held = measured(entry, "latency")
        head = dict(zip(TIMING_COLUMNS[:4], place, strict=True))
        both = (held.get(f"best_{role}", held[f"wall_{role}"].min(axis=1)) for role in ("reference", "contender"))
        best = zip(*both, strict=True)
        for block, (reference, contender) in enumerate(best):
            yield {**head, "block": block, "reference_us": float(reference) * 1e6, "contender_us": float(contender) * 1e6}
