"""What the sections say: judged by the tables they were made from, read again from the page."""

import dataclasses
import json

import html5lib
import pandas as pd
import pytest
from made_board import frames, judged

from kdbench.judge.board import Board
from kdbench.report.figures import series
from kdbench.report.page import page
from kdbench.report.pick import facing

SPACE = "{http://www.w3.org/1999/xhtml}"


def text(node):
    return " ".join("".join(node.itertext()).split())


@pytest.fixture(scope="module")
def tree(report):
    return html5lib.parse((report / "index.html").read_text("utf-8"))


def section(tree, name):
    return next(s for s in tree.findall(f".//{SPACE}section") if s.get("id") == name)


def panel(tree, name, place):
    """The box of one (task, target) of a section, by their numbers."""
    found = [d for d in section(tree, name).iter(f"{SPACE}div") if d.get("class") == "panel"]
    return next(d for d in found if (d.get("data-task"), d.get("data-target")) == place)


def tables(node):
    """caption -> rows, each a list of the cells' texts, without the heading."""
    out = {}
    for table in node.iter(f"{SPACE}table"):
        rows = [[text(cell) for cell in row] for row in table.find(f"{SPACE}tbody")]
        out[text(table.find(f"{SPACE}caption"))] = rows
    return out


def specs(node):
    return [json.loads(s.text) for s in node.iter(f"{SPACE}script") if s.get("type") == "application/json"]


def flat(spec):
    """The rows that Vega's flatten transform makes of the data of a chart."""
    fields = spec["transform"][0]["flatten"]
    return [
        {**{k: v for k, v in row.items() if k not in fields}, **dict(zip(fields, values, strict=True))}
        for row in spec["data"]["values"]
        for values in zip(*(row[f] for f in fields), strict=True)
    ]


def rendered(held, plugins):
    return html5lib.parse(page(Board(**held), plugins))


# --- verdicts


def test_the_matrix_holds_every_pair_from_both_sides(tree, board):
    of = board.pairs[(board.pairs["task"] == "digits") & (board.pairs["target"] == "ort_cpu")]
    rows = tables(panel(tree, "pairs", ("0", "1")))["Pairs of digits on ort_cpu"]
    cell = {(a[0], b[0]): a[1 + j] for a in rows for j, b in enumerate(rows)}
    mark = {
        "BEATS": "\u25b2 beats",
        "NO": "\u25bc worse than",
        "EQUIVALENT": "= equivalent to",
        "INCONCLUSIVE": "? not separable from",
    }
    turned = {"BEATS": "NO", "NO": "BEATS"}
    assert {mark[v].split()[0] for v in of["verdict"]} == {"\u25b2", "=", "?"}
    for row in of.itertuples():
        assert cell[row.a, row.b] == mark[row.verdict]
        assert cell[row.b, row.a] == mark[turned.get(row.verdict, row.verdict)]


def test_the_matrix_has_the_best_first(tree, board):
    of = board.standings[(board.standings["task"] == "digits") & (board.standings["target"] == "ort_cpu")]
    rows = tables(panel(tree, "pairs", ("0", "1")))["Pairs of digits on ort_cpu"]
    assert [row[0] for row in rows] == of["contender"].tolist()


def test_a_comparison_says_interval_p_mcnemar_effect_and_what_would_separate(tree):
    rows = tables(panel(tree, "pairs", ("0", "0")))["Comparisons of digits on torch_cpu"]
    beaten = next(row for row in rows if row[0] == "medium, teacher")
    assert beaten[1:4] == ["NO", "\u22121.6 pp\u22123.1 pp to \u22120.1 pp", "0.0100p 0.00100"]
    assert beaten[4:6] == ["12 / 40exact p 1.0e\u22124", "\u22120.0640"]
    open_one = next(row for row in rows if row[1] == "INCONCLUSIVE")
    assert open_one[6] == "about n = 12,000 would separate them"
    assert next(row for row in rows if row[1] == "EQUIVALENT")[6] == "margin 1.0 pp"


def test_a_pair_with_the_teacher_first_is_turned_as_a_whole():
    row = {"a": "teacher", "b": "kd", "delta": 0.03, "low": 0.01, "high": 0.05, "effect": 0.2, "mcnemar_b": 9.0, "mcnemar_c": 2.0}
    other = {**row, "a": "kd", "b": "at"}
    for verdict, turned in (("BEATS", "NO"), ("NO", "BEATS"), ("WORSE", "BEATS"), ("EQUIVALENT", "EQUIVALENT")):
        found = facing(pd.DataFrame([{**row, "verdict": verdict}, {**other, "verdict": verdict}])).to_dict("records")
        want = {"a": "kd", "b": "teacher", "delta": -0.03, "low": -0.05, "high": -0.01, "effect": -0.2, "verdict": turned}
        assert found[0] == {**want, "mcnemar_b": 2.0, "mcnemar_c": 9.0}
        assert found[1] == {**other, "verdict": "NO" if verdict == "WORSE" else verdict}


