"""Teachers of texts whose outputs elsewhere were another teacher's, or stood in another order; and texts that were scored twice.

The numbers in the names are those of a catalogue of such inputs. From the user's file on: planned and made as a run does.
"""

import shutil

import numpy as np
import pytest
import tokenizers
import torch
from text_boards import CLASSES, LANGUAGE, World, answers, row, said, sentences, table

from kdbench.stages import artefacts, samples
from kdbench.store import Damaged

TAUGHT = CLASSES.replace("{load: teacher.csv}", "{model: bag_of_embeddings, embedding: 8, fit: scratch}")
SPOKEN = LANGUAGE.replace("fit: scratch]}", "fit: {ce: 0.5, top_k_kd: {weight: 0.5, k: 4}}]}")
RECORDED = [(TAUGHT, "fit: kd", "outputs", "logits"), (SPOKEN, "", "top_k", "log_probability")]


@pytest.fixture
def world(tmp_path):
    table(tmp_path / "mine.csv", labelled(120))
    return World(tmp_path)


def labelled(n, begin="r", seed=0):
    return [{**one, "label": ("neg", "pos")[i % 2]} for i, one in enumerate(sentences(n, begin, seed))]


def job_of(world, suite, stage, **words):
    """The one job of a stage, and all that it stands on, made."""
    jobs = world.plan(suite, **words)[1].jobs
    (found,) = [job for job in jobs if job.stage == stage]
    by_key, wanted, left = {job.key: job for job in jobs}, set(), [found.key]
    while left:
        wanted.add(key := left.pop())
        left += by_key[key].needs.values()
    world.make([job for job in jobs if job.key in wanted])
    return found


@pytest.mark.parametrize(("suite", "fit", "stage", "held"), RECORDED, ids=["class", "next"])
def test_55_all_that_makes_a_teacher_of_texts_is_in_the_key_of_its_record_lm_eval_4063(world, suite, fit, stage, held):
    """lm-eval#4063, #2715: what was asked of the model was in the key of the cache in part. A student's change is in none."""

    def key(*change):
        told = suite.replace(*change, 1) if change else suite
        assert told != suite or not change
        (found,) = [job for job in world.plan(told, CONTENDER=fit)[1].jobs if job.stage == stage]
        return found.key

    model, size = ("embedding: 8", "embedding: 9") if suite is TAUGHT else ("hidden: 8", "hidden: 10")
    tokens = ("tokenizer: words", "tokenizer: byte") if suite is TAUGHT else ("vocabulary: 280", "vocabulary: 290")
    student = suite.partition("student:")[2].partition("\n")[0]
    before = key()
    assert before == key("seeds: [0]", "seeds: [0, 1]") == key(student, student.replace(model, size))
    changes = [(model, size), tokens, ("length: 8", "length: 7"), ("lr: 0.0", "lr: 0.1"), ("epochs: ", "epochs: 1")]
    after = [key(*change) for change in changes]
    table(world.folder / "mine.csv", labelled(120, seed=1))
    assert len({before, *after, key()}) == len(changes) + 2


@pytest.mark.parametrize(("suite", "fit", "stage", "held"), RECORDED, ids=["class", "next"])
def test_55_the_record_of_another_teacher_of_texts_is_not_taken_torchdistill(world, suite, fit, stage, held):
    """torchdistill's CacheableDataset found outputs by the example alone. Planted under another teacher's key they are none."""
    model = ("embedding: 8, fit", "embedding: 9, fit") if suite is TAUGHT else ("hidden: 8", "hidden: 10")
    one = job_of(world, suite, stage, CONTENDER=fit)
    other = job_of(world, suite.replace(*model, 1), stage, CONTENDER=fit)
    first, second = (world.store.open(job.key) for job in (one, other))
    assert first.array("ids.npy").tolist() == second.array("ids.npy").tolist(), "by their ids nobody could tell them apart"
    assert np.abs(first.array(f"{held}.npy").astype(float) - second.array(f"{held}.npy").astype(float)).max() > 1e-3
    own = second.array(f"{held}.npy").copy()
    shutil.rmtree(second.path)
    shutil.copytree(first.path, second.path)
    with pytest.raises(Damaged):
        world.store.open(other.key)
    job_of(world, suite.replace(*model, 1), stage, CONTENDER=fit)
    assert np.array_equal(world.store.open(other.key).array(f"{held}.npy"), own), "it was made again"


def test_55_a_changed_file_of_a_teachers_answers_is_another_teacher(world):
    """The same name, other answers: what was learned from the first ones is not taken for what the second ones teach."""
    rows, jobs = labelled(120), []
    for right in ("pos", "neg"):
        table(world.folder / "teacher.csv", answers(rows, lambda _, one, right=right: right))
        jobs.append([job_of(world, CLASSES, stage, CONTENDER="fit: kd") for stage in ("load", "outputs", "fit")])
    assert all(one.key != other.key for one, other in zip(*jobs, strict=True))
    logits = [world.store.open(of[1].key).array("logits.npy").argmax(axis=1) for of in jobs]
    assert [set(one.tolist()) for one in logits] == [{1}, {0}]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_56_answers_about_texts_in_another_order_teach_and_score_the_same_haitongli_16(world, ending):
    """haitongli/knowledge-distillation-pytorch#16, #17: outputs of the teacher in another order than the batches."""
    rows = labelled(120)
    kept = answers(rows, lambda i, one: one["label"] if i % 7 else {"pos": "neg", "neg": "pos"}[one["label"]])
    order = np.random.default_rng(0).permutation(120)
    found = []
    for of in (kept, [dict(reversed(kept[i].items())) for i in order]):
        table(world.folder / f"teacher{ending}", of)
        suite = CLASSES.replace("teacher.csv", f"teacher{ending}")
        fit = job_of(world, suite, "fit", CONTENDER="fit: kd")
        board = world.board(suite, CONTENDER="fit: kd")
        held = world.store.open(row(board, contender="teacher", metric="accuracy")["evidence"]).arrays("predictions.npz")
        found.append((world.store.open(fit.key).bytes("weights.safetensors"), held["ids"].tolist(), held["logits"].tolist()))
        right = [int(name.removeprefix("r")) % 7 > 0 for name in held["ids"]]
        assert row(board, contender="teacher", metric="accuracy")["value"] == pytest.approx(np.mean(right))
    assert found[0] == found[1]


