"""What the parts of a suite mean together: references, kinds, runtimes, groups, gates."""

import pytest
from toysuite import GOOD, changed, steps

from kdbench.nouns import ShiftUse, Use

DATA = "data: {dataset: toy_digits}"


def rows(*lines: str) -> str:
    return GOOD.split("contenders:")[0] + "contenders:\n" + "".join(f"  {line}\n" for line in lines)


def test_data_is_read_in_full(read):
    data = (
        read(
            changed(
                DATA,
                "data: {dataset: toy_digits, noisy: true, limit: {train: 100}, validation: 0.2, shifts: [toy_noise, "
                "{toy_blur: {severities: [2]}}, "
                "{toy_noise: {sigma: 1}}], severities: [1, 5], ood: [toy_letters], groups: [ink], allow_leak: 3}",
            )
        )
        .tasks[0]
        .data
    )
    assert data.dataset == Use("toy_digits", {"noisy": True})
    assert (dict(data.limit), data.validation, data.allow_leak) == ({"train": 100}, 0.2, 3)
    assert data.shifts == (
        ShiftUse(Use("toy_noise", {"sigma": 0.1}), (1, 5)),
        ShiftUse(Use("toy_blur", {}), (2,)),
        ShiftUse(Use("toy_noise", {"sigma": 1.0}), (1, 5)),
    )
    assert (data.ood, data.groups) == ((Use("toy_letters", {}),), ("ink",))


def test_a_key_of_the_data_block_is_also_the_datasets_own(read, tmp_path):
    (tmp_path / "rows.csv").write_text("y\n1\n")
    text = GOOD.replace("toy_net, depth: 20", "toy_mlp").replace("toy_net", "toy_mlp")
    data = read(text.replace(DATA, "data: {dataset: toy_table, path: rows.csv, groups: [sex]}")).tasks[0].data
    assert data.dataset.params == {"path": str(tmp_path / "rows.csv"), "label": "y", "groups": ["sex"]}
    assert data.groups == ("sex",)


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ("toy_digit", "data", "did you mean 'toy_digits'?"),
        ("{name: toy_digits}", "data", "'dataset' is missing"),
        ("{dataset: toy_digits, limits: {train: 3}}", "data.limits", "did you mean 'limit'?"),
        ("{dataset: {toy_digits: {}}, noisy: true}", "data.noisy", "unknown key 'noisy'"),
        ("{dataset: toy_digits, limit: {training: 3}}", "data.limit.training", "train, validation, test"),
        ("{dataset: toy_digits, limit: {train: 0}}", "data.limit.train", "from 1"),
        ("{dataset: toy_digits, validation: 1}", "data.validation", "below 1"),
        ("{dataset: toy_digits, validation: -0.1}", "data.validation", "from 0 and at most 1"),
        ("{dataset: toy_digits, groups: [inks]}", "data.groups.0", "did you mean 'ink'? (allowed: ink, writer, class)"),
        ("{dataset: toy_digits, groups: [ink, ink]}", "data.groups.1", "given twice"),
        ("{dataset: toy_digits, groups: ink}", "data.groups", "a list of: text"),
        ("{dataset: toy_digits, severities: [0]}", "data.severities.0", "1 to 5"),
        ("{dataset: toy_digits, severities: [6]}", "data.severities.0", "1 to 5"),
        ("{dataset: toy_digits, severities: [1, 1]}", "data.severities.1", "given twice"),
        ("{dataset: toy_digits, severities: []}", "data.severities", "at least one"),
        ("{dataset: toy_digits, shifts: [toy_noize]}", "data.shifts.0", "did you mean 'toy_noise'?"),
        ("{dataset: toy_digits, shifts: [toy_noise, toy_noise]}", "data.shifts.1", "given twice"),
        ("{dataset: toy_digits, shifts: [{toy_noise: {sigma: -1}}]}", "data.shifts.0.toy_noise.sigma", "from 0"),
        ("{dataset: toy_digits, shifts: [toy_missing]}", "data.shifts.0", "is for table, but the dataset 'toy_digits'"),
        ("{dataset: toy_digits, ood: [toy_digits]}", "data.ood.0", "own dataset"),
        ("{dataset: toy_digits, ood: [{toy_table: {path: suite.yaml}}]}", "data.ood.0", "is for table, but"),
        ("{dataset: toy_digits, allow_leak: -1}", "data.allow_leak", "from 0"),
    ],
)  # fmt: skip
def test_bad_data_is_refused(data, path, words, refusal):
    said = refusal(changed(DATA, f"data: {data}"))
    assert said.startswith("suite.yaml:5:")
    assert f": {path}: " in said
    assert words in said
    assert "\n" not in said


