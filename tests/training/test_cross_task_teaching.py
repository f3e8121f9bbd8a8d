"""Students of a table taught by a reader of texts about the same people: joined by id, as numpy does; leaks are refused."""

import importlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from kdbench.nouns import Refusal, Use
from kdbench.plan import plan
from kdbench.stages import Place, artefacts, other_task, samples
from kdbench.store import Store
from kdbench.suite import load

SUITE = """
suite: people
seeds: [0]
targets: [torch_cpu]
axes: [accuracy]
train: {epochs: 1, batch: 500, optimizer: adamw, lr: 0.01}
tasks:
  measured:
    data: {dataset: table, path: table.csv, id: id, label: label, split: split}
    teacher: {model: mlp, width: 4, fit: scratch}
    student: {model: mlp, width: 8}
    contenders:
      far: [{fit: {kd: {temperature: 2}}, teacher: told/TEACHER}]
      start: [{fit: ce, train: {epochs: 0}}]
      hint: [{fit: {ce: 1, fitnets: {weight: 1, hint: 1}}, teacher: told/teacher}]
      MORE
  told:
    data: {dataset: texts, path: texts.csv, id: id, split: split, tokenizer: {words: {}}, length: 8}
    teacher: {model: bag_of_embeddings, embedding: 8, fit: scratch, train: {epochs: 20}}
    student: {model: bag_of_embeddings, embedding: 4}
    contenders:
      second: [{fit: {kd: 1}, teacher: third/teacher}]
  third:
    data: {dataset: texts, path: third.csv, id: id, split: split, tokenizer: {words: {}}, length: 8}
    teacher: {model: bag_of_embeddings, embedding: 8, fit: scratch}
    student: {model: bag_of_embeddings, embedding: 4}
    contenders:
      plain: [fit: scratch]
"""
N = 90
SPLITS = np.array(["train"] * 60 + ["validation"] * 12 + ["test"] * 18)


def frames():
    """A table and texts about the same people, told apart by words or by numbers; the texts are more, in another order."""
    rng = np.random.default_rng(0)
    label = np.array(["no", "yes"])[np.arange(N) % 2]
    ids = np.array([f"person {i:02d}" for i in range(N)])
    table = pd.DataFrame({"id": ids, "label": label, "split": SPLITS})
    table["a"], table["b"] = rng.normal(size=N) + 4 * (label == "yes"), rng.normal(size=N)
    words = [f"{'glad' if one == 'yes' else 'sad'} {rng.choice(['left', 'right'])} n{i}" for i, one in enumerate(label)]
    texts = pd.DataFrame({"id": ids, "text": words, "label": label, "split": SPLITS})
    extra = pd.DataFrame({"id": ["more 1", "more 2"], "text": ["sad m1", "glad m2"], "label": ["no", "yes"], "split": "train"})
    texts = pd.concat([texts, extra]).sample(frac=1, random_state=1)
    return table, texts


class World:
    """A folder with the two files, and the jobs of the suite run in this process."""

    def __init__(self, folder, found):
        self.folder, self.found, self.store = folder, found, Store(folder / "store")
        self.table, self.texts = frames()
        self.third = self.texts.copy()

    def fit(self, contender="far", teacher="teacher", more=""):
        """The entry of a contender's last fit, with all that it needs made before it; and the plan."""
        for name in ("table", "texts", "third"):
            getattr(self, name).to_csv(self.folder / f"{name}.csv", index=False)
        path = self.folder / "suite.yaml"
        path.write_text(SUITE.replace("TEACHER", teacher).replace("MORE", more or "plain: [fit: scratch]"), encoding="utf-8")
        made = plan(load(path, self.found), self.found)
        (cell,) = [c for c in made.cells if (c.task, c.contender, c.evidence) == ("measured", contender, "cost")]
        return self.make(made, cell.key), made

    def make(self, made, key):
        job = made.job(key)
        inputs = {role: self.make(made, need) for role, need in job.needs.items()}
        if not self.store.has(key):
            with self.store.write(job) as draft:
                importlib.import_module(f"kdbench.stages.{job.stage}").run(job, inputs, draft, Place(self.found, self.store))
        return self.store.open(key)

    def refused(self, **how):
        with pytest.raises(Refusal) as caught:
            self.fit(**how)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def world(tmp_path, found):
    return World(tmp_path, found)


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def test_a_reader_of_texts_teaches_a_student_of_numbers_as_numpy_joins_them(world):
    """One step over all rows: its loss is KL(teacher, untrained student), whose rows numpy looks up one by one by their names."""
    entry, made = world.fit()
    job = made.job(entry.key)
    outputs, data = (world.store.open(job.needs[role]) for role in ("outputs", "data"))
    said = dict(zip(outputs.array("ids.npy").tolist(), np.asarray(outputs.array("logits.npy"), np.float64), strict=True))
    rows = samples.read(data, "train")
    assert rows.ids.tolist() != [one for one in outputs.array("ids.npy").tolist() if not one.startswith("more")]
    assert len(said) == 62
    student = artefacts.read(world.fit("start")[0], world.found).module
    with torch.no_grad():
        z = student(*(torch.from_numpy(rows.x[name]) for name in ("numeric", "categorical"))).double().numpy()
    t = 2.0
    p, q = log_softmax(np.stack([said[one] for one in rows.ids.tolist()]) / t), log_softmax(z / t)
    expected = t**2 * (np.exp(p) * (p - q)).sum(axis=1).mean()
    record = entry.json("record.json")
    assert record["history"][0]["terms"]["kd"] == pytest.approx(expected, rel=1e-5)
    in_order = log_softmax(np.stack(list(said.values())[: len(z)]) / t)
    by_place = t**2 * (np.exp(in_order) * (in_order - q)).sum(axis=1).mean()
    assert abs(by_place / expected - 1) > 0.01, "a join by place would have another loss"
    assert record["parity"]["teacher"] == "recorded"
    assert record["teacher_passes"] == 62
    assert record["notes"][:2] == [
        "taught by answers to another task's rows, joined by id", "the teacher learned from none of the held-out rows here"
    ]  # fmt: skip


