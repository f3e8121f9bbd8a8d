"""Heads of checkpoints: classes by name, heads that are missing or of another size, and fresh ones."""

import itertools

import pytest
import torch
from checkpoint_folders import change, network, put, saved, tensors

from kdbench.nouns import Refusal
from kdbench.stages import checkpoints
from kdbench.stages.tokenizing import open_tokenizer
from kdbench.stages.wanted import Wanted

NAMES = ("entailment", "neutral", "contradiction")
TEXTS = ["the film", "the film is good", "bad", "plainly good", "is the film bad", "good good", "the bad plain film", "film"]
KINDS = ("bert", "distilbert", "mobilebert", "roberta", "gpt2", "llama")


def checkpoint(folder, kind="bert", names=NAMES, **more):
    held = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    return saved(folder, network("AutoModelForSequenceClassification", kind, **held, **more))


def opened(found, folder, classes=NAMES, answer="class", head=""):
    return checkpoints.open_checkpoint(folder, found, Wanted(None, answer, tuple(classes), 10), head)


def refused(found, folder, text, **how):
    with pytest.raises(Refusal, match=text) as caught:
        opened(found, folder, **how)
    assert "\n" not in str(caught.value)


def logits(made):
    ids = open_tokenizer(made.files["tokenizer.json"]).ids(TEXTS)
    x = torch.tensor([row + [0] * (10 - len(row)) for row in ids])
    with torch.no_grad():
        return made.module(x)


@pytest.mark.parametrize("kind", KINDS)
def test_accuracy_does_not_depend_on_the_order_of_the_classes(found, tmp_path, kind):
    """Catalogue 54: the same checkpoint on data whose classes stand in each of the six orders."""
    where = checkpoint(tmp_path, kind)
    plain = logits(opened(found, where))
    assert len({tuple(row) for row in plain.T.tolist()}) == 3, "equal classes would be right in any order"
    truth = [NAMES[i % 3] for i in range(len(TEXTS))]
    right = sum(NAMES[i] == name for i, name in zip(plain.argmax(1), truth, strict=True))
    for classes in itertools.permutations(NAMES):
        made = opened(found, where, classes)
        said = logits(made)
        assert torch.equal(said[:, [classes.index(name) for name in NAMES]], plain)
        assert sum(classes[i] == name for i, name in zip(said.argmax(1), truth, strict=True)) == right
        assert made.facts["classes"] == list(classes)
        moved = any("were put in the order of the data" in note for note in made.facts["notes"])
        assert moved == (classes != NAMES)


def test_names_are_the_same_whatever_their_case(found, tmp_path):
    where = checkpoint(tmp_path, names=("NEGATIVE", " Positive"))
    plain = logits(opened(found, where, ("negative", "positive")))
    assert torch.equal(logits(opened(found, where, ("POSITIVE", "negative"))), plain.flip(1))


def test_names_that_cannot_be_matched_are_refused_with_both_lists(found, tmp_path):
    where = checkpoint(tmp_path)
    both = "classes are entailment, neutral, contradiction, the data's yes, no, maybe; they must have the same names"
    refused(found, where, both, classes=("yes", "no", "maybe"))
    change(where, id2label={"0": "a", "1": "A", "2": "b"})
    refused(found, where, "the checkpoint's classes are a, A, b", classes=("a", "A", "b"))


def test_classes_without_names_are_taken_as_they_are_and_said(found, tmp_path):
    where = checkpoint(tmp_path, names=("LABEL_0", "LABEL_1", "LABEL_2"))
    for gone in ({}, {"id2label": None, "label2id": None}):
        change(where, **gone)
        if gone:
            change(where, num_labels=3)
        notes = opened(found, where).facts["notes"]
        assert "its classes have no names: taken to be in the order of the data (entailment, neutral, contradiction)" in notes
    change(where, label2id={"neutral": 0, "contradiction": 1, "entailment": 2})
    plain = logits(opened(found, where, ("neutral", "contradiction", "entailment")))
    assert torch.equal(logits(opened(found, where)), plain[:, [2, 0, 1]])


def test_a_head_of_another_size_is_refused_unless_a_new_one_is_asked_for(found, tmp_path):
    """Catalogue 70: five classes for three."""
    where = checkpoint(tmp_path, names=tuple("abcde"))
    refused(found, where, r"its head is for 5 classes, the data have 3 .allowed before a fit: head: new.")
    made = opened(found, where, head="new")
    assert made.facts["notes"] == ["a new head, from a fixed seed: 2 (classifier.bias, classifier.weight)"]
    assert torch.equal(logits(made), logits(opened(found, where, head="new")))
    before = tensors(where)
    state = made.module.network.state_dict()
    assert torch.equal(state["bert.pooler.dense.weight"], before["bert.pooler.dense.weight"])
    assert state["classifier.weight"].shape == (3, 16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_head_is_refused_unless_a_new_one_is_asked_for(found, tmp_path, kind):
    """Catalogue 68: the library would draw a random head, with a warning at most."""
    where = saved(tmp_path, network("AutoModel", kind))
    refused(
        found,
        where,
        r"has no head for this task: \d+ .*missing; an untrained one knows nothing .allowed before a fit: head: new.",
    )
    made = opened(found, where, head="new")
    assert "a new head, from a fixed seed" in made.facts["notes"][0]
    whole = opened(found, where, answer="vector", classes=())
    assert torch.isfinite(logits(made)).all()
    theirs = whole.module.network.state_dict()
    mine = getattr(made.module.network, made.module.network.base_model_prefix).state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in theirs.items())


def test_a_head_that_is_there_is_left_out_for_a_new_one(found, tmp_path):
    where = checkpoint(tmp_path)
    kept, fresh = opened(found, where), opened(found, where, head="new")
    assert not torch.equal(kept.module.network.classifier.weight, fresh.module.network.classifier.weight)
    assert torch.equal(kept.module.network.bert.pooler.dense.weight, fresh.module.network.bert.pooler.dense.weight)


def test_the_head_of_pretraining_is_no_classifier(found, tmp_path):
    where = saved(tmp_path, network("AutoModelForMaskedLM", "bert"))
    refused(found, where, "has no head for this task: 4 .bert.pooler.dense.bias, .*missing")
    notes = opened(found, where, head="new").facts["notes"]
    assert any(note.startswith("left out, being of another task's head: ") for note in notes)
    assert any("bert.pooler.dense.weight" in note and "new head" in note for note in notes), "it had no pooler"


def test_a_language_model_is_not_given_a_new_head(found, tmp_path):
    where = saved(tmp_path, network("AutoModelForCausalLM", "llama"))
    state = tensors(where)
    put(where, {key: value for key, value in state.items() if key != "lm_head.weight"})
    for head in ("", "new"):
        refused(found, where, "weights do not fit the network: 1 .lm_head.weight. missing", answer="next", classes=(), head=head)


def test_tied_weights_are_stored_once_and_found(found, tmp_path):
    where = saved(tmp_path, network("AutoModelForCausalLM", "gpt2"))
    assert "lm_head.weight" not in tensors(where)
    made = opened(found, where, answer="next", classes=())
    assert made.module.network.lm_head.weight is made.module.network.transformer.wte.weight
