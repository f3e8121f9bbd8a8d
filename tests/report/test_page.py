"""The page as bytes and as a parser sees it."""

import json
import re
import subprocess
import sys

import html5lib
import pytest

SPACE = "{http://www.w3.org/1999/xhtml}"
MOST = 2_500_000
ELSEWHERE = {"domains"}
"""Sections that this board has nothing for: they have a made board of their own."""


def parsed(folder):
    return html5lib.parse((folder / "index.html").read_text("utf-8"))


def scripts(tree):
    """(code, data): the scripts that run, and the blocks that do not."""
    every = tree.findall(f".//{SPACE}script")
    return [s for s in every if not s.get("type")], [s for s in every if s.get("type") == "application/json"]


def test_equal_boards_give_equal_bytes(report, plugins, tmp_path):
    from made_board import frames

    from kdbench.judge.board import Board
    from kdbench.report import render

    again = render(Board(**frames()), tmp_path / "again", plugins).parent
    names = sorted(p.name for p in report.iterdir())
    assert names == ["index.html", "scores.csv", "scores.parquet", "standings.json", "suite.resolved.yaml"]
    assert all((report / n).read_bytes() == (again / n).read_bytes() for n in names)


def test_a_second_process_gives_the_same_bytes(report, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from made_board import frames;"
        "from kdbench.judge.board import Board; from kdbench.registry import discover; from kdbench.report import render;"
        "render(Board(**frames()), Path(sys.argv[2]), discover())"
    )
    here = __file__.rsplit("/", 1)[0]
    subprocess.run(
        [sys.executable, "-c", code, here, str(tmp_path)], check=True, env={"PYTHONHASHSEED": "77", "PATH": "/usr/bin"}
    )
    assert all((report / p.name).read_bytes() == p.read_bytes() for p in tmp_path.iterdir())


def test_the_page_is_small(report):
    assert (report / "index.html").stat().st_size < MOST


def test_every_section_is_there_and_in_order(report, plugins):
    tree = parsed(report)
    ids = [s.get("id") for s in tree.findall(f".//{SPACE}section")]
    order = {d.name: d.facts["order"] for d in plugins.describe("section") if d.name not in ELSEWHERE}
    assert ids == sorted(order, key=lambda n: (order[n], n))
    assert [a.get("href") for a in tree.findall(f".//{SPACE}nav//{SPACE}a")] == [f"#{i}" for i in ids]
    assert not [p for p in tree.findall(f".//{SPACE}p") if p.get("role") == "alert"]


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_html5lib_sees_two_scripts_and_one_data_block_a_figure(which, request):
    tree = parsed(request.getfixturevalue(which))
    code, data = scripts(tree)
    figures = tree.findall(f".//{SPACE}figure")
    assert len(code) == 2
    assert len(data) == len(figures) > 10
    assert all({"layer", "facet"} & set(json.loads(block.text)) for block in data)


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_html5lib_sees_no_live_markup(which, request):
    tree = parsed(request.getfixturevalue(which))
    tags = {e.tag.removeprefix(SPACE) for e in tree.iter() if isinstance(e.tag, str)}
    assert not tags & {"img", "iframe", "object", "embed", "base", "form", "audio", "video"}
    for e in tree.iter():
        assert not [name for name in e.attrib if str(name).startswith("on")]
    links = {e.get(name) for e in tree.iter() for name in ("href", "src", "action", "data") if e.get(name)}
    assert {link for link in links if not link.startswith("#")} == {"data:,"}


