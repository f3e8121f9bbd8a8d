"""Parquet, CSV and NPZ give the same table, and whatever does not hold is refused in one line with its place."""

import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_files import good, logits, npz, parquet, text, write

from kdbench import Refusal
from kdbench.predictions.bring import Question, prepare
from kdbench.predictions.sets import Where
from kdbench.predictions.table import read
from kdbench.tables import raw

FORMATS = (".parquet", ".csv", ".npz")


def refused(path):
    with pytest.raises(Refusal) as caught:
        read(path)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("kind", ["logits", "probabilities", "decisions", "values"])
def test_the_three_formats_say_the_same(tmp_path, ending, kind):
    label, z = logits()
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    columns = {"id": [f"{i:03d}" for i in range(60)], "label": [f"c{k}" for k in label], "group.sex": ["F", "M", "NA"] * 20}
    columns["seed"] = [0] * 60
    if kind == "values":
        columns |= {"label": (label + 0.5).tolist(), "value": z[:, 0].tolist()}
    elif kind == "decisions":
        columns["decision"] = [f"c{k}" for k in z.argmax(axis=1)]
    else:
        part = {"logits": "logit", "probabilities": "probability"}[kind]
        columns |= {f"{part}.c{k}": (z if kind == "logits" else p)[:, k].tolist() for k in range(3)}
    table = read(write(tmp_path / f"f{ending}", columns))
    assert table.kind == kind
    assert table.ids.to_pylist() == columns["id"]
    assert list(table.sets) == [Where("test", "", 0, 0)]
    assert [table.groups["sex"][0][i] for i in table.groups["sex"][1]] == columns["group.sex"]
    if kind == "values":
        np.testing.assert_array_equal(table.said.label, label + 0.5)
        np.testing.assert_array_equal(table.said.outputs[:, 0], z[:, 0])
    else:
        assert table.said.classes == ("c0", "c1", "c2")
        np.testing.assert_array_equal(table.said.label, label)
        np.testing.assert_array_equal(table.said.decision, z.argmax(axis=1))
    if kind in ("logits", "probabilities"):
        np.testing.assert_array_equal(table.said.outputs, z if kind == "logits" else p)


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_column_of_lists_keeps_its_numbers(tmp_path, ending, dtype):
    label, z = logits()
    z = z.astype(dtype)
    path = write(tmp_path / f"f{ending}", {"id": np.arange(60), "label": label, "logits": z}, classes=["a", "b", "c"])
    table = read(path)
    assert table.said.classes == ("a", "b", "c")
    assert table.said.outputs.dtype == (np.float64 if dtype == "float64" else np.float32)
    np.testing.assert_array_equal(table.said.outputs, z.astype(table.said.outputs.dtype))


