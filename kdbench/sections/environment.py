"""On what everything was measured: data, versions, machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import kit, section

HOW = "What the numbers were measured on. Latency and memory are about this machine and these versions; the ratios travel best."


@section(title="How it was measured", order=110)
def environment(facts: Mapping[str, Any]) -> str:
    """The data of each task, versions and host."""
    out = kit.how(HOW) if facts else kit.Markup("")
    out += kit.Markup("<h3>Data</h3>") if facts.get("tasks") else kit.Markup("")
    for name, task in dict(facts.get("tasks", {})).items():
        flat = list(_flat(_named(task)))
        out += kit.Markup("<h4>{}</h4>").format(kit.clean(name, 80)) + _facts(flat)
    for key, title in (("versions", "Versions"), ("host", "Machine")):
        if facts.get(key):
            out += kit.Markup("<h3>{}</h3>").format(title) + _facts(list(_flat(facts[key])))
    rest = {k: v for k, v in facts.items() if k not in ("tasks", "versions", "host", "warnings", "datasets")}
    if rest:
        out += kit.Markup("<h3>More</h3>") + _facts(list(_flat(rest)))
    return str(out)


def _named(task: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a task, the positive class by its name."""
    known, positive = list(task.get("classes") or ()), task.get("positive")
    inside = isinstance(positive, int) and 0 <= positive < len(known)
    return {k: known[positive] if k == "positive" and inside and positive is not None else v for k, v in task.items()}


def _facts(pairs: list[tuple[str, str]]) -> Any:
    pair = kit.Markup("<div><dt>{}</dt><dd>{}</dd></div>")
    return kit.Markup('<dl class="facts">{}</dl>').format(kit.Markup("").join(pair.format(k, v) for k, v in pairs))


def _flat(value: Mapping[str, Any]) -> Any:
    """Nested facts as (key, text): one level of a mapping is one line."""
    for key, held in value.items():
        name = kit.clean(key, 60).replace("_", " ")
        if isinstance(held, Mapping) and any(isinstance(v, Mapping) for v in held.values()):
            for inner, more in held.items():
                yield f"{name}: {kit.clean(inner, 60)}", _line(more)
        else:
            yield name, _line(held)


def _line(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{kit.clean(k, 60)} {_line(v)}" for k, v in value.items()) or "\u2013"
    if isinstance(value, list | tuple):
        return "; ".join(_line(v) for v in value) or "\u2013"
    if value is None or isinstance(value, bool):
        return "none" if value is None else "yes" if value else "no"
    if isinstance(value, int):
        return str(kit.count(value))
    return str(kit.clean(value, 400)) or "\u2013"