def test_the_policy_allows_exactly_the_scripts_and_the_style_of_the_page(report):
    import base64
    import hashlib

    tree = parsed(report)
    policy = next(m.get("content") for m in tree.findall(f".//{SPACE}meta") if m.get("http-equiv"))
    found = re.findall(r"'(sha256-[^']+)'", policy)
    texts = [s.text for s in scripts(tree)[0]] + [s.text for s in tree.findall(f".//{SPACE}style")]
    assert sorted(found) == sorted("sha256-" + base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_figures_have_a_name_and_their_numbers(report):
    for figure in parsed(report).findall(f".//{SPACE}figure"):
        chart = figure.find(f"{SPACE}div")
        assert (chart.get("role"), bool(chart.get("aria-label"))) == ("img", True)
        assert figure.findall(f".//{SPACE}details//{SPACE}tbody/{SPACE}tr")


def test_altair_accepts_every_chart(hostile):
    import altair

    for block in scripts(parsed(hostile))[1]:
        altair.Chart.from_dict(json.loads(block.text), validate=True)


def test_vega_lite_compiles_every_chart(report):
    import vl_convert

    for block in scripts(parsed(report))[1]:
        assert vl_convert.vegalite_to_vega(json.loads(block.text))["marks"]


def test_what_is_not_there_says_why(report):
    marks = [e for e in parsed(report).iter(f"{SPACE}i") if e.get("class") == "mark"]
    said = {e.get("aria-label") for e in marks}
    assert "undefined: the counter does not see QLinearConv (int8 graph)" in said
    assert "failed: ValueError: invalid output: 3 of 360 rows are not finite" in said
    assert all(e.get("tabindex") == "0" and e.get("data-tip") for e in marks)


def test_a_section_that_fails_costs_itself_only(board, tmp_path):
    from kdbench.registry import discover
    from kdbench.report.page import sections

    folder = tmp_path / "sections"
    folder.mkdir()
    head = "from kdbench import section\n@section(title='T', order=1)\n"
    bodies = {"raises": "raise ValueError('<b>no</b>')", "leaves": "import sys; sys.exit(3)", "number": "return 7",
              "spoils": "scores['value'] = 0.0; return 'spoilt'", "fine": "return 'well'"}  # fmt: skip
    for name, body in bodies.items():
        (folder / f"{name}.py").write_text(f"{head}def {name}(scores):\n    {body}\n")
    (folder / "broken.py").write_text("def broken(:\n")
    (folder / "asks.py").write_text(f"{head}def asks(weather):\n    return ''\n")
    made = {part.name: part for part in sections(board, discover([tmp_path]))}
    assert made["raises"].failed == "ValueError: <b>no</b>"
    assert made["leaves"].failed == "SystemExit: 3"
    assert made["number"].failed == "TypeError: a section gives text, not int"
    assert "cannot be read" in made["broken"].failed
    assert "asks for 'weather' (allowed: suite, scores" in made["asks"].failed
    assert (made["fine"].html, made["spoils"].html) == ("well", "spoilt")
    assert board.scores["value"].max() > 1
    built_in = [p for p in made.values() if p.name not in (*bodies, "broken", "asks")]
    assert len(built_in) >= 12
    assert not [p.failed for p in built_in if p.failed]


def test_a_board_of_which_nothing_is_known_still_makes_a_page(board, plugins, tmp_path):
    import dataclasses

    from kdbench.report import render

    empty = {name: getattr(board, name).iloc[:0] for name in ("curves", "standings", "pairs", "recipes", "timings", "gates")}
    scores = board.scores.iloc[:0]
    bare = dataclasses.replace(board, scores=scores, facts={}, **empty)
    tree = parsed(render(bare, tmp_path, plugins).parent)
    assert not [p for p in tree.findall(f".//{SPACE}p") if p.get("role") == "alert"]


def test_a_board_on_which_all_failed_still_makes_a_page(board, plugins, tmp_path):
    import dataclasses

    from kdbench.report import render

    scores = board.scores.assign(status="failed", reason="MemoryError", value=float("nan"), low=float("nan"), high=float("nan"))
    scores = scores.assign(delta=float("nan"), delta_low=float("nan"), delta_high=float("nan"), teacher=float("nan"))
    standings = board.standings.assign(complete=False, value=float("nan"), rank_low=0, rank_high=0, verdict="no result")
    empty = {name: getattr(board, name).iloc[:0] for name in ("curves", "pairs", "timings", "gates")}
    folder = render(dataclasses.replace(board, scores=scores, standings=standings, **empty), tmp_path, plugins).parent
    tree = parsed(folder)
    assert not [p for p in tree.findall(f".//{SPACE}p") if p.get("role") == "alert"]
    assert "failed: MemoryError" in (folder / "index.html").read_text("utf-8")


def test_importing_the_room_loads_no_numerical_library():
    code = "import sys, kdbench.report; print(sorted({'pandas', 'numpy', 'jinja2', 'vl_convert', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
