"""Training texts that the teacher writes: distillation of whole sequences."""

from __future__ import annotations

import numpy as np

from kdbench import Count, Fraction, NonNegative, Refusal, Relabelled, Whole, Writer, relabeler

from ._kept import Rules, kept


@relabeler()
def generate(  # noqa: PLR0913 - of which four are evidence
    texts: np.ndarray,
    target: np.ndarray | None,
    teacher: Writer,
    rng: np.random.Generator,
    *,
    tokens: Count = 64,
    prompt: Count = 16,
    temperature: NonNegative = 0.0,
    top_k: Whole = 0,
    top_p: Fraction = 1.0,
    copies: Count = 1,
    rows: Whole = 0,
    least: Count = 1,
    most: Whole = 0,
    repetition: Fraction = 0.5,
    blocklist: list[str] | None = None,
    near: Fraction = 0.8,
) -> Relabelled:
    """Kim and Rush 2016 (sequence-level distillation): the student trains on what the teacher writes, not on the references.

    Of prompts with an answer, the teacher writes the answer; of free text it continues the first `prompt` tokens of each
    document, and the new document is that beginning and what was written. tokens: written at most. temperature 0 takes the
    likeliest token (the paper takes the best of a beam); above, it draws from the teacher's own distribution, unless top_k or
    top_p cut it.
    copies: texts for each prompt, which must be drawn; rows: only so many training rows, drawn from the seed (0: all).

    What is kept (`Rules`): `least` to `most` words (0: no bound); at most `repetition` of the runs of three words said before; no
    word of `blocklist`; no copy, and none with a Jaccard similarity of `near` or more to an earlier text (1: exact copies only).
    """
    if copies > 1 and temperature == 0:
        raise Refusal(f"generate: {copies} copies at temperature 0 are one text {copies} times; give a temperature")
    source = np.sort(rng.choice(len(texts), rows, replace=False)) if 0 < rows < len(texts) else np.arange(len(texts))
    begun = teacher.begin(list(texts[source, 0]), prompt) if target is None else list(texts[source, 0])
    each = [teacher.write(begun, tokens, temperature, top_k, top_p, int(rng.integers(2**62))) for _ in range(copies)]
    written = [text for one in each for text in one]
    whole = [start + ("" if target is None else "\n") + text for start, text in zip(begun * copies, written, strict=True)]
    left, said = kept(written, whole, Rules(least, most, repetition, blocklist or (), near))
    if not left:
        raise Refusal(f"generate: {said}; nothing is left to train on")
    how = f"at temperature {temperature:g}, top_k {top_k}, top_p {top_p:g}" if temperature else "greedily"
    notes = (f"generate: the teacher wrote {copies} text(s) for each of {len(source)} prompts, {how}: {said}",)
    new = _column([(whole if target is None else written)[i] for i in left])
    source = np.tile(source, copies)[left]
    return Relabelled(source, new[:, None], notes=notes) if target is None else Relabelled(source, target=new, notes=notes)


def _column(values: list[str]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made
