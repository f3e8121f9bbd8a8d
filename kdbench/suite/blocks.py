"""The fixed keys of a suite that hold plain values: their types, as annotations, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kdbench.nouns import Compare, Data, Gate, Harness, Measure, Suite, Train
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Kind, parse


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the annotation of its value, and one line for the reader."""

    annotation: str
    doc: str

    @property
    def kind(self) -> Kind:
        """The type that the annotation names."""
        return parse(self.annotation)


SUITE: Mapping[str, Key] = {
    "resamples": Key("Count", "bootstrap resamples behind every interval"),
    "min_group": Key("Count", "a group with fewer test rows than this is not judged"),
}

TRAIN: Mapping[str, Key] = {
    "epochs": Key("Whole", "passes over the training split; 0: not trained, random weights or those of the step before"),
    "batch": Key("Count", "examples per step"),
    "optimizer": Key("Literal['sgd', 'adam', 'adamw']", "how the weights are updated"),
    "lr": Key("Positive", "learning rate at its highest"),
    "momentum": Key("Fraction", "momentum of sgd"),
    "weight_decay": Key("NonNegative", "decay of the weights; decoupled for adamw"),
    "nesterov": Key("bool", "Nesterov momentum for sgd"),
    "schedule": Key("Literal['constant', 'cosine', 'linear', 'step']", "how the learning rate falls"),
    "warmup": Key("Fraction", "share of training in which the learning rate rises from 0"),
    "clip": Key("Positive | None", "largest norm of the gradient; null for no limit"),
    "select": Key("Literal['last', 'best_validation']", "which epoch is kept: the last, or the best accuracy on validation"),
    "precision": Key("Literal['fp32', 'bf16']", "number format of the forward and backward passes"),
    "accumulate": Key("Count", "parts in which a batch is computed, for what does not fit into memory at once"),
}

DATA: Mapping[str, Key] = {
    "length": Key("Count", "tokens of a row at most; of longer texts the rest is cut off, and counted"),
    "limit": Key("dict[str, Count]", "at most so many examples of a split: train, validation, test"),
    "validation": Key("Fraction", "share of the training rows kept for validation, where the dataset has no such split"),
    "groups": Key("list[str]", "columns whose groups are compared; class: the label; a*b: every combination of two columns"),
    "allow_leak": Key("Whole", "exact duplicates between train and test that are known and accepted"),
}

PROBE: Mapping[str, Key] = {
    "limit": Key("Whole", "at most so many rows; 0 for all"),
    "labels": Key("dict[str, str]", "its class: the task's class, where the names differ"),
    "groups": Key("list[str]", "columns whose groups are compared; empty for all that it has"),
}

HARNESS: Mapping[str, Key] = {
    "limit": Key("Whole", "documents of each task at most; 0 for all"),
    "shots": Key("Whole", "examples before each question"),
}

LOAD: Mapping[str, Key] = {
    "path": Key(
        "str", "a folder, a file of predictions, `package:NAME/FOLDER`, or a hub id with its revision, ORG/NAME@REVISION"
    ),
    "head": Key("Literal['', 'new']", "new: a fresh head where the checkpoint has none for this task; a fit must follow"),
}

GATE: Mapping[str, Key] = {
    "metric": Key("str", "one of the axes"),
    "at_least": Key("float | None", "the low end of the interval must not be below this"),
    "at_most": Key("float | None", "the high end of the interval must not be above this"),
    "of": Key("Literal['value', 'delta']", "the number itself, or its paired difference to the teacher"),
    "slice": Key("str", "a part of the test rows; empty for all"),
    "contender": Key("str", "empty for every contender"),
    "task": Key("str", "empty for every task"),
    "target": Key("str", "empty for every target"),
}

COMPARE: Mapping[str, Key] = {
    "metric": Key("str", "the metric that ranks; empty for the first of the axes that has a direction"),
    "margin": Key("NonNegative | None", "smaller differences count as equal; null: 0.01 for fractions, else none; 0: none"),
    "base": Key("str", "a contender whose errors under shift are taken as the base of corruption errors too"),
    "unlike": Key("Literal['apart', 'together']", "contenders with another checkpoint rule or teacher: not ranked, or ranked"),
    "pareto": Key("list[str]", "metrics of the Pareto front, at least two"),
}

MEASURE: Mapping[str, Key] = {
    "batches": Key("list[Count]", "rows a call, beside the single row that is always measured"),
    "lengths": Key("list[Count]", "tokens a row, beside the full length; only where the data are tokens"),
    "decode": Key("list[Count]", "of language models: the next token after so many, which it remembers"),
    "pairs": Key("Count", "block pairs of a comparison with the teacher"),
    "seconds": Key("Positive", "how long the calls of one comparison may take; slower models get fewer pairs"),
}

SCHEDULE: Mapping[str, Key] = {
    "shape": Key("Literal['linear', 'cosine', 'exponential']", "the way from the first value to the last"),
    "start": Key("Fraction", "share of training at which the value begins to change"),
    "stop": Key("Fraction", "share of training at which it has arrived"),
}
SCHEDULE_DEFAULTS: Mapping[str, Any] = {"shape": "linear", "start": 0.0, "stop": 1.0}

SPLITS = ("train", "validation", "test")


def defaults(record: type[Suite | Train | Data | Gate | Compare | Measure | Harness]) -> dict[str, Any]:
    """The defaults of a record by field."""
    made = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(record)}
    return {name: value for name, value in made.items() if isinstance(value, None | bool | int | float | str | tuple | dict)}


def given(cursor: Cursor, keys: Mapping[str, Key]) -> dict[str, Any]:
    """The values of those keys that are there."""
    return {key: cursor[key].take(keys[key].kind) for key in cursor if key in keys}
