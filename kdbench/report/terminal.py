"""Tables for a terminal; plain text with tabs where there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

WORDS = {"rank", "contender", "verdict", "metric", "a", "b", "remark", ""}
"""Heads of columns that are set to the left; all others hold numbers."""
SPARE = ("", "remark")
"""Heads of columns that are not drawn where they are empty."""


def show(tables: Sequence[Mapping[str, Any]], console: Any = None) -> None:
    """Print tables {title, heads, rows}: drawn by rich on a terminal, otherwise tab-separated. No text is read as markup."""
    if console is None and not sys.stdout.isatty():
        plainly(tables, sys.stdout)
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal

    console = console or Console()
    if console.is_terminal:
        for table in tables:
            console.print(_drawn(table))
    else:
        plainly(tables, console.file)


def plainly(tables: Sequence[Mapping[str, Any]], file: Any) -> None:
    """A title, the heads and one line a row, with tabs."""
    for table in tables:
        lines = ["\t".join(row) for row in (table["heads"], *table["rows"])]
        file.write("\n".join([f"# {table['title']}", *lines, "", ""]))


def _drawn(table: Mapping[str, Any]) -> Any:
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    starred = any(cell.endswith(" *") for row in table["rows"] for cell in row)
    caption = Text("* the paired interval excludes 0") if starred else None
    out = Table(title=Text(table["title"]), title_justify="left", header_style="bold", caption=caption)
    kept = [i for i, head in enumerate(table["heads"]) if head not in SPARE or any(row[i] for row in table["rows"])]
    for head in (table["heads"][i] for i in kept):
        out.add_column(Text(head), justify="left" if head in WORDS else "right", overflow="fold")
    for row in table["rows"]:
        out.add_row(*(Text(row[i]) for i in kept), style="dim" if row[1] == "teacher" else "")
    return out
