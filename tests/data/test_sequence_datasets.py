"""Data whose answer is a text: own files in four formats, SQuAD's form, GSM8K and Self-Instruct; each through the stage data."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdbench import ALTERNATIVE, Refusal
from kdbench.stages import samples as reader

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Towers",
            "paragraphs": [
                {
                    "context": f"The tower {k} was built in {1800 + k} by people.",
                    "qas": [
                        {
                            "id": f"{k}a",
                            "question": "When was it built?",
                            "answers": [{"text": str(1800 + k), "answer_start": 27}],
                        },
                        {
                            "id": f"{k}b",
                            "question": "By whom?",
                            "answers": [{"text": "people"}, {"text": "by people"}, {"text": "people"}],
                        },
                        {"id": f"{k}c", "question": "Is it tall?", "answers": [], "is_impossible": True},
                    ],
                }
                for k in range(20)
            ],
        }
    ],
}


@pytest.fixture
def load(plugins):
    return lambda name, root=None, **params: plugins.load("dataset", name)[0](root, **params)


def test_squad_as_distributed(load, tmp_path):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(SQUAD))
    found = load("squad_style", path=str(path))
    assert found.answer == "text"
    assert found.kind == "text"
    assert found.x["text"][:2, 0].tolist() == [
        "question: When was it built? context: The tower 0 was built in 1800 by people.",
        "question: By whom? context: The tower 0 was built in 1800 by people.",
    ]
    assert found.target[:3].tolist() == ["1800", f"people{ALTERNATIVE}by people", ""]
    assert found.ids[:3].tolist() == ["0a", "0b", "0c"]
    assert found.groups["question_type"][:3].tolist() == ["when", "who", "other"]
    assert len(set(found.cluster)) == 20, "questions about one passage stay together"
    assert found.notes == ("prompt: 'question: {question} context: {context}'", "20 of 60 questions have no answer")
    assert (found.y == -1).all()


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_squad_rows_of_every_format_are_the_same(load, tmp_path, ending):
    rows = [{"context": f'c {k}, "so"', "question": f"Why {k}?", "answers": [f"a{k}", "b"]} for k in range(6)]
    rows[2]["answers"] = []
    path = tmp_path / f"q.{ending}"
    if ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == "parquet":
        pd.DataFrame(
            [{**row, "answers": {"text": row["answers"], "answer_start": [0] * len(row["answers"])}} for row in rows]
        ).to_parquet(path)
    else:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["context", "question", "answers"])
            writer.writerows([row["context"], row["question"], json.dumps(row["answers"])] for row in rows)
    found = load("squad_style", path=str(path))
    assert found.target.tolist() == [ALTERNATIVE.join(row["answers"]) for row in rows]
    assert set(found.groups["question_type"]) == {"why"}
    assert found.x["text"][0, 0] == 'question: Why 0? context: c 0, "so"'


@pytest.mark.parametrize(
    ("question", "kind"),
    [("In what year?", "what"), ("WHERE is it", "where"), ("How many?", "how"), ("Name it.", "other"), ("Somewhat so?", "other"),
     ("To whose aid, and when?", "who"), ("which?", "which")],
)  # fmt: skip
def test_types_of_questions_by_hand(load, tmp_path, question, kind):
    path = tmp_path / "q.json"
    path.write_text(json.dumps([{"context": "c", "question": question, "answers": ["a"]}]))
    assert load("squad_style", path=str(path)).groups["question_type"].tolist() == [kind]


def table(path: Path, rows):
    if path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_summaries_and_translations_end_to_end_through_the_stage(kitchen, load, tmp_path, ending):
    rows = [{"document": f"long text {k} {{source}}", "summary": f"short {k}", "year": 1990 + k % 2} for k in range(40)]
    path = table(tmp_path / f"s.{ending}", rows)
    found = load("summaries", path=path, groups=["year"])
    assert found.x["text"][3, 0] == "summarize: long text 3 {source}", "braces in a text are text"
    assert found.target[3] == "short 3"
    assert found.groups["year"].tolist() == [str(1990 + k % 2) for k in range(40)]
    entry = kitchen.data("summaries", {"path": path, "groups": ["year"]}, groups=["year"])
    test = reader.raw(entry, "test")
    assert len(test.y)
    for x, target in zip(test.x["text"][:, 0], test.more["target"], strict=True):
        assert x.split()[3] == target.split()[1], "a source and its reference stay together"
    pairs = table(tmp_path / f"t.{ending}", [{"de": f"Haus {k}", "en": f"house {k}"} for k in range(10)])
    prompt = "translate German to English: {source}"
    found = load("translations", path=pairs, source="de", target="en", prompt=prompt)
    assert found.x["text"][0, 0] == "translate German to English: Haus 0"
    assert found.target[9] == "house 9"
    assert found.notes[0] == f"prompt: {prompt!r}"


def test_several_references_and_a_split_of_ones_own(load, tmp_path):
    rows = [{"source": f"s{k}", "target": [f"a{k}", f"b{k}", f"a{k}"], "part": ["train", "test"][k % 2]} for k in range(6)]
    found = load("translations", path=table(tmp_path / "t.jsonl", rows), split="part")
    assert found.target[0] == f"a0{ALTERNATIVE}b0"
    assert found.split.tolist() == ["train", "test"] * 3


REFUSED = [
    ([{"source": "a", "target": "b\x1ec"}], {}, r"row 1, 'target': the character U\+001E"),
    ([{"source": "a", "target": 3}], {}, "row 1, 'target': '3'; a text, or a list of texts"),
    ([{"source": "a", "target": []}], {}, "row 1, 'target': '\\[\\]'; a text"),
    ([{"source": None, "target": "b"}], {}, "row 1, 'source': NoneType 'None'; a text is expected"),
    ([{"source": "a", "target": "\ud800"}], {}, "row 1, 'target': half of a surrogate pair"),
    ([{"source": "a", "target": "b"}, {"source": "a"}], {}, "row 2: no column 'target'"),
    ([{"source": "a", "target": "b"}, 7], {}, "row 2: '7' is no object"),
    ([{"source": "a", "target": "b"}], {"prompt": "translate"}, "prompt 'translate': no field, so every row would be the same"),
    ([{"source": "a", "target": "b"}], {"prompt": "{sorce}"}, r"no field {sorce} \(allowed: {source}\)"),
    ([{"source": "a", "target": "b"}], {"prompt": "{source.__class__}"}, "no field"),
    ([{"source": "a", "target": "b"}], {"target": "source"}, "'source' is both source and target"),
    ([{"source": "a", "target": "b", "g": [1]}], {"groups": ["g"]}, "a short text or a number"),
    ([{"source": "a", "target": "b", "s": "dev"}], {"split": "s"}, "split 'dev' \\(allowed: train, validation, test\\)"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "params", "said"), REFUSED)
def test_what_is_doubtful_is_refused_with_its_row(load, tmp_path, rows, params, said):
    with pytest.raises(Refusal, match=said) as error:
        load("translations", path=table(tmp_path / "t.jsonl", rows), **params)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("body", ["", "{", "[1, 2", "NaN", '{"a": 1}', "[]", "[NaN]", "[" * 100_000])
def test_a_file_that_is_no_json_is_refused_in_one_line(load, tmp_path, body):
    path = tmp_path / "q.json"
    path.write_text(body)
    with pytest.raises(Refusal) as error:
        load("squad_style", path=str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broken_squad_says_which_key(load, tmp_path):
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q"}]}]}]}))
    with pytest.raises(Refusal, match="not in the form of SQuAD .*'answers'"):
        load("squad_style", path=str(path))


@pytest.fixture
def data_folder():
    root = os.environ.get("KDBENCH_DATA")
    if not root or not (Path(root) / "lm/gsm8k").is_dir():
        pytest.skip("KDBENCH_DATA does not hold lm/gsm8k")
    return Path(root)


@pytest.mark.data
def test_gsm8k_has_its_official_parts_and_answers_that_end_in_the_number(load, data_folder):
    found = load("gsm8k", data_folder)
    assert Counter(found.split.tolist()) == {"train": 7473, "test": 1319}
    assert found.x["text"][0, 0].startswith("Question: Natalia sold clips")
    assert found.x["text"][0, 0].endswith("\nAnswer: ")
    assert found.target[0].endswith("#### 72")
    finals = load("gsm8k", data_folder, reference="final").target
    worked = pd.read_parquet(data_folder / "lm/gsm8k/train.parquet").answer
    assert finals[:7473].tolist() == [answer.rsplit("#### ", 1)[1].replace(",", "") for answer in worked] or all(
        final.replace(",", "") == answer.rsplit("#### ", 1)[1].replace(",", "")
        for final, answer in zip(finals, worked, strict=False)
    )
    assert found.groups["steps"][0] == "2"
    assert not any(ALTERNATIVE in target for target in found.target)


@pytest.mark.data
def test_instructions_of_self_instruct(load, kitchen, data_folder):
    found = load("instructions", data_folder)
    assert len(found.ids) == 175
    assert found.x["text"][0, 0].endswith("calories?\nOutput: "), "no input: the short form"
    assert found.x["text"][1, 0].endswith("\nInput: Night : Day :: Right : Left\nOutput: ")
    assert found.target[1] == "The relation between the given pairs is that they are opposites."
    assert set(found.groups["task"]) == {"classification", "generation"}
    assert len(load("instructions", data_folder, part="user").ids) == 252
    entry = kitchen.data("instructions")
    assert np.sum([len(reader.raw(entry, split).y) for split in ("train", "validation", "test")]) == 175
