"""Made-up rows of fidelity, calibration, selection, training, robustness and amplification, and the tables beside the scores."""

import json

import numpy as np
import pandas as pd

METRICS = {  # axis, title, unit, better, convention
    "agreement_over_chance": ("fidelity", "Agreement over chance", "fraction", "higher", "Chance: independent errors."),
    "cohen_kappa": ("fidelity", "Cohen's kappa", "score", "higher", "Against the teacher's decisions."),
    "reverse_kl_to_teacher": ("fidelity", "KL from the student", "nats", "lower", "KL(student || teacher) at temperature 1."),
    "jensen_shannon": ("fidelity", "Jensen-Shannon divergence", "nats", "lower", "Natural logarithm, at most ln 2."),
    "churn": ("fidelity", "Churn", "fraction", "lower", "1 - agreement."),
    "negative_flips": ("fidelity", "Negative flips", "fraction", "lower", "Teacher right, contender wrong, of all rows."),
    "positive_flips": ("fidelity", "Positive flips", "fraction", "higher", "Teacher wrong, contender right, of all rows."),
    "inherited_errors": ("fidelity", "Inherited errors", "fraction", "none", "P(same wrong answer | teacher wrong)."),
    "error_consistency": ("fidelity", "Error consistency", "score", "none", "Geirhos et al. 2020."),
    "ece_equal_mass": ("calibration", "Calibration error, equal mass", "fraction", "lower", "15 bins of equal counts, L1."),
    "mce": ("calibration", "Largest calibration error", "fraction", "lower", "15 equal-width bins; the worst one."),
    "overconfidence": ("calibration", "Confidence minus accuracy", "fraction", "none", "Above 0 is over-confident."),
    "temperature": ("calibration", "Fitted temperature", "score", "none", "Least NLL on validation."),
    "temperature_ratio": ("calibration", "Temperature / teacher's", "ratio", "none", "T over the teacher's T."),
    "ece_temperature_scaled": ("calibration", "ECE after temperature", "fraction", "lower", "T fitted on validation."),
    "aurc": ("selective", "AURC", "score", "lower", "Mean selective risk over all coverages, ties as plateaus."),
    "e_aurc": ("selective", "E-AURC", "score", "lower", "AURC above that of the best order."),
    "augrc": ("selective", "AUGRC", "score", "lower", "Generalized risk: joint errors over n."),
    "coverage_at_risk": ("selective", "Coverage at 5 % risk", "fraction", "higher", "Largest coverage of risk up to 5 %."),
    "cascade": ("selective", "Cascade accuracy at 20 %", "fraction", "higher", "The least confident 20 % go to the teacher."),
    "examples_to_quality": ("training", "Examples to quality", "examples", "lower", "Until 95 % of the last epoch's."),
    "best_minus_last": ("training", "Best minus last epoch", "fraction", "none", "On validation."),
    "seed_churn": ("training", "Churn between seeds", "fraction", "lower", "Mean over pairs of seeds."),
    "seed_sd": ("training", "Standard deviation over seeds", "fraction", "lower", "Of the accuracy."),
    "retention": ("cost", "Accuracy kept", "ratio", "higher", "Contender over teacher."),
    "gain": ("cost", "Gain of distillation", "fraction", "higher", "Over the from-scratch twin."),
    "corruption_error": ("robustness", "Corruption error / teacher", "ratio", "lower", "Errors summed over severities."),
    "effective_robustness": ("robustness", "Effective robustness", "fraction", "higher", "Above the line of plain models."),
    "demographic_parity_difference": ("bias", "Demographic parity difference", "fraction", "lower", "As fairlearn."),
    "demographic_parity_ratio": ("bias", "Demographic parity ratio", "ratio", "higher", "As fairlearn."),
    "compression_identified": ("bias", "Compression-identified examples", "fraction", "none", "Modal decision unlike."),
}  # fmt: skip


