"""JSON Schema of suites (judged by jsonschema), and the commands validate and schema."""

import argparse
import json
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from toysuite import GOOD, TOYS, changed, steps

from kdbench.cli import schema as schema_command
from kdbench.cli import validate as validate_command
from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.suite import resolve, schema
from kdbench.suite.axes import AXES, TARGETS


@pytest.fixture(scope="module")
def judge():
    made = schema(discover([TOYS]))
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def body(text: str):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        changed("{dataset: toy_digits}", "toy_digits"),
        changed(
            "{dataset: toy_digits}",
            "{dataset: toy_digits, noisy: true, shifts: [{toy_noise: {sigma: 2, severities: [1]}}], groups: [ink]}",
        ),
        changed("{dataset: toy_digits}", "{dataset: {toy_digits: {noisy: true}}, ood: [toy_letters]}"),
        changed("4.0", "{from: 4, to: 1}"),
        changed("[toy_cpu]", "toy_cpu"),
        steps("[start: teacher, compress: {toy_prune: {sparsity: 0.5}}, {fit: toy_kd, train: {epochs: 3, views: [toy_flip]}}]"),
        steps("[{fit: {toy_kd: 1, toy_ce: {from: 0, to: 1}}, teacher: kd, model: {model: toy_mlp, widths: [1]}}]"),
        GOOD + "gates: [{metric: toy_ece, at_most: 0.1, of: delta}]\n",
    ],
)
def test_jsonschema_accepts_what_load_accepts(text, judge, read):
    suite = read(text)
    assert [error.message for error in judge.iter_errors(body(text))] == []
    assert [error.message for error in judge.iter_errors(body(resolve(suite)))] == []


@pytest.mark.parametrize(
    "text",
    [
        changed("temperature", "temprature"),
        changed("4.0", "0"),
        changed("4.0", "'4'"),
        changed("[0, 1]", "[0, 0]"),
        changed("[0, 1]", "[-1]"),
        changed("toy_ece]", "toy_ecee]"),
        changed("toy_net, depth: 20", "toy_net, depht: 20"),
        GOOD + "sedes: [3]\n",
        GOOD + "train: {optimizer: sdg}\n",
        GOOD + "gates: [{metric: toy_ece}]\n",
        steps("[fit: toy_kd, train: {epochs: 3}]"),
        steps("[fit: toy_scratch, compress: toy_prune]"),
        GOOD.split("contenders:")[0],
    ],
)
def test_jsonschema_refuses_what_load_refuses(text, judge, refusal):
    assert refusal(text)
    assert not judge.is_valid(body(text))


def test_the_schema_holds_the_words_of_the_plugins():
    defined = schema(discover([TOYS]))["$defs"]
    assert defined["method.toy_kd"]["description"] == "Distillation of the toys."
    temperature = defined["method.toy_kd"]["properties"]["temperature"]
    assert (temperature["description"], temperature["default"]) == ("softens both sides.", 2)
    assert "model.toy_strange" not in defined


def test_every_default_axis_and_target_is_there():
    plugins = discover()
    assert {name if isinstance(name, str) else next(iter(name)) for name in AXES} <= set(plugins.names("metric"))
    assert set(TARGETS) <= set(plugins.names("target"))


def command(module, *words):
    parser = argparse.ArgumentParser()
    module.add(parser.add_subparsers())
    args = parser.parse_args(words)
    return args.func(args)


def test_validate_says_what_it_read(tmp_path, capsys):
    path = tmp_path / "suite.yaml"
    path.write_text(GOOD)
    assert command(validate_command, "validate", str(path), "--plugins", str(TOYS), "--set", "seeds=[5]") == 0
    assert capsys.readouterr().out == "ok: demo: 1 task, 2 contenders, 1 seed\n"
    path.write_text(changed("[0, 1]", "[" + ",".join(map(str, range(11000))) + "]"))
    with pytest.raises(Refusal, match="--yes"):
        command(validate_command, "validate", str(path), "--plugins", str(TOYS))
    assert command(validate_command, "validate", str(path), "--plugins", str(TOYS), "--yes") == 0


def test_schema_is_printed_or_written(tmp_path, capsys):
    assert command(schema_command, "schema", "--plugins", str(TOYS)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert command(schema_command, "schema", "--plugins", str(TOYS), "--output", str(tmp_path / "out.json")) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == printed
    with pytest.raises(Refusal, match="--output"):
        command(schema_command, "schema", "--output", str(tmp_path / "none" / "out.json"))


def test_reading_a_suite_imports_nothing_heavy(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text(GOOD)
    heavy = "{'torch', 'numpy', 'pandas', 'sklearn', 'transformers', 'pydantic'}"
    code = (
        "import sys; from pathlib import Path; from kdbench.registry import discover; from kdbench.suite import load, schema\n"
        f"p = discover([Path({str(TOYS)!r})]); load(Path({str(path)!r}), p); schema(p); print(sorted({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
