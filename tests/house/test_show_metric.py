"""`kdbench show metric NAME` and `kdbench list metrics`: what a number is, in words."""

from __future__ import annotations

import json
import re

import pytest

from kdbench.cli import defined, main
from kdbench.cli.defined import AXES, span, wrapped
from kdbench.signature import Description
from kdbench.suite.axes import AXES as USUAL

STRANGE = """
@metric(better="lower", equation="x; y \\u202e= 2", convention="a word", source="nobody \\x1b[31m")
def strange(predictions, weights=None, *, k: Count = 2):
    '''First line.'''
"""


@pytest.fixture
def say(capsys):
    """Run a command line that succeeds; its output."""

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def part(out: str, heading: str) -> list[str]:
    """The lines below a heading."""
    return re.search(rf"^{heading}\n((?:  .*\n?)+)", out, re.MULTILINE)[1].splitlines()


def test_a_metric_is_shown_with_all_that_defines_it(say):
    out = say("show", "metric", "ece")
    assert out.startswith("ece  metric of kdbench\n\nequation\n  sum_m |B_m| / n |acc(B_m) - conf(B_m)|\n")
    facts = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in part(out, "facts"))
    assert facts == {
        "title": "ECE",
        "direction": "lower is better",
        "range": "[0, 1]",
        "unit": "fraction",
        "axis": "calibration",
        "reads": "predictions; probabilities are needed",
        "form": "mean: from means over the examples",
        "version": "1",
    }
    assert "Guo et al. 2017" in " ".join(part(out, "source"))
    assert part(out, "parameters") == ["  bins  int from 1  15"]


@pytest.mark.parametrize(
    "name", ["ece", "cascade", "latency_ratio", "fairlearn", "feature_ood_auroc", "demographic_parity_ratio"]
)
def test_every_word_of_equation_convention_and_source_is_there(say, plugins, name):
    facts = plugins.get("metric", name).facts
    out = say("show", "metric", name)
    for heading in ("equation", "convention", "source"):
        told = " ".join(" ".join(part(out, heading)).split())
        assert told == " ".join(str(facts[heading]).replace("; " if heading == "equation" else "\0", " ").split())
        assert all(len(line) <= 100 for line in part(out, heading))


def test_every_metric_can_be_shown(say, plugins):
    for name in plugins.names("metric"):
        out = say("show", "metric", name)
        assert "not stated" not in out
        assert re.search(r"^  direction +(higher is better|lower is better|no direction)$", out, re.MULTILINE), name
        assert re.search(r"^  range +(\[-?[\d.]+|\(-inf), (-?[\d.]+\]|inf\))$", out, re.MULTILINE), name


def test_a_metric_of_somebody_else_is_shown_without_steering_characters_and_with_what_it_leaves_out(say, tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "strange.py").write_text(STRANGE)
    out = say("show", "strange", "--plugins", str(tmp_path))
    assert "equation\n  x\n  y = 2\n" in out
    assert not {"\x1b", "\u202e"} & set(out)
    assert "  reads      predictions; logits are needed\n" in out
    (tmp_path / "metrics" / "strange.py").write_text("@metric(better='none')\ndef strange(predictions):\n    pass\n")
    assert "equation\n  not stated\n" in say("show", "strange", "--plugins", str(tmp_path))


@pytest.mark.parametrize("words", [("metric", "fairlearn:selection_rate"), ("fairlearn:selection_rate",)])
def test_a_metric_of_fairlearn_can_be_shown_by_the_name_that_a_suite_gives_it(say, words):
    out = say("show", *words)
    assert out.startswith("fairlearn:selection_rate  metric of kdbench\n")
    assert part(out, "parameters") == ["  name  'selection_rate'  'selection_rate'"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fairlearn:selection_rat", "no metric named 'fairlearn:selection_rat'; did you mean 'fairlearn:selection_rate'?"),
        ("ece:10", "no metric named 'ece:10'"),
        ("fairlearn:", "no metric named 'fairlearn:'"),
    ],
)
def test_a_name_after_the_colon_that_does_not_fit_is_refused(capsys, name, said):
    assert main(["show", "metric", name]) == 2
    assert capsys.readouterr().err.startswith(f"kdbench: {said}")


def test_the_json_of_a_metric_is_what_its_file_declares(say, plugins):
    shown = json.loads(say("show", "metric", "ece", "--json"))
    assert shown["facts"] == dict(plugins.get("metric", "ece").facts)


@pytest.mark.parametrize(
    ("low", "high", "text"), [(0, 1, "[0, 1]"), (0.0, None, "[0, inf)"), (None, 1, "(-inf, 1]"), (None, None, "(-inf, inf)")]
)
def test_ranges_as_in_mathematics(low, high, text):
    assert span(low, high) == text


def test_text_is_wrapped_to_the_terminal_and_words_are_whole(monkeypatch):
    monkeypatch.setattr(defined, "room", lambda: 20)
    assert wrapped("a convention with a-long-hyphenated-word-in-it", hang=2) == [
        "  a convention with",
        "    a-long-hyphenated-word-in-it",
    ]


def test_metrics_are_listed_by_axis_with_title_and_direction_on_one_line(say, plugins):
    lines = say("list", "metrics").splitlines()[1:]
    cells = [re.split(r" {2,}", line.strip()) for line in lines]
    assert sorted(cell[0] for cell in cells) == sorted(plugins.names("metric"))
    assert all(len(cell) == 5 for cell in cells)
    places = [AXES.index(cell[2]) for cell in cells]
    assert places == sorted(places)
    assert ["ece", "kdbench", "calibration", "lower is better", "ECE"] in cells
    listed = {p["name"]: p for p in json.loads(say("list", "metrics", "--json"))["plugins"]}
    assert (listed["ece"]["title"], listed["ece"]["axis"], listed["ece"]["better"]) == ("ECE", "calibration", "lower")


def test_the_lists_of_axes_agree_with_the_metrics(plugins):
    assert {str(defined.facts_of(one)["axis"]) for one in plugins.describe("metric")} <= set(AXES)


def test_titles_tell_all_metrics_apart(plugins):
    titles = [defined.facts_of(one)["title"] for one in plugins.describe("metric") if isinstance(one, Description)]
    assert len({title.casefold() for title in titles}) == len(titles)


def test_the_usual_axes_exist_and_differ(plugins):
    names = [one if isinstance(one, str) else next(iter(one)) for one in USUAL]
    assert set(names) <= set(plugins.names("metric"))
    assert len({json.dumps(one) for one in USUAL}) == len(USUAL)
