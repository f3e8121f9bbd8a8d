"""The standings in a terminal, and where there is none."""

import io

from rich.console import Console

from kdbench.report import table
from kdbench.report.standings import tables


def shown(board, *, terminal):
    out = io.StringIO()
    table(
        tables(board.standings, board.scores, board.pairs),
        Console(file=out, force_terminal=terminal, width=140, color_system=None),
    )
    return out.getvalue()


def test_plain_text_is_one_line_a_row(board):
    lines = shown(board, terminal=False).splitlines()
    heads = [line for line in lines if line.startswith("rank\t")]
    assert len(heads) == 4
    kd = next(line.split("\t") for line in lines if line.split("\t")[1:2] == ["kd"])
    assert kd[2:6] == ["92.7\u202f%", "91.4\u201394.0\u202f%", "\u22123.5\u202fpp *", "NO"]
    assert kd[6:10] == ["94.7\u202f%", "3.4\u202f%", "0.142\u00d7", "324\u202fkB"]


def test_the_teacher_comes_first_and_rows_without_a_result_last_with_their_reason(board):
    block = shown(board, terminal=False).split("# rand_hie on ort_cpu\n")[1].strip().splitlines()
    assert block[1].split("\t")[1] == "teacher"
    assert block[-1].split("\t")[1] == "kd-int8"
    assert "3 of 360 rows are not finite" in block[-1]


def test_a_terminal_gets_a_table(board):
    text = shown(board, terminal=True)
    assert "digits on torch_cpu" in text
    assert "\u2502" in text or "\u2503" in text


def test_no_control_character_and_no_rich_markup_reaches_the_terminal():
    from hostile import hostile_board

    board = hostile_board()
    for terminal in (False, True):
        text = shown(board, terminal=terminal)
        assert not [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in "\u202e\u200b"]


def test_no_standings_print_nothing(board):
    import pandas as pd

    out = io.StringIO()
    table(tables(pd.DataFrame([]), board.scores), Console(file=out))
    assert out.getvalue() == ""


def test_tables_read_back_from_their_file_print_the_same(board, report):
    import json

    out = io.StringIO()
    table(json.loads((report / "standings.json").read_text())["tables"], Console(file=out))
    assert out.getvalue() == shown(board, terminal=False)
