"""Whether a column makes groups that can be compared, and what a reader of the results must know about them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdbench.nouns import Refusal
from kdbench.stages.checks import MOST_GROUPS, MOST_NUMERIC_GROUPS, NUMBER, near_names


def check(name: str, levels: Sequence[str], missing: int, n: int) -> list[str]:
    """Notes on the group column `name` of n test rows, of which `missing` have no value. levels: the distinct values there are.

    Raises Refusal for a number that was not put in bins, and for a column that tells every row from every other.
    """
    numeric = bool(levels) and all(NUMBER.fullmatch(v) for v in levels)
    fractions = numeric and any(not re.fullmatch(r"[+-]?\d+", v) for v in levels)
    if numeric and len(levels) > (2 if fractions else MOST_NUMERIC_GROUPS):
        raise Refusal(f"group.{name}: continuous ({len(levels)} numbers); say bins, such as '18-39', '40-64'")
    if len(levels) > MOST_GROUPS or len(levels) == n:
        raise Refusal(f"group.{name}: {len(levels)} groups in {n} rows, at most {MOST_GROUPS} are compared; is it an id?")
    notes = [f"group column {name!r}: {missing} of {n} rows have no value and form the group (missing)"] if missing else []
    if len(levels) == 1:
        notes.append(f"group column {name!r}: only one group, {levels[0][:40]!r}: gaps are undefined")
    return notes + [f"group column {name!r}: {note}" for note in near_names(levels, "groups")]
