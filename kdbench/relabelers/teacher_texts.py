"""Training texts from a file: what a teacher that nobody can ask here wrote elsewhere."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Fraction, Refusal, Relabelled, Whole, relabeler

from ._kept import Rules, kept


@relabeler()
def teacher_texts(  # noqa: PLR0913 - of which three are evidence
    texts: np.ndarray,
    target: np.ndarray | None,
    answers: np.ndarray,
    *,
    least: Count = 1,
    most: Whole = 0,
    repetition: Fraction = 1.0,
    blocklist: list[str] | None = None,
    near: Fraction = 1.0,
) -> Relabelled:
    """The answers of a black-box teacher (Kim and Rush 2016, where it is an API), joined by id, take the place of the references;
    of free text, that of the documents.

    What is kept: as in `generate`, but by default every text that has a word and is no exact copy.
    """
    written = [str(answer) for answer in answers]
    whole = written if target is None else [f"{text}\n{answer}" for text, answer in zip(texts[:, 0], written, strict=True)]
    left, said = kept(written, whole, Rules(least, most, repetition, blocklist or (), near))
    if not left:
        raise Refusal(f"teacher_texts: {said}; nothing is left to train on")
    notes = (f"teacher_texts: {said}",)
    if target is None:
        return Relabelled(np.array(left), texts=answers[left][:, None], notes=notes)
    return Relabelled(np.array(left), target=answers[left], notes=notes)
