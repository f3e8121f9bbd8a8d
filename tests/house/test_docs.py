"""The pages agree with the code. Their commands are run by tests/house/readme_commands.py in .ci/run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kdbench.cli import CODES, COMMANDS
from kdbench.nouns import Compare, Data, Gate, Suite, Train

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_has_the_exit_codes_of_the_help():
    helped = re.findall(r"^ +(\d+)  ", CODES, re.MULTILINE)
    told = re.findall(r"^\| (\d+) \| ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert told == helped


def test_only_commands_that_exist_are_shown():
    shown = {word for page in PAGES for word in re.findall(r"^\$ kdbench (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert shown
    assert shown <= set(COMMANDS)


def test_make_targets_that_are_shown_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = {name for page in PAGES for name in re.findall(r"`?make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {name for name in shown if name in rules} >= {"quickstart", "test", "lint", "bench", "test-slow", "env-dev"}
    assert {
        name for page in PAGES for name in re.findall(r"^\$ make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    } <= rules


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_suites_on_the_pages_are_valid(page, tmp_path, plugins):
    from kdbench.registry import discover
    from kdbench.suite import load

    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    for info, body in blocks:
        if "file=" in info and info.startswith("python"):
            path = tmp_path / info.partition("file=")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
    for name in ("my_student", "teacher_folder", "student_folder"):  # what save_student.py makes, and what the reader has
        (tmp_path / name).mkdir()
    for name in ("loans.csv", "reviews.csv", "stories.txt"):
        (tmp_path / name).touch()  # what the reader has
    known = discover([tmp_path / "my_plugins"]) if (tmp_path / "my_plugins").is_dir() else plugins
    for info, body in blocks:
        if info.startswith("yaml"):
            (tmp_path / "page.yaml").write_text(body, encoding="utf-8")
            assert load(tmp_path / "page.yaml", known).tasks


def rows(section: str) -> dict[str, str]:
    """Key -> default, as the tables of docs/suite.md say."""
    text = (ROOT / "docs" / "suite.md").read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*)\|", text, re.MULTILINE))


def spelt(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else f"{value:g}" if isinstance(value, int | float) else str(value)


@pytest.mark.parametrize(
    ("section", "record", "also"),
    [
        ("Top level", Suite, {"suite", "train"}),
        ("data", Data, {"severities"}),
        ("train", Train, set()),
        ("compare", Compare, set()),
        ("gates", Gate, set()),
    ],
)
def test_the_tables_of_keys_are_complete_and_their_defaults_right(section, record, also):
    told = rows(section)
    fields = {name for name in record.__dataclass_fields__ if name != "name"}
    assert set(told) == fields | also
    for name in fields:
        default = record.__dataclass_fields__[name].default
        if isinstance(default, bool | int | float | str) and default != "":
            assert told[name].strip() == f"`{spelt(default)}`", name


def judging() -> str:
    return " ".join((ROOT / "docs" / "judging.md").read_text(encoding="utf-8").split())


def test_the_numbers_on_the_page_of_the_judge_are_those_of_the_code():
    from kdbench.judge import datasets, power, resample, sets
    from kdbench.judge.axes import MARGIN
    from kdbench.judge.derived.effective import LEAST_CONTENDERS, LEAST_POINTS
    from kdbench.judge.derived.spread import LEAST
    from kdbench.judge.discovery.search import KEPT

    told = judging()
    assert f"({resample.CELLS // 1000:,} examples at 1,000 resamples)" in told
    assert f"{sets.LEAST} to {sets.DRAWS}" in told
    assert f"`margin`: {MARGIN:g} for fractions" in told
    assert f"with {power.POWER * 100:.0f} % power" in told
    assert f"Below {datasets.FEWEST} datasets" in told
    assert f"from {datasets.MANY} datasets and 3 contenders" in told
    assert f"at least {LEAST_POINTS} models of {LEAST_CONTENDERS} contenders" in told
    assert f"bimodality from {LEAST['bimodality']} seeds" in told
    assert (KEPT, "at most ten" in told) == (10, True)


def test_every_status_and_verdict_is_on_the_page_of_the_judge():
    from kdbench.judge.pairs import APART, BEATS, EQUIVALENT, INCONCLUSIVE, NO

    told = judging()
    assert all(f"`{word}`" in told for word in (BEATS, NO, EQUIVALENT, INCONCLUSIVE))
    assert f"*{APART}*" in told
    assert all(f"`{word}`" in told for word in ("ok", "noisy", "partial", "undefined", "not applicable", "failed", "skipped"))


def test_the_metrics_of_calibration_and_fidelity_on_the_page_of_the_judge_exist(plugins):
    text = (ROOT / "docs" / "judging.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:ece|rms|ace|brier|kl|reverse|agreement|cohen|mce)[a-z_]*)`", text))
    assert named
    assert named <= set(plugins.names("metric"))
