"""`kdbench schema`: the JSON Schema of suite files, for completion in an editor.

With the Red Hat YAML extension, begin a suite with `# yaml-language-server: $schema=kdbench.schema.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from kdbench.cli import options
from kdbench.nouns import Refusal
from kdbench.suite import schema


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("schema", help="JSON Schema of suite files, for an editor", description=__doc__)
    options.folders(parser)
    parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file instead of printing")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the schema of the plugins that are there."""
    text = json.dumps(schema(options.plugins(args)), indent=2, ensure_ascii=False, allow_nan=False)
    if args.output is None:
        print(text)
        return 0
    try:
        args.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"--output {args.output}: {error.strerror}") from None
    print(args.output)
    return 0
