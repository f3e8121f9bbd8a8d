"""Teachers of whom only a file of answers is known: joined by id and by name, refused where that is not certain, and taught
from.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fit_entries import fit_job, run

from kdbench import Refusal, Shape
from kdbench.nouns import Job
from kdbench.stages import artefacts, blackbox, samples

SHAPE = Shape("image", {"image": (1, 8, 8)}, 3)
NAMES = ("cat", "dog", "eel")
P = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])


def put(path, rows):
    """Rows as a file of the path's ending."""
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        np.savez(path, **{name: np.array([row[name] for row in rows]) for name in rows[0]})
    return path


def probabilities(order=(0, 1, 2), rows=(0, 1, 2), begin="probability.", values=P):
    return [{"id": f"r{i}", **{f"{begin}{NAMES[k]}": float(values[i, k]) for k in order}} for i in rows]


def opened(path):
    return blackbox.open_answers(path, SHAPE, NAMES)


IDS = np.array(["r2", "r0", "r1", "r0"])


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz", "jsonl"])
def test_56_43_answers_are_joined_by_id_and_classes_by_name_never_by_order(tmp_path, ending):
    path = put(tmp_path / f"t.{ending}", probabilities((2, 0, 1), (1, 2, 0)))
    found = blackbox.logits_of(opened(path), IDS)
    assert found == pytest.approx(np.log(np.maximum(P[[2, 0, 1, 0]], 1e-6)), abs=1e-6)
    assert found.dtype == np.float32


def test_objects_of_probabilities_in_json_lines_are_columns_by_class(tmp_path):
    rows = [{"id": i, "probabilities": {name: float(P[i, k]) for k, name in enumerate(NAMES)}} for i in range(3)]
    found = blackbox.logits_of(opened(put(tmp_path / "t.jsonl", rows)), np.array(["1", "0"]))
    assert np.exp(found) == pytest.approx(np.maximum(P[[1, 0]], 1e-6), abs=1e-6)


def test_lists_of_numbers_need_the_names_of_their_classes(tmp_path):
    table = pa.table({"id": ["r0", "r1", "r2"], "probabilities": P[:, ::-1].tolist()})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(Refusal, match="which number is of which class is not said; write columns probability.<class>"):
        opened(tmp_path / "t.parquet")
    pq.write_table(table.replace_schema_metadata({"kdbench.classes": json.dumps(NAMES[::-1])}), tmp_path / "t.parquet")
    assert np.exp(blackbox.logits_of(opened(tmp_path / "t.parquet"), IDS[:1])) == pytest.approx(P[2:], abs=1e-6)


