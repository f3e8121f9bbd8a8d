"""`--set path=value`."""

import pytest
from toysuite import GOOD, changed

TASKS = (
    GOOD.split("data:", 1)[0]
    + "tasks:\n  digits:\n"
    + "".join(f"    {line}\n" for line in ("data:" + GOOD.split("data:", 1)[1]).splitlines())
)


@pytest.mark.parametrize(
    ("option", "old", "new"),
    [
        ("seeds=[3]", "[0, 1]", "[3]"),
        ("seeds.1=7", "[0, 1]", "[0, 7]"),
        ("suite=other", "demo", "other"),
        ("contenders.kd.fit.toy_kd.temperature=8", "4.0", "8"),
        ("contenders.kd.0.fit.toy_kd.temperature=8", "4.0", "8"),
        ("contenders.kd.fit.toy_kd.temperature={from: 5, to: 1}", "4.0", "{from: 5, to: 1}"),
        ("contenders.none.train.lr=1e-3", "none: [fit: toy_scratch]", "none: [{fit: toy_scratch, train: {lr: 0.001}}]"),
        ("contenders.none=[fit: toy_kd]", "none: [fit: toy_scratch]", "none: [fit: toy_kd]"),
        ("contenders.more=[fit: toy_kd]", "none: [fit: toy_scratch]", "none: [fit: toy_scratch]\n  more: [fit: toy_kd]"),
        ("data.limit.train=10", "{dataset: toy_digits}", "{dataset: toy_digits, limit: {train: 10}}"),
        ("teacher.depth=14", "20", "14"),
        ("axes=toy_ece", "[toy_accuracy, toy_ece]", "[toy_ece]"),
        ("axes.1.toy_ece.bins=10", "toy_ece", "{toy_ece: {bins: 10}}"),
        (" train.epochs = 3", "contenders:", "train: {epochs: 3}\ncontenders:"),
    ],
)  # fmt: skip
def test_an_override_is_as_if_it_stood_in_the_file(option, old, new, read):
    base = changed("toy_ece]", "{toy_ece: {bins: 15}}]") if "toy_ece.bins" in option else GOOD
    assert read(base, option) == read(changed(old, new))


def test_a_task_is_named_by_its_path(read):
    suite = read(TASKS, "tasks.digits.train.epochs=3")
    assert {row.steps[0].train.epochs for row in suite.tasks[0].rows()} == {3}


def test_a_name_with_dots_is_found(read):
    text = changed("none:", "v1.5:")
    assert read(text, "contenders.v1.5=[fit: toy_kd]").tasks[0].contenders[1].steps[0].recipe == "toy_kd"
    assert read(text, "contenders.v1.5.train.epochs=2").tasks[0].contenders[1].steps[0].train.epochs == 2


def test_the_same_override_twice_is_one(read, refusal):
    assert read(GOOD, "seeds=[3]", "seeds=[3]").seeds == (3,)
    assert refusal(GOOD, "seeds=[3]", "seeds=[4]") == "--set seeds=[4]: seeds is set twice, to different values"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("sedes=[3]", "sedes: unknown key 'sedes'; did you mean 'seeds'?"),
        ("trian.epochs=3", "trian: unknown key 'trian'; did you mean 'train'?"),
        ("train.epoch=3", "train.epoch: unknown key 'epoch'; did you mean 'epochs'?"),
        ("train.epochs=-1", "train.epochs: found -1"),
        ("train.epochs=010", "010 is read as different numbers"),
        ("train.epochs=", "no value after '='"),
        ("train.epochs", "no path=value"),
        ("=3", "no path=value"),
        ("seeds=[0, 0]", "seeds.1: the seed 0 is given twice"),
        ("seeds.5=1", "seeds.5: no such element (allowed: 0 to 1)"),
        ("seeds.first=1", "seeds.first: no element has the key 'first'"),
        ("seeds=[1", "not YAML"),
        ("seeds=&a [1]", "anchors"),
        ("seeds=!!python/name:os.system ''", "tags"),
        ("suite=a\x1b[31m", "U+001B"),
        ("contenders.kdd.fit=toy_kd", "contenders.kdd: no 'kdd' in contenders; did you mean 'kd'?"),
        (
            "contenders.none.fit.toy_kd.temperature=3",
            "contenders.none.fit: found the text 'toy_scratch', which has no key 'toy_kd'",
        ),
        ("contenders.kd.fit.toy_kd.temprature=3", "did you mean 'temperature'?"),
        ("tasks.toy_digits.train.epochs=3", "one task, without 'tasks'"),
        ("." * 100 + "=3", "too deep"),
        ("gates=[{metric: toy_accuracy, at_least: 95}]", "gates.0.at_least: found 95"),
    ],
)
def test_bad_overrides_are_refused_and_name_the_option(option, words, refusal):
    said = refusal(GOOD, option)
    assert said.startswith("--set ")
    assert words in said
    assert said.isprintable()


def test_an_unknown_task_on_the_way_is_refused(refusal):
    assert "tasks.digts: no 'digts' in tasks; did you mean 'digits'?" in refusal(TASKS, "tasks.digts.train.epochs=3")


def test_paths_of_overrides_start_at_the_folder_of_the_suite(read, tmp_path):
    (tmp_path / "mine").mkdir()
    assert read(GOOD, "contenders.none=[load: mine]").tasks[0].contenders[1].steps[0].path == str(tmp_path / "mine")
