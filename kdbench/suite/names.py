"""Names that become rows of a board and folders of a disk: of suites, tasks and contenders."""

from __future__ import annotations

import unicodedata

LONGEST = 64
INSIDE = frozenset("._+- ")
BETWEEN = "/"
"""Between a task and its contender, where another task names it. No name can hold it."""
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in "0123456789\u00b9\u00b2\u00b3")}
)
ALLOWED = f"1 to {LONGEST} letters, digits and any of . _ + - or space inside, beginning with a letter or digit"


def problem(name: str) -> str:
    """What is wrong with a name; "" where nothing is."""
    if not name.strip():
        return f"an empty name (allowed: {ALLOWED})"
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > 3 * LONGEST:
        return f"a name of {len(name)} characters (allowed: {ALLOWED})"
    if unicodedata.normalize("NFC", name) != name:
        return (
            f"found {name!r}, whose accents are written apart (allowed: Unicode form NFC, {unicodedata.normalize('NFC', name)!r})"
        )
    bad = next((c for c in name if not _letter(c) and c not in INSIDE), "")
    if bad:
        return f"the name {shown(name)} holds {shown(bad)} (allowed: {ALLOWED})"
    if unicodedata.category(name[0])[0] not in "LN" or name[-1] in " .":
        return f"found {name!r} (allowed: {ALLOWED}, not ending with a dot or space)"
    if name.split(".")[0].strip().casefold() in _DEVICES:
        return f"found {name!r}, the name of a device on Windows (allowed: any other name)"
    return ""


def same(name: str) -> str:
    """Equal for two names that could share a folder somewhere: without case, compatibility forms, trailing dots and spaces."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).rstrip(". ")


def shown(text: str) -> str:
    """A text in quotes, with everything escaped that would not show."""
    return repr(text[:80]) if text.isprintable() else ascii(text[:80])


def _letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"
