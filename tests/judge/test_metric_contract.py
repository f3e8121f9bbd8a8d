"""What every metric plugin promises, whoever wrote it."""

import dataclasses
import inspect
import math
import subprocess
import sys

import made_harness
import made_texts
import made_tokens
import numpy as np
import pytest
from asking import PLUGINS, metric, over_groups, predictions
from made_evidence import noisy_logits
from test_metric_values import latency_of
from test_metrics_measured import metered

from kdbench import NotApplicable, Undefined
from kdbench.judge import requires
from kdbench.judge.columns import dense, sums, tidy
from kdbench.judge.measurements import BESIDE, KINDS
from kdbench.nouns import Predictions
from kdbench.nouns.predictions import KINDS as KNOWN
from kdbench.signature import Description

FOUND = [d for d in PLUGINS.describe("metric") if isinstance(d, Description)]
FORM = {d.name: d.facts.get("form", "mean") for d in FOUND}
ASKS = {d.name: requires(d) for d in FOUND}
MEASURED = [name for name, form in FORM.items() if form == "measured"]
OF_FRAMES = [name for name, form in FORM.items() if form == "frame"]
OF_FEATURES = [name for name in FORM if any("features" in e for e in ASKS[name])]
OF_VECTORS = [d.name for d in FOUND if d.facts.get("reads") == "vectors"]  # test_metrics_vectors.py holds these promises for them
OF_PREDICTIONS = [n for n in FORM if n not in {*MEASURED, *OF_FRAMES, *OF_FEATURES, *OF_VECTORS}]
READS = {d.name: d.facts["reads"] for d in FOUND if d.name in OF_PREDICTIONS}
AXES = {
    "quality", "fidelity", "calibration", "selective", "robustness", "ood", "bias", "latency", "memory", "energy", "compute",
    "size", "cost", "export", "training",
}  # fmt: skip
OFFERED = {
    "predictions", "teacher", "validation", "teacher_validation", "ood", "features", "teacher_features", "validation_features",
    "ood_features", "group", *BESIDE, *KINDS,
}  # fmt: skip
SIZE = {"parameters": 10, "nonzeros": 9, "bytes": 44, "flops": 20, "uncounted": [], "embedding_parameters": 4}
SIZE |= {"float_operations": 20, "integer_operations": 6, "cache_bytes_per_token": 64.0}
EPOCHS = [{"epoch": 1, "validation_accuracy": 0.92}, {"epoch": 2, "validation_accuracy": 0.91}]
COST = {"chain": {"cpu_seconds": 1.0, "examples": 10, "teacher_passes": 0, "epochs": 2}, "history": EPOCHS, "examples": 10}
COST["chain"] |= {"energy": {"joules": 5.0, "reason": ""}, "through": [], "elsewhere": False}
COST |= {"epochs": 2, "cpu_seconds": 1.0, "selected_epoch": 2, "teacher_passes": 0}
STORED = {
    "size": SIZE, "teacher_size": SIZE, "cost": COST, "teacher_cost": COST,
    "memory": {"idle_bytes": 10**7, "peak_load_bytes": 2 * 10**7, "peak_infer_bytes": 3 * 10**7, "device_peak_bytes": 10**6,
               "model_bytes": 10**5},
    "energy": metered(), "teacher_energy": metered(net=0.9),
    "parity": {"n": 10, "max_abs": 1e-6, "flips": 0, "passed": True, "tolerance": 1e-4},
    "latency": {**latency_of(np.full((140, 5), 1e-3), np.full((140, 5), 2e-3)), "tokens": 8},
    "null": latency_of(np.full((140, 5), 1e-3)),
}  # fmt: skip


MADE = {"texts": made_texts.evidence, "tokens": made_tokens.evidence, "harness": made_harness.evidence}
"""What is not about classes: reads -> (n, skill, rng) -> evidence; the skill of a perfect model is infinite."""


def evidence(name, classes=2, n=120, skill=2.0, seed=0):
    """What a metric of predictions may ask for, as the metric reads it."""
    rng = np.random.default_rng(seed)
    if READS[name] in MADE:
        return MADE[READS[name]](n, skill, rng)
    if READS[name] == "values":
        label = rng.normal(size=n)
        return {"predictions": predictions(label + rng.normal(size=n), label, kind="values")}
    label = rng.integers(0, classes, n)
    sets = {"predictions": skill, "teacher": 3.0, "validation": skill, "teacher_validation": 3.0}
    positive = 1 if classes == 2 else None
    held = {key: predictions(noisy_logits(label, classes, s, rng), label, positive) for key, s in sets.items()}
    if READS[name] == "inputs":
        held["predictions"] = dataclasses.replace(held["predictions"], columns={"truncated": rng.random(n) < 0.3})
    held["ood"] = predictions(0.1 * rng.normal(size=(50, classes)), np.full(50, -1), positive)
    if FORM[name] == "seeds":
        more = [predictions(noisy_logits(label, classes, skill, rng), label, positive) for _ in range(2)]
        return {"predictions": (held["predictions"], *more), "teacher": (held["teacher"],)}
    return held


