"""`teacher: TASK/CONTENDER`: how a teacher of another task is spelt, and what of it is refused, with its place in the file."""

import pytest

from kdbench.registry import discover
from kdbench.suite import load
from kdbench.suite.resolved import resolve

SUITE = """\
suite: two
seeds: [0]
targets: [toy_cpu]
axes: [toy_accuracy]
tasks:
  coarse:
    data: {dataset: toy_digits}
    teacher: {model: toy_net, fit: toy_scratch}
    student: {model: toy_net}
    contenders:
      plain: [fit: toy_scratch]
      seen: [STEP]
  fine:
    data: {dataset: toy_digits, validation: 0.2}
    teacher: {model: toy_net, depth: 20, fit: toy_scratch}
    student: {model: toy_net}
    contenders:
      small: [fit: {toy_kd: 1}]
"""
BY = "{{fit: {{toy_kd: 1}}, teacher: {}}}"
FINE = SUITE.replace("STEP", BY.format("fine/teacher"))
SPOKEN = """\
suite: spoken
seeds: [0]
targets: [torch_cpu]
axes: [bits_per_byte]
train: {epochs: 1}
tasks:
  one:
    data: {dataset: tiny_shakespeare}
    teacher: {model: gpt2, fit: scratch}
    student: {model: gpt2}
    contenders:
      kd: [{fit: kd, teacher: two/teacher}]
  two:
    data: {dataset: DATA}
    teacher: {model: MODEL, fit: scratch}
    student: {model: MODEL}
    contenders:
      plain: [fit: scratch]
"""


def step(name):
    return SUITE.replace("STEP", BY.format(name))


@pytest.mark.parametrize("name", ["fine/teacher", "fine/small"])
def test_a_contender_of_another_task_below_or_above_may_teach(read, name):
    suite = read(step(name))
    assert suite.tasks[0].contenders[1].steps[0].teacher == name
    above = step("plain").replace("{fit: {toy_kd: 1}, teacher: plain}", "fit: {toy_kd: 1}")
    above = above.replace("small: [fit: {toy_kd: 1}]", "small: [{fit: {toy_kd: 1}, teacher: coarse/seen}]")
    assert read(above).tasks[1].contenders[0].steps[0].teacher == "coarse/seen"


def test_the_teacher_of_a_task_may_itself_be_taught_elsewhere(read):
    steps = "teacher: {steps: [{fit: {toy_kd: 1}, model: toy_net, teacher: fine/teacher}]}"
    suite = read(step("teacher").replace("teacher: {model: toy_net, fit: toy_scratch}", steps, 1))
    assert suite.tasks[0].teacher.steps[0].teacher == "fine/teacher"


def test_a_resolved_suite_spells_the_other_task_too(read):
    suite = read(FINE)
    text = resolve(suite)
    assert 'teacher: "fine/teacher"' in text
    assert read(text) == suite


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (BY.format("fine/smal"), "no contender named 'fine/smal' in another task; did you mean 'fine/small'?"),
        (BY.format("fien/teacher"), "did you mean 'fine/teacher'? (allowed: fine/teacher, fine/small)"),
        (BY.format("fine/small/x"), "no contender named 'fine/small/x' in another task"),
        (BY.format("coarse/plain"), "found 'coarse/plain', which is of this task (allowed: 'plain')"),
        (BY.format("coarse/plan"), "no contender named 'coarse/plan' in another task"),
        ("{fit: toy_scratch, teacher: fine/teacher}", "no term of this fit asks for a teacher, so 'fine/teacher' would not"),
        ("{fit: {toy_kd: 1}, teacher: fine/teacher, train: {views: [toy_flip]}}",
         "the view 'toy_flip' changes the examples after the teacher's answers were recorded; 'fine/teacher' reads rows of its "),
        ("{fit: {toy_kd: 1}, teacher: fine/teacher, train: {views: [toy_policy]}}",
         "the view 'toy_policy' asks the teacher's network; 'fine/teacher' reads rows of its own"),
    ],
)  # fmt: skip
def test_what_cannot_teach_from_elsewhere_is_refused_with_its_line(refusal, given, words):
    said = refusal(SUITE.replace("STEP", given))
    assert said.startswith("suite.yaml:12:")
    assert ": tasks.coarse.contenders.seen.teacher: " in said or ": tasks.coarse.contenders.seen.fit.teacher: " in said
    assert words in said
    assert "\n" not in said


def test_start_is_from_the_task_itself(refusal):
    said = refusal(SUITE.replace("STEP", "start: fine/teacher"))
    assert said.startswith("suite.yaml:12:")
    assert said.endswith("start is from the task itself, found 'fine/teacher' (allowed: teacher, plain, seen)")


def test_a_suite_of_one_task_has_no_other(refusal):
    one = FINE.split("  fine:\n")[0]
    assert "found 'fine/teacher', but the suite has no other task (allowed: teacher, plain, seen)" in refusal(one)


def test_two_tasks_may_teach_each_other_but_not_in_a_circle(read, refusal):
    back = ("small: [fit: {toy_kd: 1}]", f"small: [{BY.format('coarse/seen')}]")
    assert read(FINE.replace(*back)).tasks[1].contenders[0].steps[0].teacher == "coarse/seen"
    said = refusal(step("fine/small").replace(*back))
    circle = "the contenders wait for each other: coarse/seen -> fine/small -> coarse/seen"
    assert said == f"suite.yaml:12:7: tasks.coarse.contenders.seen: {circle}"


@pytest.mark.parametrize("name", ["coarse/x", "a/b"])
def test_no_name_holds_the_sign_between_task_and_contender(refusal, name):
    assert "holds '/'" in refusal(FINE.replace("plain: [fit", f"{name}: [fit"))
    assert "holds '/'" in refusal(FINE.replace("  fine:\n", f"  {name}:\n"))


@pytest.mark.parametrize(
    ("dataset", "model", "there"), [("tiny_shakespeare, length: 64", "gpt2", "next"), ("digits", "mlp", "class")]
)
def test_answers_over_a_vocabulary_do_not_cross_tasks(tmp_path, dataset, model, there):
    path = tmp_path / "suite.yaml"
    path.write_text(SPOKEN.replace("DATA", dataset).replace("MODEL", model), encoding="utf-8")
    with pytest.raises(
        Exception, match=f"of the kind '{there}', that of this task 'next' .allowed: the same of class and vector"
    ):
        load(path, discover())


ATTENTION = """\
suite: attends
seeds: [0]
targets: [torch_cpu]
axes: [accuracy]
tasks:
  one:
    data: {dataset: sst2}
    teacher: {model: bert, fit: scratch}
    student: {model: bert, layers: 1}
    contenders:
      minilm: [{fit: minilm, teacher: two/teacher}]
  two:
    data: {dataset: sst2, length: 64}
    teacher: {model: bert, fit: scratch}
    student: {model: bert, layers: 1}
    contenders:
      plain: [fit: scratch]
"""


def test_attention_of_a_teacher_elsewhere_is_refused(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text(ATTENTION, encoding="utf-8")
    with pytest.raises(Exception, match=r"yaml:11:.*'minilm' reads the attention of the teacher, which is not recorded"):
        load(path, discover())
