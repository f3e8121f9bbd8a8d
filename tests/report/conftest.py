"""One page for all tests of this room, made from a made-up board."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def board():
    from made_board import frames

    from kdbench.judge.board import Board

    return Board(**frames())


@pytest.fixture(scope="session")
def report(board, plugins, tmp_path_factory):
    """The folder of a rendered report."""
    from kdbench.report import render

    return render(board, tmp_path_factory.mktemp("report"), plugins).parent


@pytest.fixture(scope="session")
def hostile(plugins, tmp_path_factory):
    """The folder of a report in whose every text there is an injection, and the injections."""
    from hostile import hostile_board

    from kdbench.report import render

    return render(hostile_board(), tmp_path_factory.mktemp("hostile"), plugins).parent
