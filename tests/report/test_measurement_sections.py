"""What the page says about measurements: judged by the tables it was made from, read again from the page."""

import json
import math

import html5lib
import pandas as pd
import pytest
from made_board import frames
from made_measured import CAUGHT, CHEAT
from test_sections import SPACE, flat, panel, rendered, section, specs, tables, text

from kdbench import kit
from kdbench.sections._slices import columns, of_groups, scenario, scenario_title
from kdbench.sections.efficiency import efficiency
from kdbench.sections.exports import exports
from kdbench.sections.scenarios import scenarios


@pytest.fixture(scope="module")
def tree(report):
    return html5lib.parse((report / "index.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def scores(board):
    """The rows of the first task on ONNX Runtime: all of it was measured."""
    return board.scores[(board.scores["task"] == "digits") & (board.scores["target"] == "ort_cpu")]


def one(scores, metric, contender, piece=""):
    (row,) = scores[(scores["metric"] == metric) & (scores["contender"] == contender) & (scores["slice"] == piece)].itertuples()
    return row


# --- slices that are scenarios


def test_a_scenario_is_read_from_its_name():
    assert [scenario(s) for s in ("", "batch=32", "length=64", "batch*length=32 & 64")] == [(1, 0), (32, 0), (1, 64), (32, 64)]
    assert [scenario(s) for s in ("batch=x", "sex=female", "batch*length=32", "batch=\u0663", "=", "batch=-1")] == [(0, 0)] * 6
    assert scenario_title("batch*length=32 & 64") == "batch 32, length 64"
    assert scenario_title("") == "single stream"


def test_a_group_column_named_batch_stays_and_scenarios_are_no_groups(board):
    rows = board.scores[board.scores["slice"] != ""]
    assert not set(of_groups(rows)["axis"]) & {"latency", "memory", "cost"}
    own = rows.head(1).assign(axis="bias", slice="batch=8")
    assert [c.name for c in columns(pd.concat([own, rows[rows["axis"] == "latency"]]))] == ["batch"]


@pytest.mark.parametrize("name", ["groups", "amplification", "summary", "leaderboard", "training"])
def test_no_section_about_people_speaks_of_batches(tree, name):
    said = text(section(tree, name))
    assert "batch" not in said.replace("Latency / teacher by scenario", "")
    assert "length 64" not in said


# --- latency


def test_only_the_single_stream_is_in_the_picture(tree, board):
    of = board.timings[(board.timings["task"] == "digits") & (board.timings["target"] == "ort_cpu")]
    of = of[of["scenario"] == ""].assign(ratio=lambda t: t["contender_us"] / t["reference_us"])
    drawn = flat(specs(panel(tree, "latency", ("0", "1")))[0]["layer"][1])
    assert len(drawn) == len(of)
    assert sorted(row["ratio"] for row in drawn) == pytest.approx(sorted(of["ratio"]), rel=1e-4)


def test_the_ticks_of_both_sides_are_the_quantiles_of_their_calls(tree, board):
    of = board.calls[(board.calls["task"] == "digits") & (board.calls["target"] == "ort_cpu") & (board.calls["scenario"] == "")]
    drawn = pd.DataFrame(flat(specs(panel(tree, "latency", ("0", "1")))[1]))
    assert len(drawn) == 21 * len(of)
    for row in of.itertuples():
        side = "teacher" if row.role == "reference" else "contender"
        ticks = drawn.loc[(drawn["who"] == row.contender) & (drawn["part"] == side), "x"]
        want = [getattr(row, f"q{share}") for share in range(0, 101, 5)]
        assert list(ticks) == pytest.approx(want, rel=1e-3)  # the axis is in microseconds here


def test_absolute_times_say_best_case_load_governor_switches_and_who_was_late(tree):
    part = panel(tree, "latency", ("0", "1"))
    said = text(part)
    assert "Latency, best case" in said
    assert "load average 0.4 to 1.0; frequency governor performance; 1 thread" in said
    assert "at most 17.4 involuntary context switches in 1000 calls" in said  # 2 in 115
    assert "Late: too slow for all block pairs in the time given, so with a wider interval: pruned (23 of 60)." in said
    assert "nobody answered from memory" in said


def test_a_cheat_has_no_picture_and_is_named_with_what_it_did(tree):
    part = panel(tree, "latency", ("1", "1"))
    assert f"{CHEAT}: {CAUGHT}" in text(part)
    assert CHEAT not in {row["who"] for row in flat(specs(part)[0]["layer"][1])}
    assert CHEAT not in {row["who"] for row in flat(specs(part)[1])}
    assert "nobody answered from memory" not in text(part)


# --- batches


def test_the_matrix_holds_ratio_and_interval_of_every_scenario(tree, scores):
    rows = {
        row[0]: row[1:]
        for row in tables(panel(tree, "scenarios", ("0", "1")))["Latency / teacher by scenario: digits on ort_cpu"]
    }
    for name in ("teacher", "kd", "at"):
        for cell, piece in zip(rows[name], ("", "batch=8", "batch=32"), strict=True):
            row = one(scores, "latency_ratio", name, piece)
            assert cell == "".join(map(kit.clean, (kit.number(row.value, "ratio"), kit.interval(row.low, row.high, "ratio"))))


def test_throughput_is_drawn_against_the_batch(tree, scores):
    (spec,) = specs(panel(tree, "scenarios", ("0", "1")))
    found = {(row["who"], row["x"]): row["y"] for row in flat(spec)}
    assert {x for _, x in found} == {1, 8, 32}
    for batch, piece in ((1, ""), (8, "batch=8"), (32, "batch=32")):
        assert found["kd", batch] == pytest.approx(one(scores, "throughput", "kd", piece).value, rel=1e-4)


def test_each_length_has_a_picture_of_its_own(tree):
    assert len(specs(panel(tree, "scenarios", ("1", "1")))) == 2


def test_whose_ratio_depends_on_the_batch_is_said(tree):
    said = text(panel(tree, "scenarios", ("0", "1")))
    assert "at: 0.142\u00d7 the teacher's time one row a call, 0.312\u00d7 at batch 32." in said
    assert "kd: 0.142" not in said


def test_nothing_is_said_about_batches_where_one_row_at_a_time_was_measured(board):
    assert scenarios(board.scores[board.scores["slice"] == ""], board.standings) == ""


# --- size, memory, compute


def test_counts_stand_beside_their_share_of_the_teacher(tree, scores):
    part = panel(tree, "efficiency", ("0", "1"))
    rows = {row[0]: row[1:] for row in tables(part)["Size, memory and compute: digits on ort_cpu"]}
    shown = ["parameters", "nonzeros", "bytes_on_disk", "peak_memory", "peak_memory_loading", "flops"]
    for cell, metric in zip(rows["kd"], shown, strict=False):
        row = one(scores, metric, "kd")
        share = kit.number(row.value / row.teacher, "ratio")
        assert cell == f"{kit.number(row.value, row.unit)}{share} the teacher's".replace("\u202f", " ")


def test_bounds_undefined_counts_and_a_missing_meter_are_told(tree):
    part = panel(tree, "efficiency", ("0", "1"))
    rows = {row[0]: row[1:] for row in tables(part)["Size, memory and compute: digits on ort_cpu"]}
    assert rows["slim"][5].startswith("\u2265")
    assert rows["kd-int8"][5] == "undefined"
    said = text(part)
    assert "FLOPs of teacher-int8, kd-int8 undefined: the counter does not see QLinearConv (int8 graph)." in said
    assert "Energy / 1000 predictions (no meter: there is no RAPL package below /sys/class/powercap)" in said
    assert "Parameters without embeddings" not in said


def test_rows_whose_time_does_not_follow_their_operations_are_named_in_words(tree, scores):
    part = panel(tree, "efficiency", ("0", "1"))
    spec = next(s for s in specs(part))
    dots = {row["who"]: (row["x"], row["y"]) for row in spec["data"]["values"]}
    for name in dots:
        ops = one(scores, "operations", name)
        assert dots[name] == pytest.approx((ops.value / ops.teacher, one(scores, "latency_ratio", name).value), rel=1e-4)
    said = text(part)
    assert "medium has 0.610\u00d7 the operations and 0.331\u00d7 the time." in said
    assert "scratch, label_smoothing, kd and 4 more have 0.0182\u00d7 the operations and 0.117\u20130.142\u00d7 the time." in said
    assert "pruned has" not in said  # on the line
    assert "slim has" not in said  # far above it, but its count is a lower bound
    assert "Counts that are bounds only: slim (\u2265 0.250\u00d7)." in said


@pytest.mark.parametrize(("low", "named"), [(0.31, False), (0.39, True)])
def test_a_row_is_named_by_the_end_of_its_interval_that_is_nearer_to_the_line(scores, board, low, named):
    made = scores.copy()
    of = made["contender"] == "medium"
    made.loc[of & (made["metric"] == "operations"), "value"] = 0.25 * made.loc[of & (made["metric"] == "operations"), "teacher"]
    made.loc[of & (made["metric"] == "latency_ratio"), ["value", "low", "high"]] = [0.4, low, 0.6]
    assert ("medium has 0.250\u00d7 the operations and 0.400\u00d7 the time" in efficiency(made, board.standings)) == named


def test_where_all_times_follow_the_operations_that_is_said(scores, board):
    made = scores.copy()
    ops = made[made["metric"] == "operations"].set_index("contender")
    of = made["metric"] == "latency_ratio"
    share = made.loc[of, "contender"].map(ops["value"] / ops["teacher"])
    made.loc[of, "value"], made.loc[of, "low"], made.loc[of, "high"] = share, share * 0.98, share * 1.02
    assert "No row is surely off the line by 1.5 times or more" in efficiency(made, board.standings)


def test_break_even_says_after_how_many_predictions_or_never(tree, scores):
    rows = {row[0]: row[1:] for row in tables(panel(tree, "efficiency", ("0", "1")))["Break-even: digits on ort_cpu"]}
    row = one(scores, "break_even", "kd")
    assert rows["kd"][1].startswith(kit.clean(kit.number(row.value, "predictions").replace("\u202f", " ")))
    assert rows["pruned"][1] == "never"
    assert "teacher" not in rows


def test_numbers_of_new_units_have_them():
    assert [kit.number(v, "J") for v in (0.0, 2.5e-3, 3.0, 4200.0)] == ["0\u202fJ", "2.50\u202fmJ", "3.00\u202fJ", "4.20\u202fkJ"]
    assert kit.number(2.25e10, "operations") == "22.5\u202fG"
    assert [kit.unit_title(u) for u in ("J", "operations", "rows/s", "nats")] == ["", "", "", "nats"]


@pytest.mark.parametrize(
    ("reason", "sign"),
    [("at least: no formula for x", "\u2265"), ("3 seeds; at most (the teacher's ...)", "\u2264"), ("for x 1x3", ""),
     ("both counts are lower bounds", ""), ("it is at least: so", "")],
)  # fmt: skip
def test_a_bound_is_told_from_the_reason_of_a_count(reason, sign):
    row = pd.DataFrame([{"axis": "compute", "reason": reason}, {"axis": "latency", "reason": reason}])
    assert [kit.bound(r) for r in row.itertuples()] == [sign, ""]


# --- exports


def test_a_failed_export_says_how_far_where_and_among_narrow_decisions(tree):
    rows = {row[0]: row[1:] for row in tables(panel(tree, "exports", ("0", "1")))["Export check: digits on ort_cpu"]}
    where = "layer2.0.conv1by 0.0130 of its largest value"
    assert rows["kd"] == ["failed", "0.0200tolerance 0.00100", "3 of 3602 beyond rounding", "2 of 32", where]
    assert rows["scratch"][0] == "passed"
    assert rows["scratch"][-1] == "\u2013"


def test_a_row_that_could_not_be_checked_is_named_and_one_that_failed_is_not_named_twice(board):
    of = board.exports[(board.exports["task"] == "digits") & (board.exports["contender"] != "at")]
    made = board.scores.copy()
    lost = (made["metric"] == "export_flips") & made["contender"].isin(["at", "kd"])
    made.loc[lost, ["status", "reason", "value"]] = ["failed", "export: no operator", math.nan]
    assert "Not checked: at (export: no operator)." in exports(made, board.standings, of)


def test_boards_that_were_not_timed_or_exported_have_no_such_sections(plugins):
    held = frames()
    gone = {"latency", "memory", "energy", "compute", "size", "cost", "export"}
    held["scores"] = held["scores"][~held["scores"]["axis"].isin(gone)].reset_index(drop=True)
    for name in ("timings", "calls", "exports"):
        held[name] = held[name].iloc[:0]
    made = rendered(held, plugins)
    assert not [p for p in made.findall(f".//{SPACE}p") if p.get("role") == "alert"]
    assert not {s.get("id") for s in made.findall(f".//{SPACE}section")} & {"latency", "scenarios", "efficiency", "exports"}


def test_specs_hold_no_text_that_is_not_data(hostile):
    made = html5lib.parse((hostile / "index.html").read_text("utf-8"))
    for name in ("latency", "scenarios", "efficiency"):
        for spec in specs(section(made, name)):
            for layer in spec["layer"]:
                assert "KDBENCH-XSS" not in json.dumps(layer.get("transform", []))
