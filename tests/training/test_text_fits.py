"""Fits on tokens: padding and recording change no result, attention comes from the live teacher, tokenizers are compared."""

import numpy as np
import pytest
import torch
from fit_entries import fit_job, run, write_samples

from kdbench.nouns import Artefact, Job, Refusal
from kdbench.stages import artefacts

SMALL = {"hidden": 16, "heads": 2, "intermediate": 32, "dropout": 0.0}
TEACHER, STUDENT = ("bert", {"layers": 3, **SMALL}), ("bert", {"layers": 2, **SMALL})
TRAIN = {"optimizer": "adamw", "lr": 0.01, "batch": 16, "epochs": 2}


def rows(n=100, longest=10, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, longest + 1, n)
    tokens = rng.integers(1, 20, (n, longest)) * (np.arange(longest) < lengths[:, None])
    return tokens, (tokens[:, 0] > 9).astype(np.int64)


def texts(store, tokens, y, tokenizer="one", answer="class", classes=("no", "yes")):
    more = {"answer": answer, "padding": 0, "tokenizer": tokenizer}
    return write_samples(store, "tokens", {"tokens": tokens}, y, classes=list(classes), levels=(20,), more=more)


@pytest.fixture
def sentences(where):
    return texts(where.store, *rows())


@pytest.fixture
def taught(where, sentences):
    return run(fit_job({"ce": 1.0}, TEACHER, **TRAIN), {"data": sentences}, where)


def recorded(where, sentences, taught, taps):
    return run(Job("outputs", {"taps": taps}), {"data": sentences, "artefact": taught}, where, again=True)


def state(entry, found):
    return artefacts.read(entry, found).module.state_dict()


def alike(one, other, found, tolerance=1e-4):
    a, b = state(one, found), state(other, found)
    return all(torch.allclose(a[k].float(), b[k].float(), atol=tolerance) for k in a)


def next_tokens(tokens):
    return np.where((tokens != 0) & (np.roll(tokens, -1, 1) != 0), np.roll(tokens, -1, 1), -100)


def test_62_rows_with_more_padding_train_the_same_weights_optipfair_34(where, found):
    """optipfair#34, Liger-Kernel#974, #1478: padding was part of a loss. Here of no loss, no batch order and no accuracy."""
    tokens, y = rows(60)
    wide, short = np.pad(tokens, ((0, 0), (0, 9))), {**TRAIN, "epochs": 1}
    for student in (STUDENT, ("bilstm", {"embedding": 8, "hidden": 8, "dropout": 0.0})):
        entries = []
        for given in (tokens, wide):
            data = texts(where.store, given, y)
            teacher = run(fit_job({"ce": 1.0}, ("bag_of_embeddings", {}), **short), {"data": data}, where)
            entries.append(run(fit_job({"ce": 0.5, "kd": 0.5}, student, **short), {"data": data, "teacher": teacher}, where))
        assert alike(*entries, found)
        first, second = (entry.json("record.json")["history"][-1] for entry in entries)
        assert first["validation_accuracy"] == second["validation_accuracy"]
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-5)


def test_recorded_and_live_features_of_tokens_teach_alike(where, sentences, taught, found):
    """Rows of many lengths are recorded longest first, filled up, put back in order, joined by id and cut to each batch."""
    job = fit_job({"ce": 1.0, "hidden_cosine": 1.0, "patient_kd": 10.0, "fitnets": 1.0, "kd": 1.0}, STUDENT, **TRAIN)
    outputs = recorded(where, sentences, taught, taps=True)
    one = run(job, {"data": sentences, "outputs": outputs}, where)
    other = run(job, {"data": sentences, "teacher": taught}, where, again=True)
    assert [e.json("record.json")["parity"]["teacher"] for e in (one, other)] == ["recorded", "live"]
    first, second = (e.json("record.json")["history"][0]["terms"] for e in (one, other))
    assert first == pytest.approx(second, rel=2e-3)
    assert alike(one, other, found, 5e-3)
    tap = outputs.array("tap.network.bert.encoder.layer.2.npy")
    assert tap.shape == (60, 10, 16)


