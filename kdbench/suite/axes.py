"""What a suite asks for when it does not say: the only list of plugin names in the engine, and it is data."""

from __future__ import annotations

from kdbench.nouns import Json

AXES: list[Json] = [
    "accuracy",
    "macro_f1",
    "balanced_accuracy",
    "mcc",
    "auroc",
    "selection_rate",
    "demographic_parity_difference",
    "equalized_odds_difference",
    "compression_identified",
    "agreement",
    "agreement_over_chance",
    "kl_to_teacher",
    "negative_flips",
    "positive_flips",
    "inherited_errors",
    "error_consistency",
    "ece",
    "overconfidence",
    "brier",
    "nll",
    "temperature",
    "ece_temperature_scaled",
    "aurc",
    "coverage_at_risk",
    "cascade",
    {"ood_auroc": {"score": "msp"}},
    {"ood_auroc": {"score": "energy"}},
    {"ood_fpr95": {"score": "msp"}},
    {"ood_fpr95": {"score": "energy"}},
    "latency_ratio",
    "cpu_time_ratio",
    "latency",
    "throughput",
    "peak_memory",
    "energy",
    "flops",
    "integer_operations",
    "operations",
    "parameters",
    "parameters_ratio",
    "nonzeros",
    "bytes_on_disk",
    "training_cpu_seconds",
    "break_even",
    "training_examples",
    "teacher_passes",
    "best_minus_last",
    "seed_churn",
    "export_max_difference",
    "export_flips",
]

TARGETS: list[Json] = ["torch_cpu"]

MEASURED: tuple[str, ...] = ("torch_cpu", "ort_cpu")
"""Where a model is measured when nobody says where: on the first of these that runs it."""

SEEDS: list[Json] = [0, 1, 2]
