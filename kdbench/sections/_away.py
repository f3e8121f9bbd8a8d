"""What a comparison of home and away comes to, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kdbench import kit

from ._places import AGREEMENT, Place, truncated

BY_SIZE = ("neighbour_overlap",)
"""Agreements that depend on how many rows there are: not subtracted from one place to another."""


def said(found: list[Place]) -> Iterator[Any]:
    """A line for each place that has something to say; the first place is home."""
    home, *away = found
    wide = _wider(home)
    if wide:
        yield kit.Markup("At home: {}.").format(wide)
    for place in away:
        parts = [part for part in (_kept(home, place), *_lost(home, place)) if part]
        if parts:
            yield kit.Markup("<b>{}</b>: {}.").format(place.title, kit.Markup("; ").join(parts))


def notes(found: list[Place]) -> Any:
    """What was capped, and what was cut off."""
    capped = [f"{place.title} at {kit.count(place.cap)} rows" for place in found if place.cap]
    cut = []
    for place in found:
        shares = [share for share in truncated(place).values() if share > 0]
        if shares:
            more = f" to {kit.number(max(shares), 'fraction')}, by tokenizer" if max(shares) > min(shares) else ""
            cut.append(f"{place.title} {kit.number(min(shares), 'fraction')}{more}")
    text = [f"{what}: {', '.join(of)}." for what, of in (("Capped", capped), ("Truncated inputs", cut)) if of]
    return kit.note(" ".join(text)) if text else kit.Markup("")


def _kept(home: Place, place: Place) -> Any:
    """Who does most often as the teacher does, and who did at home."""
    near, best = _best(home), _best(place)
    if best is None:
        return ""
    name, row = best
    text = kit.Markup("{} does most often as the teacher does ({}").format(_name(name), kit.number(row.value, row.unit))
    own = home.held(AGREEMENT).get(name)
    alike = own is not None and own.metric == row.metric and row.metric.split("{")[0] not in BY_SIZE
    if own is not None and alike and own.value == own.value:
        text += kit.Markup(", {} against home").format(kit.difference(row.value - own.value, row.unit))
    other = kit.Markup("; at home {} does").format(_name(near[0])) if near is not None and near[0] != name else ""
    return text + ")" + other


def _lost(home: Place, place: Place) -> tuple[Any, ...]:
    """What got worse; where the teacher is at chance, that alone: differences to it mean little."""
    if place.at_chance(place.main.get("teacher")):
        return (kit.Markup("the teacher itself is no better than a constant guess"),)
    return _worse(home, place), _wider(place)


def _best(place: Place) -> tuple[str, Any] | None:
    """The contender with the highest agreement of a place."""
    held = {n: r for n, r in place.held(AGREEMENT).items() if n != "teacher" and r.value == r.value}
    return max(held.items(), key=lambda item: float(item[1].value)) if held else None


def _worse(home: Place, place: Place) -> Any:
    """Who is surely worse than the teacher here and was not at home."""
    names = [n for n, row in place.main.items() if _bad(row) and n in home.main and not _bad(home.main[n])]
    return kit.Markup('<span class="bad">worse than the teacher only here:</span> {}').format(_names(names)) if names else ""


def _wider(place: Place) -> Any:
    """Whose gap between groups is surely wider than the teacher's."""
    lines = []
    for column, rows in place.gaps.items():
        names = [n for n, row in rows.items() if n != "teacher" and row.delta_low > 0]
        if names:
            lines.append(f"{kit.clean(column, 40)} ({_names(names)})")
    text = kit.Markup('<span class="bad">gaps wider than the teacher\'s by group:</span> {}')
    return text.format(", ".join(lines)) if lines else ""


def _bad(row: Any) -> bool:
    return bool(kit.against_teacher(row)[2] == "bad")


def _name(name: str) -> str:
    return str(kit.clean(name, 40))


def _names(names: Sequence[str], most: int = 4) -> str:
    shown = [str(kit.clean(name, 30)) for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
