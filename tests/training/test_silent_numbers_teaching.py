"""Teachers that other projects got quietly wrong: outputs of another one, or of another vocabulary. One test each."""

import shutil

import numpy as np
import pytest
from fit_entries import fit_job, run, write_samples

from kdbench.nouns import Artefact, Job, Refusal
from kdbench.plan import plan
from kdbench.stages import artefacts
from kdbench.store import Damaged
from kdbench.suite import load as read_suite

STUDENT = ("small_cnn", {"width": 4})
SUITE = """
suite: teachers
targets: [torch_cpu]
data: {dataset: digits, limit: {train: 200}}
teacher: {model: small_cnn, width: 8, fit: scratch}
student: {model: small_cnn, width: 4}
contenders: {kd: [fit: kd]}
"""


def recorded(where, data, teacher):
    """The teacher's outputs, under the key that a plan would give them."""
    job = Job("outputs", {"taps": False}, {"data": data.key, "artefact": teacher.key})
    return job, run(job, {"data": data, "artefact": teacher}, where)


def test_55_another_teacher_is_another_entry_torchdistill(where, data, teacher):
    """torchdistill's CacheableDataset, lm-eval#4063, #2715: outputs were found by the example alone, whoever had made them."""
    other = run(fit_job({"ce": 1.0}, ("small_cnn", {"width": 8}), seed=1, epochs=3), {"data": data}, where)
    (one, first), (two, second) = (recorded(where, data, t) for t in (teacher, other))
    assert one.key != two.key
    assert np.abs(first.array("logits.npy") - second.array("logits.npy")).max() > 0.1
    students = [run(fit_job({"kd": 1.0}, STUDENT), {"data": data, "outputs": o}, where) for o in (first, second)]
    assert students[0].key != students[1].key
    assert students[0].bytes("weights.safetensors") != students[1].bytes("weights.safetensors")


def test_55_outputs_planted_under_the_key_of_another_teacher_are_refused(where, data, teacher):
    """The same, where somebody copies them: an entry names the job that it was made by."""
    other = run(fit_job({"ce": 1.0}, ("small_cnn", {"width": 8}), seed=1, epochs=3), {"data": data}, where)
    (_, first), (_, second) = (recorded(where, data, t) for t in (teacher, other))
    shutil.rmtree(second.path)
    shutil.copytree(first.path, second.path)
    assert where.store.has(first.key)
    assert not where.store.has(second.key)
    with pytest.raises(Damaged):
        where.store.open(second.key)


@pytest.mark.parametrize(
    "change",
    ["teacher.width=16", "teacher.train.epochs=7", "data.limit.train=300", "data.validation=0.3", "teacher.train.lr=0.3"],
)
def test_55_all_that_makes_a_teacher_is_in_the_key_of_its_outputs(found, tmp_path, change):
    """lm-eval#4063, #2715: what was asked of the model was in the key of the cache in part. A student's change is in none."""
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE, encoding="utf-8")

    def key(*overrides):
        (made,) = [job for job in plan(read_suite(path, found, overrides), found).jobs if job.stage == "outputs"]
        return made.key

    assert key(change) != key()
    assert key("student.width=6") == key("seeds=[0, 1]") == key()


@pytest.fixture
def text(where):
    """Sequences 0 1 2 3 ... modulo 11, the tokens named by letters."""
    tokens = (np.random.default_rng(0).integers(0, 11, 80)[:, None] + np.arange(10)) % 11
    return write_samples(where.store, "tokens", {"tokens": tokens}, (tokens + 1) % 11, classes=list("abcdefghijk"))


@pytest.mark.parametrize(("vocabulary", "why"), [
    ("abcdefghikj", "another order: label 9 is 'k' there, 'j' in the data"),
    ("abcdefghijz", "a class 'z' that the data do not have"),
    ("abcdefghij", "tells 10 classes apart, the data have 11"),
])  # fmt: skip
@pytest.mark.parametrize("how", ["live", "recorded"])
def test_63_a_teacher_of_another_vocabulary_is_refused_trl_4562(where, text, found, vocabulary, why, how):
    """trl#4562, DistillKit#7: ids of one tokenizer were fed to a model of another; every shape fits, and nothing is learned."""
    model = ("tiny_gpt2", {})
    teacher = run(fit_job({"ce": 1.0}, model, epochs=1), {"data": text}, where)
    job = fit_job({"kd": 1.0}, model, epochs=1)
    run(job, {"data": text, "teacher": teacher}, where)
    if how == "live":
        before = artefacts.read(teacher, found)
        made = Artefact("torch", before.shape, before.model, before.module, (), {}, {"classes": list(vocabulary)})
        planted = Job("fit", {"vocabulary": vocabulary})
        with where.store.write(planted) as draft:
            artefacts.write(draft, made, {})
    else:
        honest = run(Job("outputs", {"taps": False}), {"data": text, "artefact": teacher}, where)
        facts = {**honest.json("outputs.json"), "classes": list(vocabulary)}
        planted = Job("outputs", {"vocabulary": vocabulary})
        with where.store.write(planted) as draft:
            for name in ("ids", "logits"):
                draft.array(f"{name}.npy", honest.array(f"{name}.npy"))
            draft.json("outputs.json", facts)
    role = {"live": "teacher", "recorded": "outputs"}[how]
    with pytest.raises(Refusal, match=why):
        run(job, {"data": text, role: where.store.open(planted.key)}, where, again=True)
