"""The house is a test: sizes, names, docstrings and words, over the package and the baselines."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for room in ("kdbench", "baselines") for path in (ROOT / room).rglob("*.py"))
FILE, FUNCTION, ARGUMENTS = 250, 45, 6
PLUGIN = {
    "method", "view", "tokenizer", "harness", "relabeler", "compressor", "model", "dataset", "shift", "metric", "target",
    "section",
}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


def where(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if node is not None else ""
    return f"{path.relative_to(ROOT)}{line}"


def nodes(kind: type | tuple[type, ...]) -> Iterator[tuple[Path, ast.AST]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield path, node


def decorators(node: Function) -> set[str]:
    called = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return {d.id if isinstance(d, ast.Name) else d.attr for d in called if isinstance(d, ast.Name | ast.Attribute)}


def arguments(node: Function) -> int:
    """All of them; of a plugin only the evidence, because its keyword-only arguments are the schema of a suite."""
    named = [*node.args.posonlyargs, *node.args.args]
    if not decorators(node) & PLUGIN:
        named += node.args.kwonlyargs
    return len([arg for arg in named if arg.arg not in ("self", "cls")])


def report(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


def test_files_are_short():
    lengths = [(len(path.read_text(encoding="utf-8").splitlines()), path) for path in FILES]
    report([f"{where(path)}: {n} lines, {FILE} allowed" for n, path in lengths if n > FILE])


def test_functions_are_short():
    sized = [(node.end_lineno - node.lineno + 1, path, node) for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef))]
    report([f"{where(path, node)} {node.name}: {n} lines, {FUNCTION} allowed" for n, path, node in sized if n > FUNCTION])


def test_functions_take_few_arguments():
    counted = [(arguments(node), path, node) for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef))]
    report([f"{where(path, node)} {node.name}: {n} arguments, {ARGUMENTS} allowed" for n, path, node in counted if n > ARGUMENTS])


def test_no_class_inherits_from_a_class_of_the_house():
    classes = list(nodes(ast.ClassDef))
    ours = {node.name for _, node in classes}
    bases = [(path, node, base) for path, node in classes for base in node.bases]
    report([f"{where(p, n)} {n.name} inherits from {b.id}" for p, n, b in bases if isinstance(b, ast.Name) and b.id in ours])


def test_no_file_is_a_drawer_without_a_name():
    drawers = {"utils.py", "util.py", "helpers.py", "common.py", "base.py", "misc.py"}
    report([where(path) for path in FILES if path.name in drawers])


def test_everything_public_has_a_docstring():
    """Modules, classes, functions and methods whose name has no leading underscore, at any depth but inside functions."""

    def undocumented(path: Path, node: ast.AST) -> Iterator[str]:
        for child in node.body:
            if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
                if not ast.get_docstring(child):
                    yield f"{where(path, child)} {child.name}"
                if isinstance(child, ast.ClassDef):
                    yield from undocumented(path, child)

    trees = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]
    found = [where(path) for path, tree in trees if not ast.get_docstring(tree)]
    report(found + [line for path, tree in trees for line in undocumented(path, tree)])


def test_no_stubs():
    stub = re.compile(r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b|#\s*type:\s*ignore\s*$", re.MULTILINE)
    report([f"{where(path)}: {hit.group()}" for path in FILES for hit in stub.finditer(path.read_text(encoding="utf-8"))])


def test_test_files_have_different_names():
    """pytest imports them by their bare names, but for those in a folder with `__init__.py`."""
    seen: dict[str, Path] = {}
    bare = [
        p for p in sorted((ROOT / "tests").rglob("*.py")) if not (p.parent / "__init__.py").exists() and p.name != "conftest.py"
    ]
    report([f"{where(p)} and {where(seen[p.name])}" for p in bare if seen.setdefault(p.name, p) != p])


def tracked() -> list[Path]:
    """What git has or would add."""
    try:
        done = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nobody can say which files are tracked")
    return [path for path in (ROOT / name for name in done.stdout.decode().split("\0") if name) if path.is_file()]


def test_no_path_of_one_machine_in_tracked_files():
    """The pattern is in pieces, so that this file does not find itself."""
    local = re.compile(
        "|".join(
            (
                r"(?<![\w.])/wo" r"rk/",
                r"(?<![\w.])/fa" r"rm/",
                r"/ro" r"ot/",
                r"/ho" r"me/\w",
                r"bash_" r"jobs",
                r"\.\./sha" r"red",
            )
        )
    )
    text = [(path, path.read_bytes().decode("utf-8", "replace")) for path in tracked() if path.parent.name != ".ci"]
    report([f"{where(path)}: {hit.group()}" for path, content in text for hit in local.finditer(content) if "\0" not in content])


def test_no_large_file_is_tracked():
    """A reference report is one page that holds all that it shows, so it may be larger."""
    pages = {path for path in tracked() if path.name == "index.html" and path.parents[1] == ROOT / "reports"}
    report(
        [
            f"{where(path)}: {path.stat().st_size >> 10} KiB"
            for path in tracked()
            if path.stat().st_size > (4 if path in pages else 1) << 20
        ]
    )
