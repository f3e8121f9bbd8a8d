"""WikiText-2: the likelihood of whole articles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from kdbench import Whole, harness

from ._documents import field, read, task

METRICS = ("word_perplexity", "byte_perplexity", "bits_per_byte")
JOINED = (
    ("s '", "s'"), (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), (" : ", ": "), (" ; ", "; "), (" . ", ". "), (" ! ", "! "),
    (" ? ", "? "), (" , ", ", "),
)  # fmt: skip
PAIRED = ((r"\(", r"\)"), (r"\[", r"\]"), ("{", "}"), ('"', '"'), ("'", "'"))
LAST = (
    ("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" ° ", "°"), (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "),
    (" 's", "'s"),
)  # fmt: skip


@harness(
    files=("lm/wikitext2_valid_test/{split}.parquet",),
    metrics=("word_perplexity", "byte_perplexity", "bits_per_byte"),
    lower=("word_perplexity", "byte_perplexity", "bits_per_byte"),
    answer="next",
)
def wikitext2_ppl(root: Path | None, *, split: Literal["test", "valid"] = "test", limit: Whole = 0) -> dict[str, Any]:
    """The articles of WikiText-2 (Merity et al. 2017; 62 in the test split), asked as lm-eval's wikitext: each as a whole, in
    windows as long as the model reads, which score every token once.

    The text that is scored has its tokenisation undone (" , " becomes ", ", ...); words and bytes are counted in the article as
    it was before, as lm-eval does. lm-eval takes the raw version; this one has "<unk>" where a word was rare, so that numbers are
    comparable with each other and not with published ones. bits_per_byte is the one to compare models of unlike tokenizers by.
    """
    path = f"lm/wikitext2_valid_test/{split}.parquet"
    lines = read(root, path)
    field(lines, ("line",), path)
    documents = [{"page": page} for page in pages([row["line"] for row in lines])]
    return task(
        "wikitext2_ppl",
        documents,
        limit,
        {},
        output_type="loglikelihood_rolling",
        doc_to_text=lambda _: "",
        doc_to_target=lambda doc: plain(doc["page"]),
        process_results=_counted,
        metric_list=[
            {"metric": name, "aggregation": form, "higher_is_better": False}
            for name, form in zip(METRICS, ("weighted_perplexity", "weighted_perplexity", "bits_per_byte"), strict=True)
        ],
    )


def pages(lines: Sequence[str]) -> Iterator[str]:
    """The articles: each begins with its title, a line " = Title = " (with one sign on each side)."""
    held: list[str] = []
    for line in lines:
        bare = line.replace("= = =", "===").replace("= =", "==").strip()
        if bare.startswith("= ") and bare.endswith(" ="):
            if "".join(held).strip():
                yield "\n".join(held)
            held = []
        held.append(line)
    if "".join(held).strip():
        yield "\n".join(held)


def plain(page: str) -> str:
    """A page without the marks of its tokenisation, by the same steps in the same order as lm-eval's."""
    for old, new in JOINED:
        page = page.replace(old, new)
    for left, right in PAIRED:
        a, b = left.removeprefix("\\"), right.removeprefix("\\")
        page = re.sub(rf"{left}\s*([^{right}]*?)\s*{right}", rf"{a}\1{b}", page)
    for old, new in LAST:
        page = page.replace(old, new)
    return page


def _counted(doc: dict[str, Any], results: list[Any]) -> dict[str, tuple[float, int]]:
    (value,) = results
    words, size = len(re.split(r"\s+", doc["page"])), len(doc["page"].encode())
    return {"word_perplexity": (value, words), "byte_perplexity": (value, size), "bits_per_byte": (value, size)}
