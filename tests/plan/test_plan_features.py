"""Features are planned where a metric of the suite reads them, and nowhere else."""

import pytest

from kdbench.plan import judging, plan
from kdbench.registry import discover
from kdbench.suite import load

SUITE = """
suite: taps
seeds: [0, 1]
targets: [torch_cpu, ort_cpu]
axes: {axes}
data: {{dataset: digits, shifts: [blur], severities: [1], ood: [{ood}]}}
teacher: {{model: resnet_cifar, depth: 8, width: 8, fit: scratch}}
student: {{model: resnet_cifar, depth: 8, width: 4}}
contenders:
  kd: [fit: kd]
  kd-int8: [fit: kd, compress: static_int8]
  flat: [{{fit: scratch, model: linear}}]
  pruned: [start: flat, compress: magnitude_pruning]
{more}
"""
ITSELF = "features are taken from the artefact itself, on a target that runs it as it is; this one runs an export"


@pytest.fixture
def made(tmp_path, plugins):
    def make(axes, ood="synthetic_shapes", plugins=plugins, more=""):
        path = tmp_path / "suite.yaml"
        path.write_text(SUITE.format(axes=axes, ood=ood, more=more), encoding="utf-8")
        suite = load(path, plugins)
        return suite, plan(suite, plugins)

    return make


def keys(planned, *stages):
    return {job.key for job in planned.jobs if not stages or job.stage in stages}


def features(planned, **where):
    found = [c for c in planned.cells if c.evidence == "features"]
    return [c for c in found if all(getattr(c, k) == v for k, v in where.items())]


def test_a_metric_of_features_adds_jobs_and_changes_no_key(made):
    before, after = made("[accuracy]")[1], made("[accuracy, cka, feature_ood_auroc]")[1]
    assert not keys(before, "features")
    assert not features(before)
    assert keys(after) - keys(before) == keys(after, "features") != set()
    assert keys(before) < keys(after)
    assert [c for c in after.cells if c.evidence != "features"] == list(before.cells)


@pytest.mark.parametrize(
    ("axes", "sets"),
    [
        ("[cka]", {("test", "")}),
        ("[feature_ood_auroc]", {("test", ""), ("validation", ""), ("test", "ood:synthetic_shapes")}),
    ],
)
def test_only_the_sets_that_are_read_are_planned_and_no_shifted_one(made, axes, sets):
    planned = made(axes)[1]
    assert {(c.split, c.shift) for c in features(planned)} == sets
    assert len(keys(planned, "features")) == 3 * len(sets)  # the teacher, and two seeds of kd


def test_a_job_of_features_stands_on_its_samples_and_its_artefact_alone(made):
    planned = made("[feature_ood_auroc]")[1]
    for cell in features(planned, contender="kd", target="torch_cpu"):
        job = planned.job(cell.key)
        predicted = next(
            c for c in planned.cells
            if (c.evidence, c.contender, c.seed, c.target, c.split, c.shift)
            == ("predictions", "kd", cell.seed, "torch_cpu", cell.split, cell.shift)
        )  # fmt: skip
        assert job.needs == planned.job(predicted.key).needs
        assert dict(job.spec) == {"split": cell.split}
        assert job.runtime.startswith("torch ")
        assert set(job.needs.values()) < keys(planned)


def test_where_there_are_none_the_cell_says_why(made):
    planned = made("[cka]")[1]
    assert {c.reason for c in features(planned, target="ort_cpu")} == {ITSELF}
    assert {c.reason for c in features(planned, target="torch_cpu", contender="kd")} == {""}
    int8 = features(planned, target="torch_cpu", contender="kd-int8")
    assert {c.reason for c in int8} == {"features are taken from torch artefacts; this one is onnx"}
    for contender in ("flat", "pruned"):
        reasons = {c.reason for c in features(planned, target="torch_cpu", contender=contender)}
        assert reasons == {"the model 'linear' declares no taps"}
    assert all(bool(c.key) != bool(c.reason) for c in features(planned))


def test_another_target_needs_no_more_features(made, tmp_path, plugins):
    one = made("[cka]")[1]
    assert keys(one, "features") == {c.key for c in features(one, target="torch_cpu") if c.key}


def test_a_judge_job_holds_the_features_that_its_metric_reads(made, plugins):
    suite, planned = made("[accuracy, cka, feature_ood_auroc]")
    jobs = {job.spec["metric"]["name"]: job for job in judging(suite, planned, plugins, lambda key: True)}

    def held(name):
        return {(row[1], *row[4:7]) for row in jobs[name].spec["layout"] if row[3] == "torch_cpu" and row[1] in ("teacher", "kd")}

    assert not {row for row in held("accuracy") if row[1] == "features"}
    assert {row for row in held("accuracy") if row[2:] == ("test", "blur")}
    assert {row for row in held("cka") if row[1] == "features"} == {(who, "features", "test", "") for who in ("teacher", "kd")}
    assert {row[1:] for row in held("feature_ood_auroc") if row[1] == "features"} == {
        ("features", "test", ""), ("features", "validation", ""), ("features", "test", "ood:synthetic_shapes"),
    }  # fmt: skip
    for name in ("cka", "feature_ood_auroc"):
        assert not {row for row in held(name) if row[3] == "blur"}


def test_a_metric_of_the_teachers_features_alone_gets_no_others(tmp_path, made):
    own = tmp_path / "own" / "metrics"
    own.mkdir(parents=True)
    (own / "wide.py").write_text(
        "from kdbench import metric\n\n\n@metric(form='set', better='none')\ndef wide(teacher_features):\n    return 1.0\n",
        encoding="utf-8",
    )
    plugins = discover([own.parent])
    suite, planned = made("[wide]", plugins=plugins)
    (job,) = judging(suite, planned, plugins, lambda key: True)
    assert {row[1] for row in job.spec["layout"] if row[4] == "features"} == {"teacher"}
