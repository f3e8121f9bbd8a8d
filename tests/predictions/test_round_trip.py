"""`kdbench predictions` writes what the store holds, and judging those files gives the numbers of the run."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from kdbench.cli import main, options
from kdbench.cli import predictions as command
from kdbench.nouns import Job, Refusal
from kdbench.predictions.export import export
from kdbench.predictions.table import read
from kdbench.store import Draft

METRICS = ("accuracy", "macro_f1", "ece", "nll", "agreement", "kl_to_teacher", "ood_auroc", "nll_temperature_scaled")


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    """A made-up store: a teacher and a student of two seeds, groups with a missing one, clusters, a shift, OOD, validation."""
    from made_evidence import Evidence, noisy_logits

    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 90)
    sex, cluster = np.where(np.arange(90) % 7 == 0, "", np.array(["F", "M"])[np.arange(90) % 2]), np.arange(90) // 3
    json_of = Draft.json
    with monkeypatch.context() as patched:  # the samples name their group columns, as the stage data does
        more = {"meta.json": {"groups": {"sex": {}}}}
        patched.setattr(Draft, "json", lambda draft, name, value: json_of(draft, name, {**value, **more.get(name, {})}))
        made = Evidence(tmp_path / "store", label, 3, 1, {"sex": sex}, [f"p{c}" for c in cluster], min_group=10, resamples=100)
    made.write = partial(write_with_data, made)
    ids = np.array([f"v{i}" for i in range(40)])
    beside = rng.integers(0, 3, 40)
    for who, seeds, skill in (("teacher", (0,), 3.0), ("pupil", (0, 1), 1.5)):
        for seed in seeds:
            made.predict(who, noisy_logits(label, 3, skill, rng), seed)
            made.predict(who, noisy_logits(label, 3, skill / 2, rng), seed, shift="blur", severity=3)
            made.predict(who, noisy_logits(beside, 3, skill, rng), seed, split="validation", ids=ids, labels=beside)
            made.foreign(who, rng.normal(size=(30, 3)), seed=seed)
    return made


def write_with_data(made, stage, *names):
    """As the planner has it: whatever is made needs the samples."""
    job = Job(stage, {"made": [str(n) for n in names]}, {"data": made.data})
    made.jobs.append(job)
    return made.store.write(job, {"versions": {"numpy": np.__version__}})


def rows(scores):
    """Everything that a reader compares, by place; without what a plan adds to the ranking metric: `made_evidence` has none."""
    place = ["contender", "seed", "metric", "split", "shift", "severity", "slice"]
    held = scores[~scores["metric"].str.startswith(("gain", "retention", "bimodality", "seed_sd"))].set_index(place).sort_index()
    return held[["value", "low", "high", "n", "delta", "delta_low", "delta_high", "status"]]


def test_judging_the_exported_files_gives_every_score_of_the_run(evidence, tmp_path, monkeypatch, capsys):
    suite = evidence.suite(*METRICS)
    board = evidence.board(*METRICS)
    paths = [*export(suite.tasks[0], evidence.plan(), evidence.store, tmp_path / "out")]
    assert [p.relative_to(tmp_path / "out").as_posix() for p in paths] == [
        "task/torch_cpu/teacher.parquet",
        "task/torch_cpu/pupil.parquet",
    ]
    monkeypatch.chdir(tmp_path)
    words = [
        "judge",
        str(paths[1]),
        "--teacher",
        str(paths[0]),
        "--resamples",
        "100",
        "--min-group",
        "10",
        "--axes",
        ", ".join(METRICS),
    ]
    assert main(words) == 0, capsys.readouterr().err
    ours, theirs = rows(board.scores), rows(pd.read_parquet(tmp_path / "reports" / "task" / "scores.parquet"))
    assert {"sex=F", "sex=(missing)", "sex:gap"} <= set(ours.index.get_level_values("slice"))
    assert {"blur", "ood:other"} <= set(ours.index.get_level_values("shift"))
    ours, theirs = (held.astype({"n": "Float64"}) for held in (ours, theirs))
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-12)


def test_the_file_says_what_it_holds(evidence, tmp_path):
    (path,) = export(evidence.suite("accuracy").tasks[0], evidence.plan(), evidence.store, tmp_path, "pupil")
    said = {k.decode(): v.decode() for k, v in pq.read_schema(path).metadata.items()}
    assert said == {
        "kdbench.format": "1", "kdbench.kind": "logits", "kdbench.classes": json.dumps(["c0", "c1", "c2"], separators=(",", ":")),
        "kdbench.positive": "c1", "kdbench.task": "task", "kdbench.contender": "pupil", "kdbench.target": "torch_cpu",
    }  # fmt: skip
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["id", "label", "logits", "split", "shift", "severity", "seed", "group.sex", "cluster"]
    assert len(frame) == 2 * (90 + 90 + 40 + 30)
    clean = frame[(frame["split"] == "test") & (frame["shift"] == "") & (frame["seed"] == 0)]
    assert clean["id"].tolist() == evidence.ids.tolist()
    assert (clean["group.sex"] == "").sum() == (evidence.groups["sex"] == "").sum()
    assert frame.loc[frame["split"] == "ood:other", "label"].isna().all()
    assert str(path.name) == "pupil.parquet"
    assert read(path).positive == "c1"


def asked(evidence, tmp_path, monkeypatch, **given):
    monkeypatch.setattr(options, "asked", lambda _: options.Asked(evidence.suite("accuracy"), evidence.plugins, evidence.plan()))
    args = {"store": evidence.store.root, "out": tmp_path / "out", "contender": "", "suite": "made.yaml", **given}
    return command.run(SimpleNamespace(**args))


def test_the_command_prints_the_paths(evidence, tmp_path, monkeypatch, capsys):
    assert asked(evidence, tmp_path, monkeypatch, contender="pupil") == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/task/torch_cpu/pupil.parquet\n"


def test_what_was_not_run_makes_the_export_partial(evidence, tmp_path, monkeypatch, capsys):
    evidence.store.drop(evidence.cells[-1].key)
    assert asked(evidence, tmp_path, monkeypatch) == 3
    assert "partial: 1 of 12 sets of predictions were not made" in capsys.readouterr().err


def test_a_damaged_entry_is_refused_by_name(evidence, tmp_path, monkeypatch):
    held = evidence.store.place(evidence.cells[0].key) / "predictions.npz"
    held.chmod(0o644)
    held.write_bytes(held.read_bytes()[:-1] + b"x")
    with pytest.raises(Refusal, match=r"damaged .*; `kdbench run made.yaml` makes it again"):
        asked(evidence, tmp_path, monkeypatch)


def test_a_suite_that_was_not_run_and_a_contender_that_is_none_are_refused(evidence, tmp_path, monkeypatch):
    with pytest.raises(Refusal, match=r"no such contender; did you mean 'pupil'\?"):
        asked(evidence, tmp_path, monkeypatch, contender="pupl")
    with pytest.raises(Refusal, match=r"holds no predictions of this suite; `kdbench run made.yaml` makes them"):
        asked(evidence, tmp_path, monkeypatch, store=tmp_path / "elsewhere")