def test_model_and_dataset_must_be_of_one_kind(refusal):
    said = refusal(changed(DATA, "data: {dataset: toy_table, path: suite.yaml}"))
    assert [line.split(": ")[1] for line in said.splitlines()] == ["teacher.model", "contenders.kd.fit", "contenders.none.fit"]
    assert "the model 'toy_net' is for image, but the dataset 'toy_table' is of the kind 'table'" in said


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[start: kdd]", "contenders.none.start", "did you mean 'kd'? (allowed: teacher, kd, none)"),
        ("[{fit: toy_kd, teacher: kdd}]", "contenders.none.teacher", "did you mean 'kd'?"),
        ("[{fit: toy_scratch, teacher: kd}]", "contenders.none.teacher", "no term of this fit asks for a teacher"),
        ("[compress: toy_int8]", "contenders.none.compress", "nothing to compress yet"),
        ("[fit: toy_kd, start: teacher]", "contenders.none.start", "throw away the earlier steps"),
        ("[fit: toy_kd, load: .]", "contenders.none.load", "throw away the earlier steps"),
        ("[fit: toy_kd, compress: toy_int8, fit: toy_kd]", "contenders.none.2", "the earlier steps give onnx"),
        ("[fit: toy_kd, compress: toy_int8, compress: {toy_prune: {sparsity: 0.5}}]", "contenders.none.2",
         "toy_prune takes torch, but the earlier steps give onnx"),
        ("[fit: toy_kd, compress: toy_onnx_only]", "contenders.none.compress", "takes onnx, but"),
        ("[start: none]", "contenders.none", "none -> none"),
        ("[{fit: toy_kd, teacher: none}]", "contenders.none", "none -> none"),
        ("[start: teacher, {fit: toy_kd, model: toy_net}]", "contenders.none.model", "the earlier steps give the model already"),
        ("[{fit: toy_kd, train: {optimizer: adam}}]", "contenders.none.train.nesterov", "with adam and momentum 0.9"),
    ],
)  # fmt: skip
def test_steps_that_do_not_follow_are_refused(text, path, words, refusal):
    said = refusal(steps(text))
    assert f": {path}: " in said or (path.endswith("nesterov") and ": contenders.none.train: " in said)
    assert words in said


def test_a_cycle_is_named(refusal):
    said = refusal(rows("a: [{fit: toy_kd, teacher: b}]", "b: [start: c, compress: toy_int8]", "c: [{fit: toy_kd, teacher: a}]"))
    assert said == "suite.yaml:9:3: contenders.a: the contenders wait for each other: a -> b -> c -> a"


def test_a_teacher_taught_by_itself_is_refused(refusal):
    assert "teacher -> teacher" in refusal(changed("fit: toy_scratch}", "fit: toy_kd}"))
    assert "teacher -> teacher" in refusal(changed("fit: toy_scratch}", "fit: toy_scratch, train: {views: [toy_policy]}}"))


def test_a_runtime_is_handed_on_by_start(read, refusal):
    first = "a: [fit: toy_scratch, compress: toy_int8]"
    assert read(rows(first, "b: [start: a, compress: toy_onnx_only]"))
    assert "takes torch, but the earlier steps give onnx" in refusal(rows("b: [start: a, compress: toy_int8]", first))


def test_what_is_loaded_may_be_of_any_runtime(read):
    assert read(steps("[load: ., compress: toy_onnx_only]"))
    assert read(steps("[load: ., compress: toy_int8]"))


def test_assistants_and_equal_contenders_are_accepted(read):
    suite = read(rows("a: [{fit: toy_kd, teacher: m}]", "b: [{fit: toy_kd, teacher: m}]", "m: [fit: toy_kd]"))
    assert suite.tasks[0].contenders[0].steps == suite.tasks[0].contenders[1].steps


@pytest.mark.parametrize("name", ["teacher", "Teacher", "TEACHER"])
def test_teacher_is_a_reserved_name(name, refusal):
    assert "the name of the task's teacher" in refusal(rows(f"{name}: [fit: toy_kd]"))


