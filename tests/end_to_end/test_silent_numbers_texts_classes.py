"""Files of texts whose classes, order or columns elsewhere gave a wrong number without a word: refused, or said on the board.

The numbers in the names are those of a catalogue of such inputs. From the user's file to the board, no part left out.
"""

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score
from text_boards import CLASSES, LANGUAGE, World, answers, row, said, sentences, table

from kdbench.nouns import Job
from kdbench.stages import samples


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def labelled(rows, label=lambda i: ("neg", "pos")[i % 2], **columns):
    """The rows with a label, and further columns: functions of the place."""
    return [{**one, "label": label(i), **{name: of(i) for name, of in columns.items()}} for i, one in enumerate(rows)]


def asked(world, rows, *, wrong=0, **words):
    """Writes mine.csv and the answers of a file that is wrong about the first rows of the test; the board."""
    table(world.folder / "mine.csv", rows)
    classes = sorted({one["label"] for one in rows})
    miss = {one["id"] for one in [one for one in rows if one.get("split", "test") == "test"][:wrong]}
    other = {name: classes[(i + 1) % len(classes)] for i, name in enumerate(classes)}
    says = answers(rows, lambda _, one: other[one["label"]] if one["id"] in miss else one["label"], classes)
    table(world.folder / "teacher.csv", says)
    return world.board(CLASSES, **words)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_25_texts_of_one_class_are_refused_and_a_probe_of_one_class_is_said(world, ending):
    """All that a model says of them is right or all is wrong, and AUROC has nothing to compare."""
    suite = CLASSES.replace("mine.csv", f"mine{ending}")
    table(world.folder / "teacher.csv", answers(rows := labelled(sentences(40))))
    for label, classes, why in (
        ("pos", "", "classes ['pos']: at least two different classes are needed"),
        ("pos", "classes: [neg, pos]", "train holds one class only, 'pos'"),
    ):
        table(world.folder / f"mine{ending}", [{**one, "label": label} for one in rows])
        assert why in world.refused(suite, DATA=classes)
    table(world.folder / f"mine{ending}", rows)
    table(world.folder / f"other{ending}", [{**one, "label": "pos"} for one in sentences(20, "o", 1)])
    probe = f"probes: [{{texts: {{path: other{ending}, id: id, classes: [neg, pos]}}}}]"
    board = world.board(suite, PROBES=probe, CONTENDER="fit: scratch", AXES="accuracy, auroc")
    assert "all rows have the class 'pos': a model that says nothing else is always right" in said(board)
    found = row(board, task="texts on texts", contender="student", metric="auroc")
    assert (found["status"], found["reason"]) == ("undefined", "one class only among 20 labels")


def test_27_texts_of_a_class_that_is_in_one_split_alone(world):
    """Of the test alone: nobody can know it. Of train alone: what an average over classes makes of it is that of scikit-learn."""
    split = np.repeat(["train", "validation", "test"], [30, 15, 15])
    rows = labelled(sentences(60), lambda i: ("neg", "pos", "odd")[i % 3], split=lambda i: str(split[i]))
    table(world.folder / "teacher.csv", answers(rows, classes=("neg", "odd", "pos")))
    table(world.folder / "mine.csv", [one for one in rows if one["label"] != "odd" or one["split"] == "test"])
    assert "class 'odd' has 5 test rows and no train row; no model can know it" in world.refused(CLASSES, DATA="split: split")
    kept = [one for one in rows if one["label"] != "odd" or one["split"] != "test"]
    board = asked(world, kept, wrong=3, DATA="split: split", AXES="macro_f1, balanced_accuracy")
    assert "texts: no test row has the class 'odd': averages over classes leave it out, or count 0 where it is decided" in said(
        board
    )
    truth = [one["label"] for one in kept if one["split"] == "test"]
    decided = [{"neg": "odd", "pos": "neg"}[label] if i < 3 else label for i, label in enumerate(truth)]
    expected = {
        "macro_f1": f1_score(truth, decided, average="macro"),  # a class that is decided and never there has 0
        "balanced_accuracy": recall_score(truth, decided, labels=["neg", "pos"], average="macro"),
    }
    for metric, value in expected.items():
        found = row(board, contender="student", metric=metric)
        assert found["value"] == pytest.approx(value)
        assert "no labels of odd" in found["reason"]


