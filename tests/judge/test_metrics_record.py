"""Numbers from the record of training and from sizes: against plain loops over the record."""

import numpy as np
import pytest
from asking import PLUGINS, metric

from kdbench import NotApplicable, Undefined
from kdbench.signature import Description

RATIOS = {"parameters_ratio": "parameters", "bytes_ratio": "bytes", "flops_ratio": "flops"}
SMALL = {"parameters": 10, "bytes": 44, "flops": 300}
LARGE = {"parameters": 40, "bytes": 400, "flops": 1200}
TRAINED = ("examples_to_quality", "seconds_to_quality", "best_minus_last")


def record(accuracies, examples=1000, seconds=8.0, earlier=0, **rest):
    """What a fit writes, as far as it is read."""
    history = [{"epoch": e, "validation_accuracy": a, "loss": 1.0} for e, a in enumerate(accuracies, start=1)]
    epochs = len(accuracies)
    made = {"history": history, "epochs": epochs, "examples": examples * epochs, "cpu_seconds": seconds, "parity": {}, **rest}
    return {**made, "chain": {"examples": made["examples"] + earlier, "cpu_seconds": seconds}}


def judged(name, cost, **params):
    return metric(name, **params)({"cost": cost})


@pytest.mark.parametrize("quality", [0.5, 0.7, 0.9])
def test_examples_to_quality_equal_a_walk_through_the_epochs(quality):
    rng = np.random.default_rng(int(quality * 10))
    reached = 0
    for _ in range(50):
        accuracies = list(rng.uniform(0.2, 1.0, 6))
        cost, seen = record(accuracies, 250, 9.0), 0
        for accuracy in accuracies:
            seen += 250
            if accuracy >= quality:
                break
        else:
            with pytest.raises(Undefined, match=f"never reached {quality:g}"):
                judged("examples_to_quality", cost, quality=quality)
            continue
        reached += 1
        assert judged("examples_to_quality", cost, quality=quality) == seen
        assert judged("seconds_to_quality", cost, quality=quality) == pytest.approx(9.0 * seen / 1500)
    assert reached > 0


def test_the_quality_is_met_where_it_is_just_reached_and_stays_met_later():
    cost = record([0.5, 0.9, 0.4, 0.95])
    assert judged("examples_to_quality", cost) == 2000
    assert judged("seconds_to_quality", cost) == 4.0


def test_what_is_never_reached_says_how_far_it_came():
    for name in ("examples_to_quality", "seconds_to_quality"):
        with pytest.raises(Undefined, match=r"never reached 0.9: the best of 3 epochs is 0.84, in epoch 2"):
            judged(name, record([0.5, 0.84, 0.8]))


def test_the_note_says_in_which_epoch_and_what_came_before():
    one = metric("examples_to_quality")
    assert one.say("note", {"cost": record([0.5, 0.95])}) == "reached in epoch 2 of 2"
    said = metric("seconds_to_quality").say("note", {"cost": record([0.95], earlier=500)})
    assert said == "reached in epoch 1 of 1; earlier steps, with 500 examples, are not counted"


@pytest.mark.parametrize(("accuracies", "expected"), [([0.5, 0.8, 0.7], 0.1), ([0.5, 0.7, 0.8], 0.0), ([0.6], 0.0)])
def test_best_minus_last_equals_the_definition(accuracies, expected):
    cost = record(accuracies)
    assert judged("best_minus_last", cost) == pytest.approx(expected, abs=1e-12)
    best = int(np.argmax(accuracies))
    assert metric("best_minus_last").say("note", {"cost": cost}) == f"best in epoch {best + 1} of {len(accuracies)}: " + (
        f"{accuracies[best]:.4g}"
    )


@pytest.mark.parametrize("name", TRAINED)
def test_what_no_fit_made_has_no_such_number(name):
    with pytest.raises(NotApplicable, match="made elsewhere"):
        judged(name, record([], parity={"made_elsewhere": True}))
    with pytest.raises(NotApplicable, match="its last step is no training"):
        judged(name, record([], selected_epoch=None))


@pytest.mark.parametrize("name", TRAINED)
def test_without_a_validation_split_it_is_undefined(name):
    with pytest.raises(Undefined, match="no validation split"):
        judged(name, record([None, None]))


@pytest.mark.parametrize("name", TRAINED)
def test_the_record_that_the_compress_stage_writes_is_understood(name):
    """The record is taken from the stage itself, so that a change of it is seen here."""
    from kdbench.stages import compress

    with pytest.raises(NotApplicable):
        judged(name, {**compress._record(3), "cpu_seconds": 1.0, "chain": {"examples": 3}})


@pytest.mark.parametrize("name", RATIOS)
def test_ratios_are_the_contender_over_the_teacher(name):
    one = metric(name)
    assert one({"size": SMALL, "teacher_size": LARGE}) == SMALL[RATIOS[name]] / LARGE[RATIOS[name]]
    assert one({"size": LARGE, "teacher_size": LARGE}) == 1.0


