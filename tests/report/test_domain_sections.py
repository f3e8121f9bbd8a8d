"""What the page says of models that are asked away from home: judged by the tables it was made from, read again from the page."""

import json
from itertools import count
from types import SimpleNamespace

import html5lib
import pytest
from hostile import INJECTIONS
from made_places import CLASSIFIERS, PLACES, WRITERS, away
from test_page import scripts
from test_sections import SPACE, panel, rendered, section, specs, tables, text

from kdbench import kit
from kdbench.judge.board import Board
from kdbench.report import render
from kdbench.sections._places import Place, homes
from kdbench.sections.domains import domains

TASKS = list(PLACES)


@pytest.fixture(scope="module")
def held():
    return away()


@pytest.fixture(scope="module")
def tree(held, plugins):
    return rendered(held, plugins)


def box(tree, task):
    return panel(tree, "domains", (str(TASKS.index(task)), "0"))


def row(held, task, contender, metric, piece=""):
    of = held["scores"]
    of = of[(of["task"] == task) & (of["contender"] == contender) & (of["seed"] == -1)]
    (found,) = of[(of["metric"] == metric) & (of["slice"] == piece)].itertuples()
    return found


def headings(node, caption):
    (table,) = (t for t in node.iter(f"{SPACE}table") if text(t.find(f"{SPACE}caption")) == caption)
    return [text(cell) for cell in table.find(f"{SPACE}thead").iter(f"{SPACE}th")]


def stated(of):
    """A cell as the page shows it: number, interval, difference to the teacher with its meaning."""
    parts = [kit.number(of.value, of.unit), kit.interval(of.low, of.high, of.unit), *kit.against_teacher(of)[:2]]
    return "".join(str(part) for part in parts).replace("\u202f", " ").replace(" ", "")


def test_homes_are_the_tasks_that_others_ask_the_models_of(held):
    assert homes(held["suite"]) == {"sst2": TASKS[1:4], "small_lm": TASKS[5:]}


def test_quality_stands_beside_the_teacher_at_every_place(tree, held):
    rows = {r[0]: r[1:] for r in tables(box(tree, "sst2"))["Quality: sst2 on torch_cpu"]}
    assert list(rows) == ["teacher", *CLASSIFIERS]
    for name in ("tinybert", "teacher-int8"):
        for cell, task in zip(rows[name], TASKS[:4], strict=True):
            assert cell.replace(" ", "") == stated(row(held, task, name, "accuracy")), (name, task)


def test_headings_say_place_rows_and_cap(tree):
    found = headings(box(tree, "sst2"), "Quality: sst2 on torch_cpu")
    assert found == [
        "Contender", "at home \u00b7 872 rows", "imdb \u00b7 500 rows, capped", "customer_reviews \u00b7 3 769 rows",
        "equity_evaluation_corpus \u00b7 8 640 rows",
    ]  # fmt: skip
    mixed = headings(box(tree, "small_lm"), "Quality: small_lm on torch_cpu")
    assert mixed[2:] == [
        "wikitext2 \u00b7 Bits per byte \u00b7 62 rows",
        "blimp, lm-eval \u00b7 lm-eval acc (acc) \u00b7 1 340 rows, capped",
    ]


def test_tie_groups_are_those_of_the_standings(tree, held):
    rows = {r[0]: r[1:] for r in tables(box(tree, "small_lm"))["Tie groups: small_lm on torch_cpu"]}
    of = held["standings"].set_index(["task", "contender"])
    assert list(rows) == list(WRITERS)
    for name, cells in rows.items():
        for cell, task in zip(cells, TASKS[4:], strict=True):
            assert cell == kit.ranks(*of.loc[(task, name), ["rank_low", "rank_high"]])


def test_agreement_and_divergence_are_of_what_was_asked(tree, held):
    found = tables(box(tree, "small_lm"))
    agreement = {r[0]: r[1:] for r in found["Agreement with the teacher: small_lm on torch_cpu"]}
    assert "teacher" not in agreement
    for cell, task, metric in zip(agreement["gkd"], TASKS[4:], ("token_agreement", "token_agreement", "agreement"), strict=True):
        assert cell.replace(" ", "") == stated(row(held, task, "gkd", metric)).split("\u25bc")[0]
    divergence = {r[0]: r[1:] for r in found["Divergence from the teacher: small_lm on torch_cpu"]}
    assert len(divergence["gkd"]) == 2  # lm-eval gives no divergence of tokens


