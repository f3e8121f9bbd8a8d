"""What is shared, what is made again, and what is in no key."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kdbench.nouns import Refusal
from kdbench.plan import plan
from kdbench.registry import discover
from kdbench.suite import load

BASE = """
suite: plans
seeds: [0, 1, 2]
targets: [torch_cpu, ort_cpu]
data: {{dataset: digits, shifts: [blur], severities: [1, 3], ood: [synthetic_shapes], groups: [ink]}}
teacher: {{model: resnet_cifar, depth: 14, width: 16, fit: scratch}}
student: {{model: resnet_cifar, depth: 8, width: 8}}
contenders:
  scratch: [fit: scratch]
  kd: [fit: kd]
  kd-int8: [fit: kd, compress: static_int8]
  pruned: [start: teacher, compress: magnitude_pruning]
  dynamic: [start: teacher, compress: dynamic_int8]
{more}
"""


@pytest.fixture
def planned(tmp_path, plugins):
    """Plan the suite above, with more contenders and overrides."""

    def make(*overrides, more="", plugins=plugins, data=None):
        path = tmp_path / "suite.yaml"
        path.write_text(BASE.format(more=more), encoding="utf-8")
        return plan(load(path, plugins, overrides), plugins, data)

    return make


def keys(made, *stages):
    return {job.key for job in made.jobs if not stages or job.stage in stages}


def cell(made, contender, evidence="cost", seed=0, target="ort_cpu"):
    found = [c for c in made.cells if (c.contender, c.evidence, c.seed, c.target) == (contender, evidence, seed, target)]
    assert len(found) == 1
    return found[0]


def test_every_need_comes_before_the_job_that_has_it(planned):
    seen = set()
    for job in planned().jobs:
        assert set(job.needs.values()) <= seen
        assert {key for offered in job.uses.values() for key in offered} <= keys(planned())
        seen.add(job.key)


def test_equal_prefixes_are_one_job(planned):
    made = planned()
    assert made.job(cell(made, "kd-int8").key).needs["artefact"] == cell(made, "kd").key
    assert len([job for job in made.jobs if job.stage == "fit"]) == 1 + 3 + 3


def test_there_is_one_teacher_and_one_recording_for_all_seeds(planned):
    made = planned()
    assert {c.seed for c in made.cells if c.contender == "teacher"} == {0}
    assert len([job for job in made.jobs if job.stage == "outputs"]) == 1
    assert len({made.job(cell(made, "kd", seed=s).key).needs["outputs"] for s in (0, 1, 2)}) == 1


def test_a_chain_without_randomness_is_one_checkpoint(planned):
    made = planned()
    assert {c.seed for c in made.cells if c.contender == "dynamic"} == {0}
    assert {c.seed for c in made.cells if c.contender == "pruned"} == {0}
    assert {c.seed for c in made.cells if c.contender == "kd-int8"} == {0, 1, 2}


def test_equal_graphs_are_timed_once_whatever_their_weights(planned):
    made = planned()
    timed = [job for job in made.jobs if job.stage == "latency"]
    assert cell(made, "scratch", "latency").key == cell(made, "kd", "latency", seed=2).key
    assert cell(made, "scratch", "latency").key != cell(made, "pruned", "latency").key
    assert len(timed) == 3 + 5  # teacher, student, pruned; and the two int8 graphs on the target that runs them
    assert sum(bool(job.spec["null"]) for job in timed) == 2
    assert all(not job.needs and job.alone for job in timed)


def test_what_a_target_cannot_run_is_a_cell_with_a_reason(planned):
    found = cell(planned(), "kd-int8", "latency", target="torch_cpu")
    assert (found.key, found.reason) == ("", "torch_cpu runs torch artefacts; this one is onnx")


def test_another_contender_changes_no_key(planned):
    before, after = planned(), planned(more="  hint: [fit: fitnets]")
    assert keys(before) < keys(after)


@pytest.mark.parametrize(
    "change", ["axes=[accuracy]", "gates=[{metric: accuracy, at_least: 0.5}]", "data.groups=[]", "min_group=5"]
)
def test_axes_gates_and_groups_are_in_no_key_of_evidence(planned, change):
    assert keys(planned(change)) == keys(planned())


def test_a_recipe_changes_the_fits_and_what_follows_but_not_the_timings(planned):
    before, after = planned(), planned("train.epochs=7")
    assert keys(before, "fit", "compress", "outputs").isdisjoint(keys(after, "fit", "compress", "outputs"))
    assert keys(before, "data", "shift", "ood", "latency", "memory") == keys(after, "data", "shift", "ood", "latency", "memory")


def test_a_changed_plugin_file_changes_the_jobs_that_use_it(planned, tmp_path):
    """Its private neighbours count, too."""
    own = tmp_path / "own" / "compressors"
    own.mkdir(parents=True)
    (own / "mine.py").write_text(
        "from kdbench import compressor\n\n\n@compressor()\ndef mine(artefact):\n    return artefact\n", encoding="utf-8"
    )
    (own / "_helper.py").write_text("X = 1\n", encoding="utf-8")
    more = "  mine: [start: teacher, compress: mine]"
    before = planned(more=more, plugins=discover([own.parent]))
    (own / "_helper.py").write_text("X = 2\n", encoding="utf-8")
    after = planned(more=more, plugins=discover([own.parent]))
    changed = {job.stage for job in after.jobs if job.key in keys(after) - keys(before)}
    assert changed == {"compress", "predict", "parity", "size", "latency", "memory"}
    assert keys(before, "fit", "data") == keys(after, "fit", "data")


def test_an_edited_data_file_changes_every_key_that_stands_on_it(tmp_path, plugins):
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(60)), encoding="utf-8")
    path = tmp_path / "suite.yaml"
    path.write_text(
        "suite: t\ndata: {dataset: table, path: t.csv, label: y}\nteacher: {model: mlp, fit: scratch}\n"
        "student: {model: mlp, width: 4}\ncontenders: {kd: [fit: kd]}\n",
        encoding="utf-8",
    )
    suite = load(path, plugins)
    before = keys(plan(suite, plugins))
    table.write_text(table.read_text(encoding="utf-8").replace("3,1", "4,1", 1), encoding="utf-8")
    assert before.isdisjoint(keys(plan(suite, plugins)))


def test_a_missing_data_folder_is_refused_before_work(planned):
    with pytest.raises(Refusal, match="KDBENCH_DATA"):
        planned("data.dataset=fashion_mnist", "data.groups=[]")


def test_a_loaded_checkpoint_is_keyed_by_its_bytes_and_its_model(planned, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "artefact.json").write_text('{"model": {"resnet_cifar": {"depth": 8}}}', encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"one")
    more = f"  mine: [load: {folder}]"
    first = cell(planned(more=more), "mine").key
    (folder / "weights.safetensors").write_bytes(b"two")
    assert cell(planned(more=more), "mine").key != first
    (folder / "artefact.json").write_text('{"model": {"resnet_cifr": {"depth": 8}}}', encoding="utf-8")
    with pytest.raises(Refusal, match="did you mean 'resnet_cifar'"):
        planned(more=more)
    shutil.rmtree(folder)


def test_keys_do_not_depend_on_how_a_job_is_run(planned):
    job = planned().jobs[0]
    assert replace(job, label="x", together="y", alone=True, uses={"a": ("b",)}).key == job.key
    assert Path(job.key).name == job.key
    assert len(job.key) == 64


def test_two_targets_of_one_plugin_stand_apart_and_one_alone_keeps_its_name(planned):
    two = planned("targets=[torch_cpu, ort_cpu, {ort_cpu: {threads: 2}}]")
    assert {c.target for c in two.cells} == {"torch_cpu", "ort_cpu{threads=1}", "ort_cpu{threads=2}"}
    for evidence in ("predictions", "latency", "memory", "parity"):
        held = [{c.key for c in two.cells if (c.target, c.evidence) == (f"ort_cpu{{threads={n}}}", evidence)} for n in (1, 2)]
        assert not held[0] & held[1] - {""}, evidence
    assert {c.target for c in planned("targets=[{ort_cpu: {threads: 2}}]").cells} == {"ort_cpu"}