# --- standings


def test_a_row_apart_stands_below_the_ranked_ones_with_its_reason(tree):
    rows = tables(panel(tree, "leaderboard", ("1", "0")))["Leaderboard of rand_hie on torch_cpu"]
    names = [row[0] for row in rows]
    assert names[0] == "teacherthe reference"
    assert names[-2:] == ["label_smoothingapart", "kd-int8incomplete"]
    assert rows[-2][1] == "apart"
    marks = [i.get("data-tip") for i in panel(tree, "leaderboard", ("1", "0")).iter(f"{SPACE}i")]
    assert "apart: chose its checkpoint by 'best'; the others by 'last'" in marks


def test_the_leaderboard_has_tie_groups_the_verdict_and_the_chance_to_be_on_the_front(tree, board):
    rows = tables(panel(tree, "leaderboard", ("0", "0")))["Leaderboard of digits on torch_cpu"]
    of = board.standings[(board.standings["task"] == "digits") & (board.standings["target"] == "torch_cpu")].set_index(
        "contender"
    )
    chance = board.pareto[(board.pareto["task"] == "digits") & (board.pareto["target"] == "torch_cpu")].set_index("contender")
    for row in rows[1:-1]:
        name = row[0]
        assert row[1] == f"{of.loc[name, 'rank_low']}\u2013{of.loc[name, 'rank_high']}"
        assert row[3] == of.loc[name, "verdict"]
        assert row[4] == f"{100 * chance.loc[name, 'p_front']:.1f} %"


def test_the_front_is_marked_and_the_others_are_told_what_it_takes(tree, board):
    rows = tables(panel(tree, "tradeoff", ("0", "0")))["Pareto front of Accuracy, Latency / teacher"]
    of = board.pareto[(board.pareto["task"] == "digits") & (board.pareto["target"] == "torch_cpu")]
    assert [(row[0], row[1].endswith("yes"), row[3]) for row in rows] == [
        (r.contender, r.front, r.join or "\u2013") for r in of.itertuples()
    ]


def test_the_critical_difference_diagram_has_a_bar_for_each_clique(tree, board):
    spec = next(s for s in specs(section(tree, "datasets")))
    bars = {row["who"]: (row["x"], row["x2"]) for row in spec["layer"][1]["data"]["values"]}
    rank = board.datasets[board.datasets["target"] == "torch_cpu"]
    for number in ("1", "2"):
        of = rank.loc[rank["cliques"].str.split(",").map(lambda c, n=number: n in c), "mean_rank"]
        assert bars[f"not separable {number}"] == pytest.approx((of.min(), of.max()))
    assert bars["critical difference"] == pytest.approx((1.0, 1.0 + 2.4))
    assert "scratch: no whole result on rand_hie: failed" in text(section(tree, "datasets"))


# --- fidelity, calibration, cascade


def test_flips_point_both_ways_and_their_net_is_told(tree, board):
    of = board.scores[(board.scores["task"] == "digits") & (board.scores["target"] == "torch_cpu")].set_index(
        ["metric", "contender"]
    )
    bars = {(row["who"], row["kind"]): row["x"] for row in specs(panel(tree, "fidelity", ("0", "0")))[0]["data"]["values"]}
    lost, won = (float(of.loc[(f"{kind}_flips", "kd"), "value"]) for kind in ("negative", "positive"))
    assert (bars["kd", "negative flips"], bars["kd", "positive flips"]) == pytest.approx((-lost, won), rel=1e-4)
    shown = next(rows for name, rows in tables(panel(tree, "fidelity", ("0", "0"))).items() if name.startswith("Decisions"))
    assert next(row for row in shown if row[0] == "kd")[3] == f"\u2212{100 * (lost - won):.1f} pp"


def test_every_metric_of_an_axis_is_a_column_of_its_section(tree, board):
    for axis, name in (
        ("fidelity", "fidelity"),
        ("calibration", "reliability"),
        ("selective", "selective"),
        ("training", "training"),
    ):
        box = panel(tree, name, ("0", "0"))
        heads = {text(h) for table in box.iter(f"{SPACE}table") for h in table.find(f"{SPACE}thead").iter(f"{SPACE}th")}
        assert set(board.scores.loc[board.scores["axis"] == axis, "title"]) <= heads


def test_after_temperature_stands_beside_before(tree):
    table = next(
        t
        for t in panel(tree, "reliability", ("0", "0")).iter(f"{SPACE}table")
        if "Calibration:" in text(t.find(f"{SPACE}caption"))
    )
    heads = [text(h) for h in table.iter(f"{SPACE}th") if h.get("scope") == "col"]
    assert heads.index("ECE after temperature") == heads.index("Calibration error") + 1


