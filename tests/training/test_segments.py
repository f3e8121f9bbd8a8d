"""Pairs of texts, for networks that are shown which of the two a token belongs to: the library's own reading is the judge."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from checkpoint_folders import WORDS, network, saved, words
from fit_entries import fit_job, run, write_samples

from kdbench import to_onnx
from kdbench.nets.build import build
from kdbench.nouns import Job, Shape, Use
from kdbench.stages import artefacts, checkpoints, samples
from kdbench.stages.tokenizing import open_tokenizer
from kdbench.stages.wanted import Wanted

CLASSES = ("bad", "good", "plain")
PAIRS = [("the film is good", "bad bad film"), ("plainly", "the plain film is good"), ("bad", "good"), ("the film", "")]
LENGTH = 12
ENCODER = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32}
OWN = {
    "bert": ENCODER,
    "mobilebert": {"layers": 2, "hidden": 32, "bottleneck": 16, "heads": 4, "intermediate": 32},
}


def theirs(pairs=PAIRS):
    """The rows as the library's BertTokenizer makes them, token types and all."""
    import transformers

    made = transformers.BertTokenizer(vocab={name: i for i, name in enumerate(WORDS)})
    first, second = zip(*pairs, strict=True)
    return made(list(first), list(second), padding="max_length", max_length=LENGTH, return_tensors="pt")


def ours(artefact, texts=PAIRS):
    ids = open_tokenizer(artefact.files["tokenizer.json"]).ids(texts)
    return torch.tensor([[*row, *[0] * (LENGTH - len(row))] for row in ids])


def opened(found, folder, answer="class"):
    return checkpoints.open_checkpoint(folder, found, Wanted(None, answer, CLASSES if answer == "class" else (), LENGTH))


def labelled(kind, **more):
    names = {"id2label": dict(enumerate(CLASSES)), "label2id": {n: i for i, n in enumerate(CLASSES)}}
    return network("AutoModelForSequenceClassification", kind, **names, **more)


@pytest.mark.parametrize("kind", ["bert", "mobilebert"])
def test_a_checkpoint_sees_pairs_as_in_the_library(found, tmp_path, kind):
    """transformers#9351: a BERT that learned on pairs and is not told where the second text begins answers otherwise."""
    judge = labelled(kind)
    made, given = opened(found, saved(tmp_path, judge)), theirs()
    assert torch.equal(ours(made), given["input_ids"])
    with torch.no_grad():
        answers = made.module(ours(made))
        blind = judge(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
        assert torch.allclose(answers, judge(**given).logits, atol=1e-5)
    assert (answers - blind).abs().max() > 1e-2


def test_the_vector_of_a_pair_is_that_of_the_library(found, tmp_path):
    judge = network("AutoModel", "bert")
    made, given = opened(found, saved(tmp_path, judge), "vector"), theirs()
    with torch.no_grad():
        states, kept = judge(**given).last_hidden_state, given["attention_mask"][:, :, None]
        assert torch.allclose(made.module(ours(made)), (states * kept).sum(1) / kept.sum(1), atol=1e-5)


def fresh(plugins, name, answer="class", separator=3):
    shape = Shape("tokens", {"tokens": (LENGTH,)}, 3 if answer == "class" else 0, (len(WORDS),), answer, 0, separator)
    net = build(plugins.load("model", name)[0], Use(name, OWN[name]), shape, seed=3).eval()
    with torch.no_grad():
        for value in net.parameters():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())) * 0.1)
        for table in (m for m in net.modules() if isinstance(m, torch.nn.Embedding) and m.padding_idx is not None):
            table.weight[table.padding_idx] = 0.0  # MobileBERT puts the words beside each other, that of the padding too
    return net


@pytest.mark.parametrize(("name", "answer"), [("bert", "class"), ("mobilebert", "class"), ("bert", "vector")])
def test_fresh_networks_see_pairs_as_in_the_library(found, name, answer):
    net, given = fresh(found, name, answer), theirs()
    with torch.no_grad():
        if answer == "class":
            expected = net.network(**given).logits
        else:
            kept = given["attention_mask"][:, :, None]
            states = net.network.get_submodule(name)(**given).last_hidden_state
            expected = (states * kept).sum(1) / kept.sum(1)
        assert torch.allclose(net(given["input_ids"]), expected, atol=1e-5)


@pytest.mark.parametrize(("name", "answer"), [("bert", "class"), ("mobilebert", "class"), ("bert", "vector")])
def test_padding_and_single_texts_are_of_the_first_segment(found, name, answer):
    net, blind, tokens = fresh(found, name, answer), fresh(found, name, answer, separator=-1), theirs()["input_ids"]
    single = torch.tensor([[2, 4, 5, 3, 0, 0], [2, 4, 5, 6, 7, 3], [2, 3, 0, 0, 0, 0]])
    with torch.no_grad():
        for row in tokens:
            n = int((row != 0).sum())
            assert torch.allclose(net(row[None, :n]), net(row[None]), atol=1e-5)
        assert torch.equal(net(single), blind(single))
        assert not torch.allclose(net(tokens), blind(tokens), atol=1e-4)


