"""`kdbench judge`, end to end, on prediction files made without kdbench."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_files import good, logits, parquet, text
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, root_mean_squared_error

from kdbench.cli import main

AXES = "accuracy, macro_f1, nll, ece, agreement"


@pytest.fixture
def judge(tmp_path, capsys, monkeypatch):
    """Run `kdbench judge` in a folder: (exit code, scores or None, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*words, name="out"):
        code = main(["judge", *map(str, words), "--name", name, "--resamples", "100"])
        said = capsys.readouterr()
        path = tmp_path / "reports" / name / "scores.parquet"
        return code, pd.read_parquet(path) if path.exists() else None, said.out, said.err

    return run


def value(scores, **where):
    for column, wanted in {"seed": -1, "shift": "", "severity": 0, "slice": "", **where}.items():
        scores = scores[scores[column] == wanted]
    assert len(scores) == 1, where
    return scores.iloc[0]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """(folder with a forest's probabilities in Parquet and a regression's scores in CSV, y, p of the forest, z)."""
    folder = tmp_path_factory.mktemp("digits")
    x, y = load_digits(return_X_y=True)
    train, test = np.arange(0, len(y), 2), np.arange(1, len(y), 2)
    forest = RandomForestClassifier(50, random_state=0).fit(x[train], y[train])
    linear = LogisticRegression(max_iter=50, C=1e-3).fit(x[train], y[train])
    p, z = forest.predict_proba(x[test]), linear.decision_function(x[test])
    side = np.where(test % 4 == 1, "left", "right")
    teacher = pd.DataFrame(p, columns=[f"probability.{c}" for c in forest.classes_])
    teacher.assign(id=test, label=y[test], **{"group.side": side}).to_parquet(folder / "forest.parquet")
    student = pd.DataFrame(z, columns=[f"logit.{c}" for c in linear.classes_]).assign(id=test, label=y[test])
    student.sample(frac=1, random_state=0).to_csv(folder / "linear.csv", index=False)
    return folder, y[test], p, z


def ece(confidence, right, bins=15):
    """The equation, bin by bin, in float64."""
    total = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_two_files_made_by_sklearn_are_judged_as_sklearn_judges(judge, digits):
    folder, y, p, z = digits
    code, scores, out, _ = judge(folder / "linear.csv", "--teacher", folder / "forest.parquet", "--axes", AXES)
    assert code == 0
    assert out.splitlines()[-1] == "reports/out/index.html"
    for who, probability in (("teacher", p), ("linear", softmax(z))):
        pred = probability.argmax(axis=1)
        found = {m: value(scores, contender=who, metric=m) for m in ("accuracy", "macro_f1", "nll", "ece")}
        assert found["accuracy"].value == pytest.approx(accuracy_score(y, pred), abs=1e-12)
        assert found["macro_f1"].value == pytest.approx(f1_score(y, pred, average="macro"), abs=1e-12)
        assert found["ece"].value == pytest.approx(ece(probability.max(axis=1), pred == y), abs=1e-9)
        assert found["accuracy"].low < found["accuracy"].value < found["accuracy"].high
    assert value(scores, contender="linear", metric="nll").value == pytest.approx(log_loss(y, softmax(z)), abs=1e-9)
    agreement = (p.argmax(axis=1) == z.argmax(axis=1)).mean()
    assert value(scores, contender="linear", metric="agreement").value == pytest.approx(agreement, abs=1e-12)
    assert set(scores.loc[scores["slice"].str.startswith("side="), "slice"]) >= {"side=left", "side=right"}
    shown = [line for line in out.splitlines() if line.startswith(("Accuracy\t", "1\tlinear"))]
    assert len(shown) == 2
    standings = json.loads(Path("reports/out/standings.json").read_text(encoding="utf-8"))["standings"]
    assert [s["contender"] for s in standings] == ["teacher", "linear"]


def test_without_a_teacher_no_row_and_no_metric_speaks_of_one(judge, digits):
    code, scores, out, _ = judge(digits[0] / "linear.csv", digits[0] / "forest.parquet")
    assert code == 0
    assert set(scores["contender"]) == {"linear", "forest"}
    assert not {"agreement", "kl_to_teacher", "churn"} & set(scores["metric"])
    assert "\tteacher\t" not in out
    assert "nll" in set(scores["metric"])
    assert "logit_correlation" not in set(scores["metric"])
    page = Path("reports/out/index.html").read_text(encoding="utf-8")
    assert "Agreement with the teacher" not in page