def test_27_a_class_that_a_probe_of_texts_lacks_is_said(world):
    rows = labelled(sentences(60), lambda i: ("neg", "pos", "odd")[i % 3])
    table(world.folder / "mine.csv", rows)
    table(world.folder / "teacher.csv", answers(rows, classes=("neg", "odd", "pos")))
    table(world.folder / "other.csv", labelled(sentences(20, "o", 1)))
    board = world.board(CLASSES, PROBES="probes: [{texts: {path: other.csv, id: id}}]", CONTENDER="fit: scratch")
    assert (
        "texts on texts: no row has the class 'odd': averages over classes leave it out, or count 0 where it is decided"
        in said(board)
    )


@pytest.mark.parametrize("suite", [CLASSES, LANGUAGE], ids=["class", "next"])
@pytest.mark.parametrize(
    ("column", "why"),
    [
        (lambda i: f"g{i}", "group column 'g' has 80 groups in 80 rows; at most 50; is it an id?"),
        (lambda i: i / 7, "group column 'g' is continuous (80 numbers); say bins"),
        (lambda i: 20 + i % 40, "group column 'g' is continuous (40 numbers); say bins"),
    ],
    ids=["35_id", "36_fraction", "36_age"],
)
def test_35_36_groups_of_texts_that_are_ids_or_numbers_are_refused(world, suite, column, why):
    """One row a group: a gap of 1.0."""
    rows = labelled(sentences(80), g=column)
    table(world.folder / "mine.csv", rows)
    table(world.folder / "teacher.csv", answers(rows))
    assert why in world.refused(suite, DATA="groups: [g]")


@pytest.mark.parametrize("suite", [CLASSES, LANGUAGE], ids=["class", "next"])
def test_37_near_equal_names_of_groups_and_classes_of_texts_are_said(world, suite):
    names = ("news", "News", "tale ", "tale")
    rows = labelled(sentences(80), lambda i: ("neg", "pos")[i % 2], genre=lambda i: names[i % 4])
    rows[6]["label"] = rows[10]["label"] = rows[14]["label"] = rows[18]["label"] = rows[22]["label"] = "Neg"
    table(world.folder / "mine.csv", rows)
    table(world.folder / "teacher.csv", answers(rows, classes=("Neg", "neg", "pos")))
    heard = said(world.board(suite, DATA="groups: [genre]", AXES="accuracy" if suite is CLASSES else "bits_per_byte"))
    for pair in (("News", "news"), ("tale", "tale ")):
        assert f"group column 'genre': {pair[0]!r} and {pair[1]!r} are two groups; is one a misspelling?" in heard
    assert ("'Neg' and 'neg' are two classes; is one a misspelling?" in heard) == (suite is CLASSES)


def test_37_classes_of_a_probe_that_differ_in_case_are_not_mixed_up(world):
    """Joined by what they are in lower case, "Neg" would count as "neg"."""
    rows = labelled(sentences(60), lambda i: ("Neg", "neg", "pos")[i % 3])
    other = labelled(sentences(30, "o", 1), lambda i: ("Neg", "neg", "POS")[i % 3])
    for name, of in (("mine", rows), ("other", other)):
        table(world.folder / f"{name}.csv", of)
    table(world.folder / "teacher.csv", answers(rows, classes=("Neg", "neg", "pos")))
    _, made = world.plan(CLASSES, PROBES="probes: [{texts: {path: other.csv, id: id}}]", CONTENDER="fit: scratch")
    (job,) = [job for job in made.jobs if job.stage == "probe"]
    world.make([one for one in made.jobs if one.stage in ("data", "probe")])
    held = samples.raw(world.store.open(job.key), "test")
    assert dict(zip(held.ids.tolist(), held.y.tolist(), strict=True)) == {f"o{i}": i % 3 for i in range(30)}


