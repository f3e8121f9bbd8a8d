"""The table dataset on hostile files: what is text stays text, what is uncertain is refused with its place."""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdbench.nouns import Refusal
from kdbench.stages import samples as reader

HEAD = ["id", "f0", "f1", "label", "group", "split"]
COLUMNS = {"label": "label", "id": "id", "groups": ["group"], "use_groups": False}
INJECTIONS = [
    "</script><script>alert(1)</script>", "=1+1", "-1+1", "\t=1+1", "\r=1+1", "\\input{/etc/passwd}", "{{7*7}}", "../../up",
    "\x1b[31mred", "line\nbreak", "\u2028sep", "\u202eevil", "NULL", "a, b", 'say "x"', "x" * 5000,
]  # fmt: skip


def rows(n: int = 60) -> list[list[str]]:
    rng = np.random.default_rng(0)
    f = rng.normal(size=(n, 2)) + (np.arange(n) % 3)[:, None]
    return [
        [str(i), f"{f[i, 0]:.6f}", f"{f[i, 1]:.6f}", f"c{i % 3}", "AB"[i % 2], "train" if i < 40 else "test"] for i in range(n)
    ]


def put(folder: Path, body: list, head: list[str] | None = None, encoding: str = "utf-8") -> Path:
    path = folder / "t.csv"
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([HEAD if head is None else head, *body])
    return path


def edited(change, n: int = 60) -> list[list[str]]:
    body = rows(n)
    for i, row in enumerate(body):
        change(i, row)
    return body


def set_cell(where, column: int, value: str):
    return edited(lambda i, row: row.__setitem__(column, value) if where(i, row) else None)


@pytest.fixture
def table(plugins):
    def load(path, **params):
        return plugins.load("dataset", "table")[0](None, path=str(path), **{**COLUMNS, **params})

    return load


def test_plain_table_equals_pandas(table, tmp_path):
    path = put(tmp_path, rows())
    mine, judge = table(path, split="split"), pd.read_csv(path)
    np.testing.assert_array_equal(mine.x["numeric"], judge[["f0", "f1"]].to_numpy(np.float32))
    np.testing.assert_array_equal(np.array(mine.classes)[mine.y], judge["label"])
    assert mine.groups["group"].tolist() == judge["group"].tolist()
    assert mine.split.tolist() == judge["split"].tolist()
    assert mine.columns == {"numeric": ("f0", "f1"), "categorical": ()}


def test_parquet_gives_the_same_as_csv(table, tmp_path):
    path = put(tmp_path, rows())
    pd.read_csv(path, dtype={"id": str}).to_parquet(tmp_path / "t.parquet")
    one, two = table(path, split="split"), table(tmp_path / "t.parquet", split="split")
    for name in one.x:
        np.testing.assert_array_equal(one.x[name], two.x[name])
    assert (one.ids.tolist(), one.classes, one.y.tolist()) == (two.ids.tolist(), two.classes, two.y.tolist())


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "NaN", "N/A"])
@pytest.mark.parametrize("column", [3, 4])
def test_words_for_nothing_stay_text(table, tmp_path, word, column):
    mine = table(put(tmp_path, set_cell(lambda i, row: i % 3 == 1, column, word)))
    text = np.array(mine.classes)[mine.y] if column == 3 else mine.groups["group"]
    assert (text == word).sum() == 20
    assert len(mine.y) == 60


def test_ids_stay_exact_text(table, tmp_path):
    padded = table(put(tmp_path, edited(lambda i, row: row.__setitem__(0, f"{i:03d}"))))
    assert padded.ids[7] == "007"
    big = table(put(tmp_path, edited(lambda i, row: row.__setitem__(0, str(2**53 + i)))))
    assert len(set(big.ids)) == 60
    pd.DataFrame({"id": [2**53 + i for i in range(60)], "f0": range(60), "label": ["a", "b"] * 30}).to_parquet(
        tmp_path / "b.parquet"
    )
    mine = table(tmp_path / "b.parquet", groups=[])
    assert mine.ids.tolist() == [str(2**53 + i) for i in range(60)]


def test_byte_order_mark_is_no_part_of_a_name(table, tmp_path):
    assert len(table(put(tmp_path, rows(), encoding="utf-8-sig")).ids) == 60