def test_seeds_validation_shifts_and_ood_reach_the_metrics_that_ask_for_them(judge, tmp_path):
    parts = []
    for seed in (0, 1):
        for split, shift, severity in (
            ("test", "", ""),
            ("test", "blur", 1),
            ("test", "blur", 2),
            ("validation", "", ""),
            ("ood:x", "", ""),
        ):
            label, z = logits(90, seed=seed + 10 * (severity or 5), skill=0.5 if shift else 0.0 if split == "ood:x" else 3.0)
            part = pd.DataFrame(z, columns=["logit.0", "logit.1", "logit.2"])
            part = part.assign(
                id=[f"{split}{i}" for i in range(90)], label=label if split[0] != "o" else "", split=split, shift=shift
            )
            parts.append(part.assign(severity=severity, seed=seed, **{"group.g": ["A", "B"] * 45}, cluster=np.arange(90) // 3))
    pd.concat(parts).to_csv(tmp_path / "s.csv", index=False)
    pd.concat(parts[:5]).to_csv(tmp_path / "t.csv", index=False)
    axes = "accuracy, nll, nll_temperature_scaled, ood_auroc"
    code, scores, *_ = judge(tmp_path / "s.csv", "--teacher", tmp_path / "t.csv", "--axes", axes)
    assert code == 0
    assert sorted(scores.loc[scores["contender"] == "s", "seed"].unique()) == [-1, 0, 1]
    assert value(scores, contender="s", metric="accuracy", shift="blur", severity=2).status == "ok"
    scaled, plain = (value(scores, contender="s", metric=m).value for m in ("nll_temperature_scaled", "nll"))
    assert 0 < scaled < 1
    assert scaled != plain
    assert 0.5 < value(scores, contender="s", metric="ood_auroc", shift="ood:x").value <= 1
    right = [(part[["logit.0", "logit.1", "logit.2"]].to_numpy().argmax(axis=1) == np.arange(90) % 3).mean() for part in parts]
    assert value(scores, contender="s", metric="accuracy").value == pytest.approx((right[0] + right[5]) / 2, abs=1e-12)
    assert value(scores, contender="teacher", metric="accuracy").value == pytest.approx(right[0], abs=1e-12)


def test_regressions_are_ranked_by_their_error(judge, tmp_path):
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    files = {}
    for name, noise in (("near", 0.1), ("far", 1.0)):
        files[name] = y + noise * rng.normal(size=80)
        text(tmp_path / f"{name}.csv", {"id": np.arange(80), "label": y, "value": files[name]})
    code, scores, *_ = judge(tmp_path / "far.csv", tmp_path / "near.csv")
    assert code == 0
    for name, predicted in files.items():
        found = value(scores, contender=name, metric="root_mean_squared_error").value
        assert found == pytest.approx(root_mean_squared_error(y, predicted), abs=1e-12)
    standings = json.loads(Path("reports/out/standings.json").read_text(encoding="utf-8"))["standings"]
    assert [(s["contender"], s["metric"]) for s in standings] == [(n, "root_mean_squared_error") for n in ("near", "far")]
    assert "accuracy" not in set(scores["metric"])


def test_decisions_alone_are_judged_by_what_reads_decisions(judge, tmp_path):
    label, z = logits(90)
    text(tmp_path / "d.csv", {"id": np.arange(90), "label": label, "decision": z.argmax(axis=1)})
    code, scores, *_ = judge(tmp_path / "d.csv")
    assert code == 0
    assert value(scores, metric="accuracy").value == pytest.approx((z.argmax(axis=1) == label).mean(), abs=1e-12)
    assert {"macro_f1", "mcc"} <= set(scores["metric"])
    assert not {"nll", "ece", "brier"} & set(scores["metric"])


def test_judging_again_runs_no_judge_job_and_the_format_makes_no_difference(judge, tmp_path):
    columns = good(90)
    text(tmp_path / "a.csv", columns)
    first = judge(tmp_path / "a.csv", "--axes", AXES)
    keys = sorted(p.name for p in (tmp_path / ".kdbench" / "store").glob("??/*"))
    (tmp_path / "other").mkdir()
    parquet(tmp_path / "other" / "a.parquet", columns)
    (tmp_path / "a.csv").rename(tmp_path / "b.csv")
    again = judge(tmp_path / "b.csv", "--axes", AXES)
    assert again[0] == first[0] == 0
    values = [value(s, metric="accuracy")[["value", "low", "high"]].tolist() for s in (first[1], again[1])]
    assert values[0] == values[1]
    assert set(keys) <= {p.name for p in (tmp_path / ".kdbench" / "store").glob("??/*")}


def test_a_damaged_entry_is_written_again(judge, tmp_path):
    text(tmp_path / "a.csv", good(90))
    first = judge(tmp_path / "a.csv", "--axes", "accuracy")
    (held,) = (tmp_path / ".kdbench" / "store").glob("??/*/predictions.npz")
    held.chmod(0o644)
    held.write_bytes(held.read_bytes()[:-1] + b"x")
    again = judge(tmp_path / "a.csv", "--axes", "accuracy, macro_f1")
    assert again[0] == 0
    assert value(again[1], metric="accuracy").value == value(first[1], metric="accuracy").value


def test_groups_intersections_and_the_positive_class(judge, tmp_path):
    columns = good(240, **{"group.sex": ["F", "M"] * 120, "group.race": ["a", "a", "b", "b"] * 60})
    parquet(tmp_path / "s.parquet", columns)
    words = ("--groups", "sex,race,sex*race", "--positive", "c1", "--axes", "accuracy, selection_rate", "--min-group", "20")
    code, scores, *_ = judge(tmp_path / "s.parquet", *words)
    assert code == 0
    slices = set(scores["slice"])
    assert {"sex=F", "race=b", "sex*race=F & a", "sex:gap", "sex*race:gap"} <= slices
    z = np.stack([columns[f"logit.c{k}"] for k in range(3)], axis=1)
    rate = (z.argmax(axis=1) == 1)[np.array(columns["group.sex"]) == "F"].mean()
    assert value(scores, metric="selection_rate", slice="sex=F").value == pytest.approx(rate, abs=1e-12)


def test_metric_and_margin_rank(judge, tmp_path):
    text(tmp_path / "a.csv", good(90))
    text(tmp_path / "b.csv", good(90))
    code, _, out, _ = judge(
        tmp_path / "a.csv", tmp_path / "b.csv", "--metric", "nll", "--margin", "0.5", "--axes", "accuracy, nll"
    )
    assert code == 0
    standings = json.loads(Path("reports/out/standings.json").read_text(encoding="utf-8"))
    assert {s["metric"] for s in standings["standings"]} == {"nll"}
    assert standings["pairs"][0]["verdict"] == "EQUIVALENT"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.csv", "--metric", "acuracy"], "did you mean 'accuracy'?"),
        (["a.csv", "--metric", "agreement"], "--metric 'agreement': these files do not answer it"),
        (["a.csv", "--axes", "acuracy"], "did you mean 'accuracy'?"),
        (["a.csv", "--axes", ""], "--axes: no metric is named"),
        (["a.csv", "--groups", "sx"], "--groups: no group column 'sx'"),
        (["a.csv", "--positive", "c9"], "positive class 'c9': no such class"),
        (["a.csv", "--margin", "-1"], "--margin -1.0: a number from 0 is expected"),
        (["a.csv", "--margin", "nan"], "--margin nan"),
        (["a.csv", "--resamples", "1"], "--resamples 1: at least 2"),
        (["a.csv", "--min-group", "0"], "--min-group 0: at least 1"),
        (["nothing.csv"], "nothing.csv: no such file"),
        (["teacher.csv"], "its contender is called 'teacher'; give it as --teacher teacher.csv"),
        (["a.csv", "a.parquet"], "the contender 'a' is also that of a.csv"),
        (["a.csv", "--teacher", "v.csv"], "values of a regression"),
        (["a.csv", "--name", "../x"], "the name '../x' holds '/'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_any_work(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "teacher.csv"):
        text(tmp_path / name, good())
    parquet(tmp_path / "a.parquet", good())
    text(tmp_path / "v.csv", {"id": [f"r{i}" for i in range(60)], "label": [0.5] * 60, "value": [0.5] * 60})
    assert main(["judge", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("**/manifest.json"))
    assert not (tmp_path / "reports").exists()


def test_what_to_mind_is_said_on_the_terminal_and_on_the_page(judge, tmp_path):
    columns = good(90, **{"group.g": ["A", "B", "b "] * 30})
    text(tmp_path / "a.csv", columns)
    *_, err = judge(tmp_path / "a.csv", "--axes", "accuracy")
    assert "note: group column 'g': 'B' and 'b ' are two groups; is one a misspelling?" in err
    assert "are two groups; is one a misspelling?" in Path("reports/out/index.html").read_text(encoding="utf-8")


def test_names_from_files_are_text_on_the_page_and_in_the_terminal(judge, tmp_path):
    evil = "<script>alert(1)</script>"
    columns = good(90, **{"group.g": [evil, "\x1b[31mred"] * 45})
    columns = {
        k.replace("c1", evil): [v.replace("c1", evil) if isinstance(v, str) else v for v in vs] for k, vs in columns.items()
    }
    parquet(tmp_path / "a.parquet", columns)
    code, _, out, err = judge(tmp_path / "a.parquet", "--axes", "accuracy", "--groups", "g,class", "--min-group", "5")
    assert code == 0
    assert evil not in Path("reports/out/index.html").read_text(encoding="utf-8")
    assert "\x1b" not in out + err


def test_the_help_of_both_commands_loads_no_numerical_library():
    for command in ("judge", "predictions"):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "kdbench", command, "--help"], capture_output=True, text=True
        )
        names = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
        assert done.returncode == 0
        assert not names & {"numpy", "pandas", "pyarrow", "torch", "sklearn", "scipy", "jinja2"}
