"""Texts in a plan: one tokenizer for a task, tokens for every set, probes and questions that borrow the models of another
task.
"""

import json
from types import SimpleNamespace

import pytest

from kdbench.nouns import Refusal
from kdbench.plan import keys, plan
from kdbench.plan.setup import setup
from kdbench.stages import harness_stock
from kdbench.suite import load

BASE = """
suite: texts
seeds: [0, 1]
targets: [torch_cpu, ort_cpu]
data:
  dataset: sst2
  tokenizer: {{wordpiece: {{vocabulary: 500}}}}
  length: 32
  shifts: [{{typos: {{severities: [1]}}}}]
  ood: [clinc150_oos]
probes: [{{imdb: {{limit: 50}}}}, equity_evaluation_corpus]
teacher: {{model: bert, layers: 2, hidden: 32, heads: 2, intermediate: 64, fit: scratch}}
student: {{model: bert, layers: 1, hidden: 32, heads: 2, intermediate: 64}}
contenders:
  scratch: [fit: scratch]
  kd: [fit: kd]
  {more}
"""
SPEAKS = """
suite: speaks
seeds: [0]
targets: [torch_cpu]
data: {{dataset: tiny_shakespeare, length: 32}}
harness: {{tasks: [blimp], limit: 10}}
teacher: {{model: gpt2, layers: 2, hidden: 32, heads: 2, fit: scratch}}
student: {{model: gpt2, layers: 1, hidden: 32, heads: 2}}
contenders:
  scratch: [fit: scratch]
  {more}
"""


