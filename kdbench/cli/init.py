"""`kdbench init WHAT [PATH]`: write a commented starter suite, or a starter plugin that works as it is."""

from __future__ import annotations

import argparse
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.registry import FOLDERS, nearest

STARTERS = Path(__file__).parent / "starters"
"""A suite, and a plugin folder with one plugin of each kind: the very files that are copied."""

KINDS: Mapping[str, str] = {kind: folder for kind, folder in FOLDERS.items() if (STARTERS / folder).is_dir()}


def add(subparsers: Any) -> None:
    """Add the parser of this command."""
    parser = subparsers.add_parser("init", help="write a starter suite or a starter plugin", description=__doc__)
    parser.add_argument("what", nargs="?", default="suite", metavar="WHAT", help=f"suite (default), {', '.join(KINDS)}")
    text = "file to write, or for a plugin the plugin folder (default: suite.yaml, or my_plugins)"
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help=text)


def run(args: argparse.Namespace) -> int:
    """Write one new file and say what to do with it. Gives 0; never overwrites."""
    if args.what == "suite":
        path = args.path or Path("suite.yaml")
        write(path, (STARTERS / "suite.yaml").read_text(encoding="utf-8").replace("suite.yaml", str(path)))
        print(f"wrote {path}\nnext: kdbench run {path}")
        return 0
    if args.what not in KINDS:
        raise Refusal(f"init: no starter for {args.what!r}{nearest(args.what, ['suite', *KINDS])}")
    path = plugin_path(args.what, args.path or Path("my_plugins"))
    starter = STARTERS / KINDS[args.what] / f"my_{args.what}.py"
    write(path, starter.read_text(encoding="utf-8").replace(starter.stem, path.stem))
    print(f"wrote {path}\nnext: kdbench show {args.what} {path.stem} --plugins {path.parent.parent}")
    return 0


def plugin_path(kind: str, given: Path) -> Path:
    """The file that is meant: itself where it ends in .py, else `my_<kind>.py` in the right folder below.

    Raises Refusal for a name that cannot be a function's, or a folder in which the plugin would not be found.
    """
    if given.suffix != ".py":
        return given / KINDS[kind] / f"my_{kind}.py"
    if not given.stem.isidentifier() or keyword.iskeyword(given.stem) or given.stem.startswith("_"):
        raise Refusal(f"init: {given.name}: the file name is the plugin's name; use letters, digits and _, e.g. my_{kind}.py")
    if given.absolute().parent.name != KINDS[kind]:
        right = given.parent / KINDS[kind] / given.name
        raise Refusal(f"init: a {kind} is found only in a folder named {KINDS[kind]}/; did you mean {right}?")
    return given


def write(path: Path, text: str) -> None:
    """Write a new file, with its folders. Raises Refusal where something is there already or cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refusal(f"init: {path} is there already; name another, or remove it") from None
    except OSError as error:
        raise Refusal(f"init: {path} cannot be written: {error.strerror}") from None
