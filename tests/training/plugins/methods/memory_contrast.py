"""A contrastive term with a memory bank by example (in the manner of CRD, Tian et al. 2020)."""

import torch
from torch import nn
from torch.nn import functional

from kdbench import Batch, Count, Outputs, Positive, method

BANKS = []


class _Bank(nn.Module):
    def __init__(self, inside, outside, size, n):
        super().__init__()
        self.student, self.teacher = nn.Linear(inside, size), nn.Linear(outside, size)
        self.register_buffer("bank", functional.normalize(torch.randn(n, size), dim=1))
        self.register_buffer("seen", torch.zeros(n, dtype=torch.int64))


@method(recipe={"ce": 1.0, "memory_contrast": 0.5}, taps=True)
def memory_contrast(
    student: Outputs, teacher: Outputs, batch: Batch, state: nn.Module, *, size: Count = 8, tau: Positive = 0.1
) -> torch.Tensor:
    """L = -mean_i log softmax over all stored examples j of <s_i, m_j> / tau at j = i; m_i moves halfway to the teacher's t_i."""
    s = functional.normalize(state.student(list(student.taps.values())[-1]), dim=1)
    t = functional.normalize(state.teacher(list(teacher.taps.values())[-1]), dim=1)
    with torch.no_grad():
        state.bank[batch.index] = functional.normalize((state.bank[batch.index] + t) / 2, dim=1)
        state.seen[batch.index] += 1
    return functional.cross_entropy(s @ state.bank.clone().T / tau, batch.index)


def state(shapes, n_train, *, size: int = 8) -> nn.Module:
    """The two projections, and one row of memory per training example."""
    inside, outside = (list(shapes[who].values())[-1][0] for who in ("student", "teacher"))
    BANKS.append(_Bank(inside, outside, size, n_train))
    return BANKS[-1]