def test_the_cascade_by_cost_adds_the_latency_ratio_to_what_is_deferred(tree, board):
    share, cost, _ = specs(panel(tree, "selective", ("0", "0")))
    ratio = board.scores[
        (board.scores["metric"] == "latency_ratio") & (board.scores["task"] == "digits") & board.scores["value"].notna()
    ]
    ratio = ratio[(ratio["target"] == "torch_cpu") & (ratio["slice"] == "")].set_index("contender")["value"]
    by_share = [row for row in flat(share) if row["who"] in ratio.index]
    by_cost = flat(cost)
    assert len(by_share) == len(by_cost) > 100
    for a, b in zip(by_share, by_cost, strict=True):
        assert (a["who"], a["y"]) == (b["who"], b["y"])
        assert b["x"] == pytest.approx(a["x"] + ratio[a["who"]], rel=1e-4)


def test_the_dashed_line_of_the_cascade_is_the_teacher_alone(tree, board):
    share = specs(panel(tree, "selective", ("0", "0")))[0]
    last = board.curves[(board.curves["curve"] == "cascade") & (board.curves["x"] == 1.0)]
    assert share["layer"][0]["data"]["values"] == [{"y": pytest.approx(last["y"].iloc[0])}]


def test_points_of_a_curve_are_points_of_the_board(tree, board):
    held = board.curves[
        (board.curves["task"] == "digits") & (board.curves["target"] == "torch_cpu") & (board.curves["curve"] == "risk_coverage")
    ]
    known = {(r.contender, round(r.x, 2)): r.y for r in held.itertuples()}
    drawn = flat(specs(panel(tree, "selective", ("0", "0")))[2])
    assert [r["y"] for r in drawn] == pytest.approx([known[r["who"], round(r["x"], 2)] for r in drawn], rel=1e-4)
    assert {r["who"] for r in drawn} == set(held["contender"])


def test_series_of_a_chart_come_apart_again():
    frame = pd.DataFrame({"who": ["a", "a", "b"], "x": [0.0, 0.5, 1.0], "y": [1.0, float("nan"), 3.0]})
    assert flat(series(frame, ["who"])) == [
        {"who": "a", "x": 0.0, "y": 1.0},
        {"who": "a", "x": 0.5, "y": None},
        {"who": "b", "x": 1.0, "y": 3.0},
    ]


# --- groups


def test_a_gap_is_widened_only_where_the_paired_interval_is_above_0(tree, board):
    of = board.scores[(board.scores["metric"] == "demographic_parity_difference") & (board.scores["slice"] == "sex")]
    of = of[(of["target"] == "torch_cpu") & (of["contender"] != "teacher")].set_index("contender")
    rows = tables(panel(tree, "amplification", ("1", "0")))["Gaps by sex and their change: rand_hie on torch_cpu"]
    said, ratio = {row[0]: row[-3] for row in rows}, {row[0]: row[-1] for row in rows}
    words = set()
    for name, row in of.iterrows():
        word = "widened" if row["delta_low"] > 0 else "narrowed" if row["delta_high"] < 0 else "not separable"
        assert said[name].endswith(word)
        if name != "teacher" and word != "not separable":  # a ratio is the more equal the higher it is
            assert ratio[name].endswith((word, "not separable"))
        words.add(word)
    assert {"widened", "narrowed"} <= words
    assert {name: r.rsplit(" ", 1)[-1] for name, r in ratio.items()}["kd"].endswith("widened")
    assert ratio["kd"].startswith("\u2212")


def test_harm_and_lift_are_told_by_group(tree):
    found = tables(panel(tree, "amplification", ("1", "0")))
    harm = found["Accuracy: harm by sex, rand_hie on torch_cpu"]
    assert next(row for row in harm if row[0] == "label_smoothing")[1:] == [
        "+0.8 pp+0.4 pp to +1.2 ppharmed",
        "\u22120.8 pp\u22121.2 pp to \u22120.4 ppfavoured",
    ]
    assert "Compression-identified examples: lift by sex, rand_hie on torch_cpu" in found
    assert "sum to zero" in text(section(tree, "amplification"))


def test_crossed_groups_have_the_worst_first_and_small_ones_are_named_with_n(tree, board):
    box = panel(tree, "groups", ("1", "0"))
    rows = tables(box)["Accuracy by sex*race: rand_hie on torch_cpu"]
    of = board.scores[board.scores["slice"].str.startswith("sex*race=") & (board.scores["target"] == "torch_cpu")]
    worst = of.groupby("slice")["value"].min().sort_values()
    assert [row[0] for row in rows] == [s.removeprefix("sex*race=") for s in worst.index]
    assert "Too small to be compared: unknown (n = 12)." in text(box)
    assert not [row for spec in specs(box) for row in spec["data"]["values"] if row.get("part") == "unknown"]


