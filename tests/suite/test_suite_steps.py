"""Contenders, terms, recipes, schedules and the training settings that each fit ends up with."""

import pytest
from toysuite import GOOD, changed, steps

from kdbench.nouns import Compress, Fit, Load, Start, Term, Train, Use

CE, KD = Use("toy_ce", {}), Use("toy_kd", {"temperature": 4.0, "side": "forward"})
NET = {"depth": 8, "width": 16, "act": "relu", "scale": 1.0}


@pytest.fixture
def made(read):
    """The steps of the contender `none`."""
    return lambda text, *overrides: read(steps(text), *overrides).tasks[0].contenders[1].steps


def test_the_good_suite_is_complete(read):
    suite = read(GOOD)
    (task,) = suite.tasks
    assert (suite.name, suite.seeds, task.name, suite.resamples, suite.min_group) == ("demo", (0, 1), "toy_digits", 1000, 30)
    assert suite.axes == (Use("toy_accuracy", {}), Use("toy_ece", {"bins": 15, "scheme": "width"}))
    assert suite.targets == (Use("toy_cpu", {"threads": 1}),)
    assert task.data.dataset == Use("toy_digits", {"noisy": False})
    assert task.teacher.steps == (Fit((Term(CE),), Train(), Use("toy_net", {**NET, "depth": 20}), recipe="toy_scratch"),)
    assert task.contenders[0].steps == (Fit((Term(KD),), Train(), Use("toy_net", NET)),)


def test_a_bare_name_is_the_published_recipe_with_its_training(made):
    (fit,) = made("[fit: toy_kd]")
    assert fit.terms == (Term(CE, 0.1), Term(KD, 0.9))
    assert (fit.recipe, fit.train.epochs, fit.train.nesterov) == ("toy_kd", 7, True)


def test_a_method_without_recipe_counts_alone(made):
    (fit,) = made("[fit: toy_hint]")
    assert fit.terms == (Term(Use("toy_hint", {"power": 2.0, "layers": 3, "margin": None, "alpha": 0.5})),)
    assert fit.recipe == "toy_hint"


def test_own_terms_have_no_recipe_and_keep_the_training(made):
    (fit,) = made("[fit: {toy_kd: {weight: 0.9, temperature: 4}, toy_ce: 0.1}]")
    assert fit.terms == (Term(KD, 0.9), Term(CE, 0.1))
    assert (fit.recipe, fit.train) == ("", Train())


def test_settings_of_training_go_from_the_outside_in(read):
    text = GOOD.split("data:", 1)[0] + (
        "train: {epochs: 2, batch: 32, lr: 0.5, views: [toy_flip]}\n"
        "tasks:\n"
        "  one:\n"
        "    data: toy_digits\n"
        "    teacher: {model: toy_net, fit: toy_scratch, train: {epochs: 4}}\n"
        "    student: toy_net\n"
        "    train: {batch: 16, nesterov: false}\n"
        "    contenders:\n"
        "      plain: [fit: toy_scratch]\n"
        "      paper: [fit: toy_kd]\n"
        "      own: [{fit: toy_kd, train: {epochs: 9, views: []}}]\n"
    )
    task = read(text).tasks[0]
    fits = {row.name: row.steps[0].train for row in task.rows()}
    assert {name: (t.epochs, t.batch, t.lr, t.nesterov, len(t.views)) for name, t in fits.items()} == {
        "teacher": (4, 16, 0.5, False, 1),
        "plain": (2, 16, 0.5, False, 1),
        "paper": (7, 16, 0.5, True, 1),
        "own": (9, 16, 0.5, True, 0),
    }
    assert fits["plain"].views == (Use("toy_flip", {"share": 0.5}),)


def test_weights_and_numbers_may_be_schedules(made):
    kd = "{weight: {from: 1, to: 0}, temperature: {from: 5, to: 1, shape: cosine, stop: 0.5}}"
    (fit,) = made(f"[fit: {{toy_kd: {kd}, toy_ce: {{from: 0, to: 1}}}}]")
    full = {"shape": "linear", "start": 0.0, "stop": 1.0}
    assert fit.terms[0].weight == {"from": 1.0, "to": 0.0, **full}
    assert fit.terms[0].method.params["temperature"] == {"from": 5.0, "to": 1.0, "shape": "cosine", "start": 0.0, "stop": 0.5}
    assert fit.terms[1] == Term(CE, {"from": 0.0, "to": 1.0, **full})
    (fit,) = made("[fit: {toy_hint: {margin: {from: 1, to: 2}, layers: {from: 1, to: 3}}}]")
    assert fit.terms[0].method.params["margin"] == {"from": 1.0, "to": 2.0, **full}
    assert fit.terms[0].method.params["layers"] == {"from": 1, "to": 3, **full}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{from: 5}", "the key 'to' is missing"),
        ("{from: 5, to: 0}", "found 0 (allowed: a number above 0)"),
        ("{from: 5, to: 1, shape: cubic}", "(allowed: linear, cosine, exponential)"),
        ("{from: 5, to: 1, start: 0.6, stop: 0.5}", "start below stop"),
        ("{from: 5, to: 1, end: 1}", "unknown key 'end'"),
        ("{from: .nan, to: 1}", "found .nan"),
        ("[5, 1]", "found a list (allowed: a number above 0)"),
    ],
)
def test_bad_schedules_are_refused(value, words, refusal):
    said = refusal(steps(f"[fit: {{toy_kd: {{temperature: {value}}}}}]"))
    assert "contenders.none.fit.toy_kd.temperature" in said
    assert words in said