@pytest.mark.parametrize(
    "reason", ["at chance (0.50): the interval covers it", "2 seeds; at chance (0.25): the interval covers it"]
)
def test_a_number_whose_reason_says_that_it_is_a_guess_is_marked_in_every_table(reason):
    told = SimpleNamespace(value=0.49, low=0.42, high=0.55, unit="fraction", status="ok", reason=reason)
    assert (kit.value_cell(told).mark, kit.value_cell(told).tip) == ("at chance", reason)
    plain = SimpleNamespace(**{**vars(told), "reason": "not corrected for chance (see cohen_kappa)"})
    assert kit.value_cell(plain).mark == ""
    away = Place("a asks b", "b", None, {}, 200, 0, None)
    assert away.at_chance(told)
    assert not away.at_chance(plain)


def test_gaps_between_groups_stand_beside_the_teachers(tree, held):
    rows = {r[0]: r[1:] for r in tables(box(tree, "sst2"))["Gaps between groups: sst2 on torch_cpu"]}
    for cell, column in zip(rows["minilm"], ("gender", "race"), strict=True):
        assert cell.replace(" ", "") == stated(row(held, TASKS[3], "minilm", "accuracy", f"{column}:gap"))


def test_who_is_at_chance_is_marked_with_what_a_guess_gets(tree):
    marks = [i for i in box(tree, "small_lm").iter(f"{SPACE}i") if "at chance" in text(i)]
    assert len(marks) == 7
    assert marks[0].get("data-tip") == "at chance: its interval reaches what a constant guess gets (50.0\u202f%)"
    assert marks[0].get("tabindex") == "0"
    assert "the teacher itself is no better than a constant guess" in text(box(tree, "small_lm"))
    assert not list(box(tree, "sst2").iter(f"{SPACE}i"))


def test_the_guess_of_a_classifier_is_read_from_its_retention(held, plugins):
    low = held["scores"].copy()
    of = (low["task"] == "sst2 on imdb") & (low["contender"] == "bilstm") & (low["metric"] == "accuracy")
    low.loc[of, ["value", "low", "high"]] = [0.52, 0.48, 0.56]
    found = rendered({**held, "scores": low}, plugins)
    (mark,) = box(found, "sst2").iter(f"{SPACE}i")
    assert mark.get("data-tip").endswith("gets (50.9\u202f%)")


def test_what_was_cut_off_is_said(tree):
    said = text(box(tree, "sst2"))
    assert "Capped: imdb at 500 rows. Truncated inputs: imdb 38.2 % to 41.0 %, by tokenizer." in said


def test_findings_name_who_stays_near_and_what_got_worse_only_there(tree, held):
    lines = [text(li) for li in box(tree, "sst2").iter(f"{SPACE}li")]
    best = max(CLASSIFIERS, key=lambda name: row(held, TASKS[1], name, "agreement").value)
    apart = row(held, TASKS[1], best, "agreement").value - row(held, "sst2", best, "agreement").value
    assert lines[0].startswith(f"imdb: {best} does most often as the teacher does (")
    assert f"{kit.difference(apart, 'fraction')} against home)".replace("\u202f", " ") in lines[0]
    assert "worse than the teacher only here: pruned, teacher-int8" in lines[0]
    assert "gaps wider than the teacher's by group: race (tinybert, minilm, pruned, teacher-int8)" in lines[2]


def test_agreements_of_different_kinds_are_not_subtracted(tree):
    (line,) = (text(li) for li in box(tree, "small_lm").iter(f"{SPACE}li") if text(li).startswith("blimp"))
    assert "against home" not in line