@pytest.fixture
def folder(tmp_path):
    """A data folder in which the files are there, and empty: a plan reads no data."""
    for name in (
        "sst2/train",
        "sst2/dev",
        "sst2/test",
        "imdb_subset/train",
        "imdb_subset/test",
        "clinc150/train",
        "clinc150/val",
        "clinc150/test",
    ):
        path = tmp_path / "data" / "text" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for name in ("fairness_text/equity_evaluation_corpus/test.parquet", "lm/tiny_shakespeare/input.txt", "lm/blimp/test.parquet"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "data"


@pytest.fixture
def planned(tmp_path, plugins, folder):
    def make(base=BASE, more="other: [fit: scratch]", *overrides):
        path = tmp_path / "suite.yaml"
        path.write_text(base.format(more=more), encoding="utf-8")
        suite = load(path, plugins, overrides)
        return suite, plan(suite, plugins, folder)

    return make


def of(made, stage):
    return [job for job in made.jobs if job.stage == stage]


@pytest.mark.parametrize("base", [BASE, SPEAKS])
def test_every_need_comes_before_the_job_that_has_it(planned, base):
    seen = set()
    for job in planned(base)[1].jobs:
        assert set(job.needs.values()) <= seen, job.label
        seen.add(job.key)


def test_one_tokenizer_and_tokens_of_every_set(planned):
    made = planned()[1]
    assert len(of(made, "tokenizer")) == 1
    shift, ood = of(made, "shift")[0].key, of(made, "ood")[0].key
    home = of(made, "tokenizer")[0].needs["data"]
    probes = {job.key for job in of(made, "probe")}
    assert {job.needs["data"] for job in of(made, "tokens")} == {home, shift, ood} | probes
    for job in made.jobs:
        if job.stage in ("fit", "predict", "size", "compress", "outputs"):
            assert made.job(job.needs["data"]).stage == "tokens"


def test_a_probe_asks_and_makes_nothing(planned):
    suite, made = planned()
    names = [task.name for task in suite.tasks]
    assert names == ["sst2", "sst2 on imdb", "sst2 on equity_evaluation_corpus"]
    away = [cell for cell in made.cells if cell.task != "sst2"]
    assert {cell.evidence for cell in away} == {"predictions"}
    home = {made.job(c.key).needs["artefact"] for c in made.cells if c.task == "sst2" and c.evidence == "predictions" and c.key}
    assert {made.job(cell.key).needs["artefact"] for cell in away} == home


def test_a_probe_costs_no_evidence_of_the_home_task(planned):
    with_probes = {job.key for job in planned()[1].jobs}
    alone = {job.key for job in planned(BASE.replace("probes:", "# probes:"))[1].jobs}
    assert alone < with_probes


def test_questions_of_lm_eval_are_a_task_of_their_own(planned):
    suite, made = planned(SPEAKS)
    assert [task.name for task in suite.tasks] == ["tiny_shakespeare", "tiny_shakespeare asks blimp"]
    (questions,) = of(made, "questions")
    assert questions.spec["limit"] == 10
    asked = of(made, "harness")
    assert {job.needs["data"] for job in asked} == {questions.key}
    tokenizer = of(made, "tokenizer")[0].key
    assert all(job.needs["tokenizer"] == tokenizer for job in asked)


def test_a_student_is_compared_with_its_teacher_while_both_speak(planned):
    made = planned(SPEAKS)[1]
    teacher = next(c.key for c in made.cells if c.contender == "teacher" and c.evidence == "cost")
    for cell in made.cells:
        if cell.evidence == "predictions" and cell.task == "tiny_shakespeare":
            assert made.job(cell.key).needs.get("teacher") == (None if cell.contender == "teacher" else teacher)


def test_full_vocabularies_are_never_recorded(planned):
    made = planned(SPEAKS, "kd: [fit: {kd: {weight: 1, temperature: 1}}]")[1]
    assert not of(made, "outputs")
    taught = [job for job in of(made, "fit") if "teacher" in job.needs]
    assert len(taught) == 1


def test_relabelled_examples_are_seen_by_the_fit_alone(planned):
    made = planned(BASE, "pseudo: [relabel: {pseudo_labels: {}}, fit: scratch]")[1]
    jobs = of(made, "relabel")
    assert len(jobs) == 2  # one a seed
    fits = [job for job in of(made, "fit") if made.job(made.job(job.needs["data"]).needs["data"]).stage == "relabel"]
    assert len(fits) == 2
    for cell in made.cells:
        if cell.contender == "pseudo" and cell.evidence == "predictions" and cell.key and not cell.shift:
            assert made.job(made.job(made.job(cell.key).needs["data"]).needs["data"]).stage in ("data", "probe")


def test_checkpoints_whose_tokenizers_write_alike_read_the_same_tokens(planned, tmp_path):
    for name, layers, pad, words in (("a", 2, 0, "x"), ("b", 1, 0, "x"), ("c", 1, 1, "x"), ("d", 1, 0, "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"layers": {layers}, "pad_token_id": {pad}}}', encoding="utf-8")
        cut = "null" if name == "a" else '{"max_length": 128}'  # how long rows were when it was saved is not how it writes
        (tmp_path / name / "tokenizer.json").write_text(f'{{"model": "{words}", "truncation": {cut}}}', encoding="utf-8")
    rows = ", ".join(f"{name}: [load: {tmp_path / name}]" for name in "bcd")
    made = planned(BASE, "other: [fit: scratch]", f"teacher={{load: {tmp_path / 'a'}}}", f"contenders={{{rows}}}")[1]
    read, reasons = {}, {}
    for cell in made.cells:
        if cell.target == "torch_cpu" and cell.task == "sst2":
            if cell.evidence == "predictions" and cell.split == "test" and not cell.shift:
                read[cell.contender] = made.job(cell.key).needs["data"]
            if cell.evidence == "latency":
                reasons[cell.contender] = cell.reason
    assert read["teacher"] == read["b"]
    assert len(set(read.values())) == 3  # another padding, and other words, are other tokens
    assert set(reasons.values()) == {""}


def test_a_model_by_configuration_is_compared_with_a_teacher_that_reads_the_same_tokens(planned):
    """Where nothing is written after a source, how one would stand in a row is no difference."""
    config = "{model_type: gpt2, n_layer: 1, n_embd: 32, n_head: 2, n_positions: 64, vocab_size: 4096}"
    made = planned(SPEAKS, f"other: [{{fit: scratch, model: {{pretrained: {{config: {config}}}}}}}]")[1]
    asked = {c.contender: made.job(c.key) for c in made.cells if c.evidence == "predictions" and c.task == "tiny_shakespeare"}
    assert "teacher" in asked["other"].needs
    assert "teacher" in asked["scratch"].needs


def test_the_plan_and_the_board_agree_on_what_ranks_questions(planned, plugins):
    """The suite ranks by bits per byte, which questions of choices do not have: the plan named nothing."""
    suite, made = planned(SPEAKS, "other: [fit: scratch]", "compare.metric=bits_per_byte")
    home, asked = (setup(suite, task, made, plugins)["ranking"] for task in suite.tasks)
    assert (home, asked) == ("bits_per_byte", "lm_eval")


def test_lm_eval_is_in_keys_with_its_whole_version_and_what_it_reads_with():
    from importlib.metadata import version

    for stage in ("questions", "harness"):
        said = dict(one.split(" ") for one in keys.runtime(stage).split(", "))
        assert said["lm-eval"] == version("lm-eval"), "prompts change in patch releases"
        assert {"datasets", "sacrebleu"} <= set(said)


def test_the_files_of_a_stock_task_are_in_the_key(plugins, tmp_path, monkeypatch):
    """They are found without importing lm-eval; another file of the folder is another task."""
    folder = tmp_path / "lm_eval" / "tasks" / "mine"
    folder.mkdir(parents=True)
    (folder.parent.parent / "__init__.py").write_text("raise AssertionError('imported')\n", encoding="utf-8")
    (folder / "mine.yaml").write_text("include: base.yaml\ntask: my_task\n", encoding="utf-8")
    spec = SimpleNamespace(submodule_search_locations=[str(folder.parent.parent)])
    monkeypatch.setattr(harness_stock.importlib.util, "find_spec", lambda _: spec)
    harness_stock.stock.cache_clear()
    about, params = plugins.get("harness", "lm_eval_task"), {"task": "my_task"}
    try:
        found = [keys.files(about, params, None)]
        for text in ("doc_to_text: a\n", "doc_to_text: b\n\n"):
            (folder / "base.yaml").write_text(text, encoding="utf-8")
            found.append(keys.files(about, params, None))
        with pytest.raises(Refusal, match="no task 'my_tusk'; did you mean|no task 'my_tusk'"):
            keys.files(about, {"task": "my_tusk"}, None)
    finally:
        harness_stock.stock.cache_clear()
    assert len(set(found)) == 3


@pytest.mark.parametrize("where", ["config.json", "generation_config.json"])
def test_a_decoder_beside_an_encoder_begins_as_its_checkpoint_says(planned, tmp_path, where):
    (tmp_path / "t.jsonl").write_text('{"source": "a", "target": "b"}\n', encoding="utf-8")
    folder = tmp_path / "t5"
    folder.mkdir()
    config = {"is_encoder_decoder": True, "pad_token_id": 0}
    for name, facts in (("config.json", config), ("generation_config.json", {})):
        said = facts | ({"decoder_start_token_id": 2} if name == where else {})
        (folder / name).write_text(json.dumps(said), encoding="utf-8")
    (folder / "tokenizer.json").write_text('{"model": "x"}', encoding="utf-8")
    base = f"""
suite: answers
seeds: [0]
data: {{{{dataset: {{{{translations: {{{{path: {tmp_path / "t.jsonl"}}}}}}}}}, length: 16}}}}
teacher: {{{{load: {folder}}}}}
student: {{{{model: t5, layers: 1}}}}
contenders:
  {{more}}
"""
    made = planned(base)[1]
    found = {job.spec.get("start") for job in of(made, "tokens")}
    assert found == {2}
    config["is_encoder_decoder"] = False
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert all("start" not in job.spec for job in of(planned(base)[1], "tokens"))
