"""Shared by all tests: one numerical thread, and the data folder where there is one."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Runs of one user keep away from each other's timings (by a lock in the folder for temporary files); those of two test workers,
# whose timings nobody reads, need not wait for each other.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    folder = Path(tempfile.gettempdir()) / f"kdbench-tests-{os.getuid()}-{worker}"
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

# A shell that starts us in the background, or nohup, hands these down as ignored, and kdbench leaves what is ignored alone; the
# tests of how a run ends mean a run that listens.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def data_folder() -> Path:
    """The folder named by KDBENCH_DATA; the test is skipped, with the reason, where it is unset."""
    folder = os.environ.get("KDBENCH_DATA")
    if not folder:
        pytest.skip("KDBENCH_DATA is unset: no data folder on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def plugins():
    """All installed plugins."""
    from kdbench.registry import discover

    return discover()