BAD_CELLS = [
    ("nan", r"row 4, column 'f0': 'nan' is not a finite number"),
    ("inf", r"row 4, column 'f0': 'inf'"),
    ("1e39", r"row 4, column 'f0': 1e39 is too large for float32"),
    ("1,5", r"row 4, column 'f0': '1,5' has a decimal comma; write 1.5"),
    ("", r"row 4, column 'f0': the cell is empty.*missing: impute"),
    ("1_0", r"row 4, column 'f0': '1_0'"),
    ("\u0661", r"row 4, column 'f0'"),
]


@pytest.mark.parametrize(("value", "why"), BAD_CELLS)
def test_bad_numbers_are_refused_with_row_and_column(table, tmp_path, value, why):
    with pytest.raises(Refusal, match=why):
        table(put(tmp_path, set_cell(lambda i, row: i == 3, 1, value)))


def test_decimal_commas_are_no_categories(table, tmp_path):
    with pytest.raises(Refusal, match="column 'f0'.*decimal comma"):
        table(put(tmp_path, edited(lambda i, row: row.__setitem__(1, row[1].replace(".", ",")))))


BAD_LABELS = [("-1", "negative"), ("-100", "negative"), ("1.9", "not a whole number"), ("", "the label is empty")]


@pytest.mark.parametrize(("value", "why"), BAD_LABELS)
def test_labels_that_other_tools_would_misread_are_refused(table, tmp_path, value, why):
    with pytest.raises(Refusal, match=f"row 4, column 'label'.*{why}"):
        table(put(tmp_path, set_cell(lambda i, row: i == 3, 3, value)))


def test_label_numbers_with_gaps_are_mapped_and_noted(table, tmp_path):
    names = ["1000000", "0", "5"]
    mine = table(put(tmp_path, edited(lambda i, row: row.__setitem__(3, names[i % 3]))))
    assert mine.classes == ("0", "5", "1000000")
    assert mine.y[:3].tolist() == [2, 0, 1]
    assert "1000000 is class 2" in mine.notes[0]