@pytest.mark.parametrize("name", RATIOS)
def test_a_ratio_with_an_unknown_side_is_undefined(name):
    one, what = metric(name), RATIOS[name]
    with pytest.raises(Undefined, match="teacher is not known"):
        one({"size": SMALL})
    with pytest.raises(Undefined, match="of the teacher: cannot see"):
        one({"size": SMALL, "teacher_size": {**LARGE, what: None, f"{what}_reason": "cannot see"}})
    with pytest.raises(Undefined, match="^cannot see"):
        one({"size": {**SMALL, what: None, f"{what}_reason": "cannot see"}, "teacher_size": LARGE})
    with pytest.raises(Undefined, match=f"the teacher has 0 {what}"):
        one({"size": SMALL, "teacher_size": {**LARGE, what: 0}})


def test_shared_parameters_count_once_where_that_is_told():
    assert metric("parameters_ratio")({"size": {**SMALL, "parameters_unique": 8}, "teacher_size": LARGE}) == 8 / 40
    assert metric("parameters")({"size": {"parameters": 10, "parameters_unique": 8}}) == 8
    with pytest.raises(Undefined, match="does not tell its parameters"):
        metric("parameters")({"size": {"parameters": None}})
    with pytest.raises(Undefined, match="blind"):
        metric("flops")({"size": {"flops": None, "flops_reason": "blind"}})


BOUND = {"flops_at_least": True, "uncounted": [{"op": "aten._trilinear", "share": 0.031}]}


def test_a_lower_bound_of_operations_says_so_and_what_it_leaves_out():
    size = {"flops": 300, "float_operations": 300, "integer_operations": 0, **BOUND}
    said = "at least: no formula for aten._trilinear (3.1% of the run time)"
    for name in ("flops", "operations", "integer_operations"):
        assert metric(name).say("note", {"size": size}) == said
        assert metric(name).say("note", {"size": {**size, "flops_at_least": False, "uncounted": []}}) == ""


@pytest.mark.parametrize(("mine", "teacher", "text"), [
    ({}, {}, ""), (BOUND, {}, "at least (at least: no"), ({}, BOUND, "at most (the teacher's"), (BOUND, BOUND, "no bound"),
])  # fmt: skip
def test_a_ratio_of_lower_bounds_says_which_side_it_bounds(mine, teacher, text):
    assert text in metric("flops_ratio").say("note", {"size": {**SMALL, **mine}, "teacher_size": {**LARGE, **teacher}})


def test_the_input_of_the_count_is_said():
    size = {"flops": 300, "input": {"tokens": {"shape": [1, 128], "dtype": "int64"}}}
    assert metric("flops").say("note", {"size": size}) == "for tokens 1x128 int64"


def test_integer_and_floating_point_operations_are_counted_apart_and_together():
    size = {"flops": None, "flops_reason": "computes in int8", "float_operations": 20, "integer_operations": 60}
    assert metric("integer_operations")({"size": size}) == 60
    assert metric("operations")({"size": size}) == 80
    assert metric("operations").say("note", {"size": size}) == "75% of them of integers"
    assert metric("integer_operations").say("note", {"size": size}) == "beside 20 of floating point"
    with pytest.raises(Undefined, match="computes in int8"):
        metric("flops")({"size": size})
    blind = {"flops": None, "flops_reason": "no formula for Loop", "float_operations": None, "integer_operations": None}
    for name in ("flops", "operations", "integer_operations"):
        with pytest.raises(Undefined, match="no formula for Loop"):
            metric(name)({"size": blind})


def test_embeddings_are_left_out_where_they_are_told_apart():
    one = metric("parameters_without_embeddings")
    assert one({"size": {"parameters": 100, "embedding_parameters": 30}}) == 70
    with pytest.raises(Undefined, match="embeddings apart"):
        one({"size": {"parameters": 100, "embedding_parameters": None}})


def test_several_formats_on_disk_are_named():
    one = metric("bytes_on_disk")
    assert one.say("note", {"size": {"bytes": 30, "bytes_by_format": {"xml": 10, "bin": 20}}}) == "bin 20, xml 10"
    assert one.say("note", {"size": {"bytes": 30, "bytes_by_format": {"onnx": 30}}}) == ""


MEASURED = [d for d in PLUGINS.describe("metric") if isinstance(d, Description) and d.facts.get("form") == "measured"]


@pytest.mark.parametrize("found", MEASURED, ids=lambda d: d.name)
def test_every_measured_number_says_its_equation_and_source(found):
    assert len(found.facts["equation"]) > 10
    assert len(found.facts["source"]) > 10
    assert found.facts["reads"] == "decisions"
