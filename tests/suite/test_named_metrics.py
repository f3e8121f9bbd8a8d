"""`plugin:value`: the value of a plugin's only required text parameter, such as the name of a metric of fairlearn."""

import subprocess
import sys

import pytest
from toysuite import changed

from kdbench.nouns import Use


def axes(text: str) -> str:
    return changed("axes: [toy_accuracy, toy_ece]", f"axes: [{text}]")


@pytest.mark.parametrize(
    "text", ["fairlearn:selection_rate", "'fairlearn:selection_rate'", "{fairlearn: {name: selection_rate}}"]
)
def test_a_name_after_a_colon_is_the_parameter(text, read):
    assert read(axes(f"toy_accuracy, {text}")).axes[1] == Use("fairlearn", {"name": "selection_rate"})


def test_a_single_axis_can_be_written_so(read):
    suite = read(changed("axes: [toy_accuracy, toy_ece]", "axes: fairlearn:count"))
    assert suite.axes == (Use("fairlearn", {"name": "count"}),)


def test_the_resolved_suite_says_it_in_full_and_loads_again(read):
    from kdbench.suite.resolved import resolve

    suite = read(axes("fairlearn:count, fairlearn:selection_rate"))
    assert "{fairlearn: {name: count}}" in resolve(suite)
    assert read(resolve(suite)).axes == suite.axes


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("fairlearn:selection_rat", "axes.0.name", "did you mean 'selection_rate'?"),
        ("fairlearn:'selection_rate'", "axes.0.name", "did you mean 'selection_rate'?"),
        ("fairlern:selection_rate", "axes.0", "no metric named 'fairlern'; did you mean 'fairlearn'?"),
        ("'fairlearn:'", "axes.0.name", "found the text ''"),
        ("fairlearn", "axes.0", "needs the key 'name' (allowed: one of accuracy_score_difference"),
        ("toy_ece:10", "axes.0", "'toy_ece' does not have one required text parameter that '10' could be (allowed: 'toy_ece')"),
        ("fairlearn:count, {fairlearn: {name: count}}", "axes.1", "given twice"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest(text, path, words, refusal):
    said = refusal(axes(text))
    assert f": {path}" in said
    assert words in said
    assert "\n" not in said


def test_loading_such_a_suite_imports_no_fairlearn(tmp_path):
    (tmp_path / "suite.yaml").write_text(axes("fairlearn:selection_rate"))
    code = (
        "import sys; from pathlib import Path; from kdbench.registry import discover; from kdbench.suite import load;"
        "from toysuite import TOYS; load(Path(sys.argv[1]), discover([TOYS]));"
        "assert not {'fairlearn', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    path = [p for p in sys.path if p.endswith("suite")]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "suite.yaml")], check=True, env={"PYTHONPATH": ":".join(path)})
