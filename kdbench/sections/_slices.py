"""How the slices of a board are read: groups of examples by column, or the scenarios of what was timed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdbench import kit

SUMMARIES = ("gap", "worst", "ratio")
OF_GROUP = ("harm", "lift")
SINGLE = "single stream"


@dataclass(frozen=True)
class Column:
    """The rows of one group column. groups: slice -> group, in the order of the board, for the groups' own numbers."""

    name: str
    rows: pd.DataFrame
    groups: dict[str, str]

    def of(self, what: str) -> pd.DataFrame:
        """The rows of one summary ("gap", "worst", "ratio"), or of the metrics that compare the groups themselves ("")."""
        return self.rows[self.rows["slice"] == (f"{self.name}:{what}" if what else self.name)]

    def by_group(self, what: str = "") -> pd.DataFrame:
        """The rows of each group with its `level`: its own number, or its "harm" or "lift"."""
        end = f":{what}" if what else ""
        known = {f"{piece}{end}": level for piece, level in self.groups.items()}
        part = self.rows[self.rows["slice"].isin(list(known))]
        return part.assign(level=[known[s] for s in part["slice"]])


def of_groups(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows about all examples or groups of them. Slices of what is timed are scenarios, such as batch=32: told by the axis,
    since data may well have a column named batch.
    """
    return rows[~rows["axis"].isin(list(kit.COST))]


def scenario(piece: str) -> tuple[int, int]:
    """(rows a call, tokens a row) of a scenario; 0 tokens for the full length. (0, 0) for what is none."""
    if not piece:
        return 1, 0
    columns, _, values = piece.partition("=")
    found = dict(zip(columns.split("*"), values.split(" & "), strict=False))
    numbers = {name: int(text) for name, text in found.items() if text.isascii() and text.isdigit() and len(text) < 10}
    known = len(numbers) == len(columns.split("*")) and set(numbers) <= {"batch", "length"}
    return (numbers.get("batch", 1), numbers.get("length", 0)) if known else (0, 0)


def scenario_title(piece: str) -> str:
    """`single stream`, `batch 32`, `batch 32, length 64`."""
    batch, length = scenario(piece)
    if not batch:
        return str(kit.clean(piece, 40))
    said = [f"batch {batch}" if batch != 1 else "", f"length {length}" if length else ""]
    return ", ".join(filter(None, said)) or SINGLE


def columns(rows: pd.DataFrame) -> list[Column]:
    """The group columns of rows with a slice: from "sex:gap" where there is one (a name may hold "="), else from "sex=female"."""
    rows = of_groups(rows)
    slices = [str(s) for s in rows["slice"].unique() if s]
    known = dict.fromkeys(s.rsplit(":", 1)[0] for s in slices if s.rsplit(":", 1)[-1] in SUMMARIES)
    heads = tuple(f"{c}=" for c in known)
    rest = [s for s in slices if s not in known and s.rsplit(":", 1)[-1] not in SUMMARIES and not s.startswith(heads)]
    found = [_column(name, rows, slices) for name in known | dict.fromkeys(s.split("=")[0] for s in rest if "=" in s)]
    return sorted(found, key=tucked)


def _column(name: str, rows: pd.DataFrame, slices: list[str]) -> Column:
    mine = [s for s in slices if s == name or s.startswith((f"{name}=", f"{name}:"))]
    own = [s for s in mine if s.startswith(f"{name}=") and s.rsplit(":", 1)[-1] not in OF_GROUP]
    # a board may have the harm of a group whose own number is on another metric only
    own += [head for s in mine for head, _, end in [s.rpartition(":")] if end in OF_GROUP and head.startswith(f"{name}=")]
    return Column(name, rows[rows["slice"].isin(mine)], {s: s[len(name) + 1 :] for s in dict.fromkeys(own)})


def tucked(column: Column) -> bool:
    """Whether there may be many groups, so that they are shown on demand: of several columns at once ("sex*race"), or classes."""
    return "*" in column.name or column.name == "class"
