"""Whether the student puts a text where the teacher puts it."""

from __future__ import annotations

import numpy as np

from kdbench import NotApplicable, Predictions, metric

from ._cosines import second, unit


@metric(
    better="higher",
    low=-1.0,
    high=1.0,
    unit="cosine",
    axis="fidelity",
    title="Cosine with the teacher's vector",
    equation="1/n sum_i cos(e_S,i, e_T,i)",
    source="as a loss Sanh et al. 2019 (DistilBERT), on vectors of texts Reimers and Gurevych 2020",
    reads="vectors",
    convention="the student's vector of a text with the teacher's of the same text, mean over texts, both texts of a pair; only "
    "where they are equally wide: no map is fitted between spaces. A student that is the teacher up to a rotation does all the "
    "same and scores low here: see similarity_correlation_with_teacher and neighbour_overlap",
)
def embedding_cosine(predictions: Predictions, teacher: Predictions) -> np.ndarray:
    """The cosine of each text, or the mean of both texts of a pair, (n,). Not applicable where the widths differ."""
    widths = predictions.logits.shape[1], teacher.logits.shape[1]
    if widths[0] != widths[1]:
        raise NotApplicable(f"vectors of {widths[0]} numbers, the teacher's of {widths[1]}: a cosine needs equally many")
    pairs = [(predictions.logits, teacher.logits)]
    ours, theirs = second(predictions), second(teacher)
    if ours is not None and theirs is not None:
        pairs.append((ours, theirs))
    found = [np.einsum("nd,nd->n", unit(a), unit(b, "the teacher")) for a, b in pairs]
    return np.asarray(np.clip(np.mean(found, axis=0), -1.0, 1.0))
