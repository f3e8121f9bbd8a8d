"""The board as a page, as files, and as a table for the terminal. Importing this loads no numerical library."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdbench.judge.board import Board
    from kdbench.registry import Plugins

FILES = ("index.html", "scores.parquet", "scores.csv", "standings.json", "suite.resolved.yaml")
"""What a report is made of."""


def render(board: Board, folder: Path, plugins: Plugins) -> Path:
    """Write `index.html`, `scores.parquet`, `scores.csv`, `standings.json` and `suite.resolved.yaml` into `folder`.

    Equal boards give equal bytes. Each file is replaced as a whole. Gives the path of `index.html`.
    """
    from kdbench.report.files import write_all  # noqa: PLC0415 - pandas and altair wait until a page is asked for

    return write_all(board, folder, plugins)


def table(tables: Sequence[Mapping[str, Any]], console: Any = None) -> None:
    """Print the tables of `standings.json`: a rich table on a terminal, plain tab-separated text anywhere else.

    console: a `rich.console.Console`; by default one for standard output.
    """
    from kdbench.report.terminal import show  # noqa: PLC0415 - as above

    show(tables, console)


def __getattr__(name: str) -> Any:
    if name == "kit":  # what sections are built from, by way of `from kdbench import kit`
        return importlib.import_module("kdbench.report.kit")
    raise AttributeError(f"module 'kdbench.report' has no attribute {name!r}")
