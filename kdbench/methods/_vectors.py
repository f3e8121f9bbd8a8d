"""What terms about vectors of texts share: a map from the student's space to the teacher's, and cosines within a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from kdbench import Refusal


def mapped(term: str, shapes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> nn.Module:
    """The identity where both vectors are equally wide, else a linear map without bias, trained with the student and dropped at
    the end. Raises Refusal where one of them gives no vectors.
    """
    sizes = [shapes["outputs"][who] for who in ("student", "teacher")]
    for who, size in zip(("student", "teacher"), sizes, strict=True):
        if len(size) != 1:
            raise Refusal(f"{term}: the {who} gives outputs of shape {size}, not one vector for each example")
    (mine,), (theirs,) = sizes
    return nn.Identity() if mine == theirs else nn.Linear(mine, theirs, bias=False)


def cosines(e: torch.Tensor) -> torch.Tensor:
    """The cosines of all vectors of a batch (b, d) with all, (b, b)."""
    unit = functional.normalize(e, dim=-1)
    return unit @ unit.T


def others(e: torch.Tensor) -> torch.Tensor:
    """Which pairs are of two different examples, bool (b, b)."""
    return ~torch.eye(len(e), dtype=torch.bool, device=e.device)