@pytest.mark.parametrize(
    ("gate", "path", "words"),
    [
        ("{metric: toy_latency, at_most: 1}", "gates.0.metric", "not among the axes"),
        ("{metric: toy_acuracy, at_least: 0.9}", "gates.0.metric", "did you mean 'toy_accuracy'?"),
        ("{metric: toy_accuracy}", "gates.0", "no bound"),
        ("{at_least: 0.9}", "gates.0", "'metric' is missing"),
        ("{metric: toy_accuracy, at_least: 95}", "gates.0.at_least", "toy_accuracy goes from 0 to 1; as a fraction, 0.95"),
        ("{metric: toy_accuracy, at_most: -0.1}", "gates.0.at_most", "goes from 0 to 1"),
        ("{metric: toy_accuracy, at_least: -2, of: delta}", "gates.0.at_least", "toy_accuracy goes from -1 to 1"),
        ("{metric: toy_accuracy, at_least: 0.9, at_most: 0.1}", "gates.0.at_most", "not below at_least"),
        ("{metric: toy_accuracy, at_least: .nan}", "gates.0.at_least", "found .nan"),
        ("{metric: toy_accuracy, at_least: 0.9, of: ratio}", "gates.0.of", "value, delta"),
        ("{metric: toy_accuracy, at_least: 0.9, contender: kdd}", "gates.0.contender", "did you mean 'kd'?"),
        ("{metric: toy_accuracy, at_least: 0.9, task: digits}", "gates.0.task", "(allowed: toy_digits)"),
        ("{metric: toy_accuracy, at_least: 0.9, target: gpu}", "gates.0.target", "(allowed: toy_cpu)"),
        ("{metric: toy_accuracy, minimum: 0.9}", "gates.0.minimum", "unknown key 'minimum'"),
        ("toy_accuracy", "gates.0", "a gate, such as"),
    ],
)  # fmt: skip
def test_bad_gates_are_refused(gate, path, words, refusal):
    said = refusal(GOOD + f"gates: [{gate}]\n")
    assert said.startswith("suite.yaml:11:")
    assert f": {path}: " in said
    assert words in said


@pytest.mark.parametrize(
    "gate",
    [
        "{metric: toy_accuracy, at_least: 0.9, contender: kd, task: toy_digits, target: toy_cpu}",
        "{metric: toy_accuracy, at_least: -0.02, of: delta, contender: teacher}",
        "{metric: toy_ece, at_least: 0, at_most: 1}",
    ],
)
def test_good_gates_are_accepted(gate, read):
    assert len(read(GOOD + f"gates: [{gate}]\n").gates) == 1


def test_tasks_and_one_task_exclude_each_other(refusal):
    said = refusal(GOOD + "tasks: {}\n")
    assert "suite.yaml:5:1: data: found beside 'tasks'" in said
    assert "tasks: found no task" in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[toy_cpu]", "[toy_cpu, {toy_cpu: {threads: 1}}]", "targets.1: toy_cpu is given twice with the same parameters"),
        ("[toy_cpu]", "[]", "targets: found no target"),
        ("[toy_cpu]", "{toy_cpu: {threads: 2}}", "targets: found a mapping (allowed: a list"),
        ("[toy_cpu]", "[{toy_cpu: {threads: 0}}]", "targets.0.toy_cpu.threads: found 0"),
        ("toy_ece]", "{toy_ece: {bins: 1.5}}]", "axes.1.toy_ece.bins: found 1.5"),
        ("toy_ece]", "{toy_ece: {scheme: widht}}]", "did you mean 'width'?"),
        ("toy_ece]", "{toy_ece: }]", "axes.1.toy_ece: found nothing"),
    ],
)
def test_bad_lists_of_plugins_are_refused(old, new, words, refusal):
    assert words in refusal(changed(old, new))


def test_one_plugin_with_two_parameters_is_two_columns(read):
    suite = read(changed("[toy_cpu]", "[toy_cpu, {toy_cpu: {threads: 2}}]"))
    assert [use.params["threads"] for use in suite.targets] == [1, 2]


@pytest.mark.parametrize(
    ("value", "words"), [("0", "from 1"), ("1e3", "write 1000"), ("'9'", "drop the quotes"), ("null", "nothing")]
)
def test_resamples_is_a_count(value, words, refusal):
    assert words in refusal(GOOD + f"resamples: {value}\n")
