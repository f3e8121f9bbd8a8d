"""What a reader sees: text without tricks, numbers with three digits and one unit."""

import math
from types import SimpleNamespace

import pytest

from kdbench.report import words
from kdbench.report.pick import titled


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.9431, "fraction", "94.3\u202f%"),
        (-0.0001, "fraction", "\u22120.010\u202f%"),
        (0.00032, "fraction", "0.032\u202f%"),
        (-1e-9, "fraction", "0.0\u202f%"),
        (0.3312, "ratio", "0.331\u00d7"),
        (2120.0, "microseconds", "2.12\u202fms"),
        (14.2, "seconds", "14.2\u202fs"),
        (4.71, "MB", "4.71\u202fMB"),
        (324_100, "bytes", "324\u202fkB"),
        (512, "bytes", "512\u202fB"),
        (78_042, "count", "78.0\u202fk"),
        (12.6e6, "FLOP", "12.6\u202fM"),
        (0.0, "count", "0"),
        (0.21449, "nats", "0.214"),
        (3.1e-6, "logits", "3.1e\u22126"),
        (-1.5, "nats", "\u22121.50"),
        (999.96, "score", "1000"),
        (math.nan, "fraction", ""),
        (math.inf, "nats", ""),
        (None, "count", ""),
    ],
)
def test_numbers_carry_three_digits_and_their_unit(value, unit, shown):
    assert words.number(value, unit) == shown


def test_an_interval_says_its_unit_once():
    assert words.interval(0.931, 0.954, "fraction") == "93.1\u201395.4\u202f%"
    assert words.interval(-0.051, -0.012, "fraction") == "\u22125.1\u202f% to \u22121.2\u202f%"
    assert words.interval(900, 2100, "bytes") == "900\u202fB to 2.10\u202fkB"
    assert words.interval(3.0, 3.0, "count") == ""
    assert words.interval(math.nan, 1.0) == ""


def test_differences_are_signed_and_fractions_differ_in_points():
    assert words.difference(0.0123, "fraction") == "+1.2\u202fpp"
    assert words.difference(-0.5, "nats") == "\u22120.500"
    assert words.difference(0.0, "nats") == "\u00b10"
    assert words.difference(math.nan, "nats") == ""


def test_ranks_are_tie_groups():
    assert [words.ranks(1, 3), words.ranks(2, 2), words.ranks(0, 0), words.ranks(math.nan, math.nan)] == [
        "1\u20133",
        "2",
        "\u2013",
        "\u2013",
    ]


def test_text_loses_what_cannot_be_seen():
    assert words.clean("a\x1b[31mb\u202ec\u200bd\ud800\x00") == "a\ufffd[31mb\ufffdc\ufffdd\ufffd\ufffd"
    assert words.clean(" two\nlines\u2028three ") == "two lines three"
    assert len(words.clean("x" * 5000, 40)) == 40


def test_labels_stay_different_when_they_are_cut():
    names = ["x" * 50 + tail for tail in "abc"] + ["", "\x00", "\x01"]
    made = words.labels(names, 20)
    assert len(set(made.values())) == len(names)
    assert max(map(len, made.values())) <= 24


@pytest.mark.parametrize(
    ("metric", "title", "shown"),
    [
        ("ece", "ECE", "ECE"),
        ("ood_auroc{score=energy}", "OOD AUROC", "OOD AUROC (energy)"),
        ("ece{bins=10}", "ECE", "ECE (bins=10)"),
        ("gain{of=ece}", "Gain over the from-scratch twin (ECE)", "Gain over the from-scratch twin (ECE)"),
        ("corruption_error{base=kd}", "Corruption error / kd", "Corruption error / kd"),
        ("corruption_error{base=kd,of=top_k_accuracy}", "Corruption error / kd (Top-k)", "Corruption error / kd (Top-k)"),
    ],
)
def test_a_title_says_parameters_once(metric, title, shown):
    assert titled(SimpleNamespace(metric=metric, title=title)) == shown
