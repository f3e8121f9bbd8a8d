"""What a ratio of times must say of two models that read the same texts as unlike tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def own_tokens(latency: Mapping[str, Any]) -> str:
    """How many tokens a row has for each of the two; "" where both read the same."""
    if not latency.get("reference_tokens"):
        return ""
    return f"the same texts, each model its own tokens: {latency['tokens']} a row, the teacher {latency['reference_tokens']}"
