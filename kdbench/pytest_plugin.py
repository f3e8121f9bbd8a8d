"""The pytest plugin: latency checks of models in a team's own tests. Importing it loads no numerical library, and a run that uses
none of its fixtures notices nothing of it.

    def test_the_student_is_fast(kdbench_student):
        assert kdbench_student.against("teacher.onnx").high < 0.8

    @pytest.mark.kdbench(student="int8.onnx", target="ort_cpu: {threads: 2}", batch=8)
    def test_memory_at_batch_8(kdbench_student):
        assert kdbench_student.memory.value < 200

What is measured: the marker first (paths relative to the test's folder, then to the root), then --kdbench-student and
--kdbench-target, then the ini options kdbench_student and kdbench_target.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kdbench.nouns import Refusal

if TYPE_CHECKING:
    from kdbench.measure.checked import Student, Target

MARKER = """kdbench(student, target, batch, length, input, shapes, ranges, pairs, seconds, plugins): what the fixtures
kdbench_student and kdbench_target measure. student: path of an ONNX file or of a folder with artefact.json; target: as in a
suite; input: an .npz with rows; shapes: {input: sizes}; ranges: {input: (low, high)}; plugins: folders of plugins."""
KNOWN = ("student", "target", "batch", "length", "input", "shapes", "ranges", "pairs", "seconds", "plugins")
SHARED = pytest.StashKey[dict[str, Any]]()
"""What was measured already in this session: two tests of the same pair time it once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("kdbench", "latency checks of models")
    group.addoption("--kdbench-student", metavar="PATH", default="", help="the model of the fixture kdbench_student")
    group.addoption("--kdbench-target", metavar="NAME", default="", help="where it runs, e.g. 'ort_cpu: {threads: 2}'")
    parser.addini("kdbench_student", "the model of the fixture kdbench_student, relative to this file", default="")
    parser.addini(
        "kdbench_target", "where the models of kdbench's fixtures run (default: the first target that runs them)", default=""
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", " ".join(MARKER.split()))


def _asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers of a test say; the nearest one wins."""
    from kdbench.registry import nearest  # noqa: PLC0415 - only where a fixture is used

    said: dict[str, Any] = {}
    for mark in request.node.iter_markers("kdbench"):
        for name, value in mark.kwargs.items():
            if name not in KNOWN:
                raise Refusal(f"@pytest.mark.kdbench: unknown argument {name!r}{nearest(name, KNOWN)}")
            said.setdefault(name, value)
        if mark.args:
            raise Refusal(f"@pytest.mark.kdbench: give arguments by name (allowed: {', '.join(KNOWN)})")
    return said


def _folders(request: pytest.FixtureRequest) -> tuple[Path, ...]:
    """Where relative paths of a test start."""
    return (request.path.parent, request.config.rootpath, request.config.invocation_params.dir)


@pytest.fixture
def kdbench_target(request: pytest.FixtureRequest) -> Target:
    """A target by name: `.name`, `.params`, and `.predict(model, x)`. The test is skipped, with the reason, where this machine
    lacks what the target needs; a name that is none is an error.
    """
    from kdbench.measure import checked  # noqa: PLC0415 - only where a fixture is used

    config = request.config
    with _refusing():
        said = _asked(request)
        text = said.get("target") or config.getoption("--kdbench-target") or config.getini("kdbench_target")
        folders = [checked.found(one, _folders(request)) for one in said.get("plugins", ())]
        made = checked.Target(str(text), tuple(folders))
        why = made.lacks()
    if why:
        pytest.skip(f"target {text}: {why}")
    return made


@pytest.fixture
def kdbench_student(request: pytest.FixtureRequest, kdbench_target: Target) -> Student:
    """A model that is timed when it is asked for its figures: `.latency`, `.memory`, `.flops`, `.parameters`, `.bytes`,
    `.figure(metric)`, and `.against(other)` for the ratio. Each figure has `value`, `low`, `high` and `unit`.
    """
    from kdbench.measure import checked  # noqa: PLC0415 - only where a fixture is used

    cache, folders = request.config.stash.setdefault(SHARED, {}), _folders(request)
    with _refusing():
        said = _asked(request)
        return checked.Student(_model(request, said), kdbench_target, checked.options(said, folders), folders, cache)


def _model(request: pytest.FixtureRequest, said: Mapping[str, Any]) -> Path:
    from kdbench.measure import checked  # noqa: PLC0415 - only where a fixture is used

    config = request.config
    if said.get("student"):
        return checked.found(said["student"], _folders(request))
    if given := config.getoption("--kdbench-student"):
        return checked.found(given, (config.invocation_params.dir,))
    if given := config.getini("kdbench_student"):
        return checked.found(given, (config.inipath.parent if config.inipath else config.rootpath,))
    ways = "--kdbench-student PATH, kdbench_student in the ini file, or @pytest.mark.kdbench(student=PATH)"
    raise Refusal(f"the fixture kdbench_student has no model (say {ways})")


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """A refusal is one line, as on the command line, and not a traceback of ours."""
    try:
        yield
    except Refusal as error:
        pytest.fail(f"kdbench: {error}", pytrace=False)