def test_an_exponential_schedule_cannot_reach_zero(refusal):
    said = refusal(steps("[fit: {toy_kd: {weight: {from: 1, to: 0, shape: exponential}}}]"))
    assert "both above 0 or both below 0" in said


def test_schedules_are_for_methods_only(refusal):
    said = refusal(steps("[fit: toy_scratch, compress: {toy_prune: {sparsity: {from: 0.1, to: 0.9}}}]"))
    assert "compress.toy_prune.sparsity: found a mapping (allowed: a number above 0 and below 1)" in said


def test_every_kind_of_step(made, tmp_path):
    (tmp_path / "mine").mkdir()
    start, compress, fit = made(
        "[start: teacher, compress: {toy_prune: {sparsity: 0.9}}, {fit: toy_scratch, train: {epochs: 3}}]"
    )
    assert (start, compress) == (Start("teacher"), Compress(Use("toy_prune", {"sparsity": 0.9})))
    assert (fit.model, fit.train.epochs) == (None, 3)
    (load,) = made("[load: ./mine]")
    assert load == Load(str(tmp_path / "mine"))
    (fit,) = made("[{fit: toy_kd, teacher: kd, model: {toy_net: {depth: 14}}}]")
    assert (fit.teacher, fit.model) == ("kd", Use("toy_net", {**NET, "depth": 14}))


@pytest.mark.parametrize("teacher", ["{load: ./mine}", "{steps: [load: ./mine]}"])
def test_a_teacher_may_be_loaded(teacher, read, tmp_path):
    (tmp_path / "mine").mkdir()
    suite = read(changed("{model: toy_net, depth: 20, fit: toy_scratch}", teacher))
    assert suite.tasks[0].teacher.steps == (Load(str(tmp_path / "mine")),)


