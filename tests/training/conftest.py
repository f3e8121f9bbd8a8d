"""A store with small data, and the plugins of these tests."""

from pathlib import Path

import fit_entries
import pytest

from kdbench.nouns import Job
from kdbench.registry import discover

OURS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="session")
def found():
    return discover([OURS])


@pytest.fixture
def where(tmp_path, found):
    return fit_entries.place(tmp_path, found)


@pytest.fixture
def data(where):
    return fit_entries.digits(where.store)


@pytest.fixture
def teacher(where, data):
    return fit_entries.run(fit_entries.fit_job({"ce": 1.0}, ("small_cnn", {"width": 8}), epochs=3), {"data": data}, where)


@pytest.fixture
def outputs(where, data, teacher):
    return fit_entries.run(Job("outputs", {"taps": True}), {"data": data, "artefact": teacher}, where)
