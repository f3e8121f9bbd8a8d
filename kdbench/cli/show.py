"""`kdbench show [KIND] NAME`: one plugin as its file declares it. Reads the file, imports nothing."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from typing import Any

from kdbench.cli import options
from kdbench.cli.list import kind_named, kinds_of
from kdbench.cli.terminal import bold, clean, styled
from kdbench.declare import RANGES, Range
from kdbench.nouns import Refusal
from kdbench.registry import FOLDERS, Plugins, nearest
from kdbench.signature import Description, Param


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
    kind = kind_named(args.words[0]) if len(args.words) == 2 else only_kind(plugins, args.words[0])
    one = plugins.get(kind, args.words[-1])
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


def as_text(one: Description) -> str:
    """Heading, docs, evidence, parameters, facts and file, as plain text."""
    on = styled(sys.stdout)
    lines = [f"{bold(clean(one.name), on)}  {one.kind} of {clean(one.origin)}", ""]
    lines += [f"  {clean(line)}".rstrip() for line in one.doc.splitlines()]
    lines += ["", bold("evidence", on), f"  {clean(', '.join(one.evidence)) or 'none'}", "", bold("parameters", on)]
    rows = [(param.name, allowed(param), "required" if param.required else repr(param.default)) for param in one.params]
    wide = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
    lines += [clean(f"  {name:<{wide[0]}}  {text:<{wide[1]}}  {default}") for name, text, default in rows] or ["  none"]
    facts = {name: fact for name, fact in one.facts.items() if fact not in (None, "", (), {})}
    if facts:
        far = max(len(name) for name in facts)
        lines += ["", bold("facts", on), *(clean(f"  {name:<{far}}  {fact_text(fact)}") for name, fact in facts.items())]
    return "\n".join([*lines, "", bold("file", on), f"  {clean(str(one.path))}"])


def allowed(param: Param) -> str:
    """What a parameter takes, in words: `Positive` is "float above 0", `Literal['a', 'b']` is "'a' or 'b'"."""
    if param.annotation in RANGES:
        kind, span = RANGES[param.annotation]
        return f"{kind.__name__} {span_text(span)}"
    tree = ast.parse(param.annotation, mode="eval").body
    if isinstance(tree, ast.Subscript) and ast.unparse(tree.value).split(".")[-1] == "Literal":
        choices = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        return " or ".join(ast.unparse(choice) for choice in choices)
    return " or ".join("nothing" if part.strip() == "None" else part.strip() for part in param.annotation.split("|"))


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