@pytest.mark.parametrize(("name", "answer"), [("bert", "class"), ("mobilebert", "class"), ("bert", "vector")])
def test_the_exported_graph_sees_pairs_too(found, name, answer):
    net, tokens = fresh(found, name, answer), theirs()["input_ids"]
    session = onnxruntime.InferenceSession(to_onnx(net, {"tokens": tokens[:2].numpy()}), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        for rows in (tokens, tokens[:1], tokens[:, :10]):
            np.testing.assert_allclose(session.run(None, {"tokens": rows.numpy()})[0], net(rows).numpy(), atol=1e-4)


def test_networks_without_segments_are_given_none(found, tmp_path):
    for kind, more in (("distilbert", {}), ("roberta", {"type_vocab_size": 1}), ("bert", {"type_vocab_size": 1})):
        where = tmp_path / f"{kind}{len(more)}"
        where.mkdir()
        assert opened(found, saved(where, labelled(kind, **more))).module.separator == -1


def test_a_tokenizer_that_gives_a_pair_one_type_separates_nothing(found, tmp_path):
    """As the multilingual MiniLM: a BERT with the tokens of XLM-R, whose own reading has one segment."""
    from tokenizers import Tokenizer, processors

    where = saved(tmp_path, labelled("bert"))
    inner = Tokenizer.from_file(str(where / "tokenizer.json"))
    inner.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.save(str(where / "tokenizer.json"))
    made = opened(found, where)
    assert (made.shape.separator, made.module.separator) == (-1, -1)


@pytest.mark.parametrize("name", ["wordpiece", "bpe", "byte", "words"])
def test_learned_tokenizers_know_what_separates_a_pair(found, name):
    plugin, _ = found.load("tokenizer", name)
    made = open_tokenizer(plugin() if name == "byte" else plugin(["the cat sat", "a dog ran over there"] * 9))
    assert made.separator == made.eos
    assert made.ids([("cat", "dog")])[0].count(made.separator) == 2


def pairs_data(store, **more):
    tokens = np.tile(theirs()["input_ids"].numpy(), (20, 1))
    said = {"answer": "class", "padding": 0, "separator": 3, "tokenizer": "one", **more}
    return write_samples(store, "tokens", {"tokens": tokens}, np.arange(80) % 2, levels=(len(WORDS),), more=said)


def test_the_separator_of_the_data_stays_with_the_artefact(where, found):
    data = pairs_data(where.store)
    assert samples.shape(data).separator == 3
    made = run(fit_job({"ce": 1.0}, ("bert", ENCODER), epochs=1, lr=0.001), {"data": data}, where)
    assert artefacts.read(made, found).module.separator == 3
    assert made.json("artefact.json")["shape"]["separator"] == 3


def test_a_folder_that_says_no_separator_takes_that_of_the_data(where, found, tmp_path):
    data = pairs_data(where.store)
    made = run(fit_job({"ce": 1.0}, ("bert", ENCODER), epochs=1, lr=0.001), {"data": data}, where)
    facts = made.json("artefact.json")
    del facts["shape"]["separator"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "artefact.json").write_text(json.dumps(facts))
    (tmp_path / "old" / "weights.safetensors").write_bytes(made.bytes("weights.safetensors"))
    entry = run(Job("load", {"path": str(tmp_path / "old")}), {"data": data}, where)
    assert artefacts.read(entry, found).module.separator == 3


def test_the_fingerprint_of_a_folder_is_that_of_its_tokenizer_not_of_its_bytes(where, found, tmp_path):
    """The same vocabulary and rules, saved for another length: one tokenizer, so one fingerprint."""
    folder = tmp_path / "own"
    folder.mkdir()
    words(folder)
    held = json.loads((folder / "tokenizer.json").read_text())
    data = pairs_data(where.store, tokenizer="")
    made = run(fit_job({"ce": 1.0}, ("bert", ENCODER), epochs=1, lr=0.001), {"data": data}, where)
    (folder / "artefact.json").write_text(json.dumps({**made.json("artefact.json"), "files": ["tokenizer.json"]}))
    (folder / "weights.safetensors").write_bytes(made.bytes("weights.safetensors"))
    prints = []
    cut = {"direction": "Right", "max_length": 7, "strategy": "LongestFirst", "stride": 0}
    for truncation, indent in ((None, None), (cut, 2)):
        (folder / "tokenizer.json").write_text(json.dumps({**held, "truncation": truncation}, indent=indent))
        entry = run(Job("load", {"path": str(folder)}), {"data": data}, where, again=True)
        prints.append((entry.json("artefact.json")["facts"]["tokenizer"], entry.bytes("tokenizer.json")))
    assert prints[0] == prints[1]
    assert prints[0][0] == open_tokenizer((folder / "tokenizer.json").read_bytes()).fingerprint
