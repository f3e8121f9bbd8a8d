"""Any task that comes with lm-eval, by its name."""

from __future__ import annotations

from typing import Any, Literal

from kdbench import Whole, harness


@harness(files=("lm_eval:{task}",), groups=("*",), metrics=("acc",), answer="{answer}")
def lm_eval_task(
    *,
    task: str,
    answer: Literal["class", "next", "text"] = "class",
    limit: Whole = 0,
    groups: list[str] | None = None,
    cluster: str = "",
) -> dict[str, Any]:
    """A task of lm-eval as it stands: its own prompts, delimiter (" " unless it says otherwise) and metrics.

    task: a name such as arc_easy, not a group of tasks. Its data must be on this machine, in the cache of the library datasets:
    nothing is downloaded. Its file, found by its name, is run with the code that it names, which is lm-eval's; the files of its
    folder are in the keys, those elsewhere that they include only by the version of lm-eval. limit: documents at most, 0 for
    all. answer: what it asks: a "class" (multiple choice), the "next" tokens (a likelihood) or a "text". groups:
    fields of its documents whose results are compared, where a document without a value is of the group (missing); cluster: a
    field whose documents belong together.
    """
    del limit  # counted by whoever asks
    return {"task": task, "metadata": {"kdbench": {"groups": groups or [], "cluster": cluster, "answer": answer}}}