def value(name, held):
    one = metric(name)
    if FORM[name] == "groups":
        return over_groups(name, held["predictions"], np.arange(len(held["predictions"].ids)) % 3)
    found = one(held)
    if one.form == "set":
        return float(found)
    n = rows_of(held)
    return float(one.finish(sums(tidy(found, n))[0] / n))


def rows_of(held):
    of = held["predictions"]
    return len(of[0].ids) if isinstance(of, tuple) else len(of.ids)


def picked(held, rows):
    """The evidence about some examples; the groups of the contract go round by place, so three rows stay three groups."""
    part = dict(held)
    for name in ("predictions", "teacher"):
        of = held.get(name)
        if isinstance(of, Predictions):
            part[name] = of.take(rows)
        elif of is not None:
            part[name] = tuple(o.take(rows) for o in of)
    return part


@pytest.mark.parametrize("found", FOUND, ids=lambda d: d.name)
def test_it_declares_what_a_reader_needs(found):
    facts = found.facts
    assert facts["better"] in ("higher", "lower", "none")
    assert facts["axis"] in AXES
    assert facts["title"]
    assert len(facts["convention"]) > 10, "what else is called by the same name, and which one is this?"
    assert found.doc
    assert len(facts["equation"]) > 3, "the formula, in plain text"
    assert len(facts["source"]) > 3, "who defined it"
    assert any(facts.get("reads", "logits") in family for family in (*KNOWN, ("inputs", "harness")))
    assert int(facts.get("version", 1)) >= 1
    assert requires(found) <= OFFERED


def test_no_two_metrics_have_one_title():
    titles = [d.facts["title"] for d in FOUND]
    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize("name", OF_PREDICTIONS)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_in_range_deterministic_and_blind_to_the_order_of_rows(name, classes):
    held = evidence(name, classes)
    one = metric(name)
    try:
        first = value(name, held)
    except NotApplicable:
        assert classes != 2 or name == "top_k_accuracy"
        return
    low, high = one.facts["low"], one.facts["high"]
    assert math.isfinite(first)
    assert low is None or first >= low - 1e-12
    assert high is None or first <= high + 1e-12
    assert value(name, held) == first
    if FORM[name] == "groups":
        order = np.random.default_rng(1).permutation(40)[:, None] * 3 + np.arange(3)  # rows stay in their group
        assert value(name, picked(held, order.ravel())) == pytest.approx(first, abs=1e-12)
        return
    order = np.random.default_rng(1).permutation(120)
    assert value(name, picked(held, order)) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if FORM[n] != "set"])
def test_it_does_not_depend_on_how_rows_are_split_into_batches(name):
    held, one = evidence(name, 2 if name != "top_k_accuracy" else 8), metric(name)
    whole = dense(tidy(one(held), 120))
    parts = [np.arange(0, 1), np.arange(1, 50), np.arange(50, 120)]
    pieces = [dense(tidy(one(picked(held, rows)), len(rows))) for rows in parts]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if FORM[n] != "set"])
def test_finish_takes_many_draws_at_once_and_gives_nan_without_rows(name):
    one = metric(name)
    held = evidence(name, 2 if name != "top_k_accuracy" else 8)
    columns = tidy(one(held), 120)
    mean = sums(columns)[0] / 120
    with np.errstate(invalid="ignore", divide="ignore"):
        if FORM[name] == "groups":
            group = np.stack([mean, mean * 0.9])
            many = one.finish(np.stack([group, group, group]))
            assert many == pytest.approx(np.full(3, float(one.finish(group))), nan_ok=True)
            return
        many = one.finish(np.stack([mean, mean, np.full_like(mean, np.nan)]))
    assert many.shape == (3,)
    assert many[:2] == pytest.approx(np.full(2, float(one.finish(mean))))
    assert np.isnan(many[2]), "a draw without rows says nothing"


RANKED = [n for n in OF_PREDICTIONS if metric(n).better != "none" and FORM[n] in ("mean", "set")]
RANKED.remove("agreement_over_chance")  # two that are never wrong agree by chance