# --- how rows were made, and what the numbers mean


def test_unlike_cells_are_marked_not_by_colour_alone(tree):
    rows = {row[0]: row for row in tables(section(tree, "parity"))["Recipe parity of digits"]}
    assert rows["label_smoothing"][3] == "\u2260 best (most: last)"
    assert rows["scratch"][3] == "last"
    assert "label_smoothing: chose its checkpoint by 'best'; the others by 'last'" in text(section(tree, "parity"))
    assert "Alike in every row: epochs, examples." in text(section(tree, "parity"))


def test_slices_that_surely_lose_come_first_and_the_others_on_demand(tree):
    part = panel(tree, "discovery", ("0", "0"))
    rows = tables(part)["Slices of digits on torch_cpu: confirmed"]
    rest = tables(part)["Slices of digits on torch_cpu: not confirmed"]
    assert all(row[5].endswith("worse") for row in rows)
    assert rest
    assert f"{len(rows)} of {len(rows) + len(rest)} candidate slices confirmed" in "".join(part.itertext())
    assert len(part.findall(".//{*}details//{*}table")) == 1
    assert "\u22124" not in rows[0][6]


def test_every_metric_of_the_board_is_defined_once(tree, board, plugins):
    rows = tables(section(tree, "glossary"))["Metrics and their conventions"]
    assert len(rows) == board.scores["metric"].nunique()
    ece = next(row for row in rows if row[0].endswith("ece") and row[0].startswith("Calibration error"))
    facts = next(d.facts for d in plugins.describe("metric") if d.name == "ece")
    assert "15 equal-width right-closed bins, L1." in ece[1]
    if facts.get("equation"):
        assert " ".join(facts["equation"].split())[:60] in ece[1]


# --- boards of prediction files


@pytest.mark.parametrize("who", [("teacher", "kd"), ("kd",), ("kd", "medium")], ids=["with_teacher", "alone", "no_teacher"])
def test_a_board_of_prediction_files_leaves_out_what_it_has_nothing_about(who, plugins):
    made = rendered(judged(who), plugins)
    assert not [p for p in made.findall(f".//{SPACE}p") if p.get("role") == "alert"]
    there = {s.get("id") for s in made.findall(f".//{SPACE}section")}
    assert {"summary", "leaderboard", "reliability", "selective", "glossary"} <= there
    assert not {"latency", "groups", "amplification", "ood", "parity", "recipes", "discovery", "datasets", "tradeoff"} & there
    assert ("fidelity" in there) == ("teacher" in who)
    assert ("pairs" in there) == (len(who) > 1)
    assert "Left out, because there is nothing to show: Gates, " in text(made.find(f".//{SPACE}footer"))
    if "teacher" not in who:
        assert "the teacher" not in text(section(made, "summary"))


def test_two_files_are_compared_in_the_terminal_tables():
    from kdbench.report.standings import tables as terminal

    held = judged(("teacher", "kd"))
    first, second = terminal(held["standings"], held["scores"], held["pairs"])
    assert first["heads"][:6] == ["rank", "contender", "Accuracy", "95 % interval", "minus teacher", "verdict"]
    assert first["heads"][6:] == ["agreement", "ECE", ""]
    assert second["rows"] == [
        [
            "kd",
            "teacher",
            "NO",
            "\u22123.5\u202fpp",
            "\u22125.0\u202fpp to \u22122.0\u202fpp",
            "0.0100",
            "12 / 40 (p 1.0e\u22124)",
            "",
        ]
    ]
    held = judged(("kd",))
    (alone,) = terminal(held["standings"], held["scores"], held["pairs"])
    assert alone["heads"] == ["rank", "contender", "Accuracy", "95 % interval", "ECE", ""]


def test_standings_json_holds_every_table_that_was_judged(report, board):
    body = json.loads((report / "standings.json").read_text())
    for name in ("standings", "pairs", "pareto", "datasets", "parity", "discoveries", "gates"):
        assert len(body[name]) == len(getattr(board, name)) > 0


def test_boards_without_the_later_tables_still_make_a_page(plugins):
    names = {"pareto", "datasets", "parity", "discoveries"}
    held = {name: value for name, value in frames().items() if name not in names}
    assert names <= {f.name for f in dataclasses.fields(Board)}
    made = rendered(held, plugins)
    assert not [p for p in made.findall(f".//{SPACE}p") if p.get("role") == "alert"]
    assert not {s.get("id") for s in made.findall(f".//{SPACE}section")} & {"datasets", "parity", "discovery"}