@pytest.mark.parametrize("terms", [{"tinybert": 1.0, "kd": 1.0}, {"minilm": 1.0, "ce": 1.0}, {"minilmv2": 1.0, "ce": 1.0}])
def test_attention_is_read_from_the_live_teacher_and_learned(where, sentences, taught, terms):
    outputs = recorded(where, sentences, taught, taps=True)
    job = fit_job(terms, STUDENT, **{**TRAIN, "epochs": 6})
    record = run(job, {"data": sentences, "outputs": outputs, "teacher": taught}, where).json("record.json")
    assert record["parity"]["teacher"] == "live"
    name = next(iter(terms))
    with pytest.raises(Refusal, match=f"'{name}' needs the live teacher, because attention is not recorded, and none was given"):
        run(job, {"data": sentences, "outputs": outputs}, where, again=True)
    losses = [entry["terms"][name] for entry in record["history"]]
    assert losses[-1] < 0.8 * losses[0]


def test_a_student_without_attention_is_refused(where, sentences, taught):
    for name, text in (("minilm", "reads attention, and the student's model 'bilstm' declares no projections"),
                       ("tinybert", "reads attention, and the student's model 'bilstm'")):  # fmt: skip
        with pytest.raises(Refusal, match=text):
            run(
                fit_job({name: 1.0}, ("bilstm", {"embedding": 4, "hidden": 4}), **TRAIN),
                {"data": sentences, "teacher": taught},
                where,
            )


def test_batches_by_length_and_the_tokenizer_are_in_the_record(where, sentences, taught):
    assert taught.json("record.json")["parity"]["bucketed"] is True
    assert taught.json("artefact.json")["facts"]["tokenizer"] == "one"
    plain = texts(where.store, np.ones((100, 10), np.int64), rows()[1], tokenizer="")
    entry = run(fit_job({"ce": 1.0}, STUDENT, **TRAIN), {"data": plain}, where)
    assert entry.json("record.json")["parity"]["bucketed"] is False
    assert "tokenizer" not in entry.json("artefact.json")["facts"]


def test_63_a_live_teacher_of_another_tokenizer_is_refused_trl_4562(where, taught):
    """trl#4562, DistillKit#7: ids of one tokenizer were fed to a model of another."""
    other = texts(where.store, *rows(), tokenizer="two")
    job = fit_job({"kd": 1.0}, STUDENT, **TRAIN)
    with pytest.raises(Refusal, match=r"another tokenizer than the student's data .fingerprints one and two.; the tokens"):
        run(job, {"data": other, "teacher": taught}, where)
    with pytest.raises(Refusal, match=r"of another tokenizer than the data's .fingerprints one and two."):
        recorded(where, other, taught, taps=False)


def test_63_recorded_answers_teach_a_student_of_another_tokenizer_but_features_of_tokens_do_not(where, sentences, taught):
    """What the teacher says of a whole text is joined by id; what it says of its third token is not of the student's third."""
    other = texts(where.store, *rows(), tokenizer="two")
    outputs = recorded(where, sentences, taught, taps=True)
    assert run(fit_job({"kd": 1.0}, STUDENT, **TRAIN), {"data": other, "outputs": outputs}, where).json("artefact.json")
    with pytest.raises(Refusal, match="what it says at each position would be misread"):
        run(fit_job({"hidden_cosine": 1.0}, STUDENT, **TRAIN), {"data": other, "outputs": outputs}, where)


def test_64_a_vocabulary_of_another_size_is_refused_with_both_sizes_torchtune_2119(where, found):
    """torchtune#2119, LMOps#331, Model-Optimizer#2489: 152064 against 151936, equal but for padding."""
    tokens, _ = rows()
    data = texts(where.store, tokens, next_tokens(tokens), answer="next", classes=())
    teacher = run(fit_job({"ce": 1.0}, ("tiny_gpt2", {}), **TRAIN), {"data": data}, where)
    before = artefacts.read(teacher, found)
    assert before.shape.classes == 20
    wider = texts_of_size(where.store, tokens, 24)
    with pytest.raises(Refusal, match="vocabulary has 20 tokens, the data's 24; their logits cannot be compared"):
        run(fit_job({"kd": 1.0}, ("tiny_gpt2", {}), **TRAIN), {"data": wider, "teacher": teacher}, where)


