"""The keys of texts in a suite: tokenizer, length, probes, harness, load with a head, relabel; and what is refused of them."""

import json

import jsonschema
import pytest

from kdbench.judge.axes import applies
from kdbench.nouns import Harness, Load, Probe, Refusal, Relabel, Use
from kdbench.suite import load, resolve, schema

GOOD = """\
suite: words
seeds: [0]
data: {dataset: {texts: {path: mine.csv}}, tokenizer: {words: {least: 1}}, length: 16}
teacher: {model: bert, layers: 1, hidden: 16, heads: 2, intermediate: 32, fit: scratch}
student: {model: bag_of_embeddings}
contenders:
  kd: [fit: kd]
"""
SPOKEN = GOOD.replace("{path: mine.csv}", "{path: mine.csv, answer: next}").replace(
    "bert, layers: 1", "gpt2, layers: 1, positions: 16"
)
SPOKEN = SPOKEN.replace(", intermediate: 32", "").replace(
    "{model: bag_of_embeddings}", "{model: gpt2, layers: 1, hidden: 8, heads: 2, positions: 16}"
)


@pytest.fixture
def read(tmp_path, plugins):
    for name in ("mine.csv", "other.csv"):
        (tmp_path / name).write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    (tmp_path / "checkpoint").mkdir()

    def run(text):
        path = tmp_path / "suite.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, plugins)

    return run


def test_tokenizer_and_length_are_read_and_come_back(read):
    data = read(GOOD).tasks[0].data
    assert (data.tokenizer, data.length) == (Use("words", {"vocabulary": 20000, "least": 1, "lowercase": True}), 16)
    assert read(resolve(read(GOOD))) == read(GOOD)


def test_a_probe_is_a_task_of_its_own_that_makes_nothing(read):
    suite = read(GOOD + "probes: [{texts: {path: other.csv, labels: {A: x}, limit: 5}}]\n")
    home, other = suite.tasks
    (probe,) = home.probes
    assert (dict(probe.labels), probe.limit, probe.groups) == ({"A": "x"}, 5, ())
    assert (other.name, other.home, other.probes) == ("texts on texts", "texts", (probe,))
    assert other.data.dataset.params["path"].endswith("other.csv")
    assert isinstance(probe, Probe)
    assert read(resolve(suite)) == suite


def test_questions_are_tasks_of_their_own(read):
    suite = read(SPOKEN + "harness: {tasks: [blimp, {lambada: {limit: 3}}], limit: 9, shots: 1}\n")
    home, *asked = suite.tasks
    assert [task.name for task in asked] == ["texts asks blimp", "texts asks lambada"]
    assert home.harness == Harness(tuple(one.harness.tasks[0] for one in asked), 9, 1)
    assert {task.home for task in asked} == {"texts"}
    assert read(resolve(suite)) == suite


