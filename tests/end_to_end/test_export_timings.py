"""`kdbench export`: the timings of a run as files that other tools take, pytest-benchmark's own command among them."""

import csv
import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from kdbench.cli import export, main
from kdbench.measure.formats import FORMATS, as_csv, pytest_benchmark, stats
from kdbench.measure.timings import Timing
from kdbench.plan import plan
from kdbench.registry import discover
from kdbench.store import Store
from kdbench.suite import load

SUITE = """
suite: shop
seeds: [0, 1]
targets: [ort_cpu]
axes: [accuracy, latency]
data: {dataset: digits}
teacher: {model: mlp, width: 32, fit: scratch}
student: {model: mlp, width: 8}
train: {epochs: 1}
contenders: {kd: [fit: kd], int8: [fit: kd, compress: static_int8]}
measure: {batches: [8]}
"""


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """A suite whose timings are in the store, made up: a function (scale, broken contender) -> None writes them."""
    monkeypatch.chdir(tmp_path)
    Path("suite.yaml").write_text(SUITE, encoding="utf-8")

    def write(store: str, scale: float, broken: str = "") -> dict[str, np.ndarray]:
        plugins = discover()
        planned = plan(load(Path("suite.yaml"), plugins), plugins, None)
        rng, made = np.random.default_rng(0), {}
        for cell in planned.cells:
            if cell.evidence != "latency" or not cell.key or cell.key in made:
                continue
            made[cell.key] = scale * (1e-3 + 1e-4 * rng.random((12, 5)))
            arrays = {f"{kind}_{role}": made[cell.key] for kind in ("wall", "cpu") for role in ("reference", "contender")}
            passed = cell.contender != broken
            facts = {"provider": "CPUExecutionProvider", "precision": "float32", "threads": 1}
            how = {"batch": 1, "threads": 1, "pairs": 12, "calls": 5, "inner": 1, "load_before": 0.5, "null": False}
            how |= {"host": {"cpu": "A processor", "arch": "x86_64", "os": "Linux", "cores": 2, "isa": ["avx2"]}}
            with Store(Path(store)).write(planned.job(cell.key)) as draft:
                draft.arrays("latency.npz", arrays)
                draft.json(
                    "latency.json",
                    {**how, "facts": {"contender": facts}, "checks": {"answers": {"passed": passed, "text": "it cheats"}}},
                )
        return made

    return write


def exported(name, *words):
    code = main(["export", "suite.yaml", "--out", name, *words])
    return code, json.loads(Path(name).read_text(encoding="utf-8"))


def test_pytest_benchmark_compares_two_exports(timed, capsys):
    """Its own command: the table, groups by a parameter, and the CSV."""
    timed("before", 1.0)
    timed("after", 2.0)
    for store in ("before", "after"):
        assert exported(f"{store}.json", "--format", "pytest-benchmark", "--store", store)[0] == 0
    capsys.readouterr()
    command = [str(Path(sys.executable).with_name("pytest-benchmark")), "compare", "before.json", "after.json"]
    done = subprocess.run(
        [*command, "--csv", "out.csv"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "300"}
    )
    assert "kd[digits-ort_cpu-single stream]" in done.stdout
    assert "int8[digits-ort_cpu-batch=8]" in done.stdout
    assert "Median" in done.stdout
    assert "(2.0" in done.stdout or "(1.9" in done.stdout  # the slower one beside the faster
    grouped = subprocess.run([*command, "--group-by", "param:scenario"], capture_output=True, text=True, check=True)
    assert "benchmark 'scenario=batch=8': 6 tests" in grouped.stdout
    assert "benchmark 'scenario=single stream': 6 tests" in grouped.stdout
    with open("out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["param:scenario"] for row in rows} == {"single stream", "batch=8"}


def test_the_file_holds_every_timing_with_its_raw_samples_and_nothing_of_the_user(timed):
    made = timed(".kdbench", 1.0)
    code, document = exported("out.json", "--format", "pytest-benchmark")
    assert code == 0
    assert len(document["benchmarks"]) == len(made) == 6  # teacher, kd and int8, alone and in batches; seeds share a graph
    held = [np.array(one["stats"]["data"]) for one in document["benchmarks"]]
    assert all(any(np.array_equal(data, seconds.ravel()) for data in held) for seconds in made.values())
    first = document["benchmarks"][0]
    assert first["extra_info"]["provider"] == "CPUExecutionProvider"
    assert first["params"] == {"task": "digits", "target": "ort_cpu", "scenario": "single stream"}
    assert document["machine_info"]["cpu"]["brand_raw"] == "A processor"
    text = Path("out.json").read_text(encoding="utf-8")
    assert all(name not in text for name in (platform.node(), f'"{getpass.getuser()}"', str(Path.cwd())))


def test_its_layout_is_that_of_a_file_of_pytest_benchmark(timed, tmp_path):
    """Every key that pytest-benchmark itself writes, but for what tells machines and users apart."""
    timed(".kdbench", 1.0)
    _, ours = exported("out.json", "--format", "pytest-benchmark")
    (tmp_path / "test_own.py").write_text("def test_own(benchmark):\n    benchmark(sum, range(9))\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--benchmark-json=own.json",
        "--benchmark-max-time=0.01",
    ]
    calm = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # beside xdist it times nothing
    subprocess.run([*command, "test_own.py"], cwd=tmp_path, check=True, capture_output=True, env=calm)
    theirs = json.loads((tmp_path / "own.json").read_text(encoding="utf-8"))
    assert set(ours) == set(theirs)
    assert set(ours["benchmarks"][0]) == set(theirs["benchmarks"][0])
    assert set(ours["benchmarks"][0]["stats"]) >= set(theirs["benchmarks"][0]["stats"]) - {"data"}
    assert set(theirs["machine_info"]) - set(ours["machine_info"]) <= {
        "node", "release", "python_compiler", "python_implementation_version", "python_build"
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=40))
def test_statistics_against_pytest_benchmark(data):
    theirs = Stats()
    for value in data:
        theirs.update(value)
    wanted, found = theirs.as_dict(), stats(data)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-15)), name


