"""The block `compare`: read, refused, resolved, in the schema, and in the key of no evidence."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from toysuite import GOOD, TOYS, changed

from kdbench.judge import axes as axis
from kdbench.nouns import Compare
from kdbench.plan import plan
from kdbench.registry import discover
from kdbench.suite import load, resolve
from kdbench.suite.blocks import COMPARE
from kdbench.suite.editor import schema

AXES = "axes: [toy_accuracy, toy_ece]"
MANY = "axes: [toy_accuracy, toy_ece, {toy_ece: {bins: 10}}, toy_latency]"


def block(text: str) -> str:
    return changed(AXES, MANY) + f"compare: {text}\n"


def test_nothing_said_is_the_default(read):
    assert read(GOOD).compare == Compare("", None, "", "apart", ())
    assert read(GOOD + "compare: {}\n").compare == Compare()


def test_all_keys_are_read(read):
    text = "{metric: toy_ece, margin: 0.005, base: none, unlike: together, pareto: [toy_accuracy, 'toy_ece{bins=10}']}"
    found = read(block(text)).compare
    assert found == Compare("toy_ece", 0.005, "none", "together", ("toy_accuracy", "toy_ece{bins=10}"))
    assert read(block("{margin: 0}")).compare.margin == 0.0
    assert read(block("{margin: null}")).compare.margin is None


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("{metric: toy_acuracy}", "compare.metric", "did you mean 'toy_accuracy'?"),
        ("{metric: accuracy}", "compare.metric", "not among the axes of this suite"),
        ("{margin: -0.1}", "compare.margin", "from 0"),
        ("{margin: '0.1'}", "compare.margin", "drop the quotes"),
        ("{base: non}", "compare.base", "did you mean 'none'? (allowed: kd, none)"),
        ("{base: teacher}", "compare.base", "not a contender of this suite"),
        ("{unlike: togeter}", "compare.unlike", "did you mean 'together'?"),
        ("{pareto: [toy_ece]}", "compare.pareto", "at least two"),
        ("{pareto: toy_ece}", "compare.pareto", "a list of: text"),
        ("{pareto: [toy_ece, toy_ec]}", "compare.pareto.1", "did you mean 'toy_ece'?"),
        ("{pareto: [toy_ece, toy_ece]}", "compare.pareto.1", "given twice"),
        ("{pareto: [toy_ece, 'toy_ece{bins=10}', 'toy_ece{bins=11}']}", "compare.pareto.2", "did you mean"),
        ("{metrics: toy_ece}", "compare.metrics", "unknown key 'metrics'; did you mean 'metric'?"),
        ("toy_ece", "compare", "a mapping with metric, margin, base, unlike, pareto"),
    ],
)  # fmt: skip
def test_bad_blocks_are_refused_with_their_line(text, path, words, refusal):
    said = refusal(block(text))
    assert said.startswith("suite.yaml:11:")
    assert f": {path}: " in said
    assert words in said


def test_metrics_without_a_direction_or_a_number_of_their_own_cannot_rank(refusal, tmp_path):
    """Real metrics: a selection rate has no direction."""
    suite = Path(__file__).parents[2] / "suites" / "adult.yaml"
    text = suite.read_text(encoding="utf-8").replace("compare: {", "compare: {metric: selection_rate, ", 1)
    path = tmp_path / "adult.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Exception, match=r"compare\.metric: 'selection_rate' has no direction, so it cannot rank"):
        load(path, discover())


def test_it_can_be_set_on_the_command_line(read):
    assert read(GOOD, "compare.margin=0.02", "compare.unlike=together").compare == Compare(margin=0.02, unlike="together")


def test_a_resolved_suite_shows_it_and_loads_to_the_same(read, tmp_path):
    first = read(block("{metric: toy_ece, base: kd, pareto: [toy_accuracy, toy_latency]}"))
    text = resolve(first)
    assert re.search(r"^compare:", text, re.MULTILINE)
    assert "unlike: apart" in text
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")
    assert load(tmp_path / "again.yaml", discover([TOYS])) == first


def test_the_schema_of_editors_knows_it(toys):
    made = schema(toys)["properties"]["compare"]
    assert set(made["properties"]) == set(COMPARE) == set(Compare.__dataclass_fields__)
    checks = jsonschema.Draft202012Validator(json.loads(json.dumps(made)))
    assert checks.is_valid({"metric": "toy_ece", "margin": None, "pareto": ["a", "b"], "unlike": "together"})
    assert not checks.is_valid({"margin": -1})
    assert not checks.is_valid({"unlike": "never"})
    assert not checks.is_valid({"other": 1})


def test_the_page_of_keys_has_its_table():
    text = (Path(__file__).parents[2] / "docs" / "suite.md").read_text(encoding="utf-8")
    part = text.partition("\n## compare\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == set(COMPARE)


def test_it_is_in_no_key_of_evidence(tmp_path):
    path, plugins = tmp_path / "suite.yaml", discover()
    path.write_text(
        "suite: s\nseeds: [0]\ndata: {dataset: digits}\nteacher: {model: resnet_cifar, fit: scratch}\n"
        "student: {model: resnet_cifar}\ncontenders: {a: [fit: scratch], b: [fit: kd]}\n"
    )
    changes = (
        "compare.metric=ece",
        "compare.margin=0.3",
        "compare.base=a",
        "compare.unlike=together",
        "compare.pareto=[ece, nll]",
    )
    plain, other = (plan(load(path, plugins, sets), plugins) for sets in ((), changes))
    assert [job.key for job in plain.jobs] == [job.key for job in other.jobs]


def test_what_ranks_and_what_the_front_is_by_default(read, toys):
    def found(suite):
        held = axis.axes(suite, toys)
        first = axis.ranking(suite, held)[0]
        return first.id, axis.margin(suite, first), [a.id for a in axis.front(suite, held, first)]

    assert found(read(changed(AXES, MANY))) == ("toy_accuracy", 0.01, [])
    assert found(read(block("{metric: 'toy_ece{bins=10}'}"))) == ("toy_ece{bins=10}", 0.01, [])
    assert found(read(block("{metric: toy_latency, pareto: [toy_ece, toy_latency]}"))) == (
        "toy_latency",
        0.0,
        ["toy_ece", "toy_latency"],
    )
    assert found(read(block("{margin: 0}")))[1] == 0.0


def test_the_default_front_is_quality_against_latency_else_size(tmp_path):
    plugins, path = discover(), tmp_path / "suite.yaml"
    for axes, front in (
        ("[accuracy, latency_ratio, parameters]", ["accuracy", "latency_ratio"]),
        ("[accuracy, parameters]", ["accuracy", "parameters"]),
        ("[accuracy, ece]", []),
        ("[parameters]", []),
    ):
        path.write_text(
            f"suite: s\naxes: {axes}\ndata: {{dataset: digits}}\nteacher: {{model: resnet_cifar, fit: scratch}}\n"
            "student: {model: resnet_cifar}\ncontenders: {a: [fit: scratch]}\n"
        )
        suite = load(path, plugins)
        held = axis.axes(suite, plugins)
        assert [a.id for a in axis.front(suite, held, axis.ranking(suite, held)[0])] == front


def test_a_margin_is_about_the_metric_that_it_was_said_of(read, toys):
    """0.01 bits per byte is no 0.01 of an accuracy: what a derived task falls back to has the default of its own unit."""
    suite = read(block("{metric: toy_latency, margin: 0.2}"))
    held = axis.axes(suite, toys)
    of = {a.id: a for a in held}
    assert axis.margin(suite, of["toy_latency"], held, "home") == 0.2
    assert [axis.margin(suite, of["toy_accuracy"], held, home) for home in ("", "home")] == [0.01, 0.01]
    plain = read(block("{margin: 0.2}"))
    assert axis.margin(plain, of["toy_accuracy"], held, "home") == 0.2
    assert [axis.margin(plain, of["toy_latency"], held, home) for home in ("", "home")] == [0.2, 0.0]


def test_the_metric_that_ranks_falls_back_where_the_one_asked_for_is_not(read, toys):
    suite = read(block("{metric: toy_latency}"))
    held = axis.axes(suite, toys)
    ids = {a.id for a in held}
    assert axis.chosen(suite, held, ids).id == "toy_latency"
    assert axis.chosen(suite, held, ids - {"toy_latency"}).id == "toy_accuracy"
    assert axis.chosen(suite, held, set(), {"toy_ece"}).id == "toy_ece"
    assert axis.chosen(suite, held, set()) is None
