"""Numbers that other tools got silently wrong, by the public issue or the entry of our catalogue."""

import numpy as np
import pytest
from made_readings import at, coins, shares, tables

from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.judge.rows import OVER_SEEDS


def test_three_alexnets_the_base_is_named_and_joined_by_the_name_of_the_shift():
    """One public file lists corruptions from `brightness` on and the base's errors from `gaussian_noise` on; and three different
    "AlexNets" are in use as the base. Here both sides are dictionaries by name, and the base's identity is in the convention.
    """
    ours = {"brightness": 0.4, "gaussian": 0.8}
    base = {"gaussian": 0.4, "brightness": 0.8}
    readings = {Spot("ours", 0, "torch_cpu", "test", c, 1): Reading(1 - e, n=100) for c, e in ours.items()}
    readings |= {Spot("alexnet", 0, "torch_cpu", "test", c, 1): Reading(1 - e, n=100) for c, e in base.items()}
    made = [tables(readings, {"base": "alexnet", "base_steps": i})["corruption_error{base=alexnet}"] for i in ("aaaa", "bbbb")]
    assert at(made[0][1], "ours", "brightness").value == pytest.approx(0.5)
    assert at(made[0][1], "ours", "gaussian").value == pytest.approx(2.0)
    assert at(made[0][1], "ours", "*").value == pytest.approx(1.25)  # by index: 1.0 and 1.0
    assert made[0][0].facts["convention"] != made[1][0].facts["convention"]


def test_failed_seeds_are_counted_and_named_and_never_averaged_away():
    """Catalogue 84: a mean over the seeds that survived looks like a mean over all."""
    readings = {Spot("ours", s, "torch_cpu", "test"): Reading(v, n=100) for s, v in ((0, 0.7), (3, 0.9))}
    readings[Spot("ours", 1, "torch_cpu", "test")] = nothing("failed", "invalid output")
    found = tables(readings, {"ranking": True, "seeds": {"ours": [0, 1, 2, 3]}})
    sd = found["seed_sd"][1][Spot("ours", OVER_SEEDS, "torch_cpu", "test")]
    assert (sd.status, sd.n) == ("partial", 2)
    assert sd.reason.startswith("2 of 4 seeds (seed 1, 2 without a number)")
    two_camps = found["bimodality"][1][Spot("ours", OVER_SEEDS, "torch_cpu", "test")]
    assert (two_camps.status, two_camps.n) == ("undefined", 2)


@pytest.mark.parametrize("of_teacher", [0.55, 0.6])
def test_retention_of_a_teacher_no_better_than_the_majority_class_is_undefined(of_teacher):
    """Catalogue 85: 98 % of a teacher that learned nothing is no praise."""
    rng = np.random.default_rng(0)
    readings, _ = shares({("teacher", 0, "", 0): coins(rng, of_teacher), ("kd", 0, "", 0): coins(rng, 0.59)})
    found = at(tables(readings, {"baseline": lambda: 0.6})["retention"][1], "kd")
    assert (found.status, found.n) == ("undefined", 400)
    assert found.reason == f"the teacher ({of_teacher:.4g}) is no better than a constant guess (0.6)"
    assert found.draws is None
    assert at(tables(readings, {"baseline": lambda: 0.5})["retention"][1], "kd").known


def test_a_teacher_that_gains_under_a_shift_gives_no_negative_relative_error():
    """A denominator below 0 turns a loss into praise."""
    share = {("teacher", ""): 0.8, ("teacher", "bright"): 0.85, ("kd", ""): 0.7, ("kd", "bright"): 0.6}
    readings = {Spot(c, 0, "torch_cpu", "test", s, bool(s)): Reading(v, n=100) for (c, s), v in share.items()}
    found = at(tables(readings)["relative_corruption_error"][1], "kd", "bright")
    assert (found.status, found.reason) == ("undefined", "the teacher loses nothing under this shift")


def test_no_derived_number_is_0_for_want_of_a_number():
    readings = {Spot(c, 0, "torch_cpu", "test", s, bool(s)): nothing("failed", "broke", 5) for c in ("teacher", "kd", "scratch")
                for s in ("", "fog", "blur")}  # fmt: skip
    setup = {"plain": ["scratch"], "twins": {"kd": "scratch"}, "base": "scratch", "baseline": lambda: 0.1, "ranking": True,
             "seeds": {"kd": [0, 1]}}  # fmt: skip
    found = tables(readings, setup)
    assert len(found) == 10
    for _, table in found.values():
        for reading in table.values():
            assert not reading.known
            assert reading.status in ("failed", "undefined")
            assert reading.reason
