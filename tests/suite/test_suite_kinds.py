"""Annotations of plugin signatures as types, judged by pydantic in strict mode where it knows the type."""

import json
import math
from typing import Annotated, Literal

import annotated_types as at
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kdbench.registry import discover
from kdbench.signature import Description
from kdbench.suite.cursor import Cursor
from kdbench.suite.kinds import Mismatch, convert, describe, numeric, parse
from kdbench.suite.nodes import of, scalar
from kdbench.suite.uses import filled, types

JUDGED = {
    "float": Annotated[float, at.Predicate(math.isfinite)],
    "Positive": Annotated[float, at.Gt(0), at.Predicate(math.isfinite)],
    "NonNegative": Annotated[float, at.Ge(0), at.Predicate(math.isfinite)],
    "Fraction": Annotated[float, at.Interval(ge=0, le=1)],
    "ProperFraction": Annotated[float, at.Interval(gt=0, lt=1)],
    "int": int,
    "Count": Annotated[int, at.Ge(1)],
    "Whole": Annotated[int, at.Ge(0)],
    "bool": bool,
    "str": str,
    "Literal['a', 'b']": Literal["a", "b"],
    "Positive | None": Annotated[float, at.Gt(0), at.Predicate(math.isfinite)] | None,
    "int | str": int | str,
    "list[int]": list[int],
    "list[str] | None": list[str] | None,
    "list[Fraction]": list[Annotated[float, at.Interval(ge=0, le=1)]],
    "dict[str, Count]": dict[str, Annotated[int, at.Ge(1)]],
}

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-2, 2)
    | st.sampled_from([math.nan, math.inf, 1.0, "a", "b", "c", "1", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("annotation", JUDGED)
@given(value=VALUES)
def test_types_accept_what_strict_pydantic_accepts(annotation, value):
    try:
        expected = TypeAdapter(JUDGED[annotation]).validate_python(value, strict=True)
    except ValidationError:
        with pytest.raises(Mismatch):
            convert(parse(annotation), of(value, "here"))
    else:
        got = convert(parse(annotation), of(value, "here"))
        assert got == expected
        assert json.dumps(got) == json.dumps(expected).replace("-0.0", "0.0")


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("tuple[float, int]", [[1, 2]], [[1], [1, 2, 3], [1, 2.5], 1]),
        ("tuple[int, ...]", [[], [1, 2, 3]], [["a"], "ab"]),
        ("dict", [{}, {"a": [1, {"b": None}]}], [[1], "a", {"a": math.nan}]),
        ("dict[str, Any]", [{"a": "b"}], [1]),
        ("list", [[1, "a"]], ["a"]),
        ("kdbench.Positive", [1], [0]),
        ("'Count'", [1], [0]),
        ("Optional[int]", [None, 1], ["a"]),
        ("Literal[1, 3]", [1, 3], [2, True, 1.0, "1"]),
        ("Literal['a'] | Fraction", ["a", 0.5], ["b", 2]),
    ],
)
def test_other_types(annotation, good, bad):
    kind = parse(annotation)
    for value in good:
        assert convert(kind, of(value, "here")) == value
    for value in bad:
        with pytest.raises(Mismatch):
            convert(kind, of(value, "here"))


@pytest.mark.parametrize(
    "annotation", ["Callable[[int], int]", "Tensor", "np.ndarray", "list[Tensor]", "dict[int, int]", "Any", "int or str", "f()"]
)
def test_unknown_types_are_refused(annotation):
    with pytest.raises(ValueError, match="cannot be read"):
        parse(annotation)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("Positive", "a number above 0"),
        ("ProperFraction", "a number above 0 and below 1"),
        ("Fraction", "a number from 0 and at most 1"),
        ("Count | None", "a whole number from 1 or null"),
        ("list[bool]", "a list of: true or false"),
        ("Literal['a', 'b']", "one of a, b"),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(parse(annotation)) == words


def test_numbers_may_be_scheduled():
    assert [numeric(parse(a)) for a in ("float", "Count", "Positive | None", "bool", "str", "list[float]")] == [True] * 3 + [
        False
    ] * 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("-0.5", -0.5), ("+1", 1), ("0", 0), ("-0", 0),
        ("12e03", 12000.0),
        ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None), (".inf", math.inf), ("-.INF", -math.inf),
        ("yes", "yes"), ("No", "No"), ("on", "on"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("1_000", "1_000"),
        ("1e", "1e"),
        ("inf", "inf"), ("nan", "nan"), ("tRUE", "tRUE"), ("=", "="), ("١", "١"), ("1.2.3", "1.2.3"), ("e3", "e3"), (".", "."),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_the_yaml_1_2_core_schema_says(text, value):
    got = scalar(text)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize("text", ["010", "-010", "0x10", "0o17", "0b1", "00", "9" * 19])
def test_numbers_that_programs_read_differently_are_refused(text):
    with pytest.raises(ValueError, match="decimal|18 digits"):
        scalar(text)


@pytest.mark.parametrize(
    "described",
    [
        one
        for kind in ("dataset", "model", "method", "compressor", "metric", "target", "shift", "view")
        for one in discover().describe(kind)
    ],
    ids=lambda one: f"{one.kind}.{one.name}",
)
def test_every_installed_plugin_can_be_named_in_a_suite(described, tmp_path):
    assert isinstance(described, Description), described
    types(described)
    if not any(param.required for param in described.params):
        log: list[str] = []
        used = filled(described.name, Cursor(of(described.name, "here"), "", log, tmp_path), described.kind, discover())
        assert not log
        assert set(used.params) == {param.name for param in described.params}
