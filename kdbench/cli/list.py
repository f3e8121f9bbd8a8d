"""`kdbench list [KIND]`: the plugins that a suite can name. Reads their files, imports none."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from kdbench.cli import options
from kdbench.cli.defined import facts_of, in_order, in_short
from kdbench.cli.terminal import bold, clean, styled
from kdbench.nouns import Refusal
from kdbench.registry import FOLDERS, Plugins, nearest
from kdbench.signature import Description, Problem


def add(subparsers: Any) -> None:
    """Add the parser of this command."""
    parser = subparsers.add_parser("list", help="the plugins that a suite can name", description=__doc__)
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"only one kind: {', '.join(FOLDERS)}")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options.folders(parser)


def run(args: argparse.Namespace) -> int:
    """Print the catalogue; files that cannot be read come last, with the reason. Gives 0."""
    kinds = [kind_named(args.kind)] if args.kind else list(FOLDERS)
    plugins = options.plugins(args)
    listed = [one for kind in kinds for one in plugins.describe(kind)]
    readable = [one for one in listed if isinstance(one, Description)]
    broken = [one for one in listed if isinstance(one, Problem)] + [p for p in plugins.problems if p.kind in (*kinds, "")]
    print(as_json(readable, broken) if args.json else as_text(readable, broken))
    return 0


def kind_named(text: str) -> str:
    """The kind, given in the singular or the plural. Raises Refusal with the nearest."""
    singular = {folder: kind for kind, folder in FOLDERS.items()}
    kind = singular.get(text, text)
    if kind not in FOLDERS:
        raise Refusal(f"no kind of plugin {text!r}{nearest(text, list(FOLDERS))}")
    return kind


def kinds_of(plugins: Plugins, name: str) -> list[str]:
    """The kinds that have a plugin of this name."""
    return [kind for kind in FOLDERS if name in plugins.names(kind)]


def as_text(readable: Sequence[Description], broken: Sequence[Problem]) -> str:
    """A heading per kind, then name, origin and the first line of the docs in columns, cut at the edge of a terminal.

    Metrics are ordered by axis, and have their axis, title and direction in place of the docs.
    """
    on = styled(sys.stdout)
    room = (os.get_terminal_size(sys.stdout.fileno()).columns or None) if sys.stdout.isatty() else None
    wide = max((len(one.name) for one in readable), default=0)
    far = max((len(one.origin) for one in readable), default=0)
    lines: list[str] = []
    for kind, folder in FOLDERS.items():
        of_kind = [one for one in readable if one.kind == kind]
        of_kind = sorted(of_kind, key=in_order) if kind == "metric" else of_kind
        if of_kind:
            lines += ["", bold(folder, on)]
            lines += [f"  {clean(one.name):<{wide}}  {clean(one.origin):<{far}}  {clean(short(one))}"[:room] for one in of_kind]
    if broken:
        lines += ["", bold("cannot be used", on)]
        lines += [f"  {clean(f'{p.kind} {p.name} ({p.origin}): {p.reason}').strip()}" for p in broken]
    return "\n".join(lines[1:]) or "no plugins"


def short(one: Description) -> str:
    """What a plugin is, on one line."""
    return in_short(one) if one.kind == "metric" else summary(one.doc)


def summary(doc: str) -> str:
    """The first line of a docstring."""
    return doc.strip().splitlines()[0].strip() if doc.strip() else ""


def as_json(readable: Sequence[Description], broken: Sequence[Problem]) -> str:
    """{plugins: [{kind, name, origin, doc, path}], problems: [{kind, name, origin, reason}]}; of metrics title, axis, better."""
    plugins = [
        {"kind": p.kind, "name": p.name, "origin": p.origin, "doc": summary(p.doc), "path": str(p.path)}
        | ({name: facts_of(p)[name] for name in ("title", "axis", "better")} if p.kind == "metric" else {})
        for p in readable
    ]
    problems = [{"kind": p.kind, "name": p.name, "origin": p.origin, "reason": p.reason} for p in broken]
    return json.dumps({"plugins": plugins, "problems": problems}, indent=1)
