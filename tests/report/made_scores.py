"""Made-up scores: two tasks, eleven contenders, three seeds, two targets, groups, shifts, and what goes wrong."""

import math

import made_measured
import made_more
import numpy as np
import pandas as pd

TARGETS = ("torch_cpu", "ort_cpu")
SEEDS = (0, 1, 2)
TRAITS = {  # skill, latency ratio, parameters, bytes, sparsity, training CPU seconds
    "scratch": (0.905, 0.142, 78_042, 324_100, 1.0, 14.2),
    "label_smoothing": (0.911, 0.142, 78_042, 324_100, 1.0, 14.3),
    "kd": (0.927, 0.142, 78_042, 324_100, 1.0, 17.9),
    "kd+hint": (0.934, 0.142, 78_042, 324_100, 1.0, 21.4),
    "at": (0.921, 0.142, 78_042, 324_100, 1.0, 20.8),
    "ta-kd": (0.936, 0.142, 78_042, 324_100, 1.0, 41.0),
    "medium": (0.946, 0.331, 701_466, 2_830_000, 1.0, 33.5),
    "pruned": (0.951, 0.998, 4_286_026, 17_200_000, 0.1, 96.0),
    "slim": (0.943, 0.418, 1_071_002, 4_310_000, 1.0, 99.1),
    "teacher-int8": (0.957, 0.553, 4_286_026, 4_410_000, 1.0, 91.7),
    "kd-int8": (0.922, 0.117, 78_042, 101_300, 1.0, 18.1),
}
TEACHER = (0.962, 1.0, 4_286_026, 17_200_000, 1.0, 91.0)
METRICS = {  # axis, title, unit, better, convention
    "accuracy": ("quality", "Accuracy", "fraction", "higher", "Share of rows whose largest logit is the label."),
    "macro_f1": ("quality", "Macro F1", "fraction", "higher", "Unweighted mean of the F1 of each class."),
    "auroc": ("quality", "AUROC", "fraction", "higher", "One against the rest, macro; tied scores count one half."),
    "agreement": ("fidelity", "Agreement with the teacher", "fraction", "higher", "Share of rows decided as the teacher does."),
    "kl_to_teacher": ("fidelity", "KL to the teacher", "nats", "lower", "KL(teacher || student) at temperature 1."),
    "ece": ("calibration", "Calibration error", "fraction", "lower", "15 equal-width right-closed bins, L1."),
    "brier": ("calibration", "Brier score", "score", "lower", "Sum over classes (0 to 2), mean over rows."),
    "nll": ("calibration", "Negative log-likelihood", "nats", "lower", "Mean over rows, natural logarithm."),
    "selection_rate": ("bias", "Selection rate", "fraction", "none", "Share decided as the positive class."),
    "ood_auroc{score=energy}": ("ood", "OOD AUROC", "fraction", "higher", "Energy at temperature 1."),
    "ood_fpr95{score=energy}": ("ood", "OOD FPR95", "fraction", "lower", "Outside rows kept when 95 % inside are."),
} | made_measured.METRICS | made_more.METRICS  # fmt: skip
COST = ("latency", "memory", "energy", "compute", "size", "cost")
SCORES = (
    "suite", "task", "contender", "seed", "target", "axis", "metric", "title", "convention", "version", "split", "shift",
    "severity", "slice", "value", "low", "high", "n", "unit", "better", "status", "reason", "teacher",
    "delta", "delta_low", "delta_high", "evidence",
)  # fmt: skip


class Rows:
    """Collects rows of scores for one task, contender and target."""

    def __init__(self, rng, task, contender, target, n):
        self.rng, self.where, self.n, self.rows = (
            rng,
            {"suite": "quickstart", "task": task, "contender": contender, "target": target},
            n,
            [],
        )

    def add(self, metric, value, teacher, spread=0.0, **more):
        axis, title, unit, better, convention = METRICS[metric]
        row = {
            **self.where,
            "seed": -1,
            "axis": axis,
            "metric": metric,
            "title": title,
            "convention": convention,
            "version": 1,
            "split": "test",
            "shift": "",
            "severity": 0,
            "slice": "",
            "value": value,
            "low": value - spread,
            "high": value + spread,
            "n": self.n,
            "unit": unit,
            "better": better,
            "status": "ok",
            "reason": "3 seeds",
            "teacher": teacher,
            "delta": value - teacher,
            "delta_low": value - teacher - 0.8 * spread,
            "delta_high": value - teacher + 0.8 * spread,
            "evidence": "0" * 64,
            **more,
        }
        split = "bias" if row["slice"] else "robustness" if row["shift"] and "ood:" not in row["shift"] else axis
        row["axis"] = axis if axis in COST else split
        row["better"] = "lower" if row["slice"].endswith(":gap") else better
        if axis == "fidelity" or row["slice"].endswith((":harm", ":lift")):  # against the teacher already
            row |= dict.fromkeys(("teacher", "delta", "delta_low", "delta_high"), math.nan)
        if self.where["contender"] == "teacher":
            row |= {"delta": math.nan, "delta_low": math.nan, "delta_high": math.nan}
        if row["status"] not in ("ok", "noisy", "partial"):
            row |= dict.fromkeys(("value", "low", "high", "delta", "delta_low", "delta_high"), math.nan)
        self.rows.append(row)

    def seeded(self, metric, value, teacher, spread, **more):
        """The value of each seed, and the one over seeds."""
        for seed in SEEDS:
            self.add(metric, float(value + self.rng.normal(0, spread / 3)), teacher, spread * 1.2, **more, seed=seed)
        self.add(metric, value, teacher, spread, **more)