@pytest.mark.parametrize("suite", [CLASSES, LANGUAGE], ids=["class", "next"])
def test_39_a_group_column_of_texts_that_is_missing_or_of_other_length_is_refused(world, suite):
    rows = labelled(sentences(40), genre=lambda i: "ab"[i % 2])
    table(world.folder / "teacher.csv", answers(rows))
    table(world.folder / "mine.csv", rows)
    assert "no column 'genres'; did you mean 'genre'?" in world.refused(suite, DATA="groups: [genres]")
    whole = (world.folder / "mine.csv").read_text(encoding="utf-8").splitlines()
    torn = [*whole[:7], whole[7].rpartition(",")[0], *whole[8:]]
    (world.folder / "mine.csv").write_text("\n".join(torn) + "\n", encoding="utf-8")
    assert "line 8: 3 cells in a row, 4 names in the header" in world.refused(suite, DATA="groups: [genre]")
    del rows[6]["genre"]
    table(world.folder / "mine.jsonl", rows)
    lacking = world.refused(suite.replace("mine.csv", "mine.jsonl"), DATA="groups: [genre]")
    assert "mine.jsonl: line 7" in lacking
    assert "'genre'" in lacking


@pytest.mark.parametrize("suite", [CLASSES, LANGUAGE], ids=["class", "next"])
def test_47_a_file_of_texts_sorted_by_class_is_split_by_class_and_not_by_its_head(world, suite):
    """Cut by place, the test has one class or genre. Here it is drawn by id: the order of the file changes nothing."""
    n, kinds = 120, ("neg", "odd", "pos")
    rows = sorted(labelled(sentences(n), lambda i: kinds[min(i % 4, 2)]), key=lambda one: one["label"])
    table(world.folder / "teacher.csv", answers(rows, classes=kinds))
    drawn = []
    for of in (rows, rows[::-1]):
        table(world.folder / "mine.csv", of)
        _, made = world.plan(suite)
        (job,) = [job for job in made.jobs if job.stage == "data"]
        world.make([job])
        entry = world.store.open(job.key)
        parts = {split: samples.raw(entry, split).ids.tolist() for split in samples.SPLITS}
        drawn.append({split: sorted(ids) for split, ids in parts.items()})
        label = {one["id"]: one["label"] for one in rows}
        for split, ids in parts.items():
            found = [[label[one] for one in ids].count(kind) / len(ids) for kind in kinds]
            exact = 0.01 if suite is CLASSES else 0.2
            assert found == pytest.approx([0.25, 0.25, 0.5], abs=exact + 1 / len(ids)), split
    assert drawn[0] == drawn[1]
    other = Job(job.stage, {**job.spec, "seed": 1}, job.needs, job.code, job.content, job.runtime)
    assert other.key != job.key
    world.make([other])
    assert sorted(samples.raw(world.store.open(other.key), "test").ids) != drawn[0]["test"]


@pytest.mark.parametrize("place", ["data", "probes"])
def test_39_documents_have_no_label_to_be_grouped_by(world, place):
    """Found by the judge alone, after every model was trained, it was a number of -1 groups."""
    table(world.folder / "mine.csv", labelled(sentences(40)))
    table(world.folder / "other.csv", labelled(sentences(20, "o")))
    words = {
        "data": {"DATA": "groups: [class]"},
        "probes": {"PROBES": "probes: [{texts: {path: other.csv, id: id, answer: next, groups: [class]}}]"},
    }[place]
    assert "found 'class', the label, which no example of 'texts' has" in world.refused(LANGUAGE, AXES="bits_per_byte", **words)
