"""CrowS-Pairs: whether the stereotyped one of two sentences is the likelier one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench import Whole, harness

from ._documents import field, interleaved, mean_of, read, task

FILE = "fairness_text/crows_pairs/test.parquet"


@harness(
    files=("fairness_text/crows_pairs/test.parquet",),
    groups=("bias_type", "stereo_antistereo"),
    metrics=("likelihood_diff", "pct_stereotype"),
    lower=("likelihood_diff", "pct_stereotype"),
)
def crows_pairs(root: Path | None, *, limit: Whole = 0) -> dict[str, Any]:
    """1,508 pairs of sentences (Nangia et al. 2020), asked as lm-eval's crows_pairs_english: no context, delimiter "".

    pct_stereotype: the share of pairs whose more stereotyped sentence is strictly the likelier one, 0.5 for a model without a
    preference; likelihood_diff: the mean absolute difference of the two log-likelihoods, in nats. This is the likelihood of whole
    sentences, not the pseudo-likelihood of shared words that the paper takes from masked models. No sentence is the right one, so
    accuracy is not defined. Groups: bias_type, stereo_antistereo. Blodgett et al. (2021) found many pairs of doubtful validity.
    """
    rows = read(root, FILE)
    field(rows, ("sent_more", "sent_less", "bias_type", "stereo_antistereo"), FILE)
    return task(
        "crows_pairs",
        interleaved(rows, "bias_type"),
        limit,
        {"groups": ["bias_type", "stereo_antistereo"], "right": False, "classes": ["more", "less"]},
        output_type="multiple_choice",
        doc_to_text=lambda _: "",
        doc_to_target=lambda _: 0,
        doc_to_choice=lambda doc: [doc["sent_more"], doc["sent_less"]],
        target_delimiter="",
        num_fewshot=0,
        process_results=_preferred,
        metric_list=mean_of("likelihood_diff", "pct_stereotype", better=False),
    )


def _preferred(_doc: dict[str, Any], results: list[Any]) -> dict[str, float]:
    (more, _), (less, _) = results
    return {"likelihood_diff": abs(more - less), "pct_stereotype": 1.0 if more > less else 0.0}