def test_pandas_and_its_index_are_read(tmp_path):
    frame = pd.DataFrame(good()).set_index(np.arange(60) ** 2)
    frame.to_parquet(tmp_path / "f.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "f.parquet").names
    assert read(tmp_path / "f.parquet").said.classes == ("c0", "c1", "c2")


def test_sets_are_told_apart(tmp_path):
    parts = []
    for split, shift, severity, seed in (
        ("test", "", "", 0), ("test", "", "", 1), ("test", "blur", 2, 0), ("validation", "", "", 0), ("ood:noise", "", "", 0),
    ):  # fmt: skip
        part = pd.DataFrame(good(6)).assign(split=split, shift=shift, severity=severity, seed=seed)
        part["label"] = "" if split.startswith("ood") else part["label"]
        parts.append(part)
    pd.concat(parts).sample(frac=1, random_state=0).to_csv(tmp_path / "f.csv", index=False)
    table = read(tmp_path / "f.csv")
    assert {str(w): len(rows) for w, rows in table.sets.items()} == {
        "test, seed 0": 6, "test, seed 1": 6, "test under blur 2, seed 0": 6, "validation, seed 0": 6, "ood:noise, seed 0": 6,
    }  # fmt: skip
    foreign = table.sets[Where("test", "ood:noise", 0, 0)]
    assert (table.said.label[foreign] == -1).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": [0.5] * 60}, "column 'score': does not say what its numbers are: write `logits`"),
        ({"output": [0.5] * 60}, "column 'output': does not say what its numbers are"),
        ({"groups.sex": ["F"] * 60}, "is not part of the format; write group.sex"),
        ({"sevrity": [1] * 60}, "did you mean 'severity'?"),
        ({"decision": ["c0"] * 60}, "answers in 'logit.c0', 'decision'; keep one of them"),
        ({"split": ["train"] * 60}, "row 1, column 'split': found 'train' (allowed: test, validation, ood:<name>)"),
        ({"split": ["validation"] * 60}, "no test rows without a shift"),
        ({"shift": ["none"] * 60}, "row 1, column 'shift': found 'none'; leave the cell empty"),
        ({"severity": [2] * 60}, "row 1, column 'severity': found 2 without a shift"),
        ({"seed": [-1] * 60}, "row 1, column 'seed': found '-1' (allowed: 0, 1, 2, ... below 2**32)"),
        ({"seed": [0] * 59 + [None]}, "row 60, column 'seed': empty"),
        ({"id": [None, *(f"r{i}" for i in range(59))]}, "row 1, column 'id': empty; every row needs an id"),
        ({"id": ["x" * 1001, *(f"r{i}" for i in range(59))]}, "row 1, column 'id': 1001 characters; at most 1000"),
        ({"label": [None, *["c0"] * 59]}, "row 1, column 'label': empty; every row of test and validation needs one"),
        ({"label": ["c9", *["c0"] * 59]}, "row 1, column 'label': found 'c9', which is not one of the 3 classes"),
        ({"logit.c0": [None, *[0.0] * 59]}, "row 1, column 'logit.c0': empty (1 such rows)"),
        ({"logit.c0": ["0.5"] * 60}, "column 'logit.c0': text; numbers are expected"),
        ({"group.class": ["F"] * 60}, "column 'group.class': no name for a group column"),
        ({"group.a*b": ["F"] * 60}, "no name for a group column"),
        ({"group.age": [0.5] * 60}, "column 'group.age': continuous (double); say bins"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_with_its_place(tmp_path, change, said):
    assert said in refused(parquet(tmp_path / "f.parquet", good(**change)))


def test_columns_that_must_be_there(tmp_path):
    for gone, said in (("id", "no column 'id'"), ("label", "no column 'label'")):
        columns = good()
        del columns[gone]
        assert said in refused(parquet(tmp_path / "f.parquet", columns))
    assert "no answers: write `logits`" in refused(parquet(tmp_path / "f.parquet", {"id": ["a"], "label": ["b"]}))


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"kind": "probabilities"}, "kdbench.kind is 'probabilities', but column 'logit.c0' holds logits"),
        ({"classes": '["a", "a"]'}, "a JSON list of different names is expected"),
        ({"classes": "[" * 100_000}, "a JSON list of different names is expected"),
        ({"classes": ["c0", "c1", "c3"]}, "names other classes than the columns do"),
        ({"positive": "c7"}, "metadata kdbench.positive: found 'c7', which is not one of the 3 classes"),
        ({"format": "2"}, "this version reads format 1"),
        ({"clases": ["a"]}, "did you mean 'classes'?"),
    ],
)
def test_metadata_that_do_not_hold_are_refused(tmp_path, meta, said):
    assert said in refused(parquet(tmp_path / "f.parquet", good(), **meta))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty; columns and rows are expected"),
        (b"id,label,decision\n", "columns and no rows"),
        (b"a,b,0.1,0.2\nc,b,0.1,0.2\n", "column 'a': is not part of the format"),
        (b"id,label,label\n1,2,3\n", "two columns are called 'label'"),
        (b",id,label,decision\n0,a,x,y\n", "column 1 has no name; give it one, or leave it out (pandas: to_csv(index=False))"),
        (b"id;label;decision\na;x;y\n", "one column only, 'id;label;decision'; separate the columns with commas"),
        (b"id,label,decision\na,x,y\nb,x\n", "line 3: 2 cells; the header has 3 names"),
        (b"id,label,decision\na,x,y\nb,x,y,z\n", "line 3: 4 cells; the header has 3 names"),
        (b'id,label,decision\na,"x,y\nb,x,y\n', "line 2: a quote is opened and never closed"),
        (b'id,label,decision\na,"x\ny",y\nb,x,y\n', "line 2: a quoted cell goes on over 2 lines; is a quote open?"),
        (b'id,label,decision\na,"x"z,y\nb,x,y\n', "line 2: ',' expected after '\"'"),
        (b"id,label,decision\na,x,y\n\nb,x,y\n", "line 3: empty; one line a row is expected"),
        (b"id,label,decision\ra,x,y\rb,x,y\r", "a line ends with a carriage return alone"),
        (b"id,label,decision\na,caf\xe9,y\nb,x,y\n", "line 2: not UTF-8 (byte 0xe9)"),
        (b"id,label,decision\na,x,y\nb,\0,y\n", "line 3: a zero byte; not a text file"),
        ("id,label,decision\na,x,y\n".encode("utf-16"), "UTF-16; save the file as UTF-8"),
        (b"id,label,value\na,1,2\nb,1,\n", "line 3, column 'value': the cell is empty"),
        (b'id,label,value\na,1,2\nb,1,"1,5"\n', "line 3, column 'value': '1,5' is not a number; write 1.5"),
        (b"id,label,value\na,1,2\nb,1,nan\n", "line 3, column 'value': 1 of 2 rows are empty or not finite"),
    ],
)
def test_csv_is_read_strictly(tmp_path, content, said):
    (tmp_path / "f.csv").write_bytes(content)
    assert said in refused(tmp_path / "f.csv")


