"""What a ratio of times must say of two models that read the same texts as unlike tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def own_tokens(latency: Mapping[str, Any]) -> str:
    """How many tokens a row has for each of the two; "" where both read the same."""
    if "reference_tokens" not in latency:
        return ""
    mine, others = latency["tokens"], latency["reference_tokens"]
    if not mine and not others:  # sound, of which each hears what its own front end makes
        return "the same examples, each model as it reads them"
    return f"the same texts, each model its own tokens: {mine} a row, the teacher {others}"
