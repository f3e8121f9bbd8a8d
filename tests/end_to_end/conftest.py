"""`kdbench` as people run it, on a suite without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOY = Path(__file__).parent / "toy"


@pytest.fixture
def toy():
    """The folder with the toy suite, its teacher and its plugins."""
    return TOY


@pytest.fixture
def kdbench(tmp_path):
    """Runs a command below tmp_path, on the toy plugins: (exit code, standard output, standard error)."""

    def run(*arguments, plugins=(TOY / "plugins",), limit=300):
        folders = [part for folder in plugins for part in ("--plugins", str(folder))]
        command = [sys.executable, "-m", "kdbench", *map(str, arguments), *folders]
        environment = {name: value for name, value in os.environ.items() if name != "KDBENCH_DATA"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout, done.stderr

    return run
