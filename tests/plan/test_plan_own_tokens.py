"""A contender with a tokenizer of its own in the plan: timed on the same texts, under keys that say which tokens these are."""

import json

import pytest

from kdbench.nouns import Job, digest, plain
from kdbench.plan import keys, plan
from kdbench.stages.host import fingerprint
from kdbench.suite import load

BASE = """
suite: own
seeds: [0]
targets: [torch_cpu]
data: {{dataset: {{texts: {{path: {folder}/reviews.csv}}}}, length: {length}}}
teacher: {{load: {folder}/teacher}}
measure: {{batches: [4], lengths: [8]}}
contenders:
  alike: [load: {folder}/alike]
  other: [load: {folder}/other]
"""
SPEAKS = """
suite: speaks
seeds: [0]
targets: [torch_cpu]
data: {{dataset: {{text_files: {{path: {folder}/stories.txt}}}}, length: {length}}}
teacher: {{load: {folder}/teacher}}
measure: {{decode: [8]}}
contenders:
  alike: [load: {folder}/alike]
  other: [load: {folder}/other]
"""
SCENARIOS = ["", "batch=4", "length=8", "batch*length=4 & 8"]


@pytest.fixture
def planned(tmp_path, plugins):
    (tmp_path / "reviews.csv").write_text("text,label\nfine,good\ndull,bad\n", encoding="utf-8")
    (tmp_path / "stories.txt").write_text("once\n", encoding="utf-8")
    for name, layers, words in (("teacher", 2, "x"), ("alike", 1, "x"), ("other", 1, "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"layers": layers, "pad_token_id": 0}), encoding="utf-8")
        (tmp_path / name / "tokenizer.json").write_text(f'{{"model": "{words}"}}', encoding="utf-8")

    def make(base=BASE, length=32):
        path = tmp_path / "suite.yaml"
        path.write_text(base.format(folder=tmp_path, length=length), encoding="utf-8")
        return plan(load(path, plugins), plugins)

    return make


def latency_of(made, contender):
    """Its jobs and reasons by scenario."""
    cells = [c for c in made.cells if c.evidence == "latency" and c.contender == contender]
    return {c.scenario: made.job(c.key) if c.key else c.reason for c in cells}


def test_what_both_read_alike_is_timed_under_the_key_that_it_always_had(planned, plugins):
    """The identity of such a job, put together here as it was before there were pairs of unlike tokens."""
    made = planned()
    teacher = latency_of(made, "teacher")[""].spec["graph"]
    for name in ("teacher", "alike"):
        for scenario, (batch, length) in zip(SCENARIOS, ((1, 0), (4, 0), (1, 8), (4, 8)), strict=True):
            job = latency_of(made, name)[scenario]
            spec = {
                "target": plain(job.spec["target"]), "graph": job.spec["graph"], "host": digest(plain(fingerprint())),
                "batch": batch, "length": length, "reference": teacher, "pairs": 60, "seconds": 12.0, "null": name == "teacher",
            }  # fmt: skip
            code, runtime = keys.code("latency", plugins.get("target", "torch_cpu")), keys.runtime("latency", "torch", ("torch",))
            assert job.key == Job("latency", spec, {}, code, "", runtime).key
            assert set(job.uses) == {"artefact", "data", "reference"}


def test_what_reads_other_tokens_is_timed_on_its_own_and_its_key_says_which(planned):
    made = planned()
    read = {c.contender: made.job(c.key).needs["data"] for c in made.cells if c.evidence == "predictions" and c.split == "test"}
    jobs = latency_of(made, "other")
    for scenario in ("", "batch=4"):
        assert jobs[scenario].uses["data"] == (read["other"],)
        assert jobs[scenario].uses["reference_data"] == (read["teacher"],)
        assert jobs[scenario].spec["tokens"] == {"reference": read["teacher"], "contender": read["other"]}
        assert jobs[scenario].spec["null"] is False
    for scenario in ("length=8", "batch*length=4 & 8"):
        assert "reads other tokens than the teacher" in jobs[scenario]
        assert "not the same text for both: see its row of full length" in jobs[scenario]
    shorter = latency_of(planned(length=16), "other")
    assert shorter[""].key != jobs[""].key, "other tokens of the same texts"


def test_an_edited_length_measures_a_loaded_checkpoint_again(planned):
    """Its rows are as long as the task says, whatever its files are."""
    for name in ("teacher", "alike", "other"):
        for evidence in ("latency", "memory"):
            keys_of = [{c.key for c in planned(length=length).cells if (c.contender, c.evidence) == (name, evidence) and c.key}
                       for length in (32, 16)]  # fmt: skip
            assert all(keys_of)
            assert not keys_of[0] & keys_of[1], (name, evidence)


def test_memory_is_that_of_its_own_tokens_in_every_scenario(planned):
    made = planned()
    own = next(made.job(c.key).needs["data"] for c in made.cells if c.evidence == "predictions" and c.contender == "other")
    held = [c for c in made.cells if c.evidence == "memory" and c.contender == "other"]
    assert [c.scenario for c in held] == SCENARIOS
    assert {made.job(c.key).uses["data"] for c in held} == {(own,)}


def test_windows_of_a_language_model_are_not_the_same_texts_and_say_so(planned):
    made = planned(SPEAKS)
    assert {isinstance(job, Job) for job in latency_of(made, "alike").values()} == {True}
    found = latency_of(made, "other")
    assert list(found) == ["", "decode=8"]
    assert set(found.values()) == {
        "it reads other tokens than the teacher, and their windows of a document are not the same text"
    }
