"""A made-up board of realistic size."""

import math

import made_measured
import made_more
import numpy as np
import pandas as pd
from made_scores import SEEDS, TARGETS, TRAITS, scores

from kdbench.nouns import Compress, Contender, Data, Fit, Gate, ShiftUse, Start, Suite, Task, Term, Train, Use


def suite(names=tuple(TRAITS), tasks=("digits", "rand_hie"), name="quickstart") -> Suite:
    """The suite that such a board would come from."""
    fit = Fit(
        (Term(Use("kd", {"temperature": 4.0, "alpha": 0.9})),),
        Train(epochs=12, batch=64),
        Use("resnet_cifar", {"depth": 8, "width": 8}),
    )
    made = [Contender(n, (Start("teacher"), Compress(Use("static_int8"))) if "int8" in n else (fit,)) for n in names]
    teacher = Contender("teacher", (fit,))
    shifts = (ShiftUse(Use("blur"), (1, 3, 5)), ShiftUse(Use("gaussian_noise"), (1, 3, 5)))
    uses = tuple(Use(t) for t in TARGETS)
    data = [Data(Use(t), shifts=shifts, ood=(Use("mnist"),)) for t in tasks]
    gates = (Gate("accuracy", at_least=0.9, contender="kd"),)
    return Suite(
        name,
        SEEDS,
        tuple(Task(t, d, teacher, tuple(made)) for t, d in zip(tasks, data, strict=True)),
        uses,
        (Use("accuracy"),),
        gates,
    )


def _curves(rng, names, tasks):
    out = []
    for t, task in enumerate(tasks):
        for target in TARGETS:
            for i, name in enumerate(("teacher", *names)):
                for x in (0.35, 0.55, 0.7, 0.8, 0.9, 0.97):
                    y = float(np.clip(x - 0.012 * i + rng.normal(0, 0.02), 0, 1))
                    where = {
                        "task": task,
                        "contender": name,
                        "seed": -1,
                        "target": target,
                        "metric": "ece",
                        "curve": "reliability",
                    }
                    out.append(
                        {
                            **where,
                            "split": "test",
                            "shift": "",
                            "severity": 0,
                            "slice": "",
                            "x": x,
                            "y": y,
                            "n": int(400 * x**4) + 5 + t,
                        }
                    )
    return pd.DataFrame(out)


def _standings(scores, names):
    out, over = (
        [],
        scores[(scores.seed == -1) & (scores.metric == "accuracy") & (scores["shift"] == "") & (scores["slice"] == "")],
    )
    for (task, target), part in over.groupby(["task", "target"], sort=False):
        part = part.sort_values("value", ascending=False, kind="stable")
        for place, row in enumerate(part.itertuples(), start=1):
            ok = row.status == "ok"
            verdict = (
                "reference" if row.contender == "teacher" else "INCONCLUSIVE" if row.delta_high > 0 > row.delta_low else "NO"
            )
            keep = {
                k: getattr(row, k)
                for k in (
                    "contender",
                    "metric",
                    "title",
                    "unit",
                    "better",
                    "value",
                    "low",
                    "high",
                    "delta",
                    "delta_low",
                    "delta_high",
                    "reason",
                )
            }
            if row.contender == names[1] and ok:
                verdict, keep["reason"] = "apart", "chose its checkpoint by 'best'; the others by 'last'"
            rank = (
                (0, 0)
                if verdict == "apart"
                else (max(1, place - 3), min(len(part) - 1, place))
                if ok and row.contender != "teacher"
                else (0, 0)
            )
            more = {
                "verdict": verdict if ok else "no result",
                "scope": "method: examples and seeds vary",
                "seeds": 3 * ok,
                "complete": ok,
                "status": row.status,
            }
            out.append({"task": task, "target": target, **keep, "rank_low": rank[0], "rank_high": rank[1], **more})
    return pd.DataFrame(out)


def _pairs(standings):
    out = []
    for (task, target), part in standings.groupby(["task", "target"], sort=False):
        rows = list(part.itertuples())
        for i, a in enumerate(rows):
            for b in rows[i + 1 :]:
                delta = a.value - b.value
                if math.isnan(delta):
                    continue
                sure, same = abs(delta) > 0.015, abs(delta) < 0.002
                verdict = "EQUIVALENT" if same else "INCONCLUSIVE" if not sure else "BEATS" if delta > 0 else "NO"
                number = {
                    "delta": delta,
                    "low": delta - (0.004 if same else 0.015),
                    "high": delta + (0.004 if same else 0.015),
                    "p": 0.001 if sure else 0.3,
                    "p_holm": 0.01 if sure else 1.0,
                    "mcnemar_b": 40.0 if sure else 21.0,
                    "mcnemar_c": 12.0 if sure else 19.0,
                    "mcnemar_p": 0.0001 if sure else 0.87,
                    "effect": delta * 4,
                    "effect_kind": "h",
                    "needed": "" if sure or same else "about n = 12,000 would separate them",
                    "verdict": verdict,
                    "margin": 0.01,
                }
                out.append({"task": task, "target": target, "a": a.contender, "b": b.contender, **number})
    return pd.DataFrame(out)


