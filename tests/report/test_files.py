"""The files beside the page: the same numbers, and nothing that a spreadsheet would run."""

import csv
import io
import json

import pandas as pd
import pytest
from hostile import INJECTIONS, hostile_board

from kdbench.report.files import guard


def test_pandas_reads_the_scores_back(report, board):
    found = pd.read_parquet(report / "scores.parquet")
    assert list(found.columns) == list(board.scores.columns)
    assert found["value"].tolist() == pytest.approx(board.scores["value"].tolist(), abs=0, nan_ok=True)
    assert found["contender"].tolist() == board.scores["contender"].tolist()


def test_the_csv_has_every_number_that_does_not_follow_from_another_row(report, board):
    """In full precision, without the long texts; of each metric the convention is in standings.json."""
    found = pd.read_csv(report / "scores.csv", keep_default_na=False, na_values={"value": [""]})
    follows = [
        row.seed != -1
        and (row.status == "not applicable" or row.slice.rpartition(":")[2] in ("gap", "ratio", "worst", "harm", "lift"))
        for row in board.scores.itertuples()
    ]
    kept = board.scores[[not f for f in follows]]
    assert [c for c in board.scores.columns if c not in ("convention", "evidence")] == list(found.columns)
    assert found["value"].tolist() == pytest.approx(kept["value"].tolist(), abs=0, nan_ok=True)
    assert found["contender"].tolist() == kept["contender"].tolist()
    said = {(m["task"], m["metric"]): m["convention"] for m in json.loads((report / "standings.json").read_text())["metrics"]}
    whole = board.scores[board.scores["slice"] == ""].drop_duplicates(["task", "metric"])
    assert said == {(r.task, r.metric): r.convention for r in whole.itertuples()}


def test_standings_are_strict_json(report, board):
    def refuse(constant):
        raise AssertionError(constant)

    body = json.loads((report / "standings.json").read_text(), parse_constant=refuse)
    assert [row["contender"] for row in body["standings"]] == board.standings["contender"].tolist()
    assert body["standings"][-1]["value"] is None
    assert len(body["pairs"]) == len(board.pairs)
    assert [g["verdict"] for g in body["gates"]] == ["PASS", "FAIL", "NOT EVALUATED"]


def test_the_resolved_suite_names_every_contender(report, board):
    text = (report / "suite.resolved.yaml").read_text()
    assert all(c.name in text for c in board.suite.tasks[0].contenders)


def test_no_cell_of_the_csv_is_a_formula(hostile):
    """Judged by the csv module of the standard library."""
    live, seen = [], set()
    for row in csv.reader(io.StringIO((hostile / "scores.csv").read_bytes().decode(), newline="")):
        for cell in row:
            seen.add(cell)
            if cell.lstrip(" \n")[:1] in ("=", "+", "-", "@", "\t", "\r"):
                try:
                    float(cell)
                except ValueError:
                    live.append(cell)
    assert live == []
    assert {"'=1+1", "'+1+1", "'-1+1", "'@SUM(1)", "'\t=1+1", "NULL"} <= seen


@pytest.mark.parametrize("cell", ["-1.5", "+2", "-3e-05", ".5", "plain", "a=b", "", "94 %"])
def test_numbers_and_plain_text_stay_as_they_are(cell):
    assert guard(cell) == cell


@pytest.mark.parametrize("cell", ["=1", "-1+1", "+cmd", "@x", "\tx", "\rx", " =1", "\n=1", "\uff1d1", "-", "- a", "-1 2"])
def test_formulas_are_made_text(cell):
    assert guard(cell) == f"'{cell}"


def test_parquet_holds_the_injections_as_they_are(hostile):
    found = pd.read_parquet(hostile / "scores.parquet")
    assert found["convention"].tolist() == hostile_board().scores["convention"].tolist()
    assert set(INJECTIONS) <= set(found["convention"])


def test_a_report_is_replaced_as_a_whole(board, plugins, tmp_path):
    from kdbench.report import render

    (tmp_path / "index.html").write_text("old")
    render(board, tmp_path, plugins)
    assert (tmp_path / "index.html").read_text("utf-8").startswith("<!doctype html>")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