def test_a_new_head_and_new_data_are_steps(read):
    steps = "  more: [load: {path: ./checkpoint, head: new}, relabel: pseudo_labels, fit: scratch]\n"
    (_, contender) = read(GOOD + steps).tasks[0].contenders
    loaded, relabel, _ = contender.steps
    assert isinstance(loaded, Load)
    assert (loaded.head, loaded.path.endswith("/checkpoint")) == ("new", True)
    assert relabel == Relabel(Use("pseudo_labels", {"threshold": 0.0}), "teacher")
    assert read(resolve(read(GOOD + steps))) == read(GOOD + steps)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("words:", "word:"), ("data.tokenizer", "no tokenizer named 'word'; did you mean 'words'?")),
        (GOOD.replace("length: 16", "length: 0"), ("data.length", "found 0", "a whole number from 1")),
        (GOOD + "probes: [hatechek]\n", ("probes.0", "no dataset named 'hatechek'; did you mean 'hatecheck'?")),
        (GOOD + "probes: [digits]\n", ("'digits' is of the kind 'image'", "allowed: datasets of the same kind and answer")),
        (GOOD + "probes: [wikitext2]\n", ("'wikitext2' is of the answer 'next'",)),
        (GOOD + "probes: [{texts: {path: mine.csv}}]\n", ("texts is the task's own dataset",)),
        (GOOD + "probes: [hatecheck, hatecheck]\n", ("hatecheck is given twice with the same parameters",)),
        (GOOD + "probes: [{hatecheck: {groups: [targets]}}]\n", ("hatecheck has no group column 'targets'",)),
        (GOOD + "probes: [{hatecheck: {label: {a: x}}}]\n", ("unknown key 'label'", "did you mean 'labels'")),
        (GOOD + "harness: {tasks: [blimp]}\n", ("lm-eval asks language models", "answer with a class")),
        (SPOKEN + "harness: {tasks: [blimpp]}\n", ("no harness named 'blimpp'; did you mean 'blimp'?",)),
        (SPOKEN + "harness: {limit: 5}\n", ("the key 'tasks' is missing",)),
        (SPOKEN + "harness: {tasks: [blimp], shot: 1}\n", ("unknown key 'shot'", "did you mean 'shots'")),
        (GOOD + "  new: [load: {path: ./checkpoint, head: fresh}]\n", ("head", "found the text 'fresh'", "allowed: '', new")),
        (GOOD + "  new: [load: ./nowhere]\n", ("no such file or folder: './nowhere'",)),
        (GOOD + "  new: [fit: scratch, relabel: pseudo_labels]\n", ("nobody trains on the new data",)),
        (GOOD + "  new: [relabel: pseudo_label, fit: scratch]\n", ("did you mean 'pseudo_labels'?",)),
        (
            GOOD.replace("bag_of_embeddings", "resnet_cifar"),
            ("the model 'resnet_cifar' is for image", "'texts' is of the kind 'text'"),
        ),
        (SPOKEN.replace("gpt2, layers: 1, hidden: 8", "bert, layers: 1, hidden: 8"), ("bert", "next")),
    ],
    ids=range(19),
)
def test_what_does_not_fit_is_refused_in_lines_that_name_the_place(read, text, words):
    with pytest.raises(Refusal) as caught:
        read(text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_schema_for_editors_knows_them(plugins):
    from ruamel.yaml import YAML

    validator = jsonschema.Draft202012Validator(schema(plugins))
    for more in ("probes: [hatecheck, {imdb: {limit: 5}}]", "harness: {tasks: [blimp], shots: 2}"):
        given = json.loads(json.dumps(YAML(typ="safe").load(f"{GOOD}{more}\n")))
        assert list(validator.iter_errors(given)) == []
    given = YAML(typ="safe").load(GOOD + "harness: {tasks: [blimp], shot: 2}\n")
    assert list(validator.iter_errors(given))


def test_tasks_of_lm_eval_have_numbers_whatever_axes_are_named(read, plugins):
    """BLiMP was asked and nothing was shown where a suite listed axes of its own."""
    asked = SPOKEN + "harness: {tasks: [blimp, lambada]}\naxes: [bits_per_byte, parameters]\n"
    suite = read(asked)
    said = [(use.name, use.params.get("metric")) for use in suite.axes]
    assert said == [
        ("bits_per_byte", None), ("parameters", None), ("lm_eval", "acc"), ("lm_eval_lower", "perplexity"),
        ("accuracy", None), ("agreement", None),
    ]  # fmt: skip
    assert read(resolve(suite)) == suite
    here = {task.name: {use.name for use in suite.axes if applies(plugins.get("metric", use.name), task, plugins)}
            for task in suite.tasks}  # fmt: skip
    assert here["texts"] == {"bits_per_byte", "parameters"}
    assert here["texts asks blimp"] == {"lm_eval", "lm_eval_lower", "accuracy", "agreement"}
    named = read(asked.replace("parameters]", "accuracy, {lm_eval: {metric: acc}}]"))
    assert [use.name for use in named.axes] == ["bits_per_byte", "accuracy", "lm_eval", "lm_eval_lower", "agreement"]
    assert [use.name for use in read(SPOKEN + "axes: [bits_per_byte]\n").axes] == ["bits_per_byte"]


def test_nothing_is_added_to_tasks_of_classes(read):
    """A suite that names no accuracy for its own classes gets none because another task has questions."""
    indent = "".join(f"    {line}\n" for line in SPOKEN.splitlines()[2:])
    other = "".join(f"    {line}\n" for line in GOOD.splitlines()[2:])
    head = "suite: words\nseeds: [0]\naxes: [ece]\ntasks:\n"
    suite = read(f"{head}  says:\n{indent}    harness: {{tasks: [blimp]}}\n  sorts:\n{other}")
    assert [use.name for use in suite.axes] == ["ece", "lm_eval"]
