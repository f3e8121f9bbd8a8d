"""What every metric plugin promises, whoever wrote it."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from made_evidence import noisy_logits
from test_metric_values import latency_of, metric, predictions

from kdbench import NotApplicable
from kdbench.judge import requires
from kdbench.judge.evidence import take
from kdbench.judge.measurements import KINDS
from kdbench.registry import discover
from kdbench.signature import Description

PLUGINS = discover()
FOUND = [d for d in PLUGINS.describe("metric") if isinstance(d, Description)]
OF_PREDICTIONS = [d.name for d in FOUND if d.facts.get("form", "mean") != "measured"]
MEASURED = [d.name for d in FOUND if d.facts.get("form", "mean") == "measured"]
AXES = {
    "quality",
    "fidelity",
    "calibration",
    "robustness",
    "ood",
    "bias",
    "latency",
    "memory",
    "compute",
    "size",
    "cost",
    "export",
}
SIZE = {"parameters": 10, "nonzeros": 9, "bytes": 44, "flops": 20, "uncounted": []}
CHAIN = {"chain": {"cpu_seconds": 1.0, "examples": 10, "teacher_passes": 0}}
STORED = {
    "size": SIZE, "cost": CHAIN,
    "memory": {"idle_bytes": 10**7, "peak_load_bytes": 2 * 10**7, "peak_infer_bytes": 3 * 10**7},
    "parity": {"n": 10, "max_abs": 1e-6, "flips": 0, "passed": True, "tolerance": 1e-4},
    "latency": latency_of(np.full((140, 5), 1e-3)),
    "null": latency_of(np.full((140, 5), 1e-3)),
}  # fmt: skip


def evidence(classes=2, n=120, skill=2.0, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    sets = {"predictions": skill, "teacher": 3.0, "validation": skill}
    held = {
        name: predictions(noisy_logits(label, classes, s, rng), label, 1 if classes == 2 else None) for name, s in sets.items()
    }
    held["ood"] = predictions(0.1 * rng.normal(size=(50, classes)), np.full(50, -1), held["predictions"].positive)
    return held


def value(name, held):
    one = metric(name)
    found = one(held)
    if one.form == "set":
        return float(found)
    columns = np.asarray(found, dtype=float)
    return float(one.finish((columns[:, None] if columns.ndim == 1 else columns).mean(axis=0)))


@pytest.mark.parametrize("found", FOUND, ids=lambda d: d.name)
def test_it_declares_what_a_reader_needs(found):
    assert found.facts["better"] in ("higher", "lower", "none")
    assert found.facts["axis"] in AXES
    assert found.facts["title"]
    assert len(found.facts["convention"]) > 10, "what else is called by the same name, and which one is this?"
    assert found.doc
    assert requires(found) <= {"predictions", "teacher", "validation", "ood", "null", *KINDS}


@pytest.mark.parametrize("name", OF_PREDICTIONS)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_in_range_deterministic_and_blind_to_the_order_of_rows(name, classes):
    held = evidence(classes)
    one = metric(name)
    try:
        first = value(name, held)
    except NotApplicable:
        assert classes != 2
        return
    low, high = one.facts["low"], one.facts["high"]
    assert low is None or first >= low
    assert high is None or first <= high
    assert value(name, held) == first
    order = np.random.default_rng(1).permutation(120)
    shuffled = {**held, **{k: take(held[k], order) for k in ("predictions", "teacher", "validation")}}
    assert value(name, shuffled) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if metric(n).form == "mean"])
def test_it_does_not_depend_on_how_rows_are_split_into_batches(name):
    held, one = evidence(2), metric(name)
    whole = np.asarray(one(held), dtype=float)
    parts = [np.arange(0, 1), np.arange(1, 50), np.arange(50, 120)]
    pieces = [one({**held, **{k: take(held[k], rows) for k in ("predictions", "teacher")}}) for rows in parts]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if metric(n).better != "none"])
def test_a_perfect_predictor_has_the_best_value(name):
    rng = np.random.default_rng(2)
    label = rng.integers(0, 2, 100)
    perfect = predictions(60.0 * np.eye(2)[label], label, 1)
    held = {"predictions": perfect, "teacher": perfect, "ood": predictions(np.zeros((40, 2)), np.full(40, -1), 1)}
    one, best = metric(name), value(name, held)
    bad = {**evidence(2, skill=-1.0), "ood": predictions(70.0 * np.eye(2)[np.zeros(40, dtype=int)], np.full(40, -1), 1)}
    assert best > value(name, bad) if one.better == "higher" else best < value(name, bad)
    assert best == pytest.approx(one.facts["high"] if one.better == "higher" else one.facts["low"], abs=1e-12)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if metric(n).form == "set"])
def test_unit_weights_give_the_value_itself(name):
    held = evidence(2)
    ones = {"weights": np.ones((3, 120), dtype=np.float32), "ood_weights": np.ones((3, 50), dtype=np.float32)}
    assert metric(name)({**held, **ones}) == pytest.approx(np.full(3, value(name, held)), abs=1e-6)


@pytest.mark.parametrize("name", MEASURED)
def test_a_measured_number_is_in_range_and_its_companions_speak(name):
    one = metric(name)
    found = one(STORED)
    number = float(one.finish(found[None])[0]) if isinstance(found, np.ndarray) else float(found)
    assert number >= one.facts["low"]
    assert isinstance(one.say("doubt", STORED), str)
    assert isinstance(one.say("note", STORED), str)
    asked = requires(PLUGINS.get("metric", name))
    assert asked & set(KINDS)
    named = inspect.signature(one.function).parameters.values()
    assert {p.name for p in named if p.kind is not p.KEYWORD_ONLY} == asked


def test_ids_name_only_parameters_that_are_not_the_default():
    assert metric("ece").id == "ece"
    assert metric("ece", bins=10).id == "ece{bins=10}"
    assert metric("ood_fpr95", positive="ood", score="energy").id == "ood_fpr95{positive=ood,score=energy}"


def test_importing_the_room_loads_nothing_heavy():
    code = "import sys, kdbench.judge; print([m for m in ('numpy', 'pandas', 'scipy', 'torch', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_judging_never_imports_torch():
    code = "import sys, kdbench.stages.judge, kdbench.judge.board; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "False",
        "False",
    ]