def test_the_teacher_told_apart_what_it_taught(world):
    """It never saw a number, and the student no word: what the student knows at the end came over by name."""
    more = "long: [{fit: {kd: {temperature: 2}}, teacher: told/teacher, train: {epochs: 60}}]"
    entry, made = world.fit("long", more=more)
    rows = samples.read(world.store.open(made.job(entry.key).needs["data"]), "train")
    with torch.no_grad():
        module = artefacts.read(entry, world.found).module
        pred = module(*(torch.from_numpy(rows.x[name]) for name in ("numeric", "categorical"))).argmax(1).numpy()
    assert (pred == rows.y).mean() > 0.8


def test_features_may_cross_over_where_they_were_recorded(world):
    """A hint from the pooled embedding of the text, through a projection of its own."""
    entry, made = world.fit("hint")
    assert "fitnets" in entry.json("record.json")["history"][0]["terms"]
    assert made.job(made.job(entry.key).needs["outputs"]).spec == {"taps": True}


def test_a_suite_that_nobody_validated_still_has_no_live_teacher_from_elsewhere(world):
    """Made in Python, with a view that changes the examples: the plan offers no network, and the fit says why it needs one."""
    world.fit()
    suite = load(world.folder / "suite.yaml", world.found)
    task = suite.tasks[0]
    step = task.contenders[0].steps[0]
    mixed = replace(task.contenders[0], steps=(replace(step, train=replace(step.train, views=(Use("mixup", {"alpha": 1.0}),))),))
    made = plan(replace(suite, tasks=(replace(task, contenders=(mixed,)), *suite.tasks[1:])), world.found)
    (cell,) = [c for c in made.cells if (c.task, c.contender, c.evidence) == ("measured", "far", "cost")]
    assert "teacher" not in made.job(cell.key).needs
    with pytest.raises(Refusal, match="because view 'mixup' changes the examples, and that of another task reads other rows"):
        world.make(made, cell.key)


def planted(texts, split, n=1, of="test"):
    """The same texts with the first n test rows in another split."""
    ids = sorted(texts.loc[texts["split"] == of, "id"])[:n]
    texts.loc[texts["id"].isin(ids), "split"] = split
    return ids


@pytest.mark.parametrize(
    ("split", "of", "said"),
    [
        ("train", "test", "was trained on 3 of the 18 test rows of this task"),
        ("validation", "test", "was trained or chosen on 3 of the 18 test rows of this task"),
        ("train", "validation", "was trained on 3 of the 12 validation rows of this task"),
    ],
)
def test_a_teacher_that_has_seen_the_answers_is_refused_with_their_number(world, split, of, said):
    ids = planted(world.texts, split, 3, of)
    found = world.refused()
    assert found.startswith("fit: leak: the teacher, of another task, ")
    assert said in found
    assert f"(first: {ids[0]})" in found


