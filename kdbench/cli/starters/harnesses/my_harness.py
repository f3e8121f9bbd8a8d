"""Questions for language models, asked by lm-eval: `harness: {tasks: [my_harness], limit: 100}` in a task of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]

from kdbench import Count, harness


# files: what is read below the data folder; this one makes its documents. groups: fields of a document whose results may be
# compared. metrics: names of lm-eval that the board shows, each as {lm_eval: {metric: acc}} or, where less is better,
# {lm_eval_lower: {metric: ...}}. For documents in a file, the built-in `yaml_task` needs no code.
@harness(files=(), groups=("parity",), metrics=("acc",))
def my_harness(root: Path | None, *, rows: Count = 40) -> dict[str, Any]:
    """Counting by twos: after "2 4 6 8", whether the next number is likelier than the one below it.

    A configuration of lm-eval in memory, with lm-eval's own keys. What lm-eval has no word for stands in `metadata`.
    """
    documents = []
    for i in range(1, rows + 1):
        text = " ".join(str(i + 2 * k) for k in range(4))
        documents.append({"number": f"from-{i}", "text": text, "next": i + 8, "parity": "odd" if i % 2 else "even"})
    return {
        "task": "my_harness",
        "output_type": "multiple_choice",
        "test_split": "test",
        "custom_dataset": lambda **_: {"test": Dataset.from_list(documents)},
        "doc_to_text": lambda doc: doc["text"],
        "doc_to_target": lambda _: 0,
        "doc_to_choice": lambda doc: [str(doc["next"]), str(doc["next"] - 1)],
        "target_delimiter": " ",
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0, "kdbench": {"groups": ["parity"], "id": "number", "classes": ["next", "below"]}},
    }