@pytest.mark.parametrize("name", ["label", "decision"])
def test_a_label_becomes_a_distribution_with_the_smoothing_that_is_said(tmp_path, name):
    artefact = opened(put(tmp_path / "t.csv", [{"id": "r0", name: "eel"}, {"id": "r1", name: "cat"}]))
    found = np.exp(blackbox.logits_of(artefact, np.array(["r1", "r0"])))
    assert found == pytest.approx(np.array([[0.99, 0.005, 0.005], [0.005, 0.005, 0.99]]), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert artefact.facts["smoothing"] == 0.01
    assert "0.99" in artefact.facts["notes"][0]


def test_logits_stay_as_they_are(tmp_path):
    z = np.array([[3.5, -2, 0], [1, 1, 1], [-40, 0, 8]], dtype=float)
    artefact = opened(put(tmp_path / "t.csv", probabilities(begin="logit.", values=z)))
    assert blackbox.logits_of(artefact, np.array(["r2", "r0"])) == pytest.approx(z[[2, 0]])


def test_texts_come_back_by_id_whatever_is_in_them(tmp_path):
    written = ["one\ntwo", "", "Zoë said “中文” 👩‍👩‍👧 \u2028 end", "x" * 5000]
    artefact = opened(put(tmp_path / "t.jsonl", [{"id": f"r{i}", "text": text} for i, text in enumerate(written)]))
    assert blackbox.texts_of(artefact, np.array(["r3", "r0", "r2", "r1"])).tolist() == [written[i] for i in (3, 0, 2, 1)]
    with pytest.raises(Refusal, match="holds texts, and here it must tell classes apart"):
        blackbox.logits_of(artefact, IDS)
    with pytest.raises(Refusal, match="holds no texts"):
        blackbox.texts_of(opened(put(tmp_path / "t.csv", probabilities())), IDS)


def changed(**cells):
    rows = probabilities()
    rows[1] |= cells
    return rows


REFUSED = [
    (changed(id="r0"), r"line 3, column 'id': 'r0' is given twice, first in line 2"),
    (changed(id=""), "line 3, column 'id': empty"),
    (changed(**{"probability.dog": 0.9}), r"line 3, column 'probability.cat': the probabilities sum to 0.9"),
    (changed(**{"probability.dog": 100.0}), "outside of 0..1"),
    (changed(**{"probability.dog": "nan"}), "1 of 3 rows are not finite"),
    (changed(**{"probability.dog": ""}), "column 'probability.dog': the cell is empty"),
    ([{**row, "decision": "cat"} for row in probabilities()], "probabilities and labels; keep one kind of answer"),
    ([{"id": row["id"], "score": 1} for row in probabilities()], r"no answers \(allowed: probability.<class>"),
    (probabilities((0, 1)), "no numbers for the class 'eel', which the data have"),
    ([{**row, "probability.fox": 0.0} for row in probabilities()], "'fox' is no class of the data"),
    ([{"id": "r0", "label": "Cat"}, {"id": "r1", "label": "dog"}], "'Cat' is no class of the data; did you mean 'cat'"),
    ([{"id": "r0", "label": "0"}], "'0' is no class of the data"),
    (probabilities(begin="logit."), "these are probabilities; call them so"),
    ([{"name": "r0", "label": "cat"}], "no column 'id'"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "said"), REFUSED)
def test_44_66_a_file_that_is_not_certain_is_refused_in_one_line(tmp_path, rows, said):
    path = put(tmp_path / "t.csv", rows)
    with pytest.raises(Refusal, match=said) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_44_examples_that_the_file_lacks_are_counted_and_named(tmp_path):
    artefact = opened(put(tmp_path / "t.csv", probabilities()))
    with pytest.raises(Refusal, match="the teacher's file lacks 2 of 3 examples, the first with id 'r7'"):
        blackbox.logits_of(artefact, np.array(["r7", "r1", "zz"]))


NO_LINES = [
    ("", "empty"),
    ("[1]\n", r"line 1: '\[1\]' is no object"),
    ('{"id": "a", "label": "cat"}\n{"id": "b"}\n', "line 2: 'label' is not in every line"),
    ('{"id": "a", "id": "b"}\n', "a name is given twice"),
    ('{"id": "a", "text": NaN}\n', "NaN is no JSON"),
    ('{"id": "a", "text": "\\ud800"}\n', "column 'text': str mixed, or what no column can hold"),
    ("{" * 9 + "\n", "line 1: no JSON object"),
    ('{"id": "a", "label": {"cat": 1}}\n', "line 1, 'label': an object"),
]


@pytest.mark.parametrize(("body", "said"), NO_LINES)
def test_json_lines_that_are_none_are_refused(tmp_path, body, said):
    path = tmp_path / "t.jsonl"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(Refusal, match=said) as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_another_ending_is_refused(tmp_path):
    (tmp_path / "t.txt").write_text("id,label\n", encoding="utf-8")
    with pytest.raises(Refusal, match="ends in .csv, .parquet, .npz, .jsonl; a model is a folder"):
        opened(tmp_path / "t.txt")


@pytest.fixture
def answers(tmp_path, data):
    """What a teacher that is nearly always right says of the training rows, in an order of its own."""
    rows = samples.read(data, "train")
    rng = np.random.default_rng(0)
    listed = []
    for i in rng.permutation(len(rows.ids)):
        p = np.full(10, 0.2 / 9)
        p[rows.y[i]] = 0.8
        listed.append({"id": rows.ids[i], **{f"probability.{k}": p[k] for k in rng.permutation(10)}})
    return put(tmp_path / "teacher.csv", listed), rows


def test_a_student_is_taught_from_a_csv_file_of_probabilities(where, data, answers):
    path, rows = answers
    teacher = run(Job("load", {"path": str(path)}), {"data": data}, where)
    assert teacher.json("artefact.json")["runtime"] == "predictions"
    outputs = run(Job("outputs", {"taps": False}), {"data": data, "artefact": teacher}, where)
    logits = np.asarray(outputs.array("logits.npy"))
    assert np.array_equal(outputs.array("ids.npy"), rows.ids)
    assert (logits.argmax(axis=1) == rows.y).all(), "shuffled rows and columns have found their place"
    job = fit_job({"kd": {"weight": 1.0, "params": {"temperature": 1.0}}}, ("small_cnn", {"width": 8}), epochs=6)
    student = run(job, {"data": data, "outputs": outputs}, where)
    with torch.no_grad():
        image = torch.from_numpy(rows.x["image"])
        pred = artefacts.read(student, where.plugins).module(image).argmax(1).numpy()
    assert (pred == rows.y).mean() > 0.6, "it never saw a label, only the file"


def test_a_file_cannot_teach_live(where, data, answers):
    teacher = run(Job("load", {"path": str(answers[0])}), {"data": data}, where)
    with pytest.raises(Refusal, match="the teacher is a predictions artefact; a live teacher must be a torch artefact"):
        run(fit_job({"kd": 1.0}, ("small_cnn", {"width": 8})), {"data": data, "teacher": teacher}, where)


def test_a_label_is_a_decision_and_not_a_distribution(tmp_path):
    assert blackbox.kind_of(opened(put(tmp_path / "t.csv", [{"id": "r0", "label": "eel"}]))) == "decisions"
    assert blackbox.kind_of(opened(put(tmp_path / "t.csv", probabilities()))) == "probabilities"