def fidelity_to_training(rows, skill, top):
    """One row over seeds for each metric that stands for the whole test set."""
    off = top - skill
    for metric, value, best, spread in (
        ("agreement_over_chance", skill - 0.02, 1.0, 0.012), ("cohen_kappa", skill - 0.03, 1.0, 0.012),
        ("reverse_kl_to_teacher", 3.4 * off + 0.03, 0.0, 0.02), ("jensen_shannon", off + 0.01, 0.0, 0.008),
        ("churn", 0.98 - skill, 0.0, 0.012),
        ("negative_flips", off + 0.012, 0.0, 0.008), ("positive_flips", 0.012, 0.0, 0.005),
        ("inherited_errors", 0.41, 1.0, 0.06), ("error_consistency", 0.38, 1.0, 0.06),
        ("ece_equal_mass", 0.018 + 0.4 * off, 0.02, 0.008), ("mce", 0.1 + off, 0.1, 0.05),
        ("overconfidence", 0.9 * off - 0.01, 0.004, 0.008), ("temperature", 1 + 6 * off, 1.1, 0.1),
        ("temperature_ratio", (1 + 6 * off) / 1.1, 1.0, 0.1), ("ece_temperature_scaled", 0.015, 0.015, 0.006),
        ("aurc", 0.2 * (1 - skill), 0.2 * (1 - top), 0.002), ("e_aurc", 0.1 * (1 - skill), 0.1 * (1 - top), 0.002),
        ("augrc", 0.15 * (1 - skill), 0.15 * (1 - top), 0.002), ("coverage_at_risk", skill - 0.1, top - 0.1, 0.02),
        ("cascade", top - 0.2 * off, top, 0.01), ("best_minus_last", 0.004, 0.002, 0.002), ("seed_churn", 0.05, 0.03, 0.01),
        ("seed_sd", 0.006, 0.004, 0.0), ("examples_to_quality", 6000.0, 9000.0, 0.0), ("retention", skill / top, 1.0, 0.012),
        ("gain", skill - top + 0.05, np.nan, 0.01),
    ):  # fmt: skip
        rows.add(metric, value, best, spread)
    for i, shift in enumerate(("blur", "gaussian_noise")):
        for severity in (1, 3, 5):
            rows.add(
                "ece", 0.02 + off * 0.4 + 0.02 * severity * (i + 1), 0.02 + 0.012 * severity, 0.01, shift=shift, severity=severity
            )
        rows.add("corruption_error", 1 + 8 * off, 1.0, 0.08, shift=shift)
    rows.add("corruption_error", 1 + 8 * off, 1.0, 0.06, shift="*")
    rows.add("effective_robustness", 0.01 - 0.2 * off, 0.0, 0.012)


def amplification(rows, groups, turn):
    """Ratios, harm, disparity and over-representation by group; a wider gap for some, a narrower one for others."""
    few = {"reason": "insufficient (n=12, fewer than 30): not part of the gap", "n": 12}
    for column, values in groups.items():
        rows.add("accuracy", 0.97, 0.98, 0.01, slice=f"{column}:ratio")
        for i, value in enumerate(values):
            rows.add("accuracy", 0.004 * (2 * i - 1) * (turn % 3), 0.0, 0.004, slice=f"{column}={value}:harm")
            rows.add("compression_identified", 1.3 - 0.4 * i, 1.0, 0.2, slice=f"{column}={value}:lift", unit="ratio")
        rows.add("accuracy", 0.5, 0.5, 0.25, slice=f"{column}=unknown", **few)
        if rows.n > 1000:
            wider = (0.06, 0.0, -0.05)[turn % 3]
            rows.add("demographic_parity_difference", 0.2 + wider, 0.18, 0.02, slice=column)
            rows.add("demographic_parity_ratio", 0.8 - 2 * wider, 0.8, 0.02, slice=column)
    pairs = "*".join(groups)
    if "*" in pairs:
        for i in range(8):
            rows.add("accuracy", 0.8 - 0.01 * ((i * 3) % 8), 0.8, 0.03, slice=f"{pairs}=g{i}*h{i % 2}", n=120 + i)
        rows.add("accuracy", 0.07, 0.05, 0.03, slice=f"{pairs}:gap")
        rows.add("accuracy", 0.73, 0.74, 0.03, slice=f"{pairs}:worst")


