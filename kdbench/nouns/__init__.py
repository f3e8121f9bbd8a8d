"""The records that travel through kdbench, from the suite file to the report.

Everything here is data: frozen, typed, and built from the standard library alone, so that reading a suite or planning a
run costs no numerical library. Arrays and tensors appear only inside annotations.
"""

from kdbench.nouns.asked import (
    Compare,
    Compress,
    Contender,
    Data,
    Fit,
    Gate,
    Load,
    Measure,
    Scenario,
    ShiftUse,
    Start,
    Step,
    Suite,
    Task,
    Term,
    Train,
    Use,
    labelled,
)
from kdbench.nouns.canonical import Json, Params, canonical, digest, plain
from kdbench.nouns.evidence import Artefact, Batch, Bundle, Edit, Outputs, Runner, Samples, Shape, group_file
from kdbench.nouns.planned import Cell, Job, Plan
from kdbench.nouns.predictions import Cells, Predictions
from kdbench.nouns.refusals import Failed, NotApplicable, Refusal, Undefined

__all__ = [
    "Artefact",
    "Batch",
    "Bundle",
    "Cell",
    "Cells",
    "Compare",
    "Compress",
    "Contender",
    "Data",
    "Edit",
    "Failed",
    "Fit",
    "Gate",
    "Job",
    "Json",
    "Load",
    "Measure",
    "NotApplicable",
    "Outputs",
    "Params",
    "Plan",
    "Predictions",
    "Refusal",
    "Runner",
    "Samples",
    "Scenario",
    "Shape",
    "ShiftUse",
    "Start",
    "Step",
    "Suite",
    "Task",
    "Term",
    "Train",
    "Undefined",
    "Use",
    "canonical",
    "digest",
    "group_file",
    "labelled",
    "plain",
]
