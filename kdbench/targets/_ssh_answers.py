"""What the far end says is a stranger's text: bytes become plain data of a known form, or a Refusal."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from kdbench import Refusal

LONGEST = 64 << 20
"""Bytes of one answer: a measurement is a few hundred kilobytes."""

DEEPEST, WORDS = 12, 300
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def clean(text: str, longest: int = WORDS) -> str:
    """One line of printable characters, at most that many."""
    plain = "".join(c if c.isprintable() else " " for c in _ESCAPE.sub("", text[: 4 * longest]))
    words = " ".join(plain.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def last_line(text: str) -> str:
    """The last line of what a program complained about: of a Python traceback, the error itself."""
    lines = [line for line in text.splitlines() if line.strip()]
    return clean(lines[-1]) if lines else ""


def loaded(text: str | bytes, whose: str) -> dict[str, Any]:
    """A JSON object, as it came. Raises Refusal for anything else."""
    try:
        value = json.loads(text, parse_constant=_not_finite)
    except (ValueError, RecursionError):
        begins = text[:200].decode(errors="replace") if isinstance(text, bytes) else text[:200]
        raise Refusal(f"{whose}: its answer is not JSON: {clean(begins, 80)!r}") from None
    if not isinstance(value, dict):
        raise Refusal(f"{whose}: its answer is not an object but {type(value).__name__}")
    return value


def plain(value: dict[str, Any], whose: str) -> dict[str, Any]:
    """The same of finite numbers and clean text. Raises Refusal for what is nested too deep, and for numbers that are none."""
    return {clean(key): _plain(one, whose, 1) for key, one in value.items()}


def _plain(value: Any, whose: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise Refusal(f"{whose}: its answer is nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        return {clean(key): _plain(one, whose, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, whose, depth + 1) for one in value]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is read as infinity
        raise Refusal(f"{whose}: its answer has a number that is not finite")
    return value


def _not_finite(name: str) -> NoReturn:
    raise ValueError(name)


DESCRIBED: dict[str, tuple[type, ...]] = {
    "cpu": (str,), "isa": (list,), "cores": (int,), "usable_cores": (int,), "memory_gib": (int,), "os": (str,), "arch": (str,),
    "python": (str,), "load": (int, float), "governor": (str, type(None)),
}  # fmt: skip
"""What a machine says about itself."""


def host(said: object, whose: str) -> dict[str, Any]:
    """The description of a machine, exactly of the form that the agent gives."""
    if not isinstance(said, dict):
        raise Refusal(f"{whose}: it does not describe itself")
    said = plain(said, whose)
    for name, kind in DESCRIBED.items():
        value = said.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Refusal(f"{whose}: it describes itself with {name} = {clean(repr(value), 60)}")
    return {**{name: said[name] for name in DESCRIBED}, "isa": [clean(str(one), 20) for one in said["isa"][:40]]}


def opened(said: dict[str, Any], whose: str) -> dict[str, Any]:
    """What the model's script says of the graph: {runtime, providers, operators: {kind: count}, inputs: {name: axis or None}}."""
    kinds = {"runtime": str, "providers": list, "operators": dict, "inputs": dict}
    for name, kind in kinds.items():
        if not isinstance(said.get(name), kind):
            raise Refusal(f"{whose}: its answer about the graph has no {name}")
    counts, axes = said["operators"].values(), said["inputs"].values()
    if not all(type(n) is int and n > 0 for n in counts) or not all(a is None or (type(a) is int and a > 0) for a in axes):
        raise Refusal(f"{whose}: its answer about the graph has counts that are none")
    if not axes:
        raise Refusal(f"{whose}: it says that the graph asks for no input")
    return {name: said[name] for name in kinds}
