"""WikiText-2: articles of Wikipedia, the text on which small language models are most often scored."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import documents, read_parts

TITLE = re.compile(r" = [^=].*(?<!=) = ")


@dataset(
    kind="text",
    files=("lm/wikitext2_valid_test/valid.parquet", "lm/wikitext2_valid_test/test.parquet"),
    licence="CC BY-SA 3.0",
    answer="next",
)
def wikitext2(root: Path | None) -> Samples:
    """The official validation and test parts, 60 + 60 articles (Merity et al. 2016); no train part: score models of other text.

    A document is an article: the lines from a title (" = Title = " between blank lines) to the next, joined by newlines, with
    "<unk>" and "@-@" as distributed. Joined, the documents are the official file, byte for byte.
    """
    parts = read_parts(root, {s: f"lm/wikitext2_valid_test/{f}.parquet" for s, f in _FILES.items()}, ("line",))
    held = {split: articles(list(sheet.column("line", "expected"))) for split, sheet in parts.sheets.items()}
    ids = np.array([f"{split}-{i:02d}" for split, found in held.items() for i in range(len(found))])
    split = np.repeat(list(held), [len(found) for found in held.values()])
    texts = [text for found in held.values() for text in found]
    return documents(texts, ids, split, "CC BY-SA 3.0", "WikiText-2, official validation and test parts")


def articles(lines: list[str]) -> list[str]:
    """Texts of the articles among the lines of a file; joined, they are the file. A formula may look like a title, but stands
    between lines of text.
    """
    blank = [not line.strip() for line in (*lines, "")]
    starts = [i - 1 for i in range(1, len(lines)) if TITLE.fullmatch(lines[i]) and blank[i - 1] and blank[i + 1]]
    edges = [0, *starts[1:], len(lines)]
    pieces = ["\n".join(lines[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    return [piece + "\n" for piece in pieces[:-1]] + pieces[-1:]


_FILES = {"validation": "valid", "test": "test"}
