"""The block `measure`: what it means, what it refuses, and that it comes back from the resolved suite."""

import json

import jsonschema
import pytest
from toysuite import GOOD, changed

from kdbench.nouns import Measure, Refusal, Scenario
from kdbench.suite import load, resolve, schema


def read(tmp_path, toys, text):
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, toys)


def refused(tmp_path, toys, block, text=GOOD):
    with pytest.raises(Refusal) as caught:
        read(tmp_path, toys, f"{text}measure: {block}\n")
    return str(caught.value)


def test_without_the_block_one_row_at_a_time_is_measured(tmp_path, toys):
    suite = read(tmp_path, toys, GOOD)
    assert suite.measure == Measure(pairs=60, seconds=12.0)
    assert suite.measure.scenarios("image") == (Scenario(1, 0),)


def test_every_combination_is_measured_and_lengths_only_where_data_are_tokens():
    asked = Measure((8, 32), (64,))
    said = [scenario.name for scenario in asked.scenarios("tokens")]
    assert said == ["", "batch=8", "batch=32", "length=64", "batch*length=8 & 64", "batch*length=32 & 64"]
    assert [scenario.name for scenario in asked.scenarios("image")] == ["", "batch=8", "batch=32"]


def test_the_block_is_read_and_comes_back_from_the_resolved_suite(tmp_path, toys):
    suite = read(tmp_path, toys, GOOD + "measure: {batches: [8, 32], pairs: 20, seconds: 3}\n")
    assert suite.measure == Measure((8, 32), pairs=20, seconds=3.0)
    assert read(tmp_path, toys, resolve(suite)) == suite


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("{batchs: [8]}", ("unknown key 'batchs'", "did you mean 'batches'")),
        ("{batches: [1, 8]}", ("measure.batches.0", "found 1", "one row a call is always measured")),
        ("{batches: [8, 8]}", ("measure.batches.1", "8 is given twice")),
        ("{batches: [0]}", ("found 0", "a whole number from 1")),
        ("{batches: 8}", ("found 8", "a list of: a whole number from 1")),
        ("{pairs: 2}", ("measure.pairs", "found 2", "from 3")),
        ("{seconds: 0}", ("measure.seconds", "a number above 0")),
        ("{lengths: [64]}", ("measure.lengths", "no task has tokens: toy_digits has image data")),
        ("[8]", ("a mapping with batches, lengths, decode, pairs, seconds",)),
        ("{batches: [" + ", ".join(map(str, range(2, 40))) + "]}", ("39 combinations", "at most 24")),
    ],
)
def test_a_wrong_block_is_refused_with_place_and_what_is_allowed(tmp_path, toys, block, words):
    said = refused(tmp_path, toys, block)
    assert len(said.splitlines()) == 1
    for word in words:
        assert word in said


def test_a_gate_names_a_scenario_that_is_measured(tmp_path, toys):
    gate = changed("axes: [toy_accuracy, toy_ece]", "axes: [toy_accuracy, toy_latency]")
    gate += "gates: [{metric: toy_latency, at_most: 1.0, slice: 'batch=23'}]\nmeasure: {batches: [8, 32]}\n"
    with pytest.raises(Refusal, match=r"gates.0.slice: 'batch=23' is not measured by this suite; did you mean 'batch=32'"):
        read(tmp_path, toys, gate)
    suite = read(tmp_path, toys, gate.replace("batch=23", "batch=32"))
    assert suite.gates[0].slice == "batch=32"


def test_the_schema_knows_the_block_against_jsonschema(toys):
    made = json.loads(json.dumps(schema(toys)))["properties"]["measure"]
    jsonschema.validate({"batches": [8], "pairs": 20, "seconds": 3.5}, made)
    for wrong in ({"batches": [0]}, {"seconds": 0}, {"batchs": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, made)
