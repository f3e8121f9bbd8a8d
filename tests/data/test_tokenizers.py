"""Tokenizers as plugins, and the opened form that the stages use."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
import tokenizers

from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.stages.tokenizing import LARGEST, Tokenizer, normal, open_tokenizer

CORPUS = [
    "the cat sat on the mat, and the cat was sitting",
    "A naïve café: 日本語 and 😀 emoji!",
    "tie tied tying ties untie",
    *(["ab", "ba", "cd", "dc", "ef", "fe", "gh", "hg", "ij", "ji"] * 3),  # many pairs of one frequency: only a rule orders them
]
TEXTS = [
    "The cat sat.",
    "  two  spaces\t\n",
    "naïve café 😀😀 日本",
    "",
    "x" * 3000,
    "[PAD] [SEP] [EOS]",
    "a\x00b\x07c",
    "\ufeffé\u0301",
]
LEARNED = {"wordpiece": {"vocabulary": 300}, "bpe": {"vocabulary": 320}, "words": {"least": 1}, "byte": {}}
SCRIPT = """
import hashlib, sys
from test_tokenizers import LEARNED, learned
print({name: hashlib.sha256(learned(name)).hexdigest() for name in LEARNED})
"""


def learned(name, texts=CORPUS, **params):
    plugin, _ = discover().load("tokenizer", name)
    evidence = () if name == "byte" else (iter(texts),)
    return plugin(*evidence, **{**LEARNED[name], **params})


@pytest.fixture(params=LEARNED)
def opened(request):
    return open_tokenizer(learned(request.param))


def test_equal_texts_give_equal_bytes_in_every_process():
    where = os.path.dirname(__file__)
    said = {
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=where, capture_output=True, text=True, check=True, env=env).stdout
        for env in ({**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)} for seed in ("1", "2"))
    }
    assert len(said) == 1
    assert str({name: hashlib.sha256(learned(name)).hexdigest() for name in LEARNED}) in said.pop()


def test_the_bytes_of_tokens_add_up_to_the_utf8_length_of_the_text(opened):
    for text, (ids, spans) in zip(TEXTS, opened.spans(TEXTS), strict=True):
        assert len(ids) == len(spans)
        assert min(spans, default=0) >= 0
        if ids:
            assert sum(spans) == len(text.encode())
        assert opened.plain([text]) == [ids]


def test_bytes_of_a_dropped_space_belong_to_the_token_behind_it():
    opened = open_tokenizer(learned("words"))
    ids, spans = opened.spans([" the  naïve mat "])[0]
    assert spans == [len(" the"), len("  naïve".encode()), len(" mat "),]  # fmt: skip
    assert opened.text(ids) == "the naïve mat"


@pytest.mark.parametrize("name", ["bpe", "byte"])
def test_byte_level_tokenizers_give_every_text_back(name):
    opened = open_tokenizer(learned(name))
    assert [opened.text(ids) for ids in opened.plain(TEXTS)] == TEXTS
    assert all(opened.unknown not in ids for ids in opened.plain(TEXTS))


def test_byte_tokens_are_the_bytes_against_the_encoding():
    opened = open_tokenizer(learned("byte"))
    text = "é😀\n~ÿ"
    assert opened.plain([text]) == [[4 + b for b in text.encode()]]
    assert opened.size == 260


def test_special_tokens_have_their_places(opened):
    roles = (opened.padding, opened.unknown, opened.bos, opened.eos)
    assert roles == (0, 1, 2, 3)
    (single,), (pair,) = opened.ids(["cat"]), opened.ids([("cat", "mat")])
    assert single[-1] == pair[-1] == 3
    assert Counter(pair)[3] == 2
    assert opened.ids([""]) == [[i for i in (single[0], 3) if i in (2, 3)]], "an empty text is no empty row"


def test_a_text_cannot_forge_a_special_token(opened):
    for ids in opened.plain(["[PAD]", "[EOS] [SEP]", "x[BOS]y[CLS]"]):
        assert not {0, 2, 3} & set(ids)
    assert opened.ids(["a [PAD] b"])[0].count(0) == 0


def test_pieces_equal_those_of_a_bert_tokenizer_of_transformers(tmp_path):
    """The judge: transformers with the same vocabulary."""
    transformers = pytest.importorskip("transformers")
    opened, data = open_tokenizer(learned("wordpiece")), learned("wordpiece")
    vocabulary = json.loads(data)["model"]["vocab"]
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)), encoding="utf-8")
    judge = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    texts = ["The CATS sat, untied!", "naïve 日本 qqq"]
    assert opened.ids(texts) == judge(texts)["input_ids"]
    assert opened.ids([("the cat", "the mat")]) == judge([("the cat", "the mat")])["input_ids"]


def test_bpe_merges_the_most_frequent_pair_first_against_counting():
    data = json.loads(learned("bpe", ["aab aab aab ab"], vocabulary=261))
    assert [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in data["model"]["merges"]] == [("a", "b")]


def test_words_keep_the_most_frequent_against_counting():
    texts = ["b b b a a c c d", "B a"]
    vocabulary = json.loads(learned("words", texts, vocabulary=7, least=2))["model"]["vocab"]
    counts = Counter(" ".join(texts).lower().split())
    best = sorted((w for w in counts if counts[w] >= 2), key=lambda w: (-counts[w], w))[:3]
    assert sorted(set(vocabulary) - {"[PAD]", "[UNK]", "[BOS]", "[EOS]"}) == sorted(best)


def test_lone_surrogates_and_long_texts_are_read(opened):
    assert opened.plain(["a\ud800b"]) == opened.plain(["a\ufffdb"])
    (ids, spans), *_ = opened.spans(["word " * 200_000])
    assert sum(spans) == 1_000_000
    learned("words", ["a\ud800b a\ud800b a"])


@pytest.mark.parametrize(("name", "texts", "params", "text"), [
    ("wordpiece", ["", "  "], {}, "wordpiece: the training texts hold no word"),
    ("wordpiece", CORPUS, {"vocabulary": 10}, r"wordpiece: \d+ characters need a vocabulary of \d+ or more"),
    ("words", ["a b c"], {"least": 2}, "words: no word is seen 2 times or more"),
    ("bpe", CORPUS, {"vocabulary": 100}, r"bpe: a vocabulary of 100 has no room for the 256 bytes .allowed: 260 or more."),
])  # fmt: skip
def test_what_cannot_be_learned_is_refused(name, texts, params, text):
    with pytest.raises(Refusal, match=text):
        learned(name, texts, **params)


def test_the_stored_form_does_not_depend_on_the_length_it_was_saved_for():
    """Catalogue 63: equal vocabularies and rules have one fingerprint, others another."""
    data = learned("wordpiece")
    saved = tokenizers.Tokenizer.from_str(data.decode())
    saved.enable_truncation(17)
    saved.enable_padding(length=40, pad_id=0, pad_token="[PAD]")
    spaced = json.dumps(json.loads(saved.to_str()), indent=3).encode()
    assert open_tokenizer(spaced).fingerprint == open_tokenizer(data).fingerprint == Tokenizer(normal(data)).fingerprint
    assert hashlib.sha256(normal(data)).hexdigest() == open_tokenizer(data).fingerprint
    assert open_tokenizer(learned("wordpiece", lowercase=False)).fingerprint != open_tokenizer(data).fingerprint
    assert len(open_tokenizer(spaced).ids(["the cat sat " * 30])[0]) > 40, "nothing is cut off inside"


def test_padding_is_found_where_the_file_says_or_by_its_name():
    data = json.loads(learned("bpe"))
    data["padding"] = None
    assert open_tokenizer(json.dumps(data).encode()).padding == 0
    assert json.loads(normal(json.dumps(data).encode(), "[EOS]"))["padding"]["pad_id"] == 3
    data["padding"] = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 99, "pad_type_id": 0,
                       "pad_token": "[UNK]"}  # fmt: skip
    assert open_tokenizer(json.dumps(data).encode()).padding == 1
    bare = {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"}}
    with pytest.raises(Refusal, match="has no token to fill rows up with"):
        open_tokenizer(json.dumps(bare).encode())


@pytest.mark.parametrize(("data", "text"), [
    (b"", "tokenizer.json is not plain JSON"),
    (b"[" * 100_000, "not plain JSON"),
    (b'{"a":' * 5_000, "not plain JSON"),
    (b"\xff\xfe{}", "not plain JSON"),
    (b"[]", "must hold a mapping, not list"),
    (b"{}", "refused by the library tokenizers"),
    (b'{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}', "refused by the library tokenizers"),
    (b'{"x":' + b'[' * 300 + b']' * 300 + b'}', "refused by the library tokenizers"),
])  # fmt: skip
def test_hostile_files_are_refused_in_one_line(data, text):
    with pytest.raises(Refusal, match=text) as caught:
        open_tokenizer(data)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed():
    with pytest.raises(Refusal, match="has 67108865 bytes, more than 67108864"):
        open_tokenizer(b" " * (LARGEST + 1))


def test_a_tokenizer_file_is_read_as_it_is(tmp_path):
    plugin, _ = discover().load("tokenizer", "file")
    place = tmp_path / "tokenizer.json"
    place.write_bytes(learned("bpe"))
    assert plugin(path=str(place)) == learned("bpe")
    assert normal(plugin(path=str(tmp_path))) == normal(learned("bpe"))
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": {"content": "[EOS]"}}')
    assert open_tokenizer(plugin(path=str(tmp_path))).padding == 3
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "config.json").write_text('{"pad_token_id": 2}')
    assert open_tokenizer(plugin(path=str(tmp_path))).padding == 2


def test_an_older_folder_of_bert_has_its_tokenizer_made_from_its_vocabulary_against_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "naive", "Cat"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    plugin, _ = discover().load("tokenizer", "file")
    texts = ["The cats", "naïve cat dog"]
    for lower in (True, False):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
        judge = transformers.BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=lower)
        assert open_tokenizer(plugin(path=str(tmp_path))).ids(texts) == judge(texts)["input_ids"]
        assert open_tokenizer(plugin(path=str(tmp_path))).ids([("the", "cat")]) == judge([("the", "cat")])["input_ids"]
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(Refusal, match=r"vocab.txt has no \[UNK\], so it is not a vocabulary of BERT"):
        plugin(path=str(tmp_path))


def test_files_that_are_none_are_refused(tmp_path):
    plugin, _ = discover().load("tokenizer", "file")
    os.mkfifo(tmp_path / "pipe")
    for path, text in (
        (tmp_path / "pipe", "is not a plain file"),
        (tmp_path / "no", "No such file"),
        (tmp_path, "has no tokenizer.json"),
    ):
        with pytest.raises(Refusal, match=text):
            plugin(path=str(path))
    (tmp_path / "spiece.model").write_bytes(b"")
    with pytest.raises(Refusal, match=r"has spiece.model, but no tokenizer.json; write one with transformers.AutoTokenizer"):
        plugin(path=str(tmp_path))
