"""All starter plugins in one real run, through `--plugins`, as a newcomer would use them."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from kdbench.cli.init import KINDS

SUITE = """
suite: starters
seeds: [0]
targets: [torch_cpu, my_target]
axes: [accuracy, {my_metric: {k: 2}}, bits_per_byte, {lm_eval: {metric: acc}}]
resamples: 100
tasks:
  images:
    data: {dataset: digits, limit: {train: 300}, shifts: [my_shift], severities: [1, 5]}
    teacher: {model: my_model, width: 64, fit: scratch, train: {epochs: 4}}
    student: {model: my_model, width: 16}
    train: {epochs: 1, batch: 64, views: [{my_view: {chance: 0.2}}]}
    contenders:
      mine: [fit: my_method]
      coarse: [start: teacher, compress: {my_compressor: {bits: 4}}]
  points:
    data: {dataset: my_dataset, rows: 300, groups: [side]}
    teacher: {model: mlp, fit: scratch}
    train: {epochs: 2, batch: 64}
    contenders:
      linear: [{fit: scratch, model: linear}]
      believed: [{relabel: my_relabeler}, {fit: scratch, model: linear}]
  numbers:
    data: {dataset: {text_files: {path: PLACE, separator: "/"}}, tokenizer: {my_tokenizer: {characters: 30}}, length: 32}
    harness: {tasks: [{my_harness: {rows: 20}}]}
    teacher: {model: gpt2, layers: 1, hidden: 16, heads: 2, positions: 32, fit: scratch}
    train: {epochs: 1, batch: 16, optimizer: adamw, lr: 0.01}
    contenders: {small: [{fit: kd, model: {gpt2: {layers: 1, hidden: 8, heads: 2, positions: 32}}}]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the finished run, its folder)."""
    folder = tmp_path_factory.mktemp("starters")
    (folder / "all.yaml").write_text(SUITE.replace("PLACE", str(folder / "numbers.txt")), encoding="utf-8")
    counted = ("/".join(" ".join(str(i + 2 * k) for k in range(8)) for i in range(1, 60))) + "/"
    (folder / "numbers.txt").write_text(counted, encoding="utf-8")
    for kind in KINDS:
        subprocess.run([sys.executable, "-m", "kdbench", "init", kind, "my_plugins"], cwd=folder, check=True)
    command = [sys.executable, "-m", "kdbench", "run", "all.yaml", "--plugins", "my_plugins"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True), folder / "reports" / "starters"


def test_the_run_ends_with_the_path_of_the_page(made):
    """Partial at worst: nobody can time my_target, which gives no bundle."""
    done, folder = made
    assert done.returncode in (0, 3), done.stderr
    assert done.stdout.splitlines()[-1].endswith("index.html")
    assert [line for line in done.stderr.splitlines() if line.startswith("failed:") and "my_target" not in line] == []
    assert "Undefined numbers" in (folder / "index.html").read_text(encoding="utf-8")


def test_every_contender_is_judged_by_the_starter_metric_on_both_targets_and_under_the_starter_shift(made):
    scores = pd.read_parquet(made[1] / "scores.parquet")
    mine = scores[scores["metric"].str.startswith("my_metric") & scores["task"].isin(["images", "points"])]
    assert set(mine["contender"]) == {"teacher", "mine", "coarse", "linear", "believed"}
    assert set(mine["target"]) == {"torch_cpu", "my_target"}
    assert set(mine.loc[mine["shift"] == "my_shift", "severity"]) >= {1, 5}
    clean = mine[(mine["shift"] == "") & (mine["slice"] == "")]
    assert (clean["status"] == "ok").all()
    assert clean["value"].between(0.0, 1.0).all()


def test_the_starter_groups_are_on_the_board(made):
    scores = pd.read_parquet(made[1] / "scores.parquet")
    assert {"side=left", "side=right"} <= set(scores.loc[scores["task"] == "points", "slice"])


def test_the_starter_tokenizer_is_read_and_the_starter_questions_are_asked(made):
    scores = pd.read_parquet(made[1] / "scores.parquet")
    own = scores[(scores["target"] == "torch_cpu") & (scores["slice"] == "") & (scores["contender"] == "small")]
    bits = own[(own["task"] == "numbers") & (own["metric"] == "bits_per_byte")]
    asked = own[(own["task"] == "numbers asks my_harness") & own["metric"].str.startswith("lm_eval")]
    assert [set(part["status"]) for part in (bits, asked)] == [{"ok"}, {"ok"}]
    assert asked["value"].between(0.0, 1.0).all()
    assert {"parity=odd", "parity=even"} <= set(scores.loc[scores["task"] == "numbers asks my_harness", "slice"])
