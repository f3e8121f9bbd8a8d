"""What judge jobs are told of how contenders are made, and what that changes."""

from dataclasses import replace

import pytest

from kdbench.nouns import Compare
from kdbench.plan import judging, plan
from kdbench.plan.setup import setup
from kdbench.registry import discover
from kdbench.suite import load

SUITE = """
suite: plans
seeds: [0, 1]
targets: [torch_cpu]
axes: [accuracy, macro_f1, nll]
data: {{dataset: digits}}
teacher: {{model: resnet_cifar, depth: 14, width: 16, fit: scratch}}
student: {{model: resnet_cifar, depth: 8, width: 8}}
contenders:
  smooth: [fit: label_smoothing]
  quick: [{{fit: scratch, train: {{epochs: 1}}}}]
  scratch: [fit: scratch]
  wide: [{{fit: scratch, model: {{resnet_cifar: {{depth: 8, width: 32}}}}}}]
  kd: [fit: kd]
  kd-quick: [{{fit: kd, train: {{epochs: 1}}}}]
  kd-int8: [fit: kd, compress: static_int8]
  int8: [fit: scratch, compress: static_int8]
  odd: [{{fit: kd, model: {{resnet_cifar: {{depth: 8, width: 24}}}}}}]
  pruned: [start: teacher, compress: magnitude_pruning, fit: scratch]
{more}
"""


@pytest.fixture
def asked(tmp_path):
    plugins = discover()

    def make(*overrides, more="", compare=None):
        path = tmp_path / "suite.yaml"
        path.write_text(SUITE.format(more=more), encoding="utf-8")
        suite = load(path, plugins, overrides)
        suite = suite if compare is None else replace(suite, compare=compare)
        return suite, plan(suite, plugins), plugins

    return make


def told(made):
    suite, planned, plugins = made
    return setup(suite, suite.tasks[0], planned, plugins)


def jobs(made):
    suite, planned, plugins = made
    return {job.spec["metric"]["name"]: job for job in judging(suite, planned, plugins, lambda _: True)}


def test_plain_are_those_fitted_from_fresh_weights_without_a_teacher(asked):
    assert told(asked())["plain"] == ["teacher", "smooth", "quick", "scratch", "wide"]


def test_a_twin_has_the_same_model_and_settings_and_the_losses_of_the_contender(asked):
    assert told(asked())["twins"] == {"kd": "scratch", "kd-quick": "quick", "kd-int8": "scratch", "int8": "scratch"}


def test_a_fit_guided_by_a_peer_is_not_plain(asked, monkeypatch):
    suite, planned, plugins = asked()
    get = type(plugins).get

    def with_peer(self, kind, name):
        found = get(self, kind, name)
        return replace(found, evidence=(*found.evidence, "peer")) if name == "label_smoothing" else found

    monkeypatch.setattr(type(plugins), "get", with_peer)
    assert "smooth" not in setup(suite, suite.tasks[0], planned, plugins)["plain"]


def test_seeds_are_the_planned_ones(asked):
    seeds = told(asked())["seeds"]
    assert (seeds["teacher"], seeds["kd"]) == ([0], [0, 1])


def test_the_base_is_named_with_a_hash_of_its_steps(asked):
    made = told(asked(compare=Compare(base="wide")))
    other = told(asked("train.epochs=3", compare=Compare(base="wide")))
    assert (made["base"], len(made["base_steps"])) == ("wide", 12)
    assert made["base_steps"] != other["base_steps"]
    assert (told(asked())["base"], told(asked())["base_steps"]) == ("", "")


def test_one_metric_ranks(asked):
    found = jobs(asked())
    assert {name: job.spec["setup"]["ranking"] for name, job in found.items()} == {
        "accuracy": True, "macro_f1": False, "nll": False,
    }  # fmt: skip


def test_a_changed_setup_judges_again_and_makes_no_evidence_again(asked):
    before, after = asked(), asked(compare=Compare(base="scratch"))
    assert {job.key for job in before[1].jobs} == {job.key for job in after[1].jobs}
    assert {job.key for job in jobs(before).values()}.isdisjoint(job.key for job in jobs(after).values())


def test_another_ranking_metric_judges_two_again(asked):
    before, after = jobs(asked()), jobs(asked(compare=Compare(metric="nll")))
    assert {name for name in before if before[name].key != after[name].key} == {"accuracy", "nll"}


def test_the_code_of_derived_numbers_is_in_the_keys_of_judge_jobs(asked, monkeypatch):
    from kdbench.plan import keys

    seen = []
    sources = keys.sources
    monkeypatch.setattr(keys, "sources", lambda paths: sources([p for p in paths if not seen.append(p)]))
    jobs(asked())
    names = {f"{p.parent.name}/{p.name}" for p in seen}
    assert {"judge/score.py", "derived/corruption.py", "discovery/search.py", "stages/judge.py", "nouns/predictions.py"} <= names


def test_another_version_of_a_library_that_numbers_come_from_judges_again_and_makes_no_evidence_again(asked, monkeypatch):
    """stanford-crfm/helm#4332: what was mended in a metric reaches every board, also where the metric is another library's."""
    from kdbench.plan import keys

    before = asked()
    told_then = {job.key for job in jobs(before).values()}
    known = keys._version
    keys.runtime.cache_clear()
    monkeypatch.setattr(keys, "_version", lambda name: "99.0" if name == "fairlearn" else known(name))
    try:
        after = asked()
        assert told_then.isdisjoint(job.key for job in jobs(after).values())
        assert {job.key for job in before[1].jobs} == {job.key for job in after[1].jobs}
    finally:
        keys.runtime.cache_clear()
