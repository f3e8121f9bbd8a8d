"""`kdbench init`: the starters are valid, work as they are, and never overwrite."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kdbench.cli import main
from kdbench.cli.init import KINDS, STARTERS
from kdbench.registry import FOLDERS, discover
from kdbench.signature import Description


@pytest.fixture
def starter():
    """The starter plugin of a kind, imported from where it is copied from."""
    return lambda kind: discover([STARTERS]).load(kind, f"my_{kind}")[0]


def test_every_kind_that_a_stage_runs_has_a_starter():
    assert set(FOLDERS) == set(KINDS)


def test_the_starter_folder_is_a_plugin_folder_without_problems():
    found = discover([STARTERS])
    mine = [one for kind in FOLDERS for one in found.describe(kind) if getattr(one, "origin", "") == str(STARTERS)]
    assert found.problems == []
    assert {one.kind for one in mine if isinstance(one, Description)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_init_writes_a_plugin_under_its_new_name(kind, tmp_path, capsys):
    path = tmp_path / "mine" / KINDS[kind] / "renamed.py"
    assert main(["init", kind, str(path)]) == 0
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert "my_" not in path.read_text(encoding="utf-8")
    one = discover([tmp_path / "mine"]).get(kind, "renamed")
    assert len(one.doc.split()) > 5
    assert main(["show", kind, "renamed", "--plugins", str(tmp_path / "mine")]) == 0
    assert f"kdbench show {kind} renamed --plugins {tmp_path / 'mine'}" in capsys.readouterr().out


def test_init_into_a_folder_makes_the_folder_of_the_kind(tmp_path):
    assert main(["init", "metric", str(tmp_path)]) == 0
    assert (tmp_path / "metrics" / "my_metric.py").exists()


@pytest.mark.parametrize("words", [["suite", "there.yaml"], ["method", "methods/there.py"]])
def test_init_never_overwrites(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = Path(words[1])
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    assert main(["init", *words]) == 2
    assert path.read_text(encoding="utf-8") == "mine"
    assert f"{words[1]} is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["metod"], "did you mean 'method'?"),
        (["method", "margin.py"], "did you mean methods/margin.py?"),
        (["method", "methods/class.py"], "the file name is the plugin's name"),
        (["method", "methods/my-term.py"], "the file name is the plugin's name"),
    ],
)
def test_init_says_what_it_would_take(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_starter_suite_is_valid(tmp_path, monkeypatch, plugins):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    from kdbench.suite import load

    suite = load(Path("suite.yaml"), plugins)
    assert [contender.name for contender in suite.tasks[0].contenders] == ["scratch", "kd", "kd-soft", "kd-int8"]


def test_the_starter_method_equals_numpy_and_moves_only_the_student(starter):
    import torch

    from kdbench import Batch, Outputs

    rng = np.random.default_rng(0)
    said, heard = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    student, teacher = (torch.tensor(a, requires_grad=True) for a in (said, heard))
    loss = starter("method")(Outputs(student), Outputs(teacher), Batch({}, torch.zeros(5).long(), torch.arange(5)), power=1.5)
    loss.backward()
    p, q = (np.exp(a) / np.exp(a).sum(axis=1, keepdims=True) for a in (said, heard))
    assert loss.item() == pytest.approx((np.abs(p - q) ** 1.5).sum(axis=1).mean(), rel=1e-12)
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


def test_the_starter_view_mirrors_whole_images_from_its_rng_alone(starter):
    import torch

    from kdbench import Batch

    batch = Batch({"image": torch.rand(64, 1, 4, 4)}, torch.zeros(64).long(), torch.arange(64))
    one, two = (starter("view")(batch, np.random.default_rng(3)).x["image"] for _ in range(2))
    plain, flipped = batch.x["image"], batch.x["image"].flip(-1)
    kept = (one == plain).flatten(1).all(1)
    assert torch.equal(one, two)
    assert torch.equal(one[~kept], flipped[~kept])
    assert 16 < kept.sum() < 48


def test_the_starter_compressor_leaves_few_values_and_the_original_alone(starter):
    import torch

    from kdbench import Artefact, Shape

    module = torch.nn.Linear(20, 10)
    before = module.weight.clone()
    after = starter("compressor")(Artefact("torch", Shape("table", {"numeric": (20,)}, 10), module=module), bits=3).module
    assert torch.equal(module.weight, before)
    assert len(after.weight.unique()) <= 2**3 - 1
    assert (after.weight - before).abs().max() <= before.abs().max() / 3 / 2 + 1e-6


def test_the_starter_model_takes_images_and_has_its_tap(starter):
    import torch

    from kdbench import Shape

    module = starter("model")(Shape("image", {"image": (1, 8, 8)}, 10), width=16)
    assert module(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    assert module.hidden(torch.zeros(3, 64)).shape == (3, 16)


def test_the_starter_dataset_is_balanced_and_the_same_each_time(starter):
    one, two = (starter("dataset")(None, rows=100) for _ in range(2))
    assert one.x["numeric"].shape == (100, 2)
    assert np.array_equal(one.x["numeric"], two.x["numeric"])
    assert np.bincount(one.y).tolist() == [50, 50]
    assert len(set(one.ids)) == 100
    assert set(one.groups["side"]) == {"left", "right"}


def test_the_starter_shift_darkens_more_with_severity(starter):
    x = np.full((2, 1, 3, 3), 0.8, dtype=np.float32)
    means = [starter("shift")(x, severity).mean() for severity in (1, 2, 3, 4, 5)]
    assert means == pytest.approx([0.8 * (1 - 0.15 * s) for s in (1, 2, 3, 4, 5)], rel=1e-6)


def test_the_starter_metric_equals_sklearn(starter):
    from sklearn.metrics import top_k_accuracy_score

    from kdbench import Predictions

    rng = np.random.default_rng(1)
    logits, label = rng.standard_normal((200, 5)), rng.integers(0, 5, 200)
    empty = np.empty(0)
    said = starter("metric")(Predictions(empty, label, logits, empty, empty, empty, empty), k=2)
    assert said.mean() == pytest.approx(top_k_accuracy_score(label, logits, k=2, labels=range(5)))
    tied = Predictions(empty, label, np.zeros((200, 5)), empty, empty, empty, empty)
    assert starter("metric")(tied, k=2).mean() == 0  # a model that says nothing has found nothing


def test_the_starter_metric_says_what_a_metric_must_say(starter, capsys):
    """The same as the contract of the built-in metrics asks for (tests/judge/test_metric_contract.py)."""
    facts = starter("metric").facts
    assert all(facts[name] for name in ("title", "equation", "source", "convention", "reads", "version"))
    assert main(["show", "metric", "my_metric", "--plugins", str(STARTERS)]) == 0
    assert "not stated" not in capsys.readouterr().out


def test_the_starter_target_answers_in_half_precision(starter):
    import torch

    from kdbench import Artefact, Shape

    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    x = np.random.default_rng(2).standard_normal((6, 1, 4, 4)).astype(np.float32)
    exact = module(torch.from_numpy(x)).detach().numpy()
    runner = starter("target")(Artefact("torch", Shape("image", {"image": (1, 4, 4)}, 3), module=module), {"image": x[:1]})
    said = runner.predict({"image": x})
    assert said.dtype == np.float32
    assert 0 < np.abs(said - exact).max() < 0.1


def test_the_starter_section_counts_by_status_and_escapes(starter):
    import pandas as pd

    rows = [("t", "<b>", "ok"), ("t", "<b>", "ok"), ("t", "<b>", "undefined")]
    html = starter("section")(pd.DataFrame(rows, columns=["task", "contender", "status"]))
    assert html.count("&lt;b&gt;") == 2
    assert "<b>" not in html


def test_the_starter_tokenizer_gives_back_what_it_knows(starter):
    from tokenizers import Tokenizer

    texts = ["abba", "a b\nc", "\u00e9"]
    made = starter("tokenizer")(iter(texts), characters=100)
    assert made == starter("tokenizer")(iter(texts[::-1]), characters=100)
    read = Tokenizer.from_str(made.decode("utf-8"))
    for text in texts:
        ids = read.encode(text).ids
        assert [read.id_to_token(ids[0]), read.id_to_token(ids[-1])] == ["[BOS]", "[EOS]"]
        assert len(ids) == len(text) + 2
        assert read.decode(ids) == text
    few = Tokenizer.from_str(starter("tokenizer")(iter(texts), characters=2).decode("utf-8"))
    assert few.encode("cab").tokens == ["[BOS]", "[UNK]", "a", "b", "[EOS]"]


def test_the_starter_harness_is_asked_by_lm_eval_and_equals_python(starter):
    """A model for which the larger of two numbers is the likelier one is always right."""
    import lm_eval
    from lm_eval.api.model import LM

    class Larger(LM):
        def loglikelihood(self, requests, disable_tqdm=False):
            return [(float(r.args[1]) - 1000, False) for r in requests]

        def loglikelihood_rolling(self, requests, disable_tqdm=False):
            raise AssertionError

        generate_until = loglikelihood_rolling

    one = starter("harness")(None, rows=6)
    found = lm_eval.simple_evaluate(
        model=Larger(), tasks=[one], task_manager=lm_eval.tasks.TaskManager(include_defaults=False), bootstrap_iters=0
    )
    assert found["results"]["my_harness"]["acc,none"] == 1.0
    said = found["samples"]["my_harness"][0]
    assert [args[:2] for args in said["arguments"]] == [("1 3 5 7", " 9"), ("1 3 5 7", " 8")]


def test_the_starter_relabeler_keeps_what_the_teacher_believes(starter):
    from kdbench import Refusal

    label, probabilities = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.95, 0.05], [0.4, 0.6]])
    assert starter("relabeler")(label, probabilities, least=0.1).source.tolist() == [0, 2]
    with pytest.raises(Refusal, match=r"the likeliest has 0\.9$"):
        starter("relabeler")(label, probabilities, least=0.99)


def test_every_starter_is_imported_like_any_plugin_folder():
    """No starter leans on a package: each file can be copied anywhere."""
    for path in STARTERS.glob("*/*.py"):
        spec = importlib.util.spec_from_file_location(f"copied_{path.stem}", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
