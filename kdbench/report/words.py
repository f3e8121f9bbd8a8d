"""Text and numbers as a reader sees them: nothing invisible, three significant digits, one unit for one kind of number."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

MINUS, RANGE, TIMES = "\u2212", "\u2013", "\u00d7"
_BREAKS = re.compile(r"[\s\u2028\u2029\x85]+")
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BASE = {
    "microseconds": ("s", 1e-6), "milliseconds": ("s", 1e-3), "seconds": ("s", 1.0), "MB": ("bytes", 1e6), "FLOP": ("flop", 1.0),
    "examples": ("count", 1.0), "rows": ("count", 1.0), "predictions": ("count", 1.0), "rows/s": ("rate", 1.0),
    "operations": ("flop", 1.0), "J": ("joules", 1.0),
}  # fmt: skip
_PARTS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "\u00b5s"), (1e-9, "ns")),
    "joules": ((1e6, "MJ"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "\u00b5J")),
}
_PRINTED = ("fraction", "ratio", "s", "joules", "bytes", "count", "flop", "rate", "score", "")


def clean(value: object, limit: int = 300) -> str:
    """One line of visible text, cut with an ellipsis. Control, bidirectional and surrogate characters become U+FFFD."""
    text = _BREAKS.sub(" ", str(value)).strip()
    if len(text) > limit:
        text = text[: limit - 1] + "\u2026"
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") else "\ufffd" for c in text)


def labels(names: Iterable[object], limit: int = 28) -> dict[str, str]:
    """A short label for each name, all different: charts tell their series apart by label."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if str(name) in out:
            continue
        label, count = clean(name, limit) or "(empty)", 2
        while label in taken:
            label, count = f"{clean(name, limit - 4)} #{count}", count + 1
        out[str(name)] = label
        taken.add(label)
    return out


def number(value: object, unit: str = "") -> str:
    """A number with its unit: fractions in percent, seconds and bytes in the unit that fits, "" for what is not finite."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    unit, scale = _BASE.get(unit, (unit, 1.0))
    value = value * scale
    if unit == "fraction":
        return f"{_percent(100 * value)}\u202f%"
    if unit == "ratio":
        return f"{_digits(value)}{TIMES}"
    if unit in _PARTS:
        return _parts(value, unit)
    if unit in ("bytes", "count", "flop", "rate"):
        return _steps(value, {"bytes": "B", "rate": "/s"}.get(unit, ""))
    return _digits(value)


def unit_title(unit: str) -> str:
    """The unit where `number` does not print it: "nats", "logits", ..."""
    return "" if _BASE.get(unit, (unit, 1.0))[0] in _PRINTED else clean(unit, 20)


def interval(low: object, high: object, unit: str = "") -> str:
    """`low-high` with the unit said once where it is the same; "" where an end is missing or both print alike."""
    ends = [number(low, unit), number(high, unit)]
    if not all(ends) or ends[0] == ends[1]:
        return ""
    (first, one), (last, two) = (_split(end) for end in ends)
    signed = any(end.startswith(MINUS) for end in (first, last))  # a dash beside a minus cannot be read
    return f"{first}{RANGE}{last}{two}" if one == two and not signed else f"{ends[0]} to {ends[1]}"


def stated(value: object, low: object, high: object, unit: str = "") -> str:
    """`91.2 % (90.1-92.3 %)`, without brackets where there is no interval."""
    bounds = interval(low, high, unit)
    return f"{number(value, unit)} ({bounds})" if bounds else number(value, unit)


def difference(value: object, unit: str = "") -> str:
    """A signed difference; of fractions in percentage points ("pp")."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    sign = "+" if value > 0 else "" if value < 0 else "\u00b1"
    if unit == "fraction":
        return f"{sign}{_percent(100 * value)}\u202fpp"
    return sign + number(value, unit)


def count(n: object) -> str:
    """A whole number with thin spaces between thousands."""
    try:
        return f"{int(float(str(n))):,}".replace(",", "\u202f")
    except (ValueError, OverflowError):
        return ""


def plural(n: int, one: str, many: str = "") -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def ranks(low: object, high: object) -> str:
    """`1-3` for a tie group, `2` for a rank of its own, an en dash for none."""
    first, last = count(low), count(high)
    if not first or first == "0":
        return RANGE
    return first if first == last else f"{first}{RANGE}{last}"


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return (text[1:] if text.strip("-0.") == "" and text[0] == "-" else text).replace("-", MINUS)


def _percent(value: float) -> str:
    """One digit behind the point; two that count where that would show a small number as 0.0."""
    if 5e-4 <= abs(value) < 0.05:
        return _fixed(value, 1 - math.floor(math.log10(abs(value))))
    return _fixed(value, 1)


def _digits(value: float) -> str:
    """Three significant digits, without an exponent where that reads well."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return _fixed(value, max(0, 2 - math.floor(math.log10(abs(value)))))
    mantissa, power = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(power)}".replace("-", MINUS)


def _parts(value: float, unit: str) -> str:
    """A time or an energy in the step that fits; 0 in the unit itself."""
    parts = _PARTS[unit]
    one = next(part for part in parts if part[0] == 1.0)
    scale, name = next((part for part in parts if abs(value) >= part[0]), parts[-1]) if value else one
    return f"{_digits(value / scale)}\u202f{name}"


def _steps(value: float, unit: str) -> str:
    for scale, name in _STEPS:
        if abs(value) >= scale:
            return f"{_digits(value / scale)}\u202f{name}{unit}"
    whole = _fixed(value, 0) if value == int(value) else _digits(value)
    return f"{whole}\u202f{unit}" if unit else whole


def _split(text: str) -> tuple[str, str]:
    match = re.match(rf"[{MINUS}\d.e]+", text)
    return (match[0], text[match.end() :]) if match else (text, "")