def texts_of_size(store, tokens, size):
    more = {"answer": "next", "padding": 0, "tokenizer": "one"}
    return write_samples(store, "tokens", {"tokens": tokens}, next_tokens(tokens), classes=[], levels=(size,), more=more)


def test_logits_over_a_vocabulary_are_never_recorded_so_the_teacher_is_live(where, found):
    tokens, _ = rows()
    data = texts(where.store, tokens, next_tokens(tokens), answer="next", classes=())
    teacher = run(fit_job({"ce": 1.0}, ("tiny_gpt2", {}), **TRAIN), {"data": data}, where)
    outputs = recorded(where, data, teacher, taps=False)
    assert "logits.npy" not in outputs.names()
    record = run(fit_job({"kd": 1.0}, ("tiny_gpt2", {}), **TRAIN), {"data": data, "teacher": teacher, "outputs": outputs}, where)
    assert record.json("record.json")["parity"]["teacher"] == "live"
    assert isinstance(artefacts.read(record, found), Artefact)


def test_bf16_and_parts_of_batches_learn_and_are_recorded(where, sentences, taught):
    job = fit_job({"tinybert": 1.0, "ce": 1.0}, STUDENT, **{**TRAIN, "epochs": 6}, precision="bf16", accumulate=4)
    record = run(job, {"data": sentences, "teacher": taught}, where).json("record.json")
    assert (record["parity"]["precision"], record["parity"]["train"]["accumulate"]) == ("bf16", 4)
    losses = [entry["terms"]["tinybert"] for entry in record["history"]]
    assert losses[-1] < 0.9 * losses[0]
    assert record["steps"] == 6 * 4


def test_what_cannot_be_computed_in_parts_is_refused(where, sentences, taught, data, found):
    with pytest.raises(Refusal, match="accumulate must be at least 1, not 0"):
        run(fit_job({"ce": 1.0}, STUDENT, **TRAIN, accumulate=0), {"data": sentences}, where)
    across = next(name for name in found.names("method") if found.get("method", name).facts.get("across"))
    text = f"accumulate 2 would split the batches of '{across}', which compares the examples of a batch with each other"
    with pytest.raises(Refusal, match=text):
        run(fit_job({across: 1.0}, STUDENT, **TRAIN, accumulate=2), {"data": sentences, "teacher": taught}, where)
    notes = run(fit_job({"ce": 1.0}, ("small_cnn", {"width": 4}), epochs=1, accumulate=2), {"data": data}, where)
    assert notes.json("record.json")["notes"] == ["batch norm saw each batch in 2 parts"]


def test_the_best_epoch_cannot_be_chosen_where_validation_has_no_labels(where):
    tokens, _ = rows()
    unlabelled = texts(where.store, tokens, np.full(100, -1))
    with pytest.raises(Refusal, match="select best_validation needs a validation split"):
        run(fit_job({"ce": 1.0}, STUDENT, **TRAIN, select="best_validation"), {"data": unlabelled}, where)


@pytest.mark.parametrize("how", ["live", "recorded"])
def test_vectors_teach_a_student_of_another_width_and_have_no_accuracy(where, how):
    """A teacher of labelled texts may teach others: what its vectors mean does not depend on the names of classes."""
    tokens, y = rows()
    labelled = texts(where.store, tokens, y, answer="vector")
    teacher = run(fit_job({"contrastive": 1.0}, ("bert", {**TEACHER[1], "dimension": 12}), **TRAIN), {"data": labelled}, where)
    data = texts(where.store, tokens, np.full(100, -1), answer="vector", classes=("other",))
    given = {"teacher": teacher} if how == "live" else {"outputs": recorded(where, data, teacher, taps=False)}
    terms = {"embedding_mse": 1.0, **({"minilm": 1.0} if how == "live" else {})}
    record = run(fit_job(terms, STUDENT, **TRAIN), {"data": data, **given}, where).json("record.json")
    assert (record["parity"]["teacher"], record["notes"]) == (how, [])
    assert [entry["validation_accuracy"] for entry in record["history"]] == [None, None]
    assert record["history"][1]["terms"]["embedding_mse"] < record["history"][0]["terms"]["embedding_mse"]