BAD_FILES = {
    "empty": (b"", "empty"),
    "header_only": (b"id,f0,label\n", "a header and no rows"),
    "ragged": (b"id,f0,label\n1,2,a\n1,2,b,extra\n", "line 3: 4 cells in a row, 3 names"),
    "short": (b"id,f0,label\n1,2,a\n1,2", "line 3: 2 cells"),
    "two_names": (b"f0,f0,label\n1,2,a\n", "two columns are called 'f0'"),
    "open_quote": (b'id,f0,label\n0,1,"c0\n' + b"1,1,c1\n" * 50, "line 2: a quote is opened and never closed"),
    "latin1": ("id,f0,label\n1,2,a\n2,2,caf\xe9\n".encode("latin-1"), "line 3: not UTF-8"),
    "zero_byte": (b"id,f0,label\n1,2,a\0\n", "line 2: a zero byte"),
    "no_head": (b"0,1.0,c0\n1,2.0,c1\n", "no column 'label'"),
    "semicolons": (b"id;f0;label\n1;2;a\n", "separate the columns with commas"),
    "long_field": (b"id,f0,label\n0," + b"a" * (8 << 20) + b",x\n", "a line of 8388612 characters"),
    "wide": (",".join(f"c{i}" for i in range(12000)).encode() + b"\n", "12000 columns; at most"),
    "unnamed": (b"id,,label\n1,2,a\n", "column 2 has no name"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_broken_files_are_refused_in_one_line(table, tmp_path, case):
    content, why = BAD_FILES[case]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(Refusal, match=why) as refused:
        table(tmp_path / "t.csv", id="", groups=[])
    assert "\n" not in str(refused.value)


def test_only_regular_csv_and_parquet_files_are_read(table, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"0,0,0\n" * 1000))
    for name, why in {
        "pipe.csv": "not a regular file",
        "folder.csv": "not a regular file",
        "bomb.csv.gz": "only .csv and .parquet",
        "x.pkl": "only .csv and .parquet",
        "absent.csv": "no such file",
    }.items():
        with pytest.raises(Refusal, match=why):
            table(tmp_path / name)


def test_parquet_bombs_and_damage_are_refused(table, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 2_000_000
    wide = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, "int8")), pa.array(["x" * 1000]))
    label = pa.DictionaryArray.from_arrays(pa.array(np.arange(n, dtype="int32") % 2), pa.array(["a", "b"]))
    pq.write_table(pa.table({"text": wide, "label": label}), tmp_path / "bomb.parquet", compression="zstd")
    with pytest.raises(Refusal, match="texts of up to 1000 characters in 2000000 rows"):
        table(tmp_path / "bomb.parquet", id="", groups=[])
    pq.write_table(pa.table({f"c{i}": label for i in range(11)}), tmp_path / "cells.parquet", compression="zstd")
    with pytest.raises(Refusal, match="2000000 rows of 11 columns"):
        table(tmp_path / "cells.parquet")
    pq.write_table(pa.table({"label": pa.array(["a", "b"]), "x": pa.array([[1], [2]])}), tmp_path / "nested.parquet")
    with pytest.raises(Refusal, match="column 'x': list"):
        table(tmp_path / "nested.parquet", id="", groups=[])
    whole = (tmp_path / "nested.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-20])
    pq.write_table(pa.table({"label": pa.array([str(i % 17) for i in range(999)])}), tmp_path / "whole.parquet")
    for place in range(40, (tmp_path / "whole.parquet").stat().st_size, 61):
        flipped = bytearray((tmp_path / "whole.parquet").read_bytes())
        flipped[place] ^= 0xFF
        (tmp_path / "flip.parquet").write_bytes(flipped)
        with contextlib.suppress(Refusal):  # damage may also change a value; it never ends in another kind of error
            table(tmp_path / "flip.parquet", id="", groups=[])
    with pytest.raises(Refusal, match="not a readable Parquet file"):
        table(tmp_path / "cut.parquet")


def test_wrong_column_names_get_the_nearest(table, tmp_path):
    path = put(tmp_path, rows())
    for params, why in [
        ({"label": "lable"}, "did you mean 'label'"),
        ({"groups": ["grup"]}, "groups: no column 'grup'; did you mean 'group'"),
        ({"features": ["f0", "label"]}, "'label' is the label column"),
        ({"features": ["f0", "f0"]}, "listed twice"),
        ({"categorical": ["f9"]}, "not one of the features"),
        ({"positive": "c7"}, "no label 'c7'"),
        ({"split": "group"}, "row 1, column 'group': split 'A'"),
        ({"features": []}, "none are left"),
    ]:
        with pytest.raises(Refusal, match=why):
            table(path, **params)


def test_missing_numbers_are_imputed_only_when_asked(kitchen, tmp_path):
    path = put(tmp_path, set_cell(lambda i, row: i % 10 == 0, 1, ""))
    entry = kitchen.data("table", {"path": str(path), **COLUMNS, "missing": "impute", "split": "split"})
    meta = entry.json("meta.json")
    train = [float(r[1]) for i, r in enumerate(rows()) if entry.array("split.npy")[i] == 0 and i % 10]
    assert meta["prepare"]["numeric"]["fill"][0] == pytest.approx(np.float32(np.median(np.float32(train))))
    assert any("6 missing numbers" in note for note in meta["notes"])
    assert np.isfinite(reader.read(entry, "test").x["numeric"]).all()


def test_injections_arrive_unchanged_and_name_no_file(kitchen, tmp_path):
    body = edited(lambda i, row: row.__setitem__(4, INJECTIONS[i % 16]) or row.__setitem__(3, INJECTIONS[i % 4]), 320)
    head = [h if h != "group" else "../</script>" for h in HEAD]
    path = put(tmp_path, body, head)
    entry = kitchen.data("table", {"path": str(path), **COLUMNS, "groups": ["../</script>"]})
    assert set(entry.json("meta.json")["groups"]["../</script>"]) == set(INJECTIONS)
    assert set(entry.json("meta.json")["classes"]) == set(INJECTIONS[:4])
    assert set(reader.read(entry, "train").groups["../</script>"]) <= set(INJECTIONS)
    assert all("/" not in name and "<" not in name for name in entry.names())
