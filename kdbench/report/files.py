"""The files of a report, each written beside and renamed."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

from kdbench.files import replace
from kdbench.nouns import Suite
from kdbench.report.page import page
from kdbench.report.standings import tables
from kdbench.suite import resolve

if TYPE_CHECKING:
    from kdbench.judge.board import Board
    from kdbench.registry import Plugins

TABLES = ("standings", "pairs", "pareto", "datasets", "parity", "discoveries", "gates")
"""The tables of the board that standings.json holds, one object a row."""
LONG = ("convention", "evidence")
"""Columns of the scores that scores.csv leaves out."""
_FORMULA = re.compile(r"^(?:[\t\r]|[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


def write_all(board: Board, folder: Path, plugins: Plugins) -> Path:
    """Write every file of the report; gives the path of the page, which is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = plain_text(board.scores)
    replace(folder / "scores.parquet", as_parquet(scores))
    replace(folder / "scores.csv", as_csv(brief(scores)).encode())
    replace(folder / "standings.json", as_json(board).encode())
    replace(folder / "suite.resolved.yaml", resolved(board.suite).encode())
    index = folder / "index.html"
    replace(index, page(board, plugins).encode("utf-8", "replace"))
    return index


def brief(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows and columns of scores.csv: a third of the text of all of them, which are in scores.parquet.

    Without the long texts (`convention`, which standings.json holds once for each metric, and `evidence`), and of single seeds
    without what follows from other rows (gap, ratio, worst group, harm) or never was (not applicable).
    """
    single = scores["seed"] != -1
    rest = scores["slice"].str.contains(":(?:gap|ratio|worst|harm|lift)$") | (scores["status"] == "not applicable")
    return scores.loc[~(single & rest), [c for c in scores.columns if c not in LONG]]


def plain_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text as text: unpaired surrogates, which no UTF-8 file can hold, become U+FFFD."""
    out = frame.copy()
    for name in out.columns:
        if not pd.api.types.is_numeric_dtype(out[name]):
            texts = [_SURROGATE.sub("\ufffd", "" if v is None else str(v)) for v in out[name]]
            out[name] = pd.Series(texts, index=out.index, dtype=object)
    return out


def as_parquet(frame: pd.DataFrame) -> bytes:
    """Parquet with text columns of one type, so that equal frames give equal bytes whatever made them."""
    arrays = [
        pa.array(frame[name].tolist(), pa.string()) if frame[name].dtype == object else pa.Array.from_pandas(frame[name])
        for name in frame.columns
    ]  # fmt: skip
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=[str(c) for c in frame.columns]), buffer, compression="zstd")
    return buffer.getvalue()


def as_csv(frame: pd.DataFrame) -> str:
    """CSV in full precision; a cell that a spreadsheet would run as a formula starts with an apostrophe.

    Rows end as RFC 4180 says: with CR LF, cells that hold either one are quoted, and a bare CR cannot open a row of its own.
    """
    out = frame.copy()
    for name in out.columns:
        if out[name].dtype == object:
            out[name] = out[name].map(guard)
    return str(out.to_csv(index=False, lineterminator="\r\n"))


def guard(cell: object) -> object:
    """`'=1+1` for `=1+1`; numbers, negative ones too, stay as they are."""
    risky = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.match(cell)
    return f"'{cell}" if risky else cell


def as_json(board: Board) -> str:
    """The tables that follow from the scores, and those of the terminal, as strict JSON: what is not finite is null."""
    parts = {name: _records(getattr(board, name)) for name in TABLES}
    warnings = [str(w) for w in board.facts.get("warnings", ())]
    body = {
        "suite": board.suite.name,
        "warnings": warnings,
        "metrics": _records(_metrics(board.scores)),
        **parts,
        "tables": tables(board.standings, board.scores, board.pairs),
    }
    return json.dumps(body, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _metrics(scores: pd.DataFrame) -> pd.DataFrame:
    """What each metric of each task means: a line of scores.csv has its name and version only."""
    whole = scores[scores["slice"] == ""]
    return whole.drop_duplicates(["task", "metric"])[["task", "metric", "title", "version", "unit", "better", "convention"]]


def resolved(suite: Suite) -> str:
    """The suite with every default filled in, as a suite file."""
    return str(resolve(suite))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
