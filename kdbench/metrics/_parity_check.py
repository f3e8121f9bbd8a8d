"""What a failed check of an export is called on the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Failed


def require(parity: Mapping[str, Any]) -> None:
    """Raises Failed, saying what differs, by how much, and where it begins, if the export is outside of its tolerance."""
    if parity["passed"]:
        return
    what = f"{parity['flips']} of {parity['n']} decisions flipped, logits differ by up to {parity['max_abs']:.3g}"
    relative = f"{parity['max_rel']:.2g} of the row's largest (allowed: {parity['tolerance']:g})"
    raise Failed(f"does not say what eager says: {what}, {relative}; {_where(parity.get('first_divergence') or {})}")


def _where(found: Mapping[str, Any]) -> str:
    if found.get("module"):
        return f"the first module that differs is {found['module']} (by {found['difference']:.2g} of its largest value)"
    return f"where it begins is not known: {found.get('reason') or 'it was not looked for'}"


def narrow(parity: Mapping[str, Any]) -> str:
    """How the rows with the smallest margins fared."""
    if "narrow_n" not in parity:
        return ""
    return f"{parity['narrow_max_abs']:.2g} over the {parity['narrow_n']} narrowest decisions"