def test_a_timing_whose_checks_failed_is_left_out_and_said(timed, capsys):
    timed(".kdbench", 1.0, broken="int8")
    code, document = exported("out.json", "--format", "pytest-benchmark")
    err = capsys.readouterr().err
    assert code == 3
    assert "left out: int8 on ort_cpu: it cheats" in err
    assert "partial: 2 of 6 timings were not made" in err
    assert {one["name"].partition("[")[0] for one in document["benchmarks"]} == {"teacher", "kd"}
    _, whole = exported("all.json", "--format", "json")
    assert {one["failed_checks"] for one in whole["timings"]} == {"", "it cheats"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--format", "pytest_benchmark"],
            "no such format; did you mean 'pytest-benchmark'? (allowed: pytest-benchmark, csv, json)",
        ),
        (["--format", "csv", "--out", "."], "--out .: a folder"),
        (["--format", "csv", "--out", "no/where.csv"], "no such folder"),
        (["--format", "csv"], "holds no timings of this suite; `kdbench run suite.yaml` makes them"),
    ],
)
def test_what_cannot_be_exported_is_refused(timed, capsys, words, said):
    assert main(["export", "suite.yaml", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, said in err, err.count("\n")) == ("", True, 1)


def test_the_command_names_the_formats_that_there_are():
    assert tuple(FORMATS) == export.NAMES


def timing(contender, seconds):
    return Timing("task", contender, 0, "target", "", np.array(seconds), np.array(seconds) * 2, {"inner": 3}, {}, {})


def test_csv_has_a_line_for_each_call_and_no_name_is_a_formula():
    text = as_csv("suite", [timing("=cmd|'/c'!A1", [[0.5, 0.25], [0.125, 1.0]])])
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["block"], row["call"], row["seconds"], row["teacher_seconds"]) for row in rows] == [
        ("0", "0", "0.5", "1.0"), ("0", "1", "0.25", "0.5"), ("1", "0", "0.125", "0.25"), ("1", "1", "1.0", "2.0")
    ]  # fmt: skip
    assert {row["contender"] for row in rows} == {"'=cmd|'/c'!A1"}


def test_names_that_would_steer_a_terminal_are_cleaned_and_seeds_told_apart():
    twice = [timing("\x1b[31mred", [[1.0, 2.0]]), timing("\x1b[31mred", [[3.0, 4.0]])]
    found = json.loads(pytest_benchmark("suite", twice))["benchmarks"]
    assert all("\x1b" not in one["name"] for one in found)
    assert [one["params"]["seed"] for one in found] == ["0", "0"]
    assert found[0]["stats"]["iterations"] == 3