@pytest.mark.parametrize(
    "teacher",
    [
        "{model: {toy_net: {depth: 20}}, fit: toy_scratch}",
        "{model: {model: toy_net, depth: 20}, fit: toy_scratch}",
        "{model: toy_net, depth: 20, fit: toy_scratch, train: {}}",
        "{steps: [{fit: toy_scratch, model: {model: toy_net, depth: 20}}]}",
    ],
)
def test_a_model_may_be_written_in_several_ways(teacher, read):
    assert read(changed("{model: toy_net, depth: 20, fit: toy_scratch}", teacher)) == read(GOOD)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[]", "contenders.none", "at least one of start, load, relabel, fit, compress"),
        ("fit", "contenders.none", "the text 'fit' (allowed: a list of steps"),
        ("{fit: toy_kd}", "contenders.none", "found a mapping (allowed: a list of steps"),
        ("[toy_kd]", "contenders.none.0", "exactly one of start, load, relabel, fit, compress"),
        ("[fit: toy_kd, train: {epochs: 3}]", "contenders.none.1", "braces keep keys together"),
        ("[{fit: toy_kd, start: teacher}]", "contenders.none.0", "exactly one of"),
        ("[{fit: toy_kd, epochs: 3}]", "contenders.none.epochs", "unknown key 'epochs'"),
        ("[{start: teacher, train: {}}]", "contenders.none.train", "unknown key 'train'"),
        ("[fit: {toy_ce: 1, train: {epochs: 3}}]", "contenders.none.fit.train", "stands beside fit"),
        ("[fit: {}]", "contenders.none.fit", "at least one method"),
        ("[fit: ]", "contenders.none.fit", "nothing (null)"),
        ("[fit: {toy_ce: }]", "contenders.none.fit.toy_ce", "nothing (null)"),
        ("[fit: {toy_ce: .inf}]", "contenders.none.fit.toy_ce", "found .inf"),
        ("[fit: {toy_ce: true}]", "contenders.none.fit.toy_ce", "found true"),
        ("[fit: {toy_ce: {weight: heavy}}]", "contenders.none.fit.toy_ce.weight", "the text 'heavy'"),
        ("[fit: {toy_ce: {start: 0.9, stop: 0.1}}]", "contenders.none.fit.toy_ce", "start below stop"),
        ("[fit: {toy_ce: {stop: 2}}]", "contenders.none.fit.toy_ce.stop", "at most 1"),
        ("[fit: toy_kdd]", "contenders.none.fit", "did you mean 'toy_kd'?"),
        ("[fit: {toy_kdd: 1}]", "contenders.none.fit.toy_kdd", "did you mean 'toy_kd'?"),
        ("[fit: toy_gone]", "recipe.toy_nothing", "no method named 'toy_nothing'"),
        ("[fit: toy_taken]", "toy_taken.py", "another meaning in a suite"),
        ("[{fit: toy_kd, recipe: toy_scratch}]", "contenders.none.recipe", "not the recipe of 'toy_scratch'"),
        ("[{fit: {toy_ce: 2}, recipe: toy_scratch}]", "contenders.none.recipe", "not the recipe of 'toy_scratch'"),
        ("[fit: toy_scratch, compress: toy_prune]", "contenders.none.compress", "needs the key 'sparsity'"),
        ("[fit: toy_scratch, compress: {toy_prune: {sparsity: 1}}]", "compress.toy_prune.sparsity", "above 0 and below 1"),
        ("[fit: toy_scratch, compress: {toy_int8: {}, toy_prune: {}}]", "contenders.none.compress", "a mapping with 2 keys"),
        ("[load: ./nowhere]", "contenders.none.load", "no such file or folder"),
        ("[load: 'https://example.org/x']", "contenders.none.load", "is a URL"),
        ("[load: /dev/null]", "contenders.none.load", "not a regular file or folder"),
        ("[{fit: toy_scratch, model: toy_strange}]", "contenders.none.model", "toy_strange.py: parameter 'thing'"),
        ("[{fit: toy_scratch, model: toy_default}]", "contenders.none.model", "toy_default.py: default of 'depth': found 0"),
        ("[{fit: toy_scratch, train: {optimizer: sdg}}]", "none.train.optimizer", "did you mean 'sgd'? (allowed: sgd, "),
        ("[{fit: toy_scratch, train: {epochs: -1}}]", "none.train.epochs", "found -1 (allowed: a whole number from 0)"),
        ("[{fit: toy_scratch, train: {batch: 0.5}}]", "none.train.batch", "found 0.5 (allowed: a whole number from 1)"),
        ("[{fit: toy_scratch, train: {lr: 0}}]", "contenders.none.train.lr", "found 0 (allowed: a number above 0)"),
        ("[{fit: toy_scratch, train: {schedule: cyclic}}]", "none.train.schedule", "constant, cosine, linear, step"),
        ("[{fit: toy_scratch, train: {select: best}}]", "contenders.none.train.select", "best_validation"),
        ("[{fit: toy_scratch, train: {precision: fp16}}]", "contenders.none.train.precision", "fp32, bf16"),
        ("[{fit: toy_scratch, train: {momentum: 1.1}}]", "contenders.none.train.momentum", "at most 1"),
        ("[{fit: toy_scratch, train: {warmup: -0.1}}]", "contenders.none.train.warmup", "from 0"),
        ("[{fit: toy_scratch, train: {clip: 0}}]", "contenders.none.train.clip", "a number above 0 or null"),
        ("[{fit: toy_scratch, train: {views: [toy_flop]}}]", "contenders.none.train.views.0", "did you mean 'toy_flip'?"),
    ],
)  # fmt: skip
def test_bad_steps_are_refused(text, path, words, refusal):
    said = refusal(steps(text))
    assert said.startswith("suite.yaml:10:")
    assert "\n" not in said
    assert f"{path}: " in said
    assert words in said


def test_no_model_at_all_is_refused(refusal):
    said = refusal(GOOD.replace("student: {model: toy_net}\n", ""))
    assert len(said.splitlines()) == 2
    assert "contenders.kd: no model to train (allowed: model beside fit, or a student for the task)" in said


def test_errors_of_several_places_are_collected(refusal):
    said = refusal(changed("4.0", "0").replace("toy_ece", "toy_ecee") + "resamples: many\n")
    paths = {line.split(": ")[1] for line in said.splitlines()}
    assert paths == {"axes.1", "resamples", "contenders.kd.fit.toy_kd.temperature"}


def test_many_errors_are_cut(refusal):
    said = refusal(GOOD + "".join(f"key{i}: 1\n" for i in range(50)))
    assert len(said.splitlines()) == 21
    assert said.endswith("... and 30 more")