def _quality(rows, skill, top, groups, drop):
    for metric, scale in (("accuracy", 1.0), ("macro_f1", 0.99), ("auroc", 1.03)):
        rows.seeded(metric, min(skill * scale, 0.999), min(top * scale, 0.999), 0.013)
    rows.seeded("agreement", min(skill + 0.02, 1.0), 1.0, 0.012)
    rows.seeded("kl_to_teacher", (top - skill) * 3 + 0.02, 0.0, 0.02)
    rows.seeded("ece", 0.02 + (top - skill) * 0.4, 0.02, 0.008)
    rows.seeded("brier", 1.5 * (1 - skill), 1.5 * (1 - top), 0.02)
    rows.seeded("nll", 3.2 * (1 - skill), 3.2 * (1 - top), 0.04)
    for column, values in groups.items():
        for i, value in enumerate(values):
            rows.seeded("accuracy", skill - 0.02 * i, top - 0.015 * i, 0.02, slice=f"{column}={value}")
        rows.seeded("accuracy", 0.02 * (len(values) - 1), 0.015, 0.02, slice=f"{column}:gap")
        rows.seeded("accuracy", skill - 0.02 * (len(values) - 1), top - 0.02, 0.02, slice=f"{column}:worst")
        if rows.n > 1000:
            rows.seeded("selection_rate", 0.7, 0.69, 0.03)
            for i, value in enumerate(values):
                rows.seeded("selection_rate", 0.75 - 0.2 * i, 0.74 - 0.18 * i, 0.03, slice=f"{column}={value}")
            rows.seeded("selection_rate", 0.2, 0.18, 0.03, slice=f"{column}:gap")
    means = []
    for shift, cost in (("blur", 1.0), ("gaussian_noise", 1.6)):
        for severity in (1, 3, 5):
            means.append(0.022 * severity * cost * drop)
            rows.seeded("accuracy", skill - means[-1], top - 0.02 * severity * cost, 0.016, shift=shift, severity=severity)
        rows.seeded("accuracy", skill - float(np.mean(means[-3:])), top - 0.06 * cost, 0.012, shift=shift)
    rows.seeded("accuracy", skill - float(np.mean(means)), top - 0.078, 0.01, shift="*")


def scores(rng, names, tasks, groups):
    out = []
    for t, task in enumerate(tasks):
        for target in TARGETS:
            for i, (name, traits) in enumerate({"teacher": TEACHER, **dict(zip(names, TRAITS.values(), strict=True))}.items()):
                rows = Rows(rng, task, name, target, (360, 5048)[t])
                failed = {"status": "failed", "reason": "ValueError: invalid output: 3 of 360 rows are not finite"}
                if i == 11 and t == 1:
                    for metric in METRICS:
                        rows.add(metric, math.nan, 0.5, **failed)
                else:
                    _quality(rows, traits[0] - 0.19 * t, TEACHER[0] - 0.19 * t, groups[task], 1.0 + 0.1 * (i % 3))
                    made_more.fidelity_to_training(rows, traits[0] - 0.19 * t, TEACHER[0] - 0.19 * t)
                    made_more.amplification(rows, groups[task], i)
                    if t == 0:
                        for outside in ("ood:mnist", "ood:*"):
                            rows.seeded("ood_auroc{score=energy}", traits[0] - 0.05, TEACHER[0] - 0.05, 0.012, shift=outside)
                            rows.seeded("ood_fpr95{score=energy}", 1.2 - traits[0], 1.2 - TEACHER[0], 0.03, shift=outside)
                    made_measured.measured(rows, traits, TEACHER, target)
                out += rows.rows
    table = pd.DataFrame(out)[list(SCORES)]
    table["n"] = (
        table["n"].astype("Int64").mask(table["status"] == "failed")
    )  # the judge counts no rows where there is no evidence
    return table
