"""Questions with an answer in words: prompts made by a template, references beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kdbench import ALTERNATIVE, Refusal, Samples
from kdbench.datasets._text import stacked

FIELD = re.compile(r"\{(\w*)\}")


def filled(template: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The template for each row, `{name}` replaced by the row's text of that name, once: braces in a text stay as they are.

    Raises Refusal for a name that rows do not have, and for a template without any.
    """
    names = FIELD.findall(template)
    known = list(rows[0]) if rows else []
    lost = [name for name in names if name not in known]
    if lost or not names:
        said = f"no field {{{lost[0]}}}" if lost else "no field, so every row would be the same"
        raise Refusal(f"prompt {template[:80]!r}: {said} (allowed: {', '.join(f'{{{name}}}' for name in known)})")
    return [FIELD.sub(lambda found, row=row: row[found[1]], template) for row in rows]  # type: ignore[misc]


def joined(references: Sequence[str], where: str) -> str:
    """Several references as one text, in their order, each once. Raises Refusal where one holds what stands between them."""
    if any(ALTERNATIVE in one for one in references):
        raise Refusal(f"{where}: the character U+001E, which separates references; take it out")
    return ALTERNATIVE.join(dict.fromkeys(references))


def asked(prompts: Sequence[str], targets: Sequence[str], ids: np.ndarray, licence: str, source: str) -> Samples:
    """Texts (n, 1) and their references (n,). The caller adds groups, splits and notes by `replace`."""
    none = np.full(len(prompts), -1, np.int64)
    found = Samples("text", {"text": stacked(prompts)}, none, ids, (), licence, source, answer="text")
    return replace(found, target=stacked(targets)[:, 0])


def said(template: str) -> str:
    """The note that records the form of the prompts."""
    return f"prompt: {template!r}"
