"""The records that travel through kdbench, from the suite file to the report.

Everything here is data: frozen, typed, and built from the standard library alone, so that reading a suite or planning a
run costs no numerical library. Arrays and tensors appear only inside annotations.
"""

from kdbench.nouns.asked import Compare, Data, Gate, Harness, Probe, ShiftUse, Suite, Task
from kdbench.nouns.canonical import Json, Params, canonical, digest, plain
from kdbench.nouns.evidence import (
    ALTERNATIVE,
    IGNORED,
    Artefact,
    Batch,
    Bundle,
    Edit,
    Outputs,
    Relabelled,
    Runner,
    Samples,
    Shape,
    TopK,
    Writer,
    group_file,
)
from kdbench.nouns.measured import Measure, Scenario
from kdbench.nouns.planned import Cell, Job, Plan
from kdbench.nouns.predictions import Cells, Predictions
from kdbench.nouns.refusals import Failed, NotApplicable, Refusal, Undefined
from kdbench.nouns.steps import Compress, Contender, Fit, Load, Relabel, Start, Step, Term, Train
from kdbench.nouns.uses import Use, labelled

__all__ = [
    "ALTERNATIVE",
    "IGNORED",
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
    "Harness",
    "Job",
    "Json",
    "Load",
    "Measure",
    "NotApplicable",
    "Outputs",
    "Params",
    "Plan",
    "Predictions",
    "Probe",
    "Refusal",
    "Relabel",
    "Relabelled",
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
    "TopK",
    "Train",
    "Undefined",
    "Use",
    "Writer",
    "canonical",
    "digest",
    "group_file",
    "labelled",
    "plain",
]
