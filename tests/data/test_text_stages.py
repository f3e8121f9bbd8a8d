"""Texts on their way to a model: stored as they are, turned into tokens by one tokenizer, cut, packed and windowed."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tokenizers

from kdbench.nouns import IGNORED, Job, Refusal, Runner, Samples
from kdbench.stages import Place, predict, probe, samples, texts, tokenizer, tokenizing, tokens

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "the", "dog", "ran", "after", "it", "naïve", "東京", "🙂", "x"]


def column(values):
    return np.array([[v] if isinstance(v, str) else list(v) for v in values], dtype=object).reshape(len(values), -1)


def made(n=60, **fields):
    """Texts of 3 to 12 words, all different."""
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(WORDS, rng.integers(3, 13))) + f" {i}" for i in range(n)]
    given = {
        "kind": "text",
        "x": {"text": column(said)},
        "y": np.arange(n) % 2,
        "ids": np.array([f"t{i}" for i in range(n)]),
        "classes": ("negative", "positive"),
        "licence": "none",
        "source": "made in the test",
    }
    return Samples(**{**given, **fields})


@pytest.fixture
def kitchen(kitchen):
    def run(stage, name, spec, inputs):
        job = Job(name, spec, {role: entry.key for role, entry in inputs.items()})
        kitchen.store.drop(job.key)
        with kitchen.store.write(job) as draft:
            stage.run(job, inputs, draft, Place(kitchen.plugins, kitchen.store, None))
        return kitchen.store.open(job.key)

    kitchen.tokenizer = lambda data, name, **params: run(
        tokenizer, "tokenizer", {"tokenizer": {"name": name, "params": params}}, {"data": data}
    )
    kitchen.tokens = lambda data, by, length=16, layout="pair", **more: run(
        tokens, "tokens", {"length": length, "layout": layout, **more}, {"data": data, "tokenizer": by}
    )
    kitchen.probe = lambda data, other, **labels: run(probe, "probe", {"labels": labels}, {"data": data, "other": other})
    return kitchen


def test_texts_come_back_byte_for_byte(kitchen):
    odd = ["", "\x00\x07", "a\r\nb", "🙂" * 500, "é" + "e\u0301", "\u202etxt", "x" * 50_000, "NA", "None", " "]
    given = made(60)
    text = given.x["text"].copy()
    text[: len(odd), 0] = odd
    entry = kitchen.data(dataclasses.replace(given, x={"text": text}))
    held = {
        i: t
        for split in samples.SPLITS
        for i, t in zip(*(lambda r: (r.ids, r.x["text"][:, 0]))(samples.raw(entry, split)), strict=True)
    }
    assert [held[i] for i in given.ids] == text[:, 0].tolist()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(3, "not str"), ("a\ud800b", "half a character"), (None, "not str")],
)
def test_what_is_no_text_is_refused_with_its_row(kitchen, wrong, words):
    given = made(40)
    given.x["text"][7, 0] = wrong
    with pytest.raises(Refusal, match=f"row 8.*{words}"):
        kitchen.data(given)


def test_a_tokenizer_learns_from_training_texts_alone(kitchen):
    given = made(60, split=np.repeat(["train", "test"], [40, 20]))
    first = kitchen.tokenizer(kitchen.data(given), "wordpiece", vocabulary=300)
    text = given.x["text"].copy()
    text[40:, 0] = [f"zebra quagga {i}" for i in range(20)]
    other = kitchen.tokenizer(kitchen.data(dataclasses.replace(given, x={"text": text})), "wordpiece", vocabulary=300)
    assert first.bytes("tokenizer.json") == other.bytes("tokenizer.json")


def test_rows_are_what_the_tokenizers_library_gives(kitchen):
    data = kitchen.data(made())
    by = kitchen.tokenizer(data, "wordpiece", vocabulary=400)
    entry = kitchen.tokens(data, by, length=10)
    judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
    judge.no_padding()
    judge.no_truncation()
    rows, source = samples.read(entry, "test"), samples.raw(data, "test")
    shape = samples.shape(entry)
    assert (shape.kind, shape.inputs, shape.classes, shape.answer) == ("tokens", {"tokens": (10,)}, 2, "class")
    assert shape.levels == (judge.get_vocab_size(),)
    for row, text, lost in zip(rows.x["tokens"], source.x["text"][:, 0], rows.more["truncated"], strict=True):
        whole = judge.encode(text).ids
        assert lost == (len(whole) > 10)
        kept = row[row != shape.padding].tolist()
        assert kept == (whole if len(whole) <= 10 else [*whole[:9], whole[-1]])


def test_pairs_share_a_row_with_a_separator_between(kitchen):
    given = made()
    pairs = np.concatenate([given.x["text"], given.x["text"][::-1]], axis=1)
    data = kitchen.data(dataclasses.replace(given, x={"text": pairs}))
    by = kitchen.tokenizer(data, "wordpiece", vocabulary=400)
    judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
    judge.no_padding()
    entry = kitchen.tokens(data, by, length=64)
    assert samples.shape(entry).separator == judge.token_to_id("[SEP]")
    rows, source = samples.read(entry, "test"), samples.raw(data, "test")
    for row, (a, b) in zip(rows.x["tokens"], source.x["text"].tolist(), strict=True):
        whole = judge.encode(a, b).ids
        assert row[: len(whole)].tolist() == whole


def documents(**fields):
    n = 40
    rng = np.random.default_rng(1)
    said = [" ".join(rng.choice(WORDS, rng.integers(1, 120))) for _ in range(n)]
    groups = {"genre": np.array(["a", "b"])[np.arange(n) % 2]}
    return made(n, x={"text": column(said)}, y=np.full(n, -1), classes=(), answer="next", groups=groups, **fields)


@pytest.mark.parametrize("name", ["bpe", "byte", "words", "wordpiece"])
def test_every_token_of_a_document_is_asked_for_once(kitchen, name):
    data = kitchen.data(documents())
    by = kitchen.tokenizer(data, name)
    rows, source = samples.read(kitchen.tokens(data, by, length=16), "test"), samples.raw(data, "test")
    judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
    judge.no_padding()
    for which, text in zip(source.ids, source.x["text"][:, 0], strict=True):
        windows = np.flatnonzero(rows.more["document"] == which)
        asked = np.concatenate([rows.y[i][rows.y[i] != IGNORED] for i in windows])
        assert asked.tolist() == judge.encode(text, add_special_tokens=False).ids
        assert rows.more["bytes"][windows].sum() == len(text.encode())
        seen = np.concatenate([rows.x["tokens"][i][rows.y[i] != IGNORED] for i in windows])
        assert seen[1:].tolist() == asked[:-1].tolist()  # each token is asked for after the one before it


def test_every_token_that_was_scored_names_its_document(kitchen):
    """However many windows the document fills. A rare word is one that the tokenizer does not know."""
    data = kitchen.data(documents())
    by = kitchen.tokenizer(data, "words", least=120)
    entry = kitchen.tokens(data, by, length=16)
    rows, shape, source = samples.read(entry, "test"), samples.shape(entry), samples.raw(data, "test")
    runner = Runner(lambda x: np.zeros((*x["tokens"].shape, shape.classes), np.float32))
    found = predict._next(runner, rows, shape, {"data": entry}, None)
    tool = tokenizing.open_tokenizer(by.bytes("tokenizer.json"))
    ids = dict(zip(source.ids, tool.plain(source.x["text"][:, 0].tolist()), strict=True))
    for i, document in enumerate(found["ids"]):
        assert found["tokens.token"][found["tokens.row"] == i].tolist() == ids[document]
        assert found["column.unknown"][i] == ids[document].count(tool.unknown)
    assert 0 < found["column.unknown"].sum() < found["column.tokens"].sum()


def test_training_windows_are_packed_without_padding(kitchen):
    data = kitchen.data(documents())
    by = kitchen.tokenizer(data, "bpe", vocabulary=300)
    entry = kitchen.tokens(data, by, length=16)
    rows, end = samples.read(entry, "train"), entry.json("meta.json")["special"]["eos"]
    assert (rows.y[:-1] != IGNORED).all()
    stream = np.concatenate([row[row != IGNORED] for row in rows.y])
    assert (stream == end).sum() == len(samples.raw(data, "train").y)
    assert np.concatenate(list(rows.x["tokens"]))[1 : len(stream)].tolist() == stream[:-1].tolist()


def test_an_answer_follows_its_prompt_and_only_it_is_asked_for(kitchen):
    given = made(answer="text", classes=(), y=np.full(60, -1), target=texts.column([f"answer {i} the cat" for i in range(60)]))
    data = kitchen.data(given)
    by = kitchen.tokenizer(data, "bpe", vocabulary=400)
    prompt, pair = kitchen.tokens(data, by, 64, "prompt"), kitchen.tokens(data, by, 64, "pair")
    assert samples.shape(prompt).inputs == {"tokens": (64,)}
    assert list(samples.shape(pair).inputs) == ["tokens", "prefix"]
    one, two = samples.read(prompt, "test"), samples.read(pair, "test")
    special = prompt.json("meta.json")["special"]
    for i in range(len(one.y)):
        asked = one.y[i][one.y[i] != IGNORED].tolist()
        assert asked == two.y[i][two.y[i] != IGNORED].tolist()
        assert asked[-1] == special["eos"]
        assert two.x["prefix"][i][: len(asked)].tolist() == [special["bos"], *asked[:-1]]


def answered(*references):
    """Texts with answers; the references in turn."""
    target = texts.column([references[i % len(references)] for i in range(60)])
    return made(answer="text", classes=(), y=np.full(60, -1), target=target)


def test_the_length_of_a_reference_moves_neither_its_prompt_nor_the_place_for_an_answer(kitchen):
    """The same sources with short and with long references: a model that writes reads the same, and may write as much."""
    prompts, cut = [], []
    for reference in ("a", "the cat sat on a mat and the dog ran after it"):
        data = kitchen.data(answered(reference))
        by = kitchen.tokenizer(data, "byte")
        entry = kitchen.tokens(data, by, 40, "prompt")
        rows, special = samples.read(entry, "test"), entry.json("meta.json")["special"]
        source = dict(zip(*(lambda r: (r.ids, r.x["text"][:, 0]))(samples.raw(data, "test")), strict=True))
        judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
        begins = [np.flatnonzero(y != IGNORED)[0] + 1 for y in rows.y]
        prompts.append([row[:end].tolist() for row, end in zip(rows.x["tokens"], begins, strict=True)])
        asked = [y[y != IGNORED].tolist() for y in rows.y]
        whole = [*judge.encode(reference, add_special_tokens=False).ids, special["eos"]]
        assert asked == [whole[: tokens.room(40)]] * len(asked)
        for one, prompt, lost in zip(rows.ids, prompts[-1], rows.more["truncated"], strict=True):
            full = [special["bos"], *judge.encode(source[one], add_special_tokens=False).ids]
            assert prompt == full[-(41 - tokens.room(40)) :]
            assert 41 - len(prompt) >= tokens.room(40)
            assert lost == (len(full) > len(prompt) or len(whole) > tokens.room(40))
            cut.append(len(full) > len(prompt))
    assert prompts[0] == prompts[1]
    assert any(cut)
    assert not all(cut)


@pytest.mark.parametrize("layout", ["prompt", "pair"])
def test_bytes_are_those_of_the_tokens_that_are_asked_for(kitchen, layout):
    references = ("the naïve cat sat on a mat and the dog ran after it", "東京 x")
    data = kitchen.data(answered(*references))
    by = kitchen.tokenizer(data, "byte")
    entry = kitchen.tokens(data, by, 16, layout)
    judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
    rows, most = samples.read(entry, "test"), 8 if layout == "prompt" else 16
    for y, size, target in zip(rows.y, rows.more["bytes"], rows.more["target"], strict=True):
        asked = [int(token) for token in y[y != IGNORED] if token != entry.json("meta.json")["special"]["eos"]]
        kept = judge.encode(target, add_special_tokens=False)
        assert asked == kept.ids[:most]
        assert size == len(target[: kept.offsets[len(asked) - 1][1]].encode())
    assert rows.more["bytes"].max() < len(references[0].encode())


def test_a_decoder_begins_with_what_its_checkpoint_says(kitchen):
    data = kitchen.data(answered("the cat"))
    by = kitchen.tokenizer(data, "bpe", vocabulary=400)
    usual, said = kitchen.tokens(data, by, 16), kitchen.tokens(data, by, 16, start=7)
    special = usual.json("meta.json")["special"]
    for entry, start in ((usual, special["bos"]), (said, 7)):
        assert (samples.read(entry, "test").x["prefix"][:, 0] == start).all()
        assert entry.json("meta.json")["start"] == start
    artefact = SimpleNamespace(json=lambda name: {"facts": {"decoder_start": 7}})
    predict._begins(samples.read(said, "test"), {"data": said, "artefact": artefact})
    with pytest.raises(Refusal, match=f"begins with token 7, its rows with token {special['bos']}"):
        predict._begins(samples.read(usual, "test"), {"data": usual, "artefact": artefact})
    with pytest.raises(Refusal, match="begins with token 9999"):
        kitchen.tokens(data, by, 16, start=9999)


def test_a_probe_maps_classes_by_name_and_keeps_groups(kitchen):
    home = kitchen.data(made())
    n = 30
    groups = {"who": np.array(["x", "y", "z"])[np.arange(n) % 3]}
    other = made(n, classes=("Positive", "bad"), groups=groups, ids=np.array([f"o{i}" for i in range(n)]))
    entry = kitchen.data(other, role="probe")
    assert entry.json("meta.json")["n"] == {"train": 0, "validation": 0, "test": n}
    rows = samples.raw(kitchen.probe(home, entry, bad="negative"), "test")
    assert rows.y.tolist() == [1 if i % 2 == 0 else 0 for i in range(n)]
    assert rows.groups["who"].tolist() == groups["who"].tolist()
    with pytest.raises(Refusal, match="its class 'bad' is none of the task's"):
        kitchen.probe(home, entry)
    with pytest.raises(Refusal, match="no class 'worse'"):
        kitchen.probe(home, entry, worse="negative")


def test_copies_of_texts_are_leaks_and_a_cut_between_a_pair_counts(kitchen):
    given = made(60, split=np.repeat(["train", "test"], [30, 30]))
    given.x["text"][40:50] = given.x["text"][:10]
    with pytest.raises(Refusal, match="leak: 10 of 30 test rows"):
        kitchen.data(given)
    pairs = made(60, split=np.repeat(["train", "test"], [30, 30]))
    both = np.concatenate([pairs.x["text"], pairs.x["text"]], axis=1)
    both[0], both[30] = ["ab", "c"], ["a", "bc"]
    assert kitchen.data(dataclasses.replace(pairs, x={"text": both}))


def test_46_equal_texts_of_two_classes_are_a_ceiling_that_is_said(kitchen):
    given = made(60, split=np.repeat(["train", "test"], [30, 30]))
    given.x["text"][41] = given.x["text"][40]  # neighbours have different classes
    notes = kitchen.data(given).json("meta.json")["notes"]
    assert any("equal test inputs have different labels: at least 1 of 30 must be wrong, accuracy <= 0.9667" in n for n in notes)


def test_52_the_share_of_texts_that_were_cut_is_a_column(kitchen):
    from kdbench.nouns import Predictions

    data = kitchen.data(made())
    by = kitchen.tokenizer(data, "words", least=1)
    judge = tokenizers.Tokenizer.from_str(by.bytes("tokenizer.json").decode())
    judge.no_padding()
    judge.no_truncation()
    rows = samples.read(kitchen.tokens(data, by, length=9), "test")
    longer = [len(judge.encode(text).ids) > 9 for text in samples.raw(data, "test").x["text"][:, 0]]
    none, empty = np.empty(0), np.empty((len(rows.y), 0))
    said = Predictions(rows.ids, rows.y, empty, none, columns={"truncated": rows.more["truncated"]})
    share = kitchen.plugins.load("metric", "truncated_inputs")[0](said).mean()
    assert 0 < share == np.mean(longer) < 1


def test_rows_of_a_probe_that_were_trained_on_are_counted(kitchen):
    given = made()
    home = kitchen.data(given)
    known = samples.raw(home, "train").x["text"][:3]
    text = np.concatenate([known, column([f"something else {i}" for i in range(7)])])
    other = made(10, x={"text": text}, ids=np.array([f"o{i}" for i in range(10)]))
    entry = kitchen.probe(home, kitchen.data(other, role="probe"))
    assert "3 of 10 rows (30.00%) are training rows of the task, too" in entry.json("meta.json")["notes"]
