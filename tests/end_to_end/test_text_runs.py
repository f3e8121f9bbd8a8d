"""Texts and language models from a user's own files to the board: black-box teachers, new labels, probes, questions, decoding."""

import json

import numpy as np
import pandas as pd
import pytest

GOOD, BAD, REST = "fine great lovely", "poor dull awful", "the film is a story about two people in town"


def sentences(n, seed=0):
    """Sentences whose class one word gives away, and that are all different."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        label = ("negative", "positive")[i % 2]
        word = rng.choice((BAD, GOOD)[i % 2].split())
        rows.append({"id": f"r{i}", "text": f"{' '.join(rng.choice(REST.split(), 6))} {word} {i}", "label": label})
    return rows


def board(tmp_path, name):
    scores = pd.read_parquet(tmp_path / f"reports/{name}/scores.parquet")
    return scores[(scores["seed"] == -1) & (scores["slice"] == "")]


@pytest.fixture
def folder(tmp_path):
    rows = sentences(240)
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    with open(tmp_path / "other.jsonl", "w", encoding="utf-8") as file:
        for i, row in enumerate(sentences(60, seed=1)):
            said = {"negative": "BAD", "positive": "GOOD"}[row["label"]]
            file.write(json.dumps({**row, "id": f"o{i}", "label": said, "who": "ab"[i // 2 % 2]}) + "\n")
    share = [0.9 if row["label"] == "positive" else 0.1 for row in rows]
    answers = pd.DataFrame(
        {"id": [row["id"] for row in rows], "probability.positive": share, "probability.negative": [1 - p for p in share]}
    )
    answers.sample(frac=1, random_state=0).to_csv(tmp_path / "teacher.csv", index=False)  # in another order: joined by id
    return tmp_path


CLASSES = """
suite: mine
seeds: [0]
data: {dataset: texts, path: mine.csv, id: id, tokenizer: {words: {}}, length: 12, shifts: [{word_drop: {severities: [3]}}]}
probes: [{texts: {path: other.jsonl, id: id, groups: [who], labels: {BAD: negative, GOOD: positive}, limit: 40}}]
teacher: {load: teacher.csv}
student: {model: bag_of_embeddings}
train: {epochs: 4, batch: 16, optimizer: adamw, lr: 0.02}
contenders:
  kd: [fit: {kd: {weight: 1, temperature: 1}}]
  pseudo: [relabel: {pseudo_labels: {threshold: 0.5}}, fit: scratch]
axes: [accuracy, agreement, kl_to_teacher, truncated_inputs, parameters, training_cpu_seconds]
"""


def test_a_file_of_answers_teaches_and_a_probe_asks(kdbench, folder):
    (folder / "suite.yaml").write_text(CLASSES, encoding="utf-8")
    code, out, err = kdbench("run", "suite.yaml")
    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1] == "reports/mine/index.html"
    scores = board(folder, "mine")
    clean = scores[scores["shift"] == ""].set_index(["task", "contender", "metric"])
    assert clean.loc[("texts", "teacher", "accuracy"), "value"] == 1.0
    for name in ("kd", "pseudo"):
        assert clean.loc[("texts", name, "accuracy"), "value"] > 0.9
        assert clean.loc[("texts on texts", name, "accuracy"), "n"] == 40
        assert clean.loc[("texts on texts", name, "accuracy"), "value"] > 0.9
    cut = clean.xs("truncated_inputs", level="metric").drop(index="teacher", level="contender")  # which saw the texts elsewhere
    assert (cut["value"] == 0).all()
    shifted = scores[(scores["shift"] == "word_drop") & (scores["contender"] == "teacher") & (scores["metric"] == "accuracy")]
    away = scores[(scores["task"] == "texts on texts") & (scores["contender"] == "teacher") & (scores["metric"] == "accuracy")]
    for row in (shifted, away):  # the same ids, other inputs: what was recorded is no answer to them
        assert row["status"].tolist() == ["not applicable"]
        assert "of others nothing is known" in row["reason"].iloc[0]
    row = clean.loc[("texts", "teacher", "parameters")]
    assert (row["status"], row["reason"]) == ("not applicable", "its answers were recorded elsewhere: there is no model here")
    every = pd.read_parquet(folder / "reports/mine/scores.parquet")
    assert {"who=a", "who=b"} <= set(every[every["task"] == "texts on texts"]["slice"])


SPEAKS = """
suite: speaks
seeds: [0]
data: {dataset: text_files, path: book.txt, separator: "\\n\\n", tokenizer: {bpe: {vocabulary: 300}}, length: 16}
probes: [{text_files: {path: other.txt, separator: "\\n\\n", split: test}}]
teacher: {model: gpt2, layers: 2, hidden: 32, heads: 2, positions: 64, fit: scratch}
student: {model: gpt2, layers: 1, hidden: 16, heads: 2, positions: 64}
train: {epochs: 2, batch: 8, optimizer: adamw, lr: 0.01}
contenders:
  kd: [fit: {ce: 0.5, kd: {weight: 0.5, temperature: 1}}]
  MORE
targets: [torch_cpu, ort_cpu]
axes: [bits_per_byte, token_kl_to_teacher, latency, tokens_per_second, cache_bytes_per_token, export_max_difference]
measure: {seconds: 0.3, pairs: 3, decode: [8]}
"""


INT8 = "int8: [fit: {ce: 0.5, kd: {weight: 0.5, temperature: 1}}, compress: dynamic_int8]"


@pytest.mark.parametrize("more", ["", pytest.param(INT8, marks=pytest.mark.slow)])
def test_language_models_are_scored_by_document_and_timed_as_they_write(kdbench, folder, more):
    rng = np.random.default_rng(0)
    for name, n in (("book", 80), ("other", 12)):
        text = "\n\n".join(" ".join(rng.choice(REST.split(), rng.integers(5, 40))) for _ in range(n))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "suite.yaml").write_text(SPEAKS.replace("MORE", more), encoding="utf-8")
    code, out, err = kdbench("run", "suite.yaml")
    assert (code, err) == (0, ""), out
    scores = board(folder, "speaks").set_index(["task", "contender", "target", "metric"])
    assert scores.loc[("text_files on text_files", "kd", "torch_cpu", "bits_per_byte"), "n"] == 12  # documents, not windows
    for target in ("torch_cpu", "ort_cpu"):
        assert 0 < scores.loc[("text_files", "kd", target, "bits_per_byte"), "value"] < 8
        assert scores.loc[("text_files", "kd", target, "token_kl_to_teacher"), "value"] > 0
    assert scores.loc[("text_files", "kd", "torch_cpu", "cache_bytes_per_token"), "value"] == 2 * 1 * 16 * 4
    assert scores.loc[("text_files", "kd", "ort_cpu", "export_max_difference"), "value"] < 1e-3
    if more:
        assert scores.loc[("text_files", "int8", "ort_cpu", "bits_per_byte"), "value"] < 8
    every = pd.read_parquet(folder / "reports/speaks/scores.parquet")
    decode = every[(every["slice"] == "decode=8") & (every["metric"] == "latency") & (every["seed"] == -1)]
    said = decode.set_index(["contender", "target"])
    assert said.loc[("kd", "torch_cpu"), "value"] > 0
    assert said.loc[("kd", "ort_cpu"), "reason"].startswith("no cache")
