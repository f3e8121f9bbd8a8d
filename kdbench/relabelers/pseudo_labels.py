"""Training labels that the teacher gives, where it is sure."""

from __future__ import annotations

import numpy as np

from kdbench import Fraction, Refusal, Relabelled, relabeler


@relabeler()
def pseudo_labels(label: np.ndarray, probabilities: np.ndarray, *, threshold: Fraction = 0.0) -> Relabelled:
    """The label of each training row becomes the teacher's likeliest class (Lee 2013; Xie et al. 2020, without noise); rows where
    its probability is below `threshold` are left out. Ties go to the lower class. The given labels are not read, but for a
    note on how often the teacher agrees with them.
    """
    chosen = probabilities.argmax(axis=1)
    sure = np.flatnonzero(probabilities.max(axis=1) >= threshold)
    if not len(sure):
        most = float(probabilities.max())
        raise Refusal(f"pseudo_labels: no row reaches a probability of {threshold:g}; the surest has {most:.4g}")
    classes = len(np.unique(chosen[sure]))
    if classes < 2:
        raise Refusal(f"pseudo_labels: all {len(sure)} rows that are left have one class; nothing can be learned from them")
    same = float((chosen[sure] == label[sure]).mean())
    said = f"{len(sure)} of {len(label)} rows reach a probability of {threshold:g}; {same:.1%} of them keep their label"
    missing = probabilities.shape[1] - classes
    return Relabelled(
        sure, label=chosen[sure].astype(np.int64), notes=(f"pseudo_labels: {said}", *_absent(missing, probabilities.shape[1]))
    )


def _absent(missing: int, classes: int) -> tuple[str, ...]:
    return (f"pseudo_labels: {missing} of {classes} classes have no row left",) if missing else ()
