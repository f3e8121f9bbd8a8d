"""Instructions with an answer each: the tasks from which Self-Instruct starts, or those of its users."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._asked import asked, filled, said
from kdbench.datasets._records import read_records, text
from kdbench.datasets._sources import references

FILES = {"seed": "lm/self_instruct/seed_tasks.jsonl", "user": "lm/self_instruct/user_oriented_instructions.jsonl"}


@dataset(
    kind="text",
    files=("lm/self_instruct/seed_tasks.jsonl", "lm/self_instruct/user_oriented_instructions.jsonl"),
    licence="Apache-2.0",
    groups=("task",),
    answer="text",
)
def instructions(
    root: Path | None,
    *,
    part: Literal["seed", "user"] = "seed",
    prompt: str = "Instruction: {instruction}\nInput: {input}\nOutput: ",
    bare: str = "Instruction: {instruction}\nOutput: ",
) -> Samples:
    """The 175 seed tasks of Self-Instruct (Wang et al. 2023) or its 252 user-oriented instructions, one example of each.

    prompt: what the model reads, with {instruction} and {input}; bare: the same for an instruction without input; both are noted
    with the data. Groups: task, "classification" or "generation" of the seed tasks; of the others the application that they were
    written for. No official split: kdbench draws one.
    """
    path, rows = read_records(root, FILES[part], ("id", "instruction", "instances"))
    fields, targets = [], []
    for number, row in enumerate(rows, 1):
        first = _first(path, number, row)
        fields.append({"instruction": text(path, number, row, "instruction"), "input": text(path, number, first, "input")})
        targets.append(references(path, number, "output", first["output"]))
    whole, short = filled(prompt, fields), filled(bare, fields)
    prompts = [a if row["input"].strip() else b for row, a, b in zip(fields, whole, short, strict=True)]
    return replace(
        asked(prompts, targets, np.array([str(row["id"]) for row in rows]), "Apache-2.0", "Self-Instruct (Wang et al. 2023)"),
        groups={"task": np.array([_task(row) for row in rows])},
        notes=(said(prompt), f"without input: {bare!r}"),
    )


def _first(path: Path, number: int, row: dict[str, Any]) -> dict[str, Any]:
    held = row["instances"]
    if not (isinstance(held, list) and held and isinstance(held[0], dict) and {"input", "output"} <= set(held[0])):
        raise Refusal(f"{path}: row {number}: instances must be a list of {{input, output}}")
    found: dict[str, Any] = held[0]
    return found


def _task(row: dict[str, Any]) -> str:
    if "is_classification" in row:
        return "classification" if row["is_classification"] else "generation"
    return str(row.get("motivation_app") or "")