def test_56_answers_under_the_ids_of_other_texts_are_doubted_haitongli_17(world):
    """haitongli/knowledge-distillation-pytorch#17: everything fits but the rows. An accuracy at chance says so, twice."""
    rows = labelled(120)
    kept = answers(rows)
    moved = [{**one, "id": kept[(i + 1) % 120]["id"]} for i, one in enumerate(kept)]
    table(world.folder / "teacher.csv", moved)
    fit = job_of(world, CLASSES, "fit", CONTENDER="fit: kd")
    assert (
        "the teacher is right on 0.0% of the training labels; chance is 50.0%: permuted?"
        in world.store.open(fit.key).json("record.json")["notes"]
    )
    assert "teacher, seed 0: accuracy 0.000 is at or below chance (0.500): labels permuted?" in said(world.board(CLASSES))


def test_56_texts_that_a_teacher_wrote_are_joined_by_id_whatever_their_order(world):
    """Sequence-level distillation of documents from a file: new text takes the place of the document that has its id."""
    suite = LANGUAGE.replace("fit: scratch]}", "{relabel: teacher_texts}, fit: scratch]}")
    suite = suite.replace("{model: gpt2, layers: 1, hidden: 8, heads: 1, positions: 96, fit: scratch}", "{load: written.jsonl}")
    rows, found = sentences(120), []
    for order in (np.arange(120), np.random.default_rng(0).permutation(120)):
        table(world.folder / "written.jsonl", [{"id": rows[i]["id"], "text": f"said of {rows[i]['id']}"} for i in order])
        job = job_of(world, suite, "relabel", AXES="bits_per_byte")
        held = samples.raw(world.store.open(job.key), "train")
        assert len(held.ids) > 60
        assert held.x["text"][:, 0].tolist() == [f"said of {name.partition('/')[0]}" for name in held.ids]
        found.append(held.ids.tolist())
    assert found[0] == found[1]


def test_60_every_text_is_scored_once_whatever_its_length_pytorch_25162(tmp_path):
    """pytorch#25162, rf-detr#1507, RecBole#1872: a last batch filled up with copies. Texts go by length, 256 at a time."""
    world = World(tmp_path)
    rows = [{**one, "split": "test" if i < 300 else "validation" if i < 320 else "train"} for i, one in enumerate(labelled(400))]
    table(tmp_path / "mine.csv", rows)
    table(tmp_path / "teacher.csv", answers(rows))
    words = {"DATA": "split: split", "CONTENDER": "fit: scratch"}
    board = world.board(CLASSES, **words)
    found = row(board, contender="student", metric="accuracy")
    held = world.store.open(found["evidence"]).arrays("predictions.npz")
    truth = {one["id"]: ("neg", "pos").index(one["label"]) for one in rows[:300]}
    assert sorted(held["ids"]) == sorted(truth)
    assert len(held["ids"]) == len(held["logits"]) == found["n"] == 300
    assert held["label"].tolist() == [truth[name] for name in held["ids"]]
    assert found["value"] == pytest.approx(np.mean(held["logits"].argmax(axis=1) == held["label"]))
    fit, tokens = (job_of(world, CLASSES, stage, **words) for stage in ("fit", "tokens"))
    network = artefacts.read(world.store.open(fit.key), world.plugins).module.eval()
    asked = samples.read(world.store.open(tokens.key), "test")
    with torch.no_grad():
        alone = {name: network(torch.from_numpy(one[None]))[0] for name, one in zip(asked.ids, asked.x["tokens"], strict=True)}
    np.testing.assert_allclose(held["logits"], np.stack([alone[name] for name in held["ids"]]), atol=1e-5)


def test_60_every_document_and_every_token_of_it_is_scored_once_recbole_1872(world):
    """RecBole#1872, for windows of documents: as many tokens as the tokenizers library finds, and each document in one row."""
    board = world.board(LANGUAGE, AXES="bits_per_byte")
    found = row(board, contender="student", metric="bits_per_byte")
    entry = world.store.open(found["evidence"])
    held = entry.arrays("predictions.npz")
    (job,) = [job for job in world.plan(LANGUAGE, AXES="bits_per_byte")[1].jobs if job.stage == "tokenizer"]
    judge = tokenizers.Tokenizer.from_str(world.store.open(job.key).bytes("tokenizer.json").decode())
    judge.no_padding()
    text = {one["id"]: one["text"] for one in sentences(120)}
    assert len(set(held["ids"].tolist())) == len(held["ids"]) == found["n"] == 24
    assert held["column.tokens"].tolist() == [len(judge.encode(text[name], add_special_tokens=False).ids) for name in held["ids"]]
    assert held["column.bytes"].tolist() == [len(text[name].encode()) for name in held["ids"]]
    each = entry.arrays("tokens.npz")
    total = np.bincount(each["row"], -each["log_probability"].astype(float), len(held["ids"]))
    assert held["column.nll"] == pytest.approx(total, rel=1e-5)