def test_pictures_hold_the_places_of_one_metric(tree, held):
    agreement, distance = specs(box(tree, "sst2"))
    dots = {(d["who"], d["part"]): d["value"] for d in agreement["data"]["values"]}
    assert dots["minilm", "imdb"] == pytest.approx(row(held, TASKS[1], "minilm", "agreement").value, rel=1e-4)
    apart = {(d["who"], d["part"]): (d["low"], d["value"], d["high"]) for d in distance["data"]["values"]}
    of = row(held, "sst2", "bilstm", "accuracy")
    assert apart["bilstm", "at home"] == pytest.approx((of.delta_low, of.delta, of.delta_high), rel=1e-4)
    assert {d["part"] for d in specs(box(tree, "small_lm"))[1]["data"]["values"]} == {"at home", "wikitext2"}
    captions = [text(c) for c in box(tree, "small_lm").iter(f"{SPACE}figcaption")]
    assert captions[1] == "Quality minus the teacher's, at home and away (lower is better)"


def test_a_probe_that_is_picked_points_home(tree):
    found = panel(tree, "domains", ("2", ""))
    assert "at home on sst2" in text(found)


def test_probes_are_not_counted_as_tasks_or_contenders(tree):
    title = next(p for p in tree.iter(f"{SPACE}p") if "seeds" in text(p))
    assert text(title).startswith("2 tasks \u00b7 5 probes \u00b7 12 contenders")
    tiles = [text(d) for d in section(tree, "summary").iter(f"{SPACE}div") if d.get("class") == "tile"]
    assert tiles[:3] == ["12contenders", "2tasks", "5probes"]


def test_a_place_without_numbers_and_a_board_without_probes_draw_nothing(held, board):
    assert domains(board.scores, board.standings, board.suite, board.facts) == ""
    lost = held["scores"][~held["scores"]["task"].str.startswith("sst2 on")]
    assert "imdb" not in domains(lost, held["standings"], held["suite"], held["facts"])
    assert domains(held["scores"].iloc[:0], held["standings"].iloc[:0], held["suite"], {}) == ""


def test_a_contender_that_failed_away_says_so_and_costs_no_other(held, plugins):
    made = held["scores"].copy()
    of = (made["task"] == "sst2 on imdb") & (made["contender"] == "bilstm")
    made.loc[of, ["value", "low", "high", "delta", "delta_low", "delta_high"]] = float("nan")
    made.loc[of, ["status", "reason"]] = ["failed", "OutOfMemory: 3 GB"]
    rows = {r[0]: r for r in tables(box(rendered({**held, "scores": made}, plugins), "sst2"))["Quality: sst2 on torch_cpu"]}
    assert rows["bilstm"][2] == "failed"
    assert rows["minilm"][2].startswith("70.5")


def test_names_that_try_to_be_markup_stay_text(plugins, tmp_path):
    import altair
    import vl_convert

    turn = count()
    names = {}

    def bad(name):
        return names.setdefault(name, f"{INJECTIONS[next(turn) % len(INJECTIONS)]} {len(names)}")

    page = render(Board(**away(bad)), tmp_path, plugins).read_text("utf-8")
    found = html5lib.parse(page)
    mine = section(found, "domains")
    tags = {e.tag.removeprefix(SPACE) for e in mine.iter() if isinstance(e.tag, str)}
    assert not tags & {"img", "svg", "iframe", "a", "form", "object"}
    assert not [name for e in mine.iter() for name in e.attrib if str(name).startswith("on")]
    assert len(scripts(found)[0]) == 2
    charts = [json.loads(s.text) for s in mine.iter(f"{SPACE}script")]
    assert len(charts) == 4
    for chart in charts:
        altair.Chart.from_dict(chart, validate=True)
        assert vl_convert.vegalite_to_vega(chart)["marks"]


def test_tables_scroll_in_their_own_box_and_have_names(tree):
    mine = section(tree, "domains")
    every = list(mine.iter(f"{SPACE}table"))
    regions = [d for d in mine.iter(f"{SPACE}div") if d.get("role") == "region"]
    assert len(regions) == len(every) > 8
    assert all(d.get("tabindex") == "0" and d.get("aria-label") for d in regions)
    captions = [text(t.find(f"{SPACE}caption")) for t in every]
    named = [caption for caption in captions if " on torch_cpu" in caption]
    assert len(set(named)) == len(named) == 9
