"""The frame of the command line: what is refused and how, exit codes, list, show."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdbench import Refusal, cli
from kdbench.cli import COMMANDS, main, terminal
from kdbench.cli.show import allowed
from kdbench.registry import FOLDERS
from kdbench.signature import Param

COMMAND_FILES = [p.stem for p in Path(cli.__file__).parent.glob("*.py") if "def add(" in p.read_text(encoding="utf-8")]


@pytest.fixture
def say(capsys):
    """Run a command line: (exit code, standard output, standard error)."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture
def broken(monkeypatch):
    """Make `kdbench list` raise."""

    def put(error: BaseException) -> None:
        def run(_args: object) -> int:
            raise error

        monkeypatch.setattr(importlib.import_module("kdbench.cli.list"), "run", run)

    return put


def test_the_help_lists_every_command_and_exit_code(say):
    code, out, _ = say("--help")
    assert code == 0
    assert all(re.search(rf"^    {name}\s+{re.escape(line)}$", out, re.MULTILINE) for name, line in COMMANDS.items())
    assert all(f"  {number}  " in out for number in ("0", "1", "2", "3", "70", "130"))


def test_every_command_has_a_file_and_every_file_a_command():
    assert sorted(COMMAND_FILES) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(say, command):
    code, out, err = say(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: kdbench {command} ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst"], "no command 'lst'; did you mean 'list'?"),
        (["--debgu"], "unknown argument '--debgu'; did you mean '--debug'?"),
        (["list", "--jsn"], "list: unknown argument '--jsn'; did you mean '--json'?"),
        (["list", "--js"], "list: unknown argument '--js'"),
        (["list", "--plugins"], "list: argument --plugins: expected one argument"),
        (["list", "--plugins", "nowhere"], "--plugins nowhere: no such folder"),
        (["list", "modle"], "no kind of plugin 'modle'; did you mean 'model'?"),
        (["show", "model", "resnet_cifra"], "no model named 'resnet_cifra'; did you mean 'resnet_cifar'?"),
        (["show", "resnet_cifra"], "no plugin named 'resnet_cifra'; did you mean 'resnet_cifar'?"),
        (["show", "a", "b", "c"], "show: takes NAME or KIND NAME"),
    ],
)
def test_bad_words_get_one_line_and_the_nearest_right_answer(say, words, said):
    code, out, err = say(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"kdbench: {said}")
    assert err.count("\n") == 1


def test_no_words_at_all_show_the_help(say):
    code, out, err = say()
    assert (code, out) == (2, "")
    assert "commands:" in err


def test_a_refusal_of_several_lines_is_said_line_by_line_without_steering_characters(say, broken):
    broken(Refusal("suite.yaml:3: \x1b[31mred\x07\nsuite.yaml:9: \u202eright to left\u2028and more"))
    assert say("list") == (2, "", "kdbench: suite.yaml:3: [31mred\nkdbench: suite.yaml:9: right to left\nkdbench: and more\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "evidence"), 70, "No space left on device: 'evidence'"),
        (TypeError("of ours"), 70, "TypeError: of ours (--debug shows where)"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(say, broken, error, code, said):
    broken(error)
    given, out, err = say("list")
    assert (given, out) == (code, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("--debug", "list"), ("list", "--debug")])
def test_debug_shows_where(say, broken, words):
    broken(TypeError("of ours"))
    code, _, err = say(*words)
    assert code == 70
    assert err.startswith("Traceback (most recent call last):")


def test_a_reader_that_leaves_is_no_error():
    """`kdbench list | head -1`: exit code of a broken pipe, nothing on standard error."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "kdbench", "list"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_text_that_the_terminal_cannot_show_is_spelt_out():
    """A Latin-1 terminal and a name outside of it."""
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "kdbench", "show", "名前"], env=env, capture_output=True)
    assert done.returncode == 2
    assert b"no plugin named '\\u540d\\u524d'" in done.stderr


def test_the_console_script_is_the_same():
    done = subprocess.run([Path(sys.executable).with_name("kdbench"), "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"kdbench {importlib.import_module('kdbench').__version__}\n")


def test_list_names_every_plugin_file(say, plugins):
    _, out, _ = say("list", "--json")
    listed = json.loads(out)
    assert listed["problems"] == []
    assert {(p["kind"], p["name"]) for p in listed["plugins"]} == {(k, n) for k in FOLDERS for n in plugins.names(k)}


def test_list_of_one_kind_in_singular_and_plural(say, plugins):
    first, second = say("list", "model"), say("list", "models")
    assert first == second
    assert {line.split()[0] for line in first[1].splitlines()[1:]} == set(plugins.names("model"))


def test_a_file_that_cannot_be_read_is_listed_last_with_its_reason_and_harms_no_other(say, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "crooked.py").write_text("def crooked(:\n")
    (tmp_path / "models" / "resnet_cifar.py").write_text("raise SystemExit\n")
    code, out, _ = say("list", "--plugins", str(tmp_path))
    _, _, tail = out.partition("cannot be used\n")
    assert code == 0
    assert f"model crooked ({tmp_path}): cannot be read:" in tail
    assert f"model resnet_cifar ({tmp_path}): the name is taken by kdbench" in tail
    assert "resnet_cifar" in out


@pytest.mark.parametrize("words", [("model", "resnet_cifar"), ("models", "resnet_cifar"), ("resnet_cifar",)])
def test_show_says_what_the_file_declares(say, plugins, words):
    _, out, _ = say("show", *words)
    one = plugins.get("model", "resnet_cifar")
    assert out.startswith("resnet_cifar  model of kdbench\n")
    assert all(line.strip() in out for line in one.doc.splitlines())
    assert all(f"  {param.name} " in out for param in one.params)
    assert str(one.path) in out
    assert "\x1b" not in out


def test_show_as_json_is_what_the_registry_read(say, plugins):
    shown = json.loads(say("show", "--json", "model", "resnet_cifar")[1])
    one = plugins.get("model", "resnet_cifar")
    assert [p["name"] for p in shown["parameters"]] == [p.name for p in one.params]
    assert [p["default"] for p in shown["parameters"]] == [p.default for p in one.params]
    assert (shown["doc"], tuple(shown["evidence"])) == (one.doc, one.evidence)


def test_a_name_of_several_kinds_must_be_told_apart(say, tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "resnet_cifar.py").write_text(
        "@metric(better='none')\ndef resnet_cifar(predictions):\n    '''Twin.'''\n"
    )
    code, _, err = say("show", "resnet_cifar", "--plugins", str(tmp_path))
    assert code == 2
    assert "kdbench show model resnet_cifar, kdbench show metric resnet_cifar" in err
    assert say("show", "metric", "resnet_cifar", "--plugins", str(tmp_path))[0] == 0


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("Positive", "float above 0"),
        ("Fraction", "float from 0 to 1"),
        ("ProperFraction", "float above 0, below 1"),
        ("Count", "int from 1"),
        ("Literal['a', 'b']", "'a' or 'b'"),
        ("typing.Literal[1]", "1"),
        ("float | None", "float or nothing"),
        ("bool", "bool"),
    ],
)
def test_types_of_parameters_in_words(annotation, words):
    assert allowed(Param("p", annotation)) == words


def test_bold_only_on_a_terminal_that_wants_it(monkeypatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.styled(Terminal())
    with open(os.devnull, encoding="utf-8") as file:
        assert not terminal.styled(file)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.styled(Terminal())
    assert terminal.bold("x", True) == "\x1b[1mx\x1b[0m"
    assert terminal.bold("x", False) == "x"
