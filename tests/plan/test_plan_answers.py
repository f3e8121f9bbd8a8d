"""Answers in text in a plan: who may be taught by whom, and how checkpoints of speech hear; judged by what their files say."""

import json

import pytest

from kdbench.plan import plan
from kdbench.suite import load

TRANSLATES = """
suite: answers
seeds: [0]
targets: [torch_cpu]
data: {{dataset: {{translations: {{path: {root}/t.jsonl}}}}, length: 16}}
teacher: {{load: {root}/teacher}}
student: {{model: t5, layers: 1}}
contenders:
  fresh: [fit: kd]
  alike: [load: {root}/alike, fit: kd]
  begins_otherwise: [load: {root}/other, fit: kd]
"""
HEARS = """
suite: hears
seeds: [0]
targets: [torch_cpu]
data: {{dataset: fsdd_words, length: 16}}
teacher: {{load: {root}/teacher}}
student: {{model: whisper, layers: 1}}
contenders:
  fresh: [fit: kd]
  finer: [load: {root}/finer]
  {more}
"""


def checkpoint(root, name, config, **beside):
    place = root / name
    place.mkdir()
    for file, facts in {"config": config, "tokenizer": {"model": "x"}, **beside}.items():
        (place / f"{file}.json").write_text(json.dumps(facts), encoding="utf-8")


def whisper(root, name, writing=(), **hears):
    said = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "return_attention_mask": False, **hears}
    config = {"is_encoder_decoder": True, "model_type": "whisper", "decoder_start_token_id": 1}
    checkpoint(root, name, config, preprocessor_config=said, generation_config=dict(writing))


@pytest.fixture
def drawn(tmp_path, plugins):
    """The plan of a suite whose folders lie in tmp_path; a plan reads no data."""
    for name in ("train", "test"):
        path = tmp_path / f"speech/fsdd/{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "t.jsonl").write_text('{"source": "a", "target": "b"}\n', encoding="utf-8")

    def make(base, more=""):
        (tmp_path / "suite.yaml").write_text(base.format(root=tmp_path, more=more), encoding="utf-8")
        return plan(load(tmp_path / "suite.yaml", plugins, ()), plugins, tmp_path)

    return make


def job(made, stage, word=""):
    (found,) = [one for one in made.jobs if one.stage == stage and word in one.label]
    return found


def test_a_teacher_whose_answers_begin_otherwise_is_never_alive_beside_the_student(drawn, tmp_path):
    """The same tokenizer in all folders: only what their decoders read first is another token."""
    for name, start in (("teacher", 0), ("alike", 0), ("other", 2)):
        checkpoint(tmp_path, name, {"is_encoder_decoder": True, "pad_token_id": 0, "decoder_start_token_id": start})
    made = drawn(TRANSLATES)
    assert len({one.key for one in made.jobs if one.stage == "tokenizer"}) == 1
    teacher = job(made, "load", "teacher").key
    for name, there in (("fresh", True), ("alike", True), ("begins_otherwise", False)):
        fit = job(made, "fit", name)
        assert (fit.needs.get("teacher") == teacher) == there, name
        asked = {made.job(cell.key).needs.get("teacher") for cell in made.cells if cell.contender == name and cell.key}
        assert (teacher in asked) == there, name


def test_students_made_here_hear_as_the_teacher_and_a_checkpoint_as_its_own_files_say(drawn, tmp_path):
    writing = {"forced_decoder_ids": [[1, 5], [2, 7]]}
    whisper(tmp_path, "teacher", writing)
    whisper(tmp_path, "finer", writing, feature_size=128)
    made = drawn(HEARS)
    front = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    read = {name: made.job(job(made, stage, name).needs["data"]).spec for stage, name in (("fit", "fresh"), ("load", "finer"))}
    assert read["fresh"] == {"length": 16, "layout": "pair", "start": 1, "forced": [5, 7], "front": front}
    assert read["finer"]["front"] == {**front, "feature_size": 128}
    assert "teacher" in job(made, "fit", "fresh").needs
    asked = [made.job(c.key).needs for c in made.cells if c.contender == "finer" and c.evidence == "predictions" and c.key]
    assert asked
    assert all("teacher" not in needs for needs in asked)


def test_a_language_that_has_to_be_found_costs_its_own_row_and_no_plan(drawn, tmp_path):
    whisper(tmp_path, "teacher")
    whisper(tmp_path, "finer")
    whisper(tmp_path, "lost", {"lang_to_id": {"<|en|>": 2}})
    made = drawn(HEARS, f"lost: [load: {tmp_path}/lost]")
    assert "forced" not in made.job(job(made, "load", "lost").needs["data"]).spec
