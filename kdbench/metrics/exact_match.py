"""Share of texts that are the reference, up to what does not change an answer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdbench import Predictions, metric

from ._written import pairs, plain_answer


@metric(
    better="higher",
    low=0.0,
    high=1.0,
    axis="quality",
    title="Exact match",
    equation="(1/n) sum_i max_r 1[normal(text_i) = normal(reference_ir)]",
    source="Rajpurkar et al. 2016 (SQuAD), evaluate-v2.0.py; for GSM8K Cobbe et al. 2021",
    reads="texts",
    convention="normaliser 'squad': lower case, without ASCII punctuation and the articles a, an, the, one space between words; "
    "'none': as written, but for white space at the ends. The best of several references counts. after: only what follows the "
    "last of these marks is compared ('####' for GSM8K), in both; a text without the mark is wrong",
)
def exact_match(predictions: Predictions, *, normaliser: Literal["squad", "none"] = "squad", after: str = "") -> np.ndarray:
    """1[text = one of its references], (n,)."""
    normal = plain_answer if normaliser == "squad" else str.strip
    found = []
    for text, references in pairs(predictions):
        if after and after not in text:
            found.append(False)
            continue
        wanted = {normal(_answer(reference, after)) for reference in references}
        found.append(normal(_answer(text, after)) in wanted)
    return np.array(found, dtype=np.float64)


def _answer(text: str, after: str) -> str:
    return text.rsplit(after, 1)[-1] if after else text
