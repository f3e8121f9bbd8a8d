"""What the names of the columns say: which kind of answers a file holds, of which classes, and what stands beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kdbench.registry import nearest
from kdbench.tables.raw import MOST_TEXT, Raw, short

KIND_OF = {"logits": "logits", "probabilities": "probabilities", "decision": "decisions", "value": "values"}
"""Column -> the kind of answer that it holds."""
KIND_BY = {"logit.": "logits", "probability.": "probabilities"}
"""How the columns of one class each begin -> the kind of answer that they hold."""
PLAIN = ("id", "label", "split", "shift", "severity", "seed", "cluster")
GROUP = "group."
META = ("format", "kind", "classes", "positive", "contender", "task", "target", "harness")
VAGUE = frozenset(
    {"score", "scores", "output", "outputs", "out", "y_score", "y_hat", "y_pred", "pred", "preds", "prediction", "predictions"}
    | {"prob", "probs", "proba", "p", "softmax", "confidence", "logit", "probability", "decisions", "values"}
)
"""Names that do not say whether numbers are logits or probabilities, or that people take for either."""
WRITE = (
    "write `logits` (before the softmax), `probabilities` (after it), `decision` (a class) or `value` (a regression), "
    "or a column `logit.<class>` or `probability.<class>` for each class"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """kind: "logits", "probabilities", "decisions" or "values"; outputs: the columns that hold the answers; named: the class
    of each of them, where each class has its own column; groups: names of the group columns, without `group.`.
    """

    kind: str
    outputs: tuple[str, ...]
    named: tuple[str, ...]
    groups: tuple[str, ...]


def layout(raw: Raw) -> Layout:
    """The meaning of every column. Raises Refusal for one that has none, for none that answers, and for two that do."""
    found: dict[str, list[str]] = {}
    for name in raw.names:
        begin = next((b for b in KIND_BY if name.startswith(b)), "")
        if name in KIND_OF or begin:
            found.setdefault(begin or name, []).append(name)
        elif name not in PLAIN and not name.startswith(GROUP):
            _strange(raw, name)
    for name in ("id", "label"):
        if name not in raw.names:
            raise raw.wrong(f"no column {name!r}{_header(raw)} (it has: {_listed(raw.names)})")
    if len(found) != 1:
        what = f"answers in {_listed([names[0] for names in found.values()])}; keep one of them" if found else "no answers"
        raise raw.wrong(f"{what}: {WRITE}")
    ((start, outputs),) = found.items()
    kind = KIND_OF.get(start) or KIND_BY[start]
    _agree(raw, kind, outputs)
    named = tuple(name.removeprefix(start) for name in outputs) if start in KIND_BY else ()
    groups = tuple(name.removeprefix(GROUP) for name in raw.names if name.startswith(GROUP))
    _plain(raw, outputs)
    for name in groups:
        if not name.strip() or name == "class" or set(name) & set("*=:,"):
            raise raw.wrong(
                "no name for a group column: not empty, not `class` (every label is that), without * = : ,", GROUP + name
            )
    if not all(name.strip() for name in named):
        raise raw.wrong("names no class", start)
    return Layout(kind, tuple(outputs), named, groups)


def classes_said(raw: Raw) -> tuple[str, ...]:
    """The names of the classes in the metadata, () where it has none. Raises Refusal for what is no list of different texts."""
    if "kdbench.classes" not in raw.meta:
        return ()
    try:
        names = json.loads(raw.meta["kdbench.classes"])
    except (ValueError, RecursionError):
        names = None
    good = isinstance(names, list) and all(isinstance(n, str) and 0 < len(n) <= MOST_TEXT for n in names)
    if not good or len(set(names)) < len(names):
        raise raw.wrong('metadata kdbench.classes: a JSON list of different names is expected, such as ["cat", "dog"]')
    return tuple(names)


def _plain(raw: Raw, outputs: Sequence[str]) -> None:
    """Lists stand only where answers do."""
    for name in raw.blocks:
        if name not in ("logits", "probabilities"):
            raise raw.wrong("holds lists; one value a row is expected", name)
    for name in outputs:
        if name in ("logits", "probabilities") and name not in raw.blocks:
            one = "logit.<class>" if name == "logits" else "probability.<class>"
            raise raw.wrong(f"one value a row (n, 1); a list with a number for each class is expected, or columns {one}", name)


def _agree(raw: Raw, kind: str, outputs: Sequence[str]) -> None:
    for key in raw.meta:
        if key.removeprefix("kdbench.") not in META:
            raise raw.wrong(f"metadata {short(key)} is not known{nearest(key.removeprefix('kdbench.'), META)}")
    said = raw.meta.get("kdbench.kind", kind)
    if said != kind:
        raise raw.wrong(f"metadata kdbench.kind is {short(said)}, but column {short(outputs[0])} holds {kind}; change one")
    if raw.meta.get("kdbench.format", "1") != "1":
        raise raw.wrong(f"metadata kdbench.format is {short(raw.meta['kdbench.format'])}; this version reads format 1")


def _strange(raw: Raw, name: str) -> None:
    if name.lower() in VAGUE:
        raise raw.wrong(f"does not say what its numbers are: {WRITE}", name)
    known = (*PLAIN, *KIND_OF, *(f"{b}<class>" for b in KIND_BY), "group.<name>")
    if name.lower().startswith(("groups.", "group_", "group:")):
        raise raw.wrong(f"is not part of the format; write group.{name[6:].lstrip('._:')}", name)
    raise raw.wrong(f"is not part of the format; leave it out, or write group.{name[:40]}{nearest(name, known)}", name)


def _header(raw: Raw) -> str:
    return "; the first line must name the columns" if raw.called == "line" else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(short(n) for n in names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
