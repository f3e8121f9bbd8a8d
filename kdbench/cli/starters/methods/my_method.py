"""A loss term of your own. The file name is the name in a suite: `fit: my_method`, or `fit: {ce: 0.5, my_method: {power: 2}}`."""

from __future__ import annotations

import torch

from kdbench import Batch, Outputs, Positive, method


# recipe: what `fit: my_method` alone expands to, term by term with its weight. Positional arguments are evidence, asked for by
# name: leave out `teacher` and no teacher is run. Keyword-only arguments are the parameters, with a type and a default.
@method(recipe={"ce": 0.5, "my_method": 0.5}, paper="")
def my_method(student: Outputs, teacher: Outputs, batch: Batch, *, power: Positive = 2.0) -> torch.Tensor:
    """Distance of class probabilities: L = mean over examples of sum over classes |p_teacher - p_student|^power.

    student, teacher: logits (b, classes). Gives a scalar. Conventions: no temperature; no gradient reaches the teacher.
    """
    p_teacher = teacher.logits.detach().softmax(dim=1)
    p_student = student.logits.softmax(dim=1)
    return (p_teacher - p_student).abs().pow(power).sum(dim=1).mean()