def curves(names, tasks, targets):
    """Risk by coverage and the cascade: 101 points each."""
    out = []
    for task in tasks:
        for target in targets:
            for i, name in enumerate(("teacher", *names)):
                where = {
                    "task": task,
                    "contender": name,
                    "seed": -1,
                    "target": target,
                    "split": "test",
                    "shift": "",
                    "severity": 0,
                    "slice": "",
                }
                for x in np.linspace(0, 1, 101):
                    if x > 0:
                        risk = (0.04 + 0.008 * i) * x**2
                        out.append({**where, "metric": "aurc", "curve": "risk_coverage", "x": x, "y": risk, "n": 3})
                    if i:
                        top = 0.96 - (0.02 + 0.005 * i) * (1 - x) ** 3 + 0.004 * np.sin(np.pi * x)
                        out.append({**where, "metric": "cascade", "curve": "cascade", "x": x, "y": top, "n": 3})
    return pd.DataFrame(out)


def pareto(standings):
    """Who is on the front of accuracy and latency, and what it would take to join."""
    out = []
    for i, row in enumerate(standings.itertuples()):
        if row.value == row.value:
            front = i % 3 == 0
            join = (
                ""
                if front
                else f"+{0.4 + 0.1 * i:.1f} pp of accuracy at this latency, or latency at most 0.{20 + i} of the teacher's"
            )
            values = json.dumps({"accuracy": row.value, "latency_ratio": 0.3})
            place = {"task": row.task, "target": row.target, "contender": row.contender, "axes": "accuracy, latency_ratio"}
            out.append({**place, "front": front, "p_front": 0.93 if front else 0.07, "join": join, "values": values})
    return pd.DataFrame(out)


def datasets(names, targets):
    """Mean ranks over twelve tasks, with two cliques; of one contender a result is missing."""
    ranks = {name: 1.5 + 0.9 * i for i, name in enumerate(reversed(names))}
    top, out = max(ranks.values()), []
    for target in targets:
        for i, (name, rank) in enumerate(ranks.items()):
            cliques = ",".join(k for k, of in (("1", range(4)), ("2", range(3, 9))) if i in of)
            lost = i == 10
            facts = {
                "target": target, "contender": name, "metric": "accuracy", "datasets": 12, "win_rate": 1 - rank / (top + 1),
                "mean_rank": np.nan if lost else rank, "rank_low": 0 if lost else i + 1, "rank_high": 0 if lost else i + 1,
                "cliques": "" if lost else cliques, "test": "Friedman, Nemenyi", "p": 0.0021, "critical_difference": 2.4,
                "status": "undefined" if lost else "ok", "reason": "no whole result on rand_hie: failed" if lost else "",
            }  # fmt: skip
            out.append(facts)
    return pd.DataFrame(out)


def parity(names, tasks):
    """Facts of the recipes; one row chose its checkpoint in another way than the others."""
    out = []
    for task in tasks:
        for i, name in enumerate(names):
            facts = {
                "epochs": ("12", "12"), "examples": ("10200", "10200"), "teacher passes": (str(850 * (i % 2)), "0"),
                "tuning trials": ("1" if i != 4 else "20", "1"), "checkpoint rule": ("best" if i == 1 else "last", "last"),
            }  # fmt: skip
            out += [
                {"task": task, "contender": name, "fact": f, "value": v, "usual": u, "unlike": v != u}
                for f, (v, u) in facts.items()
            ]
    return pd.DataFrame(out)


def discoveries(names, tasks, targets):
    """Slices that were found on one half of the test rows and hold on the other."""
    out = []
    for task in tasks:
        for i, name in enumerate(names[:4]):
            where = {
                "task": task,
                "target": targets[0],
                "contender": name,
                "slice": f"pixel mean <= {0.2 + i / 10:.1f} and ink = heavy",
            }
            facts = {
                "n": 60 + i,
                "value": 0.7,
                "teacher": 0.84 + i / 100,
                "delta": -0.14 - i / 100,
                "delta_low": -0.2,
                "delta_high": -0.08 + i / 20,
            }
            out.append(
                {**where, **facts, "p_holm": 0.004 * (1 + 9 * i), "found_on": "180 other test examples, 412 slices searched"}
            )
    return pd.DataFrame(out)
