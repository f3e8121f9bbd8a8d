"""The tables of measurements that stand beside the scores: judged by numpy and by the arrays they were made from."""

import json

import numpy as np
import pytest
from made_evidence import Evidence

from kdbench.judge.calls import QUANTILES, SHARES, calls
from kdbench.judge.exports import exports

LABELS = np.zeros(40, dtype=int)


@pytest.fixture
def evidence(tmp_path):
    return Evidence(tmp_path / "store", LABELS)


def timed(made, contender, scenario="", seed=0, scale=1.0, **facts):
    """Writes timings of 20 blocks of 5 calls; gives the arrays."""
    rng = np.random.default_rng(seed)
    wall = {f"wall_{role}": rng.lognormal(-7, 0.3, (20, 5)) * scale for role in ("reference", "contender")}
    with made.write("latency", contender, seed, scenario) as draft:
        draft.arrays(
            "latency.npz", {**wall, "switches_contender": np.full((20, 5), 2), "switches_reference": np.zeros((20, 5), int)}
        )
        draft.json("latency.json", {"batch": 1, "threads": 2, "load_before": 0.5, "load_after": [0.7, 0, 0], **facts})
    made.cell("latency", contender, seed, scenario=scenario)
    return wall


def test_quantiles_of_the_calls_are_calls_that_were_taken_against_numpy(evidence):
    wall = timed(evidence, "kd")
    rows = {row["role"]: row for row in calls(evidence.plan(), evidence.store)}
    for role in ("contender", "reference"):
        taken = np.sort(wall[f"wall_{role}"].ravel()) * 1e6
        found = [rows[role][name] for name in QUANTILES]
        assert found == pytest.approx(np.quantile(taken, np.array(SHARES) / 100, method="inverted_cdf"))
        assert np.abs(taken[:, None] - found).min(axis=0).max() < 1e-9
        assert (found[0], found[-1]) == (taken[0], taken[-1])


def test_conditions_of_the_calls_are_those_of_the_evidence(evidence):
    checks = {name: {"passed": True, "text": ""} for name in ("answers", "repeatable", "batch", "fresh")}
    timed(evidence, "kd", asked_pairs=60, late=True, governor="powersave", checks=checks)
    timed(evidence, "kd", scenario="batch=8")
    alone, _, eight, _ = calls(evidence.plan(), evidence.store)
    told = {"calls": 100, "pairs": 20, "asked_pairs": 60, "late": True, "governor": "powersave", "threads": 2, "checks": 4}
    assert {name: alone[name] for name in told} == told
    assert (alone["load_before"], alone["load_after"], alone["switches"]) == (0.5, 0.7, 200.0)
    other = {"scenario": "batch=8", "asked_pairs": 20, "late": False, "governor": "", "checks": 0}
    assert {name: eight[name] for name in other} == other


def test_of_several_seeds_the_first_that_there_is_gives_the_calls(evidence):
    evidence.cell("latency", "kd", 0, key="0" * 64)
    wall = timed(evidence, "kd", seed=1)
    timed(evidence, "kd", seed=2, scale=10.0)
    rows = list(calls(evidence.plan(), evidence.store))
    assert [row["role"] for row in rows] == ["contender", "reference"]
    assert rows[0]["q0"] == pytest.approx(wall["wall_contender"].min() * 1e6)


def test_the_export_that_is_farthest_off_is_shown(evidence):
    for seed, (rel, passed) in enumerate([(0.2, True), (0.001, False), (0.01, False)]):
        fact = {"n": 40, "max_rel": rel, "passed": passed, "first_divergence": {"module": f"layer{seed}", "difference": rel}}
        with evidence.write("parity", seed) as draft:
            draft.json("parity.json", fact)
        evidence.cell("parity", "kd", seed, target="ort_cpu")
    evidence.cell("parity", "at", 0, target="ort_cpu", key="0" * 64)
    (row,) = exports(evidence.plan(), evidence.store)
    assert (row["contender"], row["target"], row["seed"], row["max_rel"]) == ("kd", "ort_cpu", 2, 0.01)
    assert row["first_divergence"] == {"module": "layer2", "difference": 0.01}
    assert row["narrow_n"] is None


def test_the_board_hands_both_tables_over(evidence):
    evidence.predict("teacher", np.eye(2)[LABELS])
    timed(evidence, "teacher")
    board = evidence.board("accuracy")
    assert list(board.calls["role"]) == ["contender", "reference"]
    assert len(board.exports) == 0
    assert json.dumps(board.calls.to_dict("records"))
