"""Toy plugins, and ways to load a text as a suite."""

import pytest
from toysuite import TOYS

from kdbench.nouns import Refusal, Suite
from kdbench.registry import Plugins, discover
from kdbench.suite import load


@pytest.fixture(scope="session")
def toys() -> Plugins:
    return discover([TOYS])


@pytest.fixture
def read(tmp_path, toys):
    """Load a text (or bytes) as a suite file."""

    def _read(text: str | bytes, *overrides: str, **options) -> Suite:
        path = tmp_path / "suite.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, toys, overrides, **options)

    return _read


@pytest.fixture
def refusal(read, tmp_path):
    """The text with which a suite is refused, without the folder of the test."""

    def _refusal(text: str | bytes, *overrides: str, **options) -> str:
        with pytest.raises(Refusal) as caught:
            read(text, *overrides, **options)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return _refusal
