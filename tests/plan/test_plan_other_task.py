"""A teacher of another task in a plan: recorded on its own rows, shared, never live, whatever the order of the tasks."""

import pytest

from kdbench.plan import plan
from kdbench.suite import load

STUDENTS = """
  students:
    data: {{dataset: digits, limit: {{train: 200}}}}
    teacher: {{model: mlp, width: 32, fit: scratch}}
    student: {{model: mlp, width: 8}}
    contenders:
      kd: [fit: kd]
      far: [{{fit: kd, teacher: views/teacher}}]
      {more}
"""
VIEWS = """
  views:
    data: {{dataset: digits, limit: {{train: 300}}}}
    teacher: {{model: small_cnn, width: 8, fit: scratch}}
    student: {{model: small_cnn, width: 4}}
    contenders:
      own: [fit: kd]
      calibrated: [start: own, compress: magnitude_pruning]
      {theirs}
"""
HEAD = "suite: two\nseeds: [0, 1]\ntargets: [torch_cpu]\naxes: [accuracy]\ntasks:"
FILL = "more: [fit: scratch]"


@pytest.fixture
def planned(tmp_path, plugins):
    def make(more=FILL, theirs=FILL, order=(STUDENTS, VIEWS)):
        path = tmp_path / "suite.yaml"
        path.write_text(HEAD + "".join(order).format(more=more, theirs=theirs), encoding="utf-8")
        return plan(load(path, plugins), plugins)

    return make


def fit(made, contender, task="students", seed=0):
    (cell,) = [
        c for c in made.cells if (c.task, c.contender, c.seed, c.evidence) == (task, contender, seed, "cost")
    ]  # fmt: skip
    return made.job(cell.key)


def samples(made, task):
    """The key of a task's own examples: what its first fit reads."""
    return fit(made, "teacher", task).needs["data"]


def of(made, stage):
    return [job for job in made.jobs if job.stage == stage]


@pytest.mark.parametrize("order", [(STUDENTS, VIEWS), (VIEWS, STUDENTS)])
def test_every_need_stands_above_in_whatever_order_the_tasks_are(planned, order):
    made, seen = planned(order=order), set()
    for job in made.jobs:
        assert set(job.needs.values()) <= seen, job.label
        seen.add(job.key)
    assert seen == {job.key for job in planned().jobs}
    assert len(seen) == len(made.jobs)


def test_the_fit_is_given_the_answers_to_the_other_rows_and_never_the_network(planned):
    made = planned()
    needs = fit(made, "far").needs
    there = samples(made, "views")
    assert set(needs) == {"data", "outputs", "other_task", "saw_0"}
    assert (needs["data"], needs["other_task"], needs["saw_0"]) == (samples(made, "students"), there, there)
    asked = made.job(needs["outputs"])
    assert dict(asked.needs) == {"data": there, "artefact": fit(made, "teacher", "views").key}
    assert "teacher" in fit(made, "kd").needs, "beside it one that could run live"


def test_one_recording_serves_both_tasks_and_all_seeds(planned):
    made = planned()
    keys = {fit(made, *who, seed=seed).needs["outputs"] for who in (("far",), ("own", "views")) for seed in (0, 1)}
    assert len(keys) == 1
    assert len(of(made, "outputs")) == 2, "and one of the students' own teacher"


def test_another_contender_teaches_with_the_seed_of_its_student(planned):
    made = planned("seeded: [{fit: kd, teacher: views/own}]")
    keys = [made.job(fit(made, "seeded", seed=seed).needs["outputs"]).needs["artefact"] for seed in (0, 1)]
    assert keys == [fit(made, "own", "views", seed=seed).key for seed in (0, 1)]
    assert keys[0] != keys[1]


def test_a_row_that_is_taught_elsewhere_costs_its_fit_and_what_is_asked_of_it(planned):
    """The rest of the plan, the other task included, is the same."""
    without, with_one = planned("more: [fit: scratch]"), planned("hint: [{fit: kd, teacher: views/own}]")
    new = {job.key: job for job in with_one.jobs if job.key not in {one.key for one in without.jobs}}
    assert {job.stage for job in new.values()} <= {"fit", "outputs", "predict", "size", "judge"}
    assert len([job for job in new.values() if job.stage == "outputs"]) == 2, "the teacher `own` at each of two seeds"


def test_features_are_recorded_where_a_term_reads_them(planned):
    made = planned("hint: [{fit: {kd: 1, fitnets: 1}, teacher: views/teacher}]")
    assert made.job(fit(made, "hint").needs["outputs"]).spec == {"taps": True}
    assert made.job(fit(made, "far").needs["outputs"]).spec == {"taps": False}


def test_all_that_a_teacher_learned_from_is_known_at_the_end_of_a_chain(planned):
    """Its own rows, those of the teachers behind it, and what it starts from; so a leak is seen over any number of tasks."""
    made = planned(
        "last: [{fit: kd, teacher: views/calibrated}, {fit: kd, teacher: views/back}]",
        "back: [{fit: kd, teacher: students/kd}]",
    )
    first, last = (made.job(key) for key in (fit(made, "last").needs["artefact"], fit(made, "last").key))
    saw = [{key for role, key in job.needs.items() if role.startswith("saw_")} for job in (first, last)]
    here, there = samples(made, "students"), samples(made, "views")
    assert saw == [{there}, {here, there}]


def test_a_teacher_elsewhere_changes_the_key_of_its_student(planned):
    made = planned("near: [{fit: kd, teacher: kd}]")
    keys = {name: fit(made, name).key for name in ("kd", "far", "near")}
    assert len(set(keys.values())) == 3


def test_what_led_to_a_loaded_teacher_is_not_known_and_the_fit_is_told(planned, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "artefact.json").write_text('{"runtime": "torch", "model": {"name": "small_cnn", "params": {}}}', "utf-8")
    rows = (f"loaded: [load: {tmp_path}/net]", f"tuned: [load: {tmp_path}/net, fit: ce]", "pupil: [{fit: kd, teacher: tuned}]")
    theirs = "\n      ".join(rows)
    more = "\n      ".join(f"of_{name}: [{{fit: kd, teacher: views/{name}}}]" for name in ("loaded", "tuned", "pupil", "own"))
    made = planned(more=more, theirs=theirs)
    told = {name: fit(made, f"of_{name}").spec.get("unknown", False) for name in ("loaded", "tuned", "pupil", "own")}
    assert told == {"loaded": True, "tuned": True, "pupil": True, "own": False}
    assert all("made elsewhere" not in job.needs.values() for job in made.jobs)
