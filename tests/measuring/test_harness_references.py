"""What a text that a model writes is compared with: the targets of lm-eval's tasks, whatever they are."""

import json
from types import SimpleNamespace

import pytest

from kdbench import ALTERNATIVE, Refusal
from kdbench.stages.harness_references import reference

from .test_harness_stages import World, predictions

YAML = """\
task: mine
output_type: generate_until
validation_split: train
doc_to_text: "Q: {{q}}"
doc_to_target: TARGET
generation_kwargs: {until: ["\\n"], max_gen_toks: 2}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("references"))


@pytest.mark.parametrize(
    ("target", "answers", "expected"),
    [
        ("a", (["x", "y"], ["z", "z"]), [f"x{ALTERNATIVE}y", "z"]),
        ("a", ([1, 2], ["two"]), [f"1{ALTERNATIVE}2", "two"]),
        ("a", (7, 8), ["7", "8"]),
        ("'{{a}}'", ("so", "[1, 2]"), ["so", "[1, 2]"]),  # lm-eval reads a list from the text, and compares with the text
        ("a\ndoc_to_choice: [no, yes]", (1, 0), ["yes", "no"]),
        ("'{{a}}'\ndoc_to_choice: [no, yes]", (0, 1), ["no", "yes"]),
    ],
)  # fmt: skip
def test_a_reference_is_what_lm_eval_takes_for_the_answer(world, tmp_path, target, answers, expected):
    """Lists became "['x', 'y']" and the number of a choice "1", so that no text was ever right."""
    (tmp_path / "mine.yaml").write_text(YAML.replace("TARGET", target), encoding="utf-8")
    rows = [json.dumps({"q": f"{i}?", "a": answer}) for i, answer in enumerate(answers)]
    (tmp_path / "mine.jsonl").write_text("\n".join(rows), encoding="utf-8")
    params = {"path": str(tmp_path / "mine.yaml"), "data": str(tmp_path / "mine.jsonl"), "answer": "text"}
    data = world.questions("yaml_task", **params)
    of = predictions(data, world.asked("yaml_task", data, world.model(), params=params))
    assert of.columns["reference"].tolist() == expected


def asked(choices=None, several=0):
    config = SimpleNamespace(task="mine", doc_to_choice=choices, doc_to_target="a")
    return SimpleNamespace(config=config, multiple_target=several, features=["a"], doc_to_choice=lambda _: choices)


@pytest.mark.parametrize(
    ("task", "target", "reason"),
    [
        (asked(several=1), [], "an empty list of right answers"),
        (asked(several=1), ["x", ["y"]], "a target is a list"),
        (asked(), {"x": 1}, "a target is a dict"),
        (asked(), None, "a target is a NoneType"),
        (asked(), f"x{ALTERNATIVE}y", "which stands between alternatives"),
        (asked(["no", "yes"]), 2, "'2' is not the number of one of 2 choices"),
        (asked(["no", "yes"]), "yes", "'yes' is not the number of one of 2 choices"),
    ],
)
def test_what_is_no_text_is_refused(task, target, reason):
    with pytest.raises(Refusal, match=reason):
        reference(task, {}, target)
