"""GSM8K: word problems, whose final number must be right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kdbench import Count, Refusal, Whole, harness

from ._documents import Documents, field, read, task

TEST, TRAIN = "lm/gsm8k/test.parquet", "lm/gsm8k/train.parquet"
STRICT = r"#### (\-?[0-9\.\,]+)"
LOOSE = r"(-?[$0-9.,]{2,})|(-?[0-9]+)"


@harness(
    files=("lm/gsm8k/test.parquet", "lm/gsm8k/train.parquet"),
    groups=("steps",),
    metrics=("exact_match,strict-match", "exact_match,flexible-extract"),
    answer="text",
)
def gsm8k(root: Path | None, *, limit: Whole = 0, examples: Whole = 5, most: Count = 256) -> dict[str, Any]:
    r"""1,319 problems (Cobbe et al. 2021), asked as lm-eval's gsm8k: `examples` solved ones of the training split first, then
    "Question: ...\nAnswer:", and the model writes, greedily, at most `most` tokens.

    exact_match of the final number, twice: filter strict-match reads what follows "####", flexible-extract the last number of the
    text; case, commas, "$" and a final point do not count. Group: steps, the lines of the reference solution.
    """
    rows, others = read(root, TEST), read(root, TRAIN)
    for held, where in ((rows, TEST), (others, TRAIN)):
        field(held, ("question", "answer"), where)
    for row in (*rows, *others):
        row["steps"] = str(max(1, len(re.split(r"\n+", row["answer"].strip())) - 1))
    if examples > len(others):
        raise Refusal(f"gsm8k: {examples} examples, and only {len(others)} training problems (allowed: fewer)")
    made = task(
        "gsm8k",
        rows,
        limit,
        {"groups": ["steps"]},
        training_split="train",
        fewshot_split="train",
        output_type="generate_until",
        num_fewshot=examples,
        doc_to_text=lambda doc: f"Question: {doc['question']}\nAnswer:",
        doc_to_target=lambda doc: doc["answer"],
        generation_kwargs={
            "until": ["Question:", "</s>", "<|im_end|>"], "do_sample": False, "temperature": 0.0, "max_gen_toks": most,
        },
        metric_list=[
            {
                "metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "ignore_case": True,
                "ignore_punctuation": False, "regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"],
            }
        ],
        filter_list=[
            {"name": "strict-match", "filter": [{"function": "regex", "regex_pattern": STRICT}, {"function": "take_first"}]},
            {
                "name": "flexible-extract",
                "filter": [{"function": "regex", "group_select": -1, "regex_pattern": LOOSE}, {"function": "take_first"}],
            },
        ],
    )  # fmt: skip
    documents, solved = made["custom_dataset"]()["test"], Documents(others)
    return {**made, "custom_dataset": lambda **_: {"test": documents, "train": solved}}
