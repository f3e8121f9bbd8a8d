"""What a suite asks for when it does not say: the only list of plugin names in the engine, and it is data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kdbench.judge.axes import answer_of
from kdbench.nouns import Json, Task, Use, canonical
from kdbench.registry import Plugins

MADE: list[Json] = [
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
"""What a model costs, whatever it is asked."""

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
    *MADE,
]

CHOICES: list[Json] = [
    "accuracy", "agreement", "kl_to_teacher", "negative_flips", "positive_flips", "inherited_errors", "ece", "brier", "nll",
]  # fmt: skip
"""Of questions with choices: their numbers are no classes, so that averages over classes mean nothing."""
CHOSEN: tuple[str, ...] = ("accuracy", "agreement")
"""What is asked of choices even where a suite names other axes."""
OF_TEXT: list[Json] = ["truncated_inputs", "parameters_without_embeddings"]
BY_ANSWER: Mapping[str, list[Json]] = {
    "class": AXES,
    "next": [
        "bits_per_byte", "perplexity", "token_accuracy", "token_agreement", "token_kl_to_teacher", "token_reverse_kl_to_teacher",
        "token_calibration", "tokens_per_second", "cache_bytes_per_token", "parameters_without_embeddings", *MADE,
    ],
    "text": [
        "exact_match", "token_f1", "rouge", "bleu", "chrf", "wer", "written_length", "distinct_n", "agreement_of_texts",
        "perplexity", "token_kl_to_teacher", *MADE,
    ],
    "vector": [
        "recall_at_k", "ndcg_at_k", "mrr", "similarity_spearman", "neighbour_overlap", "similarity_correlation_with_teacher",
        *MADE,
    ],
}  # fmt: skip
"""The axes of a task by what its models are asked."""


def standard(tasks: Sequence[Task], plugins: Plugins) -> list[Json]:
    """The axes of a suite that names none: those of all its tasks, each once."""
    found: list[Json] = []
    for task in tasks:
        of: list[Json] = BY_ANSWER.get(answer_of(task, plugins), AXES)
        if task.home and task.harness.tasks:
            of = [*_own(task, plugins), *(CHOICES if of is AXES else of)]
        elif not task.home and plugins.get("dataset", task.data.dataset.name).facts.get("kind") == "text":
            of = [*of, *OF_TEXT]
        found = list({canonical(one): one for one in (*found, *of)}.values())
    return found or AXES


def added(tasks: Sequence[Task], plugins: Plugins, asked: Sequence[Use]) -> list[Json]:
    """What is added to the axes that a suite names, so that no task of lm-eval is asked and shown without a number: lm-eval's own
    metrics of the task, and of choices accuracy and agreement, where no other task would get a row of these.
    """
    questions = [task for task in tasks if task.home and task.harness.tasks]
    found = [one for task in questions for one in _own(task, plugins)]
    others = {answer_of(task, plugins) for task in tasks if task not in questions}
    if any(answer_of(task, plugins) == "class" for task in questions) and not others & {"class", ""}:
        found += [{name: {}} for name in CHOSEN]
    held = {part for use in asked for part in _named({use.name: dict(use.params)})}
    return list({canonical(one): one for one in found if not set(_named(one)) & held}.values())


def _own(task: Task, plugins: Plugins) -> list[Json]:
    """lm-eval's own metrics of a task, as axes."""
    about = plugins.get("harness", task.data.dataset.name).facts
    lower = about.get("lower", ())
    return [{"lm_eval_lower" if name in lower else "lm_eval": {"metric": name}} for name in about.get("metrics", ("acc",))]


def _named(one: Json) -> Iterator[tuple[str, Json]]:
    """(name, lm-eval's metric with its filter) of an axis."""
    assert isinstance(one, Mapping)
    for name, params in one.items():
        assert isinstance(params, Mapping)
        metric, sieve = params.get("metric"), params.get("filter")
        yield name, f"{metric},{sieve}" if sieve else metric


TARGETS: list[Json] = ["torch_cpu"]

MEASURED: tuple[str, ...] = ("torch_cpu", "ort_cpu")
"""Where a model is measured when nobody says where: on the first of these that runs it."""

SEEDS: list[Json] = [0, 1, 2]
