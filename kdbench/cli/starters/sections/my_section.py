"""A section of the report; it appears on every page made with `--plugins`."""

from __future__ import annotations

import pandas as pd

from kdbench import section


# order: smaller comes earlier. Ask by name for what you need: the tidy table of scores, the standings.
@section(title="Undefined numbers", order=90)
def my_section(scores: pd.DataFrame) -> str:
    """How many numbers of each status there are. Gives HTML; whatever comes from data must be escaped (pandas does it here)."""
    counted = scores.groupby(["task", "contender", "status"], dropna=False).size().rename("numbers").reset_index()
    return counted.to_html(index=False, escape=True, border=0)
