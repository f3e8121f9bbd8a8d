"""The pytest plugin in a project of its own: fixtures, a failing assertion, refusals, and its cost for those without it."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import made_graphs
import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
INSTALLED = any(point.value == "kdbench.pytest_plugin" for point in importlib.metadata.entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "kdbench.pytest_plugin")
HEAVY = {"torch", "numpy", "pandas", "onnx", "onnxruntime", "scipy", "sklearn", "ruamel", "rich"}


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with two models; a function (test file, *options) -> the result of its pytest."""
    made_graphs.perceptron(pytester.path / "student.onnx", 16)
    made_graphs.perceptron(pytester.path / "teacher.onnx", 1024)
    (pytester.path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(pytester.path / "tmp"))
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config -p no:cacheprovider -p no:randomly\n")

    def run(text, *options, ini=""):
        pytester.makepyfile(text)
        if ini:
            pytester.makeini(f"[pytest]\n{ini}\n")
        return pytester.runpytest_subprocess(*PLUGIN, *options, timeout=250)

    return run


def test_a_team_asks_for_a_ratio_and_a_failing_assertion_shows_what_was_measured(project):
    result = project(
        """
        import pytest

        pytestmark = pytest.mark.kdbench(target="ort_cpu", pairs=4, seconds=2)

        @pytest.mark.kdbench(student="student.onnx")
        def test_fast(kdbench_student):
            pair = kdbench_student.against("teacher.onnx")
            assert pair.high < 0.8
            assert pair.low <= pair.ratio <= pair.high
            assert pair.word == "faster"
            assert pair.cpu.value < 0.8
            assert kdbench_student.flops.value == 2 * (32 * 16 + 16 * 16 + 16 * 10)
            assert kdbench_student.parameters.value == 32 * 16 + 16 * 16 + 16 * 10
            assert pair.other("parameters").value > kdbench_student.parameters.value
            assert 0 < kdbench_student.latency.low <= kdbench_student.latency.value
            assert kdbench_student.latency.unit == "microseconds"
            assert 0 < kdbench_student.memory.value < 500
            with pytest.raises(Exception, match="not enough calls"):
                kdbench_student.figure("latency_percentile")
            with pytest.raises(Exception, match="did you mean 'latency'"):
                kdbench_student.figure("latenzy")

        @pytest.mark.kdbench(student="student.onnx")
        def test_too_strict(kdbench_student):
            assert kdbench_student.against("teacher.onnx").high < 0.0001
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines(
        [r"E .*assert 0\.\d+ < 0\.0001", r"E .*<student.onnx against teacher.onnx on ort_cpu: faster, 0\.\d+.*"]
    )


def test_targets_by_name_and_what_a_machine_lacks_or_nobody_knows(project, pytester):
    absent(pytester.path / "plugins/targets")
    result = project(
        """
        import numpy as np
        import pytest

        @pytest.mark.kdbench(target="ort_cpu: {threads: 2}")
        def test_target(kdbench_target):
            assert (kdbench_target.name, kdbench_target.params["threads"]) == ("ort_cpu", 2)
            rows = np.ones((3, 32), np.float32)
            assert kdbench_target.predict("student.onnx", {"x": rows}).shape == (3, 10)

        @pytest.mark.kdbench(target="absent", plugins=["plugins"])
        def test_lacking(kdbench_target):
            raise AssertionError("never reached")

        @pytest.mark.kdbench(target="ort_cpuu")
        def test_unknown(kdbench_target):
            raise AssertionError("never reached")

        @pytest.mark.kdbench(studnt="x")
        def test_slip(kdbench_student):
            raise AssertionError("never reached")

        def test_no_model(kdbench_student):
            raise AssertionError("never reached")
        """,
        "-rs",
    )
    result.assert_outcomes(passed=1, skipped=1, errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*target absent: no_such_package is not installed*",
            "*kdbench: *no target named 'ort_cpuu'; did you mean 'ort_cpu'?*",
            "*unknown argument 'studnt'; did you mean 'student'?*",
            "*the fixture kdbench_student has no model (say --kdbench-student PATH, *",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def absent(folder):
    """A target whose package is nowhere."""
    folder.mkdir(parents=True)
    text = "from kdbench import Artefact, Runner, target\n\n\n@target(accepts=('onnx',), needs=('no_such_package',))\n"
    (folder / "absent.py").write_text(f"{text}def absent(artefact: Artefact, example):\n    '''Nothing.'''\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "ini", "said"),
    [
        ((), "kdbench_student = student.onnx\nkdbench_target = ort_cpu", "<student.onnx on ort_cpu>"),
        (("--kdbench-student", "teacher.onnx"), "kdbench_student = student.onnx", "<teacher.onnx>"),
        (
            ("--kdbench-target", "ort_cpu"),
            "kdbench_student = student.onnx\nkdbench_target = openvino",
            "<student.onnx on ort_cpu>",
        ),
    ],
)
def test_the_marker_then_the_option_then_the_ini_file(project, options, ini, said):
    result = project(f"def test_it(kdbench_student):\n    assert repr(kdbench_student) == {said!r}\n", *options, ini=ini)
    result.assert_outcomes(passed=1)


def test_the_marker_is_known_and_described(project):
    result = project("", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.kdbench(student, target, batch, *"])


def test_those_who_do_not_use_it_load_nothing_heavy(project, pytester):
    pytester.makepyfile("def test_plain():\n    pass\n")
    command = [sys.executable, "-X", "importtime", "-m", "pytest", *PLUGIN, "-p", "no:benchmark", "-p", "no:hypothesispytest"]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=True)
    assert "1 passed" in done.stdout
    modules = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time")
    }
    assert "kdbench" in modules
    assert modules.isdisjoint(HEAVY)


def test_the_plugin_is_announced():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"kdbench": "kdbench.pytest_plugin"}