def _recipes(names, tasks):
    out = []
    for task in tasks:
        for i, name in enumerate(("teacher", *names)):
            terms = (
                "ce",
                "ce",
                "ce",
                "ce, kd",
                "ce, kd, fitnets",
                "ce, attention_transfer",
                "ce, kd",
                "ce",
                "ce",
                "ce",
                "",
                "ce, kd",
            )[i]
            facts = {
                "epochs": 20 if i == 0 else 12, "batch": 64, "optimizer": "sgd", "lr": 0.1, "schedule": "cosine",
                "checkpoint": "last",
                "augmentation": "none", "examples": 20_000 if i == 0 else 10_200,
                "teacher_passes": 10_200 if i in (4, 5) else 850 * (i in (3, 6)),
                "same_batches": "yes", "same_start": "no" if i in (0, 7) else "yes", "terms": terms,
            }  # fmt: skip
            out += [{"task": task, "contender": name, "key": k, "value": str(v)} for k, v in facts.items()]
    return pd.DataFrame(out)


def _gates(names, tasks):
    columns = ["metric", "task", "contender", "target", "slice", "of", "bound", "low", "high", "verdict", "reason"]
    rows = [
        ["accuracy", tasks[0], names[2], "torch_cpu", "", "value", "at least 0.9", 0.914, 0.94, "PASS", ""],
        [
            "accuracy",
            tasks[1],
            names[3],
            "ort_cpu",
            "sex=female",
            "delta",
            "at least -0.02",
            -0.051,
            -0.012,
            "FAIL",
            "low end -0.051 is below -0.02",
        ],
        [
            "flops",
            tasks[0],
            names[9],
            "ort_cpu",
            "",
            "value",
            "at most 1e8",
            math.nan,
            math.nan,
            "NOT EVALUATED",
            "undefined: int8 graph",
        ],
    ]
    return pd.DataFrame(rows, columns=columns)


def _facts(tasks, groups):
    notes = ["2 test rows also stand in train"]
    return {
        "versions": {"kdbench": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "onnxruntime": "1.31.1", "numpy": "2.4.0"},
        "host": {"cpu": "Example CPU @ 2.5 GHz", "cores": 2, "memory": "7.7 GB", "system": "Linux 6.1 x86_64", "load": 0.2},
        "tasks": {
            t: {"n": {"train": 1000, "validation": 150, "test": (360, 5048)[i]}, "licence": "public domain",
                "source": "scikit-learn", "notes": notes,
                "groups": {c: {v: 100 + 7 * j for j, v in enumerate(vs)} for c, vs in groups[t].items()}}
            for i, t in enumerate(tasks)
        },
        "warnings": ["digits: 2 test rows also stand in train", "slim on ort_cpu: noisy timing"],
    }  # fmt: skip


def frames(names=tuple(TRAITS), tasks=("digits", "rand_hie"), groups=None) -> dict:
    """All fields of a board."""
    rng = np.random.default_rng(7)
    groups = groups or {tasks[0]: {"ink": ("light", "heavy")}, tasks[1]: {"sex": ("female", "male"), "race": ("black", "other")}}
    table = scores(rng, names, tasks, groups)
    standings = _standings(table, names)
    ratios = {"teacher": 1.0, **{name: traits[1] for name, traits in zip(names, TRAITS.values(), strict=True)}}
    curves = pd.concat([_curves(rng, names, tasks), made_more.curves(names, tasks, TARGETS)], ignore_index=True)
    return {
        "suite": suite(names, tasks), "scores": table, "curves": curves,
        "standings": standings, "pairs": _pairs(standings),
        "pareto": made_more.pareto(standings), "datasets": made_more.datasets(names, TARGETS),
        "parity": made_more.parity(names, tasks), "discoveries": made_more.discoveries(names, tasks, TARGETS),
        "recipes": _recipes(names, tasks), "gates": _gates(names, tasks),
        "timings": made_measured.timings(rng, ratios, tasks, TARGETS), "calls": made_measured.calls(ratios, tasks, TARGETS),
        "exports": made_measured.exports(names, tasks),
        "facts": _facts(tasks, groups),
    }  # fmt: skip


def judged(contenders, task="digits") -> dict:
    """All fields of a board as two prediction files or one give it: no latency, sizes, groups, shifts, recipes; one target."""
    held = frames()
    for name in ("scores", "curves", "standings", "pairs"):
        frame = held[name][(held[name]["task"] == task) & (held[name]["target"] == TARGETS[0])]
        for column in {"contender", "a", "b"} & set(frame.columns):
            frame = frame[frame[column].isin(contenders)]
        held[name] = frame.assign(target="files").reset_index(drop=True)
    scores = held["scores"]
    gone = {"latency", "memory", "compute", "size", "cost", "export", "training", "ood", "robustness", "bias"}
    held["scores"] = scores[~scores["axis"].isin(gone)].reset_index(drop=True)
    for name in ("pareto", "datasets", "parity", "discoveries", "recipes", "timings", "calls", "exports", "gates"):
        held[name] = held[name].iloc[:0]
    if "teacher" not in contenders:
        against = ["delta", "delta_low", "delta_high"]
        left = held["scores"]["axis"] == "fidelity"
        held["scores"] = held["scores"][~left].assign(**dict.fromkeys([*against, "teacher"], math.nan)).reset_index(drop=True)
        held["standings"] = held["standings"].assign(**dict.fromkeys(against, math.nan), verdict="INCONCLUSIVE")
        held["curves"] = held["curves"][held["curves"]["curve"] != "cascade"]
    held["suite"] = suite(tuple(n for n in contenders if n != "teacher"), (task,), "files")
    held["facts"] = {"versions": {"kdbench": "0.1.0"}, "tasks": {task: {"n": {"test": 360}}}}
    return held
