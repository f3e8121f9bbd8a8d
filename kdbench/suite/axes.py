"""What a suite asks for when it does not say: the only list of plugin names in the engine, and it is data."""

from __future__ import annotations

from kdbench.nouns import Json

AXES: list[Json] = [
    "accuracy",
    "macro_f1",
    "auroc",
    "selection_rate",
    "agreement",
    "kl_to_teacher",
    "ece",
    "brier",
    "nll",
    {"ood_auroc": {"score": "msp"}},
    {"ood_auroc": {"score": "energy"}},
    {"ood_fpr95": {"score": "msp"}},
    {"ood_fpr95": {"score": "energy"}},
    "latency_ratio",
    "cpu_time_ratio",
    "latency",
    "peak_memory",
    "flops",
    "parameters",
    "nonzeros",
    "bytes_on_disk",
    "training_cpu_seconds",
    "training_examples",
    "teacher_passes",
    "export_max_difference",
    "export_flips",
]

TARGETS: list[Json] = ["torch_cpu"]

SEEDS: list[Json] = [0, 1, 2]
