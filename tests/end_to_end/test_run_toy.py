"""One run from the suite to the page; what a second run, another metric, a gate and a bad file do."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest


def stages(text):
    """stage -> (done, to do), as `kdbench plan` prints them."""
    rows = [line.split() for line in text.splitlines() if line.endswith("to do")]
    return {row[0]: (int(row[1]), int(row[3])) for row in rows}


def test_a_run_ends_with_the_path_of_the_page(kdbench, toy, tmp_path):
    code, out, err = kdbench("run", toy / "suite.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "reports/toy/index.html"
    names = {path.name for path in (tmp_path / "reports/toy").iterdir()}
    assert names >= {"index.html", "scores.parquet", "scores.csv", "standings.json", "suite.resolved.yaml"}
    scores = pd.read_parquet(tmp_path / "reports/toy/scores.parquet")
    assert set(scores["contender"]) == {"teacher", "rounded"}
    ok = scores[(scores["status"] == "ok") & (scores["slice"] == "")]
    assert set(ok["metric"]) == {"accuracy", "agreement", "ece", "retention"}
    ok = ok[ok["metric"] != "retention"]  # it is 1 in every draw, as the student decides like the teacher: no interval
    assert (ok["low"] <= ok["value"]).all()
    assert (ok["value"] <= ok["high"]).all()


def test_a_second_run_does_nothing_and_imports_nothing_heavy(kdbench, toy, tmp_path):
    kdbench("run", toy / "suite.yaml")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"}
    again = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "kdbench",
        "run",
        str(toy / "suite.yaml"),
        "--plugins",
        str(toy / "plugins"),
    ]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"torch", "numpy", "pandas", "transformers", "sklearn", "onnxruntime"})
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_report_of_equal_scores_is_equal_to_the_byte(kdbench, toy, tmp_path):
    kdbench("run", toy / "suite.yaml")
    first = {path.name: path.read_bytes() for path in (tmp_path / "reports/toy").iterdir()}
    for path in (tmp_path / "reports/toy").iterdir():
        path.unlink()
    assert kdbench("report", toy / "suite.yaml")[0] == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "reports/toy").iterdir()} == first


def test_another_metric_or_gate_runs_no_model_again(kdbench, toy):
    kdbench("run", toy / "suite.yaml")
    more = ("--set", "axes=[accuracy, agreement, ece, brier]", "--set", "gates=[{metric: brier, at_most: 1}]")
    planned = stages(kdbench("plan", toy / "suite.yaml", *more)[1])
    assert planned.pop("judge") == (3, 1)
    assert all(todo == 0 for _, todo in planned.values())


def test_a_group_is_added_without_running_a_model_again(kdbench, toy):
    kdbench("run", toy / "suite.yaml", "--set", "data.groups=[]")
    planned = stages(kdbench("plan", toy / "suite.yaml")[1])
    assert planned["predict"] == (4, 0)
    assert planned["judge"][1] == 3


@pytest.mark.parametrize(("gate", "expected"), [("at_least: 0.1", 0), ("at_least: 0.99", 1)])
def test_a_gate_decides_the_exit_code(kdbench, toy, gate, expected):
    code, _, err = kdbench("run", toy / "suite.yaml", "--set", f"gates=[{{metric: accuracy, {gate}}}]")
    assert code == expected
    assert ("gate FAIL" in err) == (expected == 1)


def test_a_changed_plugin_is_run_again_and_plan_says_why(kdbench, toy, tmp_path):
    import shutil

    own = shutil.copytree(toy / "plugins", tmp_path / "own")
    kdbench("run", toy / "suite.yaml", plugins=(own,))
    path = own / "compressors" / "toy_round.py"
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    out = kdbench("plan", toy / "suite.yaml", plugins=(own,))[1]
    assert stages(out)["compress"] == (0, 1)
    assert stages(out)["load"] == (1, 0)
    assert "1 x compress: changed since it was made: code" in out


def test_a_section_from_a_folder_reaches_a_page_that_was_there_already(kdbench, toy, tmp_path):
    kdbench("run", toy / "suite.yaml")
    own = tmp_path / "own" / "sections"
    own.mkdir(parents=True)
    text = "from kdbench import section\n\n\n@section(title='Mine')\ndef mine(scores):\n    return '<p>{}</p>'\n"
    for said in ("first words", "other words"):
        (own / "mine.py").write_text(text.format(said), encoding="utf-8")
        assert kdbench("run", toy / "suite.yaml", plugins=(toy / "plugins", own.parent))[0] == 0
        assert said in (tmp_path / "reports/toy/index.html").read_text(encoding="utf-8")


def test_bad_input_gets_one_line_and_code_2(kdbench, toy, tmp_path):
    code, out, err = kdbench("run", toy / "suite.yaml", "--set", "data.dataset=toy_pints")
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "did you mean 'toy_points'" in err
    assert not (tmp_path / "reports").exists()


def test_an_interrupt_keeps_what_was_finished(kdbench, toy, tmp_path):
    command = [sys.executable, "-m", "kdbench", "run", str(toy / "suite.yaml"), "--plugins", str(toy / "plugins")]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if list((tmp_path / ".kdbench/store").glob("*/*/manifest.json")):
            break
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=60)
    if started.returncode != 0:  # it may have been done already
        assert started.returncode == 130
        assert "run the same command again" in err
    code, _, err = kdbench("run", toy / "suite.yaml")
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "reports/toy/standings.json").read_text(encoding="utf-8"))["standings"]


def test_a_damaged_result_is_made_again_alone(kdbench, toy, tmp_path):
    kdbench("run", toy / "suite.yaml")
    first = (tmp_path / "reports/toy/scores.csv").read_bytes()
    (tmp_path / "reports/toy/index.html").unlink()
    for rows in (tmp_path / ".kdbench/store").glob("*/*/rows.parquet"):
        rows.chmod(0o644)
        rows.write_bytes(rows.read_bytes()[:-1] + b"?")
        break
    assert kdbench("run", toy / "suite.yaml")[0] == 0
    assert (tmp_path / "reports/toy/scores.csv").read_bytes() == first
