"""How far logits may differ from float32, by the precision of the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALLOWED: Mapping[str, tuple[float, str]] = {
    "bfloat16": (0.1, "bfloat16 rounds to 8 significant bits (0.4 %), which adds up over the layers"),
    "float16": (0.02, "float16 rounds to 11 significant bits (0.05 %), which adds up over the layers"),
}


def allowed(precision: str) -> dict[str, Any]:
    """The facts `tolerance` (largest difference relative to the row's largest logit) and its reason; none in float32."""
    if precision not in _ALLOWED:
        return {}
    tolerance, why = _ALLOWED[precision]
    return {"tolerance": tolerance, "tolerance_reason": why}
