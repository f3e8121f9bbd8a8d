"""A suite about texts, from its file to the board, in this process: loading, planning, every stage, judging. Nothing is timed."""

import json

import numpy as np
import pandas as pd
import pytest

from kdbench.execute.work import Bench, Order, make, told
from kdbench.judge import judge
from kdbench.nouns import Refusal
from kdbench.plan import judging, plan
from kdbench.registry import discover
from kdbench.stages import Place
from kdbench.store import Store
from kdbench.suite import load

MEASURED = frozenset({"size", "latency", "memory", "energy", "parity"})

CLASSES = """
suite: texts
seeds: [0]
data: {dataset: texts, path: mine.csv, id: id, tokenizer: words, length: 8, DATA}
PROBES
teacher: {load: teacher.csv}
student: {model: bag_of_embeddings, embedding: 8}
train: {epochs: 2, batch: 16, optimizer: adamw, lr: 0.02}
contenders: {student: [CONTENDER]}
resamples: 200
axes: [AXES]
"""
LANGUAGE = """
suite: documents
seeds: [0]
data: {dataset: texts, path: mine.csv, id: id, answer: next, tokenizer: {bpe: {vocabulary: 280}}, length: 8, DATA}
PROBES
teacher: {model: gpt2, layers: 1, hidden: 8, heads: 1, positions: 96, fit: scratch}
student: {model: gpt2, layers: 1, hidden: 8, heads: 1, positions: 96}
train: {epochs: 1, batch: 16, optimizer: adamw, lr: 0.01}
contenders: {student: [fit: scratch]}
resamples: 200
axes: [AXES]
"""


def table(path, rows):
    """Rows (mappings) as a .csv, .jsonl or .parquet file."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_parquet(path, index=False)
    return path


class World:
    """A folder with a suite's files, and a store of its own."""

    def __init__(self, folder):
        self.folder, self.store, self.plugins = folder, Store(folder / ".kdbench"), discover()
        self.place = Place(self.plugins, self.store)

    def plan(self, suite, **words):
        """The suite and its plan. words: what stands for the words in capitals (upper case here too)."""
        words = {"DATA": "", "PROBES": "", "CONTENDER": "load: teacher.csv", "AXES": "accuracy", **words}
        for word, said in words.items():
            suite = suite.replace(word, said)
        path = self.folder / "suite.yaml"
        path.write_text(suite.replace(", }", "}"), encoding="utf-8")
        read = load(path, self.plugins)
        return read, plan(read, self.plugins, None)

    def make(self, jobs):
        """Make what is missing. Raises Refusal as the first stage that refuses does."""
        for number, job in enumerate(job for job in jobs if job.stage not in MEASURED):
            if not self.store.has(job.key):
                make(Order.of(told(job.key, job, job.needs, number)), Bench(self.place, "kdbench.stages"))

    def board(self, suite, **words):
        """The board of a suite all of whose stages have run."""
        read, made = self.plan(suite, **words)
        self.make(made.jobs)
        judged = judging(read, made, self.plugins, self.store.has)
        self.make(judged)
        return judge(read, made, judged, self.store, self.plugins)

    def refused(self, suite, **words):
        """The one line that a run of the suite is refused with."""
        with pytest.raises(Refusal) as caught:
            self.board(suite, **words)
        assert "\n" not in str(caught.value)
        return str(caught.value)


def said(board):
    """The warnings of a board, as one text."""
    return "\n".join(board.facts["warnings"])


def sentences(n, begin="r", seed=0):
    """Different texts of 3 to 11 words as rows {id, text}; every second one has a word that gives its class away."""
    rng = np.random.default_rng(seed)
    words = ["the", "film", "is", "a", "story", "about", "two", "people", "in", "town"]
    given = ("dull", "fine")
    return [
        {"id": f"{begin}{i}", "text": f"{' '.join(rng.choice(words, rng.integers(1, 10)))} {given[i % 2]} {begin}{i}"}
        for i in range(n)
    ]


def answers(rows, right=lambda i, row: row["label"], classes=("neg", "pos")):
    """A file's rows of answers: of each example the class that `right(place, row)` names, with a probability of 0.9."""
    found = []
    for i, one in enumerate(rows):
        share = {name: 0.1 / (len(classes) - 1) for name in classes} | {right(i, one): 0.9}
        found.append({"id": one["id"], **{f"probability.{name}": share[name] for name in classes}})
    return found


def row(board, **where):
    """The one row of the scores that is meant: over seeds, clean, all examples, unless said otherwise."""
    part = board.scores
    for column, value in {"seed": -1, "shift": "", "slice": "", **where}.items():
        part = part[part[column] == value]
    assert len(part) == 1, (where, len(part))
    return part.iloc[0]
