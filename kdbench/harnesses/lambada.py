"""LAMBADA: the last word of a passage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench import Whole, harness

from ._documents import field, read, task

FILE = "lm/lambada_openai/test.parquet"


@harness(files=("lm/lambada_openai/test.parquet",), metrics=("perplexity", "acc"), lower=("perplexity",), answer="next")
def lambada(root: Path | None, *, limit: Whole = 0) -> dict[str, Any]:
    """5,153 passages in OpenAI's form (Paperno et al. 2016), asked as lm-eval's lambada_openai: the passage up to its last space
    is the context, the space and the word are what is scored.

    perplexity: exp of the mean negative log-likelihood of the word, which is that of words, not of tokens; acc: whether every
    token of the word is the likeliest one.
    """
    rows = read(root, FILE)
    field(rows, ("text",), FILE)
    return task(
        "lambada",
        rows,
        limit,
        {},
        output_type="loglikelihood",
        doc_to_text=lambda doc: doc["text"].rpartition(" ")[0],
        doc_to_target=lambda doc: " " + doc["text"].rpartition(" ")[2],
        metric_list=[
            {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
            {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        ],
    )