def test_a_leak_is_seen_through_the_teacher_of_a_teacher(world):
    """`told` holds the test out; the third task, whose teacher taught the one of `told`, does not."""
    assert world.fit(teacher="second")[0].json("record.json")["parity"]["teacher"] == "recorded"
    ids = planted(world.third, "train", 2)
    world.texts = world.texts[~world.texts["id"].isin(ids)]
    assert "was trained on 2 of the 18 test rows" in world.refused(teacher="second")


def test_training_examples_that_the_other_task_lacks_are_counted(world):
    gone = sorted(world.texts.loc[world.texts["split"] == "train", "id"])[5:9]
    world.texts = world.texts[~world.texts["id"].isin(gone)]
    said = f"the training rows of the teacher's task lack 4 of 60 training examples here (first: {gone[0]})"
    assert said in world.refused()


def test_rows_that_share_an_id_and_not_a_label_are_no_twins(world):
    """Row numbers of two unlike files would be joined without a sound."""
    world.texts["label"] = ["yes" if one == "no" and i % 9 == 0 else one for i, one in enumerate(world.texts["label"])]
    merged = world.texts.merge(world.table, on="id")
    wrong = int((merged["label_x"] != merged["label_y"]).sum())
    assert wrong > 0
    found = world.refused()
    assert f"{wrong} of 90 rows that share an id have another label in the teacher's task (first: person " in found
    assert found.endswith(": 'no' here, 'yes' there); equal ids must mean equal examples")


class Rows:
    """An entry of samples, as far as the check of another task's rows reads it."""

    def __init__(self, ids, split, y, classes=(), target=None):
        self.meta = {"classes": list(classes), "answer": "vector"}
        self.held = {"ids.npy": np.array(ids), "split.npy": np.array(split, np.int8), "y.npy": np.array(y)}
        self.held |= {} if target is None else {"more.target.npy": np.array(target)}

    def json(self, name):
        return self.meta

    def array(self, name):
        return self.held[name]

    def names(self):
        return tuple(self.held)


SPLIT = [0, 0, 0, 0, 2, 2]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"y": [0, 1, 0, 1, 0, 1], "classes": "ab"}, {"y": [1, 1, 0, 1, 0, 1], "classes": "ab"}),
        ({"y": [-1] * 6, "target": [1.0, 2, 3, 4, 5, 6]}, {"y": [-1] * 6, "target": [1.5, 2, 3, 4, 5, 6]}),
    ],
)
def test_vectors_of_other_examples_under_equal_ids_are_refused(mine, theirs):
    """Answers in vectors have labels, or given similarities, that tell whether rows of one number are one example."""
    rows = Rows(range(6), SPLIT, **mine)
    there = Rows(range(6), SPLIT, **theirs)
    with pytest.raises(Refusal, match="1 of 6 rows that share an id have another label in the teacher's task .first: 0: "):
        other_task.check({"data": rows, "other_task": there, "saw_0": there}, True)
    assert other_task.check({"data": rows, "other_task": rows, "saw_0": rows}, True)[1:] == (other_task.KEPT,)


def test_a_loaded_teacher_is_not_said_to_be_innocent_and_ids_alone_are_no_proof():
    rows = Rows(range(6), SPLIT, [-1] * 6)
    found = other_task.check({"data": rows, "other_task": rows}, False)
    assert found[1:] == (other_task.NOT_KNOWN, other_task.IDS_ALONE)
    assert not any("learned from none" in note for note in found)


def test_places_of_a_text_do_not_cross_over():
    inputs, wide = {"other_task": object()}, [np.zeros((4, 6, 8))]
    with pytest.raises(Refusal, match="features of tokens cannot come from another task"):
        other_task.by_places(inputs, wide, tokens=True)
    other_task.by_places(inputs, wide, tokens=False)
    other_task.by_places(inputs, [np.zeros((4, 8))], tokens=True)
    other_task.by_places({}, wide, tokens=True)


def test_a_teacher_of_other_classes_is_refused_by_their_names(world):
    world.texts["label"] = world.texts["label"].replace("yes", "maybe")
    assert "'maybe'" in world.refused()


def test_new_labels_of_the_student_are_no_strangers(world):
    """Relabelled training rows have other labels by intent; the rows that were held out still must agree."""
    more = "again: [{relabel: pseudo_labels}, {fit: {kd: 1}, teacher: told/teacher}]"
    entry, _ = world.fit("again", more=more)
    assert entry.json("record.json")["parity"]["teacher"] == "recorded"
    world.texts.loc[world.texts["id"] == "person 89", "label"] = "no"
    assert "1 of 30 rows that share an id have another label" in world.refused(contender="again", more=more)
