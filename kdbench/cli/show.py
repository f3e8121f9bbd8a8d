"""`kdbench show [KIND] NAME`: one plugin as its file declares it. Reads the file, imports nothing."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from dataclasses import replace
from typing import Any

from kdbench.cli import options
from kdbench.cli.defined import sections, wrapped
from kdbench.cli.list import kind_named, kinds_of
from kdbench.cli.terminal import bold, clean, styled
from kdbench.declare import RANGES, Range
from kdbench.nouns import Refusal
from kdbench.registry import FOLDERS, Plugins, nearest
from kdbench.signature import Description, Param

WIDEST = 40
"""Columns that stand aligned for what a parameter takes; longer texts run on."""


def add(subparsers: Any) -> None:
    """Add the parser of this command."""
    parser = subparsers.add_parser("show", help="one plugin: its docs, parameters and facts", description=__doc__)
    parser.add_argument("words", nargs="+", metavar="NAME", help="the name, or its kind and then the name")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options.folders(parser)


def run(args: argparse.Namespace) -> int:
    """Print one plugin. Gives 0; raises Refusal for a name that is unknown or stands for several."""
    if len(args.words) > 2:
        raise Refusal(f"show: takes NAME or KIND NAME, not {' '.join(args.words)!r}")
    plugins = options.plugins(args)
    name, colon, value = args.words[-1].partition(":")
    kind = kind_named(args.words[0]) if len(args.words) == 2 else only_kind(plugins, name)
    one = plugins.get(kind, name)
    one = chosen(one, value) if colon else one
    print(as_json(one) if args.json else as_text(one))
    return 0


def only_kind(plugins: Plugins, name: str) -> str:
    """The kind of the only plugin of that name. Raises Refusal where there is none, or more than one."""
    kinds = kinds_of(plugins, name)
    if len(kinds) > 1:
        raise Refusal(f"{name!r} names several plugins; say which: {', '.join(f'kdbench show {kind} {name}' for kind in kinds)}")
    if not kinds:
        known = sorted({known for kind in FOLDERS for known in plugins.names(kind)})
        raise Refusal(f"no plugin named {name!r}{nearest(name, known).partition(' (allowed')[0]}; kdbench list has them all")
    return kinds[0]


def chosen(one: Description, value: str) -> Description:
    """The plugin of `name:value`, as a suite may write it: the value of its only required parameter. Raises Refusal."""
    required = [param for param in one.params if param.required]
    values = [str(choice) for choice in choices(required[0])] if len(required) == 1 else []
    if value not in values:
        known = nearest(f"{one.name}:{value}", [f"{one.name}:{choice}" for choice in values] or [one.name])
        raise Refusal(f"no {one.kind} named {f'{one.name}:{value}'!r}{known}")
    asked = Param(required[0].name, f"Literal[{value!r}]", value)
    params = tuple(asked if param is required[0] else param for param in one.params)
    return replace(one, name=f"{one.name}:{value}", params=params)


def as_text(one: Description) -> str:
    """Heading, docs, evidence, parameters, facts and file, as plain text; of a metric first what defines it."""
    on = styled(sys.stdout)
    lines = [f"{bold(clean(one.name), on)}  {one.kind} of {clean(one.origin)}", ""]
    docs = [f"  {clean(line)}".rstrip() for line in one.doc.splitlines()]
    parts: list[tuple[str, list[str]]] = []
    if one.kind == "metric":
        parts += [*sections(one), ("parameters", parameters(one)), ("the function gives", docs or ["  not stated"])]
    else:
        lines += [*docs, ""]
        parts += [("evidence", [f"  {clean(', '.join(one.evidence)) or 'none'}"]), ("parameters", parameters(one))]
        facts = {name: fact for name, fact in one.facts.items() if fact not in (None, "", (), {})}
        far = max((len(name) for name in facts), default=0)
        said = [line for name, fact in facts.items() for line in wrapped(f"{name:<{far}}  {fact_text(fact)}", hang=far + 2)]
        parts += [("facts", said)] if said else []
    parts.append(("file", [f"  {clean(str(one.path))}"]))
    return "\n".join([*lines, "\n\n".join("\n".join([bold(head, on), *body]) for head, body in parts)])


def parameters(one: Description) -> list[str]:
    """A line for each: name, what it takes, default."""
    rows = [(param.name, allowed(param), "required" if param.required else repr(param.default)) for param in one.params]
    far = max((len(name) for name, _, _ in rows), default=0)
    wide = max((len(text) for _, text, _ in rows if len(text) <= WIDEST), default=0)
    lines = [wrapped(f"{name:<{far}}  {text:<{wide}}  {default}", hang=far + 2) for name, text, default in rows]
    return [line for of_param in lines for line in of_param] or ["  none"]


def allowed(param: Param) -> str:
    """What a parameter takes, in words: `Positive` is "float above 0", `Literal['a', 'b']` is "'a' or 'b'"."""
    if found := choices(param):
        return " or ".join(map(repr, found))
    return " or ".join(_spoken(part.strip()) for part in param.annotation.split("|"))


def _spoken(annotation: str) -> str:
    """One of the types of a union: a range in words, also as the parts of a list."""
    if annotation in RANGES:
        kind, span = RANGES[annotation]
        return f"{kind.__name__} {span_text(span)}"
    outer, bracket, inner = annotation.partition("[")
    name, comma, rest = inner.rstrip("]").partition(",")
    if bracket and name in RANGES:
        return f"{outer}[{_spoken(name)}{comma}{rest}]"
    return "nothing" if annotation == "None" else annotation


def choices(param: Param) -> list[Any]:
    """The values of a `Literal[...]`; none for any other type."""
    tree = ast.parse(param.annotation, mode="eval").body
    if not (isinstance(tree, ast.Subscript) and ast.unparse(tree.value).split(".")[-1] == "Literal"):
        return []
    parts = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return [ast.literal_eval(part) for part in parts]


def span_text(span: Range) -> str:
    """The values of a range: "from 0 to 1", "above 0, below 1"."""
    low = None if span.low is None else f"{'above' if span.low_open else 'from'} {span.low:g}"
    high = None if span.high is None else f"{'below' if span.high_open else 'to'} {span.high:g}"
    between = ", " if span.low_open or span.high_open else " "
    return between.join(end for end in (low, high) if end)


def fact_text(fact: Any) -> str:
    """A fact on one line: text as it is, anything else as JSON."""
    return fact if isinstance(fact, str) else json.dumps(fact, default=str, ensure_ascii=False)


def as_json(one: Description) -> str:
    """All of it as one JSON object; `type` is the annotation as written, `allowed` the same in words."""
    params = [
        {"name": p.name, "type": p.annotation, "allowed": allowed(p), "required": p.required, "default": p.default}
        for p in one.params
    ]
    whole = {
        "kind": one.kind,
        "name": one.name,
        "origin": one.origin,
        "path": str(one.path),
        "doc": one.doc,
        "evidence": one.evidence,
        "parameters": params,
        "facts": dict(one.facts),
        "companions": sorted(one.companions),
    }
    return json.dumps(whole, indent=1, default=str)
