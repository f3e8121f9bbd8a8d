"""Answers to a task of lm-eval stand beside each other only where they were asked for alike."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kdbench.predictions.table import Table
from kdbench.tables.raw import short

KEY = "kdbench.harness"
"""The metadata that hold the settings (`kdbench.stages.harness_task.Opened.settings`): a JSON object."""


def check(tables: Mapping[str, Table]) -> None:
    """Raise Refusal, naming the first setting that differs, where two files say how they were asked and it was not alike: other
    prompts, shots, delimiters, documents, versions. A file that says nothing is taken as it is: it may be a closed model's.
    """
    said = [(table, _said(table)) for table in tables.values() if KEY in table.raw.meta]
    for table, mine in said[1:]:
        first, theirs = said[0]
        for name in [*theirs, *(name for name in mine if name not in theirs)]:
            if mine.get(name) != theirs.get(name):
                values = f"{short(json.dumps(mine.get(name)))} here and {short(json.dumps(theirs.get(name)))} in {first.path}"
                raise table.raw.wrong(f"lm-eval was asked otherwise: {name} is {values}; judge them apart, or ask both alike")


def _said(table: Table) -> dict[str, object]:
    try:
        held = json.loads(table.raw.meta[KEY])
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        raise table.raw.wrong(f"metadata {KEY}: a JSON object of lm-eval's settings is expected")
    return held