@pytest.mark.parametrize("name", RANKED)
def test_a_perfect_predictor_is_better_than_a_bad_one(name):
    if READS[name] in MADE:
        best, worst = (value(name, MADE[READS[name]](100, skill, np.random.default_rng(2))) for skill in (math.inf, -1.0))
    elif READS[name] == "values":
        truth = np.arange(30.0)
        good, bad = predictions(truth, truth, kind="values"), predictions(truth[::-1].copy(), truth, kind="values")
        best, worst = value(name, {"predictions": good}), value(name, {"predictions": bad})
    else:
        label = np.random.default_rng(2).integers(0, 8, 100) % (8 if name == "top_k_accuracy" else 2)
        classes = int(label.max()) + 1
        perfect = predictions(60.0 * np.eye(classes)[label], label, 1)
        held = dict.fromkeys(("predictions", "teacher", "validation", "teacher_validation"), perfect)
        held["ood"] = predictions(np.zeros((40, classes)), np.full(40, -1), 1)
        far = predictions(70.0 * np.eye(classes)[np.zeros(40, dtype=int)], np.full(40, -1), 1)
        if name == "positive_flips":  # a perfect teacher leaves nothing to put right
            held["teacher"] = predictions(-perfect.logits, label, 1)
        try:
            best = value(name, held)
        except Undefined:
            assert metric(name).asks & {"teacher", "validation"}, "what is about errors, or about a fitted thing"
            return
        worst = value(name, {**evidence(name, classes, skill=-1.0), "ood": far})
    if math.isnan(best):
        assert metric(name).facts["undefined"], "a NaN has a meaning"
        return
    assert best > worst if metric(name).better == "higher" else best < worst


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if FORM[n] == "set" and metric(n).weighted])
def test_unit_weights_give_the_value_itself(name):
    held = evidence(name)
    ones = {"weights": np.ones((3, 120), dtype=np.float32), "ood_weights": np.ones((3, 50), dtype=np.float32)}
    assert metric(name)({**held, **ones}) == pytest.approx(np.full(3, value(name, held)), abs=1e-6)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if FORM[n] == "set" and metric(n).weighted and "ood" not in ASKS[n]])
def test_whole_weights_equal_repeated_rows(name):
    held = evidence(name)
    weights = np.random.default_rng(5).multinomial(120, np.full(120, 1 / 120), size=4).astype(np.float32)
    found = metric(name)({**held, "weights": weights})
    for draw, w in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(120), w.astype(int))
        part = {k: v.take(rows) if len(v.ids) == 120 else v for k, v in held.items()}
        try:
            expected = value(name, part)
        except Undefined:
            expected = math.nan
        assert draw == pytest.approx(expected, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if "influence" in metric(n).companions])
def test_influence_spreads_as_the_weighted_bootstrap(name):
    """In a large set the linear part is all: sd(influence) / sqrt(n) is the bootstrap's standard error."""
    n, draws = 3000, 400
    held, one = evidence(name, n=n, seed=3), metric(name)
    influence = one.influence(held)
    assert influence.mean() == pytest.approx(0.0, abs=1e-3 * influence.std())
    weights = np.random.default_rng(4).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float32)
    assert influence.std() / np.sqrt(n) == pytest.approx(
        np.nanstd(one({**held, "weights": weights})), rel=0.25 if name == "coverage_at_risk" else 0.15
    ), "a coverage jumps from one threshold to the next"


@pytest.mark.parametrize("name", [n for n in OF_PREDICTIONS if "deviations" in metric(n).companions])
def test_the_value_is_the_size_of_its_deviations(name):
    held, one = evidence(name), metric(name)
    groups = np.arange(120) % 3 if one.form == "groups" else None
    mean = sums(tidy(one(held), 120), groups, 3) / 40 if one.form == "groups" else sums(tidy(one(held), 120))[0] / 120
    size = float(one.size(one.deviations(mean)))
    said = math.exp(-size) if name.endswith("ratio") else size  # a ratio says how far apart logarithms are
    assert said == pytest.approx(float(one.finish(mean)), abs=1e-12)
    assert one.size(3 * one.deviations(mean)) == pytest.approx(3 * one.size(one.deviations(mean)))
    assert one.size(one.deviations(np.stack([mean, mean]))).shape == (2,)


@pytest.mark.parametrize("name", MEASURED)
def test_a_measured_number_is_in_range_and_its_companions_speak(name):
    one = metric(name)
    found = one(STORED)
    number = float(one.finish(found[None])[0]) if isinstance(found, np.ndarray) else float(found)
    assert one.facts["low"] is None or number >= one.facts["low"]
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
