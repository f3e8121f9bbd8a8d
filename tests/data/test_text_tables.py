"""The user's own texts: what is a text stays that text, what is uncertain is refused with its place."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdbench.nouns import Refusal

WORDS = [
    "NA",
    "None",
    "null",
    "nan",
    "007",
    "1e3",
    "true",
    " padded ",
    "a,b",
    'say "x"',
    "two\nlines",
    "\u2028",
    "caf\u00e9",
    "\U0001f44d",
]
CONTROL = ["\x1b[31mred", "\x07", "\x7f", "\u202eevil", "\ufeffmark", "=1+1", "</script>", "{{7*7}}", "x\ty"]
MILLION = "long text " * 100_000


def rows(texts) -> list[dict]:
    return [{"text": t, "label": "ab"[i % 2], "id": f"r{i}"} for i, t in enumerate(texts)]


def put_csv(folder: Path, held: list[dict]) -> Path:
    with open(folder / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(held[0]))
        writer.writeheader()
        writer.writerows(held)
    return folder / "t.csv"


def put_parquet(folder: Path, held: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(held), folder / "t.parquet")
    return folder / "t.parquet"


def put_jsonl(folder: Path, held: list[dict]) -> Path:
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(held)]
    (folder / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return folder / "t.jsonl"


FORMATS = pytest.mark.parametrize("put", [put_csv, put_parquet, put_jsonl], ids=["csv", "parquet", "jsonl"])


@pytest.fixture
def texts(plugins):
    return lambda path, **params: plugins.load("dataset", "texts")[0](None, path=str(path), **params)


@pytest.fixture
def files(plugins):
    return lambda path, **params: plugins.load("dataset", "text_files")[0](None, path=str(path), **params)


@FORMATS
def test_texts_survive_byte_for_byte(put, texts, tmp_path):
    held = rows([*WORDS, *CONTROL, MILLION])
    mine = texts(put(tmp_path, held), id="id")
    assert mine.x["text"][:, 0].tolist() == [row["text"] for row in held]
    assert (mine.x["text"].dtype, mine.x["text"].shape) == (np.dtype(object), (len(held), 1))
    assert all(type(text) is str for text in mine.x["text"].ravel())
    assert [mine.classes[y] for y in mine.y] == [row["label"] for row in held]
    assert mine.ids.tolist() == [row["id"] for row in held]
    assert (mine.answer, mine.split, mine.classes) == ("class", None, ("a", "b"))


@FORMATS
def test_every_role_is_read_and_equals_pandas(put, texts, tmp_path):
    held = [
        {"a": f"one {i}", "b": f"two {i}", "y": "NA" if i % 3 else "None", "g": "xy"[i % 2], "s": ("train", "test")[i % 2],
         "who": f"w{i // 2}", "k": f"0{i}", "extra": i}
        for i in range(12)
    ]  # fmt: skip
    mine = texts(
        put(tmp_path, held),
        text="a",
        pair="b",
        label="y",
        groups=["g"],
        split="s",
        id="k",
        cluster="who",
        positive="NA",
        licence="mine",
    )
    judge = pd.DataFrame(held)
    assert mine.x["text"].tolist() == judge[["a", "b"]].to_numpy().tolist()
    assert [mine.classes[y] for y in mine.y] == judge["y"].tolist()
    assert mine.classes == ("NA", "None")
    for got, column in ((mine.groups["g"], "g"), (mine.split, "s"), (mine.cluster, "who"), (mine.ids, "k")):
        assert got.tolist() == judge[column].tolist()
    assert (mine.positive, mine.licence) == ("NA", "mine")


def test_classes_give_the_order_of_the_labels(texts, tmp_path):
    path = put_csv(tmp_path, [{"text": f"t{i}", "label": ("pos", "neg")[i % 2]} for i in range(6)])
    assert texts(path).classes == ("neg", "pos")
    mine = texts(path, classes=["pos", "neg"])
    assert (mine.classes, mine.y.tolist()) == (("pos", "neg"), [0, 1] * 3)
    with pytest.raises(Refusal, match=r"row 2, column 'label': 'neg' \(allowed: pos\)"):
        texts(path, classes=["pos"])


@FORMATS
def test_free_text_and_references_and_similarities(put, texts, tmp_path):
    held = [{"text": f"doc {i}", "b": f"other {i}", "label": "x", "sum": f"s{i}", "near": i / 3} for i in range(6)]
    path = put(tmp_path, held)
    free = texts(path, answer="next")
    assert (free.answer, free.classes, set(free.y), free.target) == ("next", (), {-1}, None)
    told = texts(path, answer="text", target="sum")
    assert (told.answer, told.target.tolist(), told.target.dtype) == ("text", [f"s{i}" for i in range(6)], np.dtype(object))
    near = texts(path, answer="vector", pair="b", target="near")
    np.testing.assert_array_equal(near.target, [i / 3 for i in range(6)])
    assert texts(path, answer="vector").classes == ("x",)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"answer": "text"}, "answer 'text' needs the key 'target'"),
        ({"label": ""}, "answer 'class' needs the key 'label'"),
        ({"target": "text"}, "answer 'class' has no target"),
        ({"answer": "next", "pair": "id"}, "one text, not a pair"),
        ({"label": "text"}, "'text' is both a text and the label"),
        ({"text": "txt"}, "no column 'txt'; did you mean 'text'?"),
        ({"groups": ["idd"]}, "no column 'idd'; did you mean 'id'?"),
        ({"split": "label"}, "row 1, column 'label': split 'a' (allowed: train, validation, test)"),
        ({"positive": "c"}, "positive: no label 'c' (allowed: 'a', 'b')"),
        ({"answer": "vector", "pair": "id", "target": "label"}, "row 1, column 'label': 'a' is not a finite number"),
    ],
)
@FORMATS
def test_roles_that_do_not_fit_are_refused_in_one_line(put, params, why, texts, tmp_path):
    if put is put_jsonl:
        why = why.replace("the file has", "")
    with pytest.raises(Refusal) as refused:
        texts(put(tmp_path, rows(["one", "two", "three"])), **params)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@FORMATS
def test_empty_texts_are_noted_and_refused_as_documents(put, texts, tmp_path):
    path = put(tmp_path, rows(["one", "", "three", ""]))
    assert texts(path).notes == ("2 of 4 rows have an empty text (the first is row 2)",)
    assert texts(path).x["text"][:, 0].tolist() == ["one", "", "three", ""]
    with pytest.raises(Refusal, match="row 2, column 'text': an empty document"):
        texts(path, answer="next")


@pytest.mark.parametrize(
    ("label", "why"), [("", "the label is empty"), ("-1", "label '-1' is negative"), ("0.5", "not a whole number")]
)
@FORMATS
def test_labels_that_are_none_are_refused_with_the_row(put, label, why, texts, tmp_path):
    held = rows(["one", "two", "three"])
    held[1]["label"] = label
    with pytest.raises(Refusal, match=f"row 2, column 'label': .*{why}"):
        texts(put(tmp_path, held))


@FORMATS
def test_51_a_text_of_more_than_8_mib_is_refused(put, texts, tmp_path):
    at_most = "a" * 2**23
    assert len(texts(put(tmp_path, rows(["one", at_most])), id="id").x["text"][1, 0]) == 2**23
    with pytest.raises(Refusal) as refused:
        texts(put(tmp_path, rows(["one", at_most + "a"])), id="id")
    assert "column 'text'" in str(refused.value) or "line 3" in str(refused.value), str(refused.value)[:300]
    assert len(str(refused.value)) < 400


def test_numbers_as_labels_are_numbered_and_noted(texts, tmp_path):
    held = [{"text": f"t{i}", "label": (0, 5, 1000000)[i % 3]} for i in range(6)]
    for put in (put_csv, put_parquet, put_jsonl):
        mine = texts(put(tmp_path, held))
        assert (mine.classes, mine.y.tolist()) == (("0", "5", "1000000"), [0, 1, 2, 0, 1, 2])
        assert "1000000 is class 2" in mine.notes[0]


def test_ids_of_more_than_53_bits_stay_exact(texts, tmp_path):
    held = [{"text": f"t{i}", "label": "ab"[i % 2], "id": 2**53 + i} for i in range(4)]
    for put in (put_csv, put_parquet, put_jsonl):
        assert texts(put(tmp_path, held), id="id").ids.tolist() == [str(2**53 + i) for i in range(4)]


GOOD = '{"text": "a", "label": "x"}\n'
BAD_LINES = [
    ('{"text": "a", "text": "b", "label": "x"}', "line 2: the key 'text' is given twice"),
    ('{"text": "a", "label": NaN}', "line 2: NaN is no JSON"),
    ('{"text": "a", "label": -Infinity}', "line 2: -Infinity is no JSON"),
    ('{"text": "a"}', "line 2: no column 'label'"),
    ('{"text": "a", "lable": "x"}', "did you mean 'lable'?"),
    ("{}", "line 2: no column 'text'"),
    ('["a", "x"]', "is no object"),
    ('"a"', "is no object"),
    ("", "line 2, column 1: no JSON object"),
    ("   ", "line 2"),
    ('{"text": "a", "label": "x"} {"text": "b", "label": "y"}', "line 2, column 29: no JSON object (Extra data)"),
    ('{"text": "a", "label": "x"', "line 2, column"),
    ("{'text': 'a'}", "line 2, column 2"),
    ('{"text": ["a"], "label": "x"}', "line 2, key 'text': a list is no text"),
    ('{"text": {"a": 1}, "label": "x"}', "line 2, key 'text': a dict is no text"),
    ('{"text": "a\\ud83d", "label": "x"}', "line 2, key 'text': half of a surrogate pair"),
    ('{"text": "a\\u0000", "label": "x"}', "zero byte"),
    ('{"text": "a", "label": ' + "[" * 100_000 + "}", "line 2: nested too deeply"),
    ('{"text": "a", "label": ' + '{"a":' * 100_000 + "}", "line 2: nested too deeply"),
]


@pytest.mark.parametrize(("line", "why"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_bad_lines_of_json_are_refused_with_the_line(line, why, texts, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(GOOD + line + "\n" + GOOD, encoding="utf-8")
    with pytest.raises(Refusal) as refused:
        texts(path)
    assert why in str(refused.value), refused.value
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_numbers_of_json_stay_as_they_are_written(texts, tmp_path):
    lines = ['{"text": 1.50, "label": 1}', '{"text": 1e400, "label": 2}', '{"text": true, "label": 1, "more": [1]}']
    lines += ['{"text": null, "label": 2}', '{"text": ' + "9" * 5000 + ', "label": 1}']
    (tmp_path / "t.jsonl").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert texts(tmp_path / "t.jsonl").x["text"][:, 0].tolist() == ["1.50", "1e400", "true", "", "9" * 5000]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\xff\xfe{\x00", "line 1: not UTF-8"),
        (GOOD.encode() + b'{"text": "caf\xe9", "label": "x"}', "line 2: not UTF-8 (byte 0xe9)"),
        (GOOD.encode() + b'{"text": "\xed\xa0\x80", "label": "x"}', "line 2: not UTF-8"),  # a lone surrogate, as bytes
        (GOOD.encode() + b"\0", "line 2: a zero byte"),
    ],
)
def test_files_that_are_no_utf8_are_refused_with_the_line(data, why, texts, tmp_path):
    (tmp_path / "t.jsonl").write_bytes(data)
    with pytest.raises(Refusal) as refused:
        texts(tmp_path / "t.jsonl")
    assert why in str(refused.value)


def test_parquet_with_bytes_that_are_no_text_is_refused(texts, tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 3], np.int32).tobytes()), pa.py_buffer(b"\xed\xa0\x80")]
    )
    pq.write_table(pa.table({"text": bad, "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(Refusal, match="not a readable Parquet file"):
        texts(tmp_path / "t.parquet")
    pq.write_table(pa.table({"text": [["a"]], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(Refusal, match="column 'text': list"):
        texts(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("text,label\na,x,extra\n", "line 2: 3 cells in a row, 2 names"),
        ("text,label\na\n", "line 2: 1 cells in a row"),
        ("text,text\na,b\n", "two columns are called 'text'"),
        ('text,label\n"open,x\nb,y\n', "a quote is opened and never closed"),
        ("text,label\n", "a header and no rows"),
        ("", "empty"),
    ],
)
def test_ragged_tables_of_texts_are_refused(body, why, texts, tmp_path):
    (tmp_path / "t.csv").write_text(body, encoding="utf-8")
    with pytest.raises(Refusal, match=why):
        texts(tmp_path / "t.csv")


def test_duplicate_ids_are_refused_by_the_check_of_the_data(texts, tmp_path):
    from kdbench.stages.checks import check

    held = rows(["one", "two", "three", "four"])
    held[2]["id"] = "r0"
    with pytest.raises(Refusal, match="id 'r0' is given to rows 1, 3"):
        check(texts(put_csv(tmp_path, held), id="id"), ())


def test_reading_texts_leaves_the_limit_of_csv_as_it_was(texts, tmp_path):
    before = csv.field_size_limit()
    texts(put_csv(tmp_path, rows([MILLION, "b"])))
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("name", ["t.json", "t.txt", "t.csv.gz", "nowhere.csv"])
def test_other_files_are_refused(name, texts, tmp_path):
    if name != "nowhere.csv":
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(Refusal):
        texts(tmp_path / name)


def test_text_files_are_documents(files, tmp_path):
    for name, text in (("b.txt", "second\r\n\n"), ("a.txt", "first\n\nof two"), ("c.txt", "third"), ("notes.md", "no")):
        (tmp_path / name).write_bytes(text.encode())
    mine = files(tmp_path)
    assert mine.x["text"][:, 0].tolist() == ["first\n\nof two", "second\r\n\n", "third"]
    assert (mine.ids.tolist(), mine.split, mine.answer) == (["a.txt", "b.txt", "c.txt"], None, "next")
    split = files(tmp_path, separator="\n\n", split="test")
    assert split.x["text"][:, 0].tolist() == ["first", "of two", "second\r\n\n", "third"] or split.x["text"].size == 4
    assert set(split.split) == {"test"}
    one = files(tmp_path / "a.txt", separator="\n\n", split="test")
    assert one.x["text"][:, 0].tolist() == ["first", "of two"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: (p / "a.txt").write_text("one document"), "1 document; give a `separator`"),
        (lambda p: (p / "a.txt").write_text(" \n"), "nothing but white space"),
        (lambda p: (p / "a.txt").write_bytes(b"a\n\xff"), "line 2: not UTF-8"),
        (lambda p: (p / "a.txt").write_bytes(b"a\n\0"), "line 2: a zero byte"),
        (lambda p: (p / "a.md").write_text("x"), "holds no .txt file"),
        (lambda p: os.mkfifo(p / "a.txt"), "not a regular file"),
    ],
)
def test_text_files_that_cannot_be_read_are_refused(make, why, files, tmp_path):
    make(tmp_path)
    with pytest.raises(Refusal) as refused:
        files(tmp_path)
    assert why in str(refused.value)


def test_a_changed_file_of_a_folder_is_another_key(plugins, tmp_path):
    from kdbench.plan import keys

    (tmp_path / "a.txt").write_text("one")
    plugin = plugins.get("dataset", "text_files")
    before = keys.files(plugin, {"path": str(tmp_path)}, None)
    assert keys.files(plugin, {"path": str(tmp_path)}, None) == before
    (tmp_path / "a.txt").write_text("two!")
    after = keys.files(plugin, {"path": str(tmp_path)}, None)
    (tmp_path / "b.txt").write_text("new")
    assert len({before, after, keys.files(plugin, {"path": str(tmp_path)}, None)}) == 3