def test_csv_with_bom_crlf_and_quotes_is_read(tmp_path):
    (tmp_path / "f.csv").write_bytes(b'\xef\xbb\xbfid,label,decision\r\n"a ""b""",x,y\r\n"c,d",y,y\r\n\r\n')
    table = read(tmp_path / "f.csv")
    assert table.ids.to_pylist() == ['a "b"', "c,d"]
    assert table.said.label.tolist() == [0, 1]


def test_objects_in_npz_are_never_unpickled(tmp_path):
    columns = good()
    columns["id"] = np.array(columns["id"], dtype=object)
    np.savez(tmp_path / "f.npz", **{k: np.asarray(v) for k, v in columns.items()})
    assert "holds Python objects, which are never unpickled" in refused(tmp_path / "f.npz")


def test_an_npz_header_cannot_ask_for_memory_that_the_file_has_not(tmp_path):
    path = npz(tmp_path / "f.npz", good())
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    member = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("seed.npy", member)
    assert "says (1000000000000,) of float64, and 0 bytes follow" in refused(path)


def test_bombs_are_refused_by_what_they_announce(tmp_path, monkeypatch):
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(21_000_000, np.int8)), pa.array(["x" * 900]))
    pq.write_table(pa.table({"id": many, "label": many, "decision": many}), tmp_path / "f.parquet")
    assert "21000000 rows; at most 20000000 are read" in refused(tmp_path / "f.parquet")
    path = npz(tmp_path / "f.npz", good())
    monkeypatch.setattr("kdbench.tables.read_npz.MOST_BYTES", 100)
    assert "bytes when unpacked; at most 100 are read" in refused(path)
    text(tmp_path / "f.csv", good())
    monkeypatch.setattr(raw, "MOST_BYTES", 100)
    assert "too large" in refused(tmp_path / "f.csv")
    monkeypatch.setattr(raw, "MOST_BYTES", 10**6)
    monkeypatch.setattr(raw, "MOST_NUMBERS", 100)
    assert "300 cells; at most 100 are read" in refused(tmp_path / "f.csv")


def test_damaged_files_are_refused(tmp_path):
    whole = parquet(tmp_path / "f.parquet", good()).read_bytes()
    for content in (whole[:-20], b"PAR1" + whole[4:100] + b"PAR1", b"not one"):
        (tmp_path / "g.parquet").write_bytes(content)
        assert "not a readable Parquet file" in refused(tmp_path / "g.parquet")
    (tmp_path / "g.npz").write_bytes(npz(tmp_path / "f.npz", good()).read_bytes()[:-60])
    assert "not a readable NPZ file" in refused(tmp_path / "g.npz")


def test_text_that_is_no_utf8_in_parquet_is_refused(tmp_path):
    bad = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"\xff\xfe"))
    parquet(tmp_path / "f.parquet", {"id": bad, "label": ["a", "b"], "decision": ["a", "b"]})
    assert "not a readable Parquet file" in refused(tmp_path / "f.parquet")


def test_links_pipes_folders_and_other_endings_are_refused(tmp_path):
    parquet(tmp_path / "f.parquet", good())
    (tmp_path / "link.parquet").symlink_to(tmp_path / "f.parquet")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.npz").mkdir()
    assert "is a link" in refused(tmp_path / "link.parquet")
    assert "is not a regular file" in refused(tmp_path / "pipe.csv")
    assert "a regular file is expected" in refused(tmp_path / "folder.npz")
    assert "no such file" in refused(tmp_path / "nothing.csv")
    assert "did you mean '.npz'? (allowed: .parquet, .csv, .npz)" in refused(tmp_path / "f.pkl")


@pytest.mark.parametrize("column", ["id", "label", "group.sex"])
def test_a_zero_character_is_refused_because_numpy_would_drop_it(tmp_path, column):
    columns = good(**{"group.sex": ["F", "M"] * 30})
    columns[column] = [columns[column][0] + "\0", *columns[column][1:]]
    assert "zero" in refused(parquet(tmp_path / "f.parquet", columns))


def test_answers_to_lm_eval_that_was_asked_otherwise_are_refused(tmp_path):
    asked = {"task": "blimp", "shots": 0, "prompts": "aa", "lm_eval": "0.4.12"}
    one = read(parquet(tmp_path / "one.parquet", good(), harness=asked))
    for name, value in (("shots", 5), ("prompts", "bb"), ("target_delimiter", "")):
        other = read(parquet(tmp_path / "other.parquet", good(), harness={**asked, name: value}))
        with pytest.raises(Refusal, match=f"other.parquet.*asked otherwise: {name} is .* in .*one.parquet"):
            prepare(Question({"teacher": one, "other": other}, "x"))
    same = read(parquet(tmp_path / "same.parquet", good(), harness=asked))
    silent = read(parquet(tmp_path / "silent.parquet", good()))
    prepare(Question({"teacher": one, "same": same, "silent": silent}, "x"))
    odd = read(parquet(tmp_path / "odd.parquet", good(), harness=[1]))
    with pytest.raises(Refusal, match="a JSON object of lm-eval's settings"):
        prepare(Question({"teacher": one, "odd": odd}, "x"))
