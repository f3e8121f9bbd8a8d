"""The label of a place where nothing is asked has one name, and torch agrees with it."""

import ast
from pathlib import Path

import torch

import kdbench

PACKAGE = Path(kdbench.__file__).parent


def numbers(source):
    """The lines of a source on which -100 stands as a number."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.UnaryOp) and ast.unparse(node) == "-100":
            yield node.lineno


def test_minus_100_is_written_once_in_the_package():
    held = {str(path.relative_to(PACKAGE)): list(numbers(path.read_text("utf-8"))) for path in PACKAGE.rglob("*.py")}
    assert {name: len(lines) for name, lines in held.items() if lines} == {"nouns/evidence.py": 1}


def test_torch_ignores_by_itself_what_is_called_ignored():
    assert torch.nn.CrossEntropyLoss().ignore_index == kdbench.IGNORED
