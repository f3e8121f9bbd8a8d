"""Shared by all tests: one numerical thread, and the data folder where there is one."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


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
