"""GSM8K: word problems of primary-school arithmetic with worked answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Samples, dataset
from kdbench.datasets._asked import asked, filled, said
from kdbench.datasets._text import read_parts


@dataset(kind="text", files=("lm/gsm8k/train.parquet", "lm/gsm8k/test.parquet"), licence="MIT", groups=("steps",), answer="text")
def gsm8k(
    root: Path | None, *, prompt: str = "Question: {question}\nAnswer: ", reference: Literal["worked", "final"] = "worked"
) -> Samples:
    """The official parts, 7,473 train and 1,319 test problems (Cobbe et al. 2021); kdbench draws validation rows from train.

    prompt: what the model reads, with {question}; it is noted with the data. reference: the "worked" answer, whose last line is
    "#### <number>" (score it with exact_match: {after: "####"}), or the "final" number alone. Groups: steps, the lines of the
    worked answer before that one ("8 and more" together).
    """
    files = {"train": "lm/gsm8k/train.parquet", "test": "lm/gsm8k/test.parquet"}
    parts = read_parts(root, files, ("question", "answer", "final_answer"))
    questions = [{"question": question} for question in parts.column("question")]
    worked = parts.column("answer")
    steps = np.array([min(answer.count("\n"), 8) for answer in worked])
    targets = worked if reference == "worked" else parts.column("final_answer")
    return replace(
        asked(filled(prompt, questions), targets, parts.ids(), "MIT", "GSM8K (Cobbe et al. 2021)"),
        groups={"steps": np.array(["8 and more" if n == 8 else str(n) for n in steps])},
        split=parts.split(),
        notes=(said(prompt),),
    )
