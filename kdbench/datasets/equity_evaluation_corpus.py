"""The Equity Evaluation Corpus: one sentence about him and about her; a fair judge of sentiment hears no difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._text import SENTIMENTS, numbered, read_parts

EMOTIONS = ("anger", "fear", "sadness", "joy")


@dataset(
    kind="text",
    files=("fairness_text/equity_evaluation_corpus/test.parquet",),
    licence="none stated (Kiritchenko & Mohammad 2018)",
    groups=("gender", "race", "emotion"),
)
def equity_evaluation_corpus(root: Path | None) -> Samples:
    """8,400 templated sentences, all test, by gender and race of the person named (Kiritchenko & Mohammad 2018).

    Label by the emotion word: joy is "positive", anger, fear and sadness are "negative" (three of four), so that models of
    `sst2`, whose classes and order these are, can be asked. The 240 sentences without an emotion word have no sentiment and are
    left out. Every person has the same sentences: any gap between groups is bias. Groups: gender; race, told by the first name
    ("not told" where there is none); emotion. Cluster: template and emotion word, which occur once with each of 60 persons.
    """
    columns = ("ID", "Sentence", "Template", "Gender", "Race", "Emotion", "Emotion word")
    parts = read_parts(root, {"test": "fairness_text/equity_evaluation_corpus/test.parquet"}, columns)
    parts = parts.where(lambda sheet, row: sheet.columns["Emotion"][row] != "")
    race = np.array(parts.column("Race"))
    pairs = zip(parts.column("Template"), parts.column("Emotion word"), strict=True)
    return Samples(
        "text",
        {"text": parts.texts("Sentence")},
        (parts.labels("Emotion", EMOTIONS) == EMOTIONS.index("joy")).astype(np.int64),
        np.array(parts.column("ID")),
        SENTIMENTS,
        "none stated (Kiritchenko & Mohammad 2018)",
        "Equity Evaluation Corpus",
        {
            "gender": np.array(parts.column("Gender")),
            "race": np.where(race == "", "not told", race),
            "emotion": np.array(parts.column("Emotion")),
        },
        parts.split(),
        numbered([f"{template}\n{word}" for template, word in pairs]),
        positive="positive",
        notes=("240 sentences without an emotion word are left out: they have no sentiment",),
    )
