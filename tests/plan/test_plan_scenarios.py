"""The matrix of scenarios in the plan: what is measured, and what a change of the block measures again."""

import pytest

from kdbench.nouns import Cell
from kdbench.plan import plan
from kdbench.stages import energy_script
from kdbench.suite import load

BASE = """
suite: matrix
seeds: [0, 1]
targets: [torch_cpu, ort_cpu]
data: {dataset: digits}
teacher: {model: resnet_cifar, depth: 14, width: 16, fit: scratch}
student: {model: resnet_cifar, depth: 8, width: 8}
contenders:
  kd: [fit: kd]
  kd-int8: [fit: kd, compress: static_int8]
"""
MEASURED = ("latency", "memory")


@pytest.fixture
def planned(tmp_path, plugins):
    def make(block=""):
        path = tmp_path / "suite.yaml"
        path.write_text(BASE + (f"measure: {block}\n" if block else ""), encoding="utf-8")
        return plan(load(path, plugins), plugins)

    return make


def keys(made, *stages):
    return {job.key for job in made.jobs if not stages or job.stage in stages}


def cells(made, evidence, **where):
    return [c for c in made.cells if c.evidence == evidence and all(getattr(c, k) == v for k, v in where.items())]


def test_each_scenario_has_cells_of_times_and_of_memory_and_nothing_else_has(planned):
    made = planned("{batches: [8, 32]}")
    for evidence in MEASURED:
        found = cells(made, evidence, contender="kd", seed=0, target="torch_cpu")
        assert [c.scenario for c in found] == ["", "batch=8", "batch=32"]
        assert [made.job(c.key).spec["batch"] for c in found] == [1, 8, 32]
    assert {c.scenario for c in made.cells if c.evidence not in MEASURED} == {""}


def test_adding_a_batch_size_measures_nothing_again(planned):
    assert keys(planned()) < keys(planned("{batches: [32]}")) < keys(planned("{batches: [8, 32]}"))
    assert keys(planned("{batches: [32, 8]}")) == keys(planned("{batches: [8, 32]}"))


@pytest.mark.parametrize("block", ["{pairs: 30}", "{seconds: 5}"])
def test_other_pairs_or_seconds_time_again_and_change_nothing_else(planned, block):
    before, after = planned(), planned(block)
    others = {job.stage for job in before.jobs} - {"latency"}
    assert keys(before, *others) == keys(after, *others)
    assert keys(before, "latency").isdisjoint(keys(after, "latency"))


def test_every_scenario_has_its_own_null_pair(planned):
    made = planned("{batches: [8]}")
    nulls = [made.job(c.key).spec for c in cells(made, "latency", contender="teacher", target="ort_cpu")]
    assert [(spec["batch"], spec["null"]) for spec in nulls] == [(1, True), (8, True)]
    rest = [made.job(c.key).spec["null"] for c in cells(made, "latency", contender="kd", target="ort_cpu")]
    assert not any(rest)


def test_lengths_of_data_that_have_none_are_left_out():
    from kdbench.nouns import Measure

    assert [s.length for s in Measure((), (16,)).scenarios("image")] == [0]
    assert [s.length for s in Measure((), (16,)).scenarios("tokens")] == [0, 16]


def test_without_a_meter_the_reason_says_what_was_looked_for(planned, monkeypatch, tmp_path):
    monkeypatch.setattr(energy_script, "POWERCAP", str(tmp_path / "none"))
    found = cells(planned(), "energy")
    assert found
    assert {c.reason for c in found} == {
        f"no meter: there is no RAPL package below {tmp_path / 'none'}", "torch_cpu runs torch artefacts; this one is onnx"
    }  # fmt: skip
    assert not any(c.key for c in found)


def test_with_a_meter_every_graph_is_measured_once_on_each_target(planned, monkeypatch, tmp_path):
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "1000")):
        (zone / name).write_text(text)
    monkeypatch.setattr(energy_script, "POWERCAP", str(tmp_path))
    made = planned()
    jobs = [job for job in made.jobs if job.stage == "energy"]
    graphs = {(job.spec["graph"], job.spec["target"]["name"]) for job in jobs}
    assert len(jobs) == len(graphs) > 2
    assert all(job.alone for job in jobs)
    assert isinstance(cells(made, "energy")[0], Cell)
