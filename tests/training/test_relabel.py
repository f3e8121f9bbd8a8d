"""New training data made by a teacher: what is kept of what it wrote, where it comes from, and that nothing else changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tokenizers
import torch
from fit_entries import digits, fit_job, run

from kdbench import ALTERNATIVE, Artefact, Refusal, Shape, Writer
from kdbench.nets.build import build
from kdbench.nouns import Job, Use
from kdbench.relabelers._kept import Rules, distinct, kept, repeated, shingles
from kdbench.stages import artefacts, blackbox, relabel, samples, tokenizing
from kdbench.stages.continuing import writer

WORDS = [f"w{k}" for k in range(4, 40)]


def asked(found, name, **evidence):
    return found.load("relabeler", name)[0](**evidence)


def column(values):
    made = np.empty(len(values), object)
    made[:] = values
    return made


def echo(prefix="answer to "):
    """A teacher that says what it was asked, and how often it was called."""
    calls = []

    def write(prompts, tokens, temperature, top_k, top_p, seed):
        calls.append((tokens, temperature, top_k, top_p, seed))
        return [f"{prefix}{p} number {len(calls)}" for p in prompts]

    return Writer(lambda texts, n: [" ".join(t.split()[:n]) for t in texts], write), calls


RNG = np.random.default_rng


def test_answers_of_the_teacher_take_the_place_of_the_references(found):
    teacher, calls = echo()
    texts = column([f"question {k}" for k in range(4)])[:, None]
    made = asked(found, "generate", texts=texts, target=column(["x"] * 4), teacher=teacher, rng=RNG(0), tokens=9)
    assert made.target.tolist() == [f"answer to question {k} number 1" for k in range(4)]
    assert made.source.tolist() == [0, 1, 2, 3]
    assert made.texts is None
    assert calls[0][:4] == (9, 0.0, 0, 1.0)
    assert made.notes == (
        "generate: the teacher wrote 1 text(s) for each of 4 prompts, greedily: 4 of 4 written texts were kept (none dropped)",
    )


def test_free_text_is_a_beginning_and_what_follows_it(found):
    teacher, calls = echo(" and so ")
    texts = column([f"the {k} beginning of it all" for k in range(3)])[:, None]
    made = asked(
        found, "generate", texts=texts, target=None, teacher=teacher, rng=RNG(0), prompt=3, copies=2, temperature=0.7, near=1.0
    )
    assert made.texts[:, 0].tolist()[:2] == [f"the {k} beginning and so the {k} beginning number 1" for k in range(2)]
    assert made.source.tolist() == [0, 1, 2, 0, 1, 2]
    assert made.target is None
    assert len({call[-1] for call in calls}) == 2, "each copy is drawn anew"


def test_only_so_many_rows_are_drawn_from_the_seed(found):
    texts = column([f"question {k}" for k in range(50)])[:, None]
    given = {"texts": texts, "target": texts[:, 0], "rows": 7}
    one = asked(found, "generate", teacher=echo()[0], rng=RNG(1), **given).source
    assert len(one) == 7
    assert one.tolist() == asked(found, "generate", teacher=echo()[0], rng=RNG(1), **given).source.tolist()
    assert one.tolist() != asked(found, "generate", teacher=echo()[0], rng=RNG(2), **given).source.tolist()


def test_copies_of_one_likeliest_text_are_refused(found):
    texts = column(["a"])[:, None]
    with pytest.raises(Refusal, match="3 copies at temperature 0 are one text 3 times"):
        asked(found, "generate", texts=texts, target=texts[:, 0], teacher=echo()[0], rng=RNG(0), copies=3)
    with pytest.raises(Refusal, match="0 of 1 written texts were kept .1 too short.; nothing is left"):
        asked(found, "generate", texts=texts, target=texts[:, 0], teacher=echo()[0], rng=RNG(0), least=50)


def test_each_filter_drops_what_it_says_by_hand():
    written = [
        "",
        "one",
        "one two three four five",
        "a b c a b c a b c a b c",
        "a Secret plan here",
        "one  Two three",
        "one two three",
        "fine words stand here",
    ]
    left, said = kept(written, written, Rules(least=2, most=4, repetition=0.5, blocklist=["secret"], near=1.0))
    assert [written[i] for i in left] == ["one  Two three", "fine words stand here"]
    assert said == "2 of 8 written texts were kept (2 too short, 2 too long, 1 blocked, 1 copies)"
    left, said = kept(written, written, Rules(repetition=0.5, near=1.0))
    assert "1 repetitive" in said
    assert repeated("a b c a b c") == pytest.approx(1 - 3 / 4)
    assert repeated("a b") == 0.0


def jaccard(a, b):
    a, b = (set(shingles(t.split())) or {tuple(t.split())} for t in (a, b))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("near", [0.5, 0.8])
def test_near_copies_against_every_pair_in_plain_loops(near):
    rng = RNG(0)
    texts = []
    for _ in range(60):
        base = list(rng.choice(WORDS, 40))
        for _ in range(4):
            texts.append(" ".join(w if rng.random() > rng.choice([0.0, 0.01, 0.05, 0.3]) else "zz" for w in base))
    expected = []
    for i, text in enumerate(texts):
        if all(jaccard(text, texts[j]) < near for j in expected):
            expected.append(i)
    found = distinct(texts, near)
    assert found == expected
    assert 60 <= len(found) < 240


def test_identical_answers_to_other_prompts_are_no_copies(found):
    teacher = Writer(lambda t, n: list(t), lambda p, *rest: ["yes"] * len(p))
    texts = column(["is it a cat or a dog that I see", "are two and two more than three point five"])[:, None]
    made = asked(found, "generate", texts=texts, target=texts[:, 0], teacher=teacher, rng=RNG(0))
    assert len(made.source) == 2


def test_pseudo_labels_keep_what_is_sure(found):
    p = np.array([[0.9, 0.1, 0.0], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8], [0.5, 0.5, 0.0]])
    made = asked(found, "pseudo_labels", label=np.array([0, 0, 1, 1]), probabilities=p, threshold=0.5)
    assert made.source.tolist() == [0, 2, 3]
    assert made.label.tolist() == [0, 2, 0], "ties go to the lower class"
    assert made.notes == (
        "pseudo_labels: 3 of 4 rows reach a probability of 0.5; 33.3% of them keep their label",
        "pseudo_labels: 1 of 3 classes have no row left",
    )
    with pytest.raises(Refusal, match="no row reaches a probability of 0.95; the surest has 0.9"):
        asked(found, "pseudo_labels", label=np.zeros(4), probabilities=p, threshold=0.95)
    with pytest.raises(Refusal, match="all 1 rows that are left have one class"):
        asked(found, "pseudo_labels", label=np.zeros(4), probabilities=p, threshold=0.85)


_numbers = itertools.count()


@pytest.fixture(scope="module")
def words():
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[BOS]": 2, "[EOS]": 3, **{w: int(w[1:]) for w in WORDS}}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.add_special_tokens(["[PAD]", "[UNK]", "[BOS]", "[EOS]"])
    return tokenizing.normal(inner.to_str().encode())


def text_entry(store, texts, target=None):
    """A text entry of 12 rows: 8 train, 2 validation, 2 test; two rows a cluster."""
    n = len(texts)
    more = {} if target is None else {"target": column(target)}
    groups, cluster = {"kind": np.array(["odd", "even"] * (n // 2))}, np.array([f"c{i // 2}" for i in range(n)])
    rows = samples.Rows(
        {"text": column(texts)[:, None]}, np.full(n, -1), np.array([f"d{i}" for i in range(n)]), groups, cluster, more
    )
    split = np.array([0] * (n - 4) + [1, 1, 2, 2], np.int8)
    meta = {
        "kind": "text", "answer": "next" if target is None else "text",
        "classes": [], "positive": None, "levels": [], "prepare": {},
        "columns": {"numeric": [], "categorical": []}, "licence": "CC0", "source": "made here", "notes": ["as it was"],
    }  # fmt: skip
    with store.write(job := Job("data", {"made": next(_numbers)})) as draft:
        samples.write(draft, rows, split, meta)
    return store.open(job.key)


def put(store, write):
    with store.write(job := Job("load", {"made": next(_numbers)})) as draft:
        write(draft)
    return store.open(job.key)


def stage(where, relabeler, params, seed=0, **inputs):
    described = where.plugins.get("relabeler", relabeler)
    use = {"name": relabeler, "params": {**{p.name: p.default for p in described.params}, **params}}
    job = Job(
        "relabel", {"relabeler": use, "seed": seed}, {role: e.key for role, e in inputs.items()} | {"again": str(next(_numbers))}
    )
    with where.store.write(job) as draft:
        relabel.run(job, inputs, draft, where)
    return where.store.open(job.key)


@pytest.fixture
def language_model(found, where, words):
    """A GPT-2 of random weights, as an entry, its artefact, and the entry of its tokenizer."""
    shape = Shape("tokens", {"tokens": (16,)}, 40, (40,), "next", 0)
    use = Use("gpt2", {"layers": 1, "hidden": 16, "heads": 2, "positions": 16, "dropout": 0.0, "attention": "sdpa"})
    module = build(found.load("model", "gpt2")[0], use, shape, seed=1).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(4.0)
    artefact = Artefact("torch", shape, use, module, (), {}, {"tokenizer": tokenizing.open_tokenizer(words).fingerprint})
    entry = put(where.store, lambda draft: artefacts.write(draft, artefact, {}))
    return entry, artefact, put(where.store, lambda draft: draft.write("tokenizer.json", words))


def sentences(n, seed=0):
    return [" ".join(RNG([seed, i]).choice(WORDS, 10)) for i in range(n)]


def test_sequence_level_distillation_through_the_stage(where, language_model):
    teacher, artefact, tokenizer = language_model
    data = text_entry(where.store, sentences(12))
    made = stage(
        where,
        "generate",
        {"tokens": 8, "prompt": 4, "repetition": 1.0, "near": 1.0},
        data=data,
        artefact=teacher,
        tokenizer=tokenizer,
    )
    old, new = samples.raw(data, "train"), samples.raw(made, "train")
    assert 0 < len(new.ids) <= 8
    tool = tokenizing.open_tokenizer(tokenizer.bytes("tokenizer.json"))
    for i, one in enumerate(new.ids):
        source = old.ids.tolist().index(one.removesuffix("/0"))
        prompt = tool.plain([" ".join(old.x["text"][source, 0].split()[:4])])[0]
        theirs = artefact.module.network.generate(
            input_ids=torch.tensor([[tool.bos, *prompt]]), attention_mask=torch.ones((1, 5), dtype=torch.int64), max_new_tokens=8,
            do_sample=False, num_beams=1, eos_token_id=tool.eos, pad_token_id=0,
        )[0].tolist()  # fmt: skip
        assert new.x["text"][i, 0] == tool.text([t for t in theirs if t > 3]), "as transformers' own greedy generation"
        assert new.groups["kind"][i] == old.groups["kind"][source]
        assert new.cluster[i] == old.cluster[source]
    for split in ("validation", "test"):
        assert samples.raw(made, split).x["text"].tolist() == samples.raw(data, split).x["text"].tolist()
        assert samples.raw(made, split).ids.tolist() == samples.raw(data, split).ids.tolist()
    about = made.json("provenance.json")
    assert about["teacher"] == teacher.key
    assert about["relabeler"]["params"]["temperature"] == 0.0
    assert about["ids"] == new.ids.tolist()
    assert about["made from"] == [one.removesuffix("/0") for one in new.ids]
    assert about["cpu_seconds"] > 0
    notes = made.json("meta.json")["notes"]
    assert notes[0] == "as it was"
    assert notes[-1] == "train rows come from a teacher; its licence: made here from made here (CC0)"


def test_the_same_seed_draws_the_same_texts_and_another_seed_others(where, language_model):
    teacher, _, tokenizer = language_model
    data = text_entry(where.store, sentences(12))
    params = {"tokens": 8, "prompt": 4, "temperature": 1.0, "copies": 3, "repetition": 1.0, "near": 1.0}
    one, same, other = (
        samples.raw(stage(where, "generate", params, seed, data=data, artefact=teacher, tokenizer=tokenizer), "train")
        for seed in (5, 5, 6)
    )
    assert one.x["text"].tolist() == same.x["text"].tolist()
    assert one.x["text"].tolist() != other.x["text"].tolist()
    assert len(set(one.ids)) == len(one.ids) > 8
    assert {i.rpartition("/")[2] for i in one.ids} == {"0", "1", "2"}


def test_a_decoder_beside_an_encoder_begins_to_write_with_what_the_data_say(words):
    """Its network says the word after the one before: what it writes shows what it began with."""
    tool = tokenizing.open_tokenizer(words)
    shape = Shape("tokens", {"tokens": (8,), "prefix": (8,)}, 40, (40,), "text", 0)

    class Next(torch.nn.Module):
        def forward(self, tokens, prefix):
            return torch.nn.functional.one_hot((prefix + 1) % 40, 40).float()

    teacher = Artefact("torch", shape, Use("t5"), Next())
    for start, first in ((20, "w21"), (None, None)):
        said = writer(teacher, tool, start).write(["w5"], 2, 0.0, 0, 1.0, 0)[0]
        assert said == (f"{first} w22" if first else ""), "by default what the tokenizer names as a beginning"


def test_a_new_text_that_is_a_test_text_is_left_out(where, language_model):
    teacher, artefact, tokenizer = language_model
    tool = tokenizing.open_tokenizer(tokenizer.bytes("tokenizer.json"))
    texts = sentences(12)
    first = writer(artefact, tool).write([" ".join(texts[0].split()[:4])], 8, 0.0, 0, 1.0, 0)[0]
    texts[11] = " ".join(texts[0].split()[:4]) + first
    data = text_entry(where.store, texts)
    made = stage(
        where,
        "generate",
        {"tokens": 8, "prompt": 4, "repetition": 1.0, "near": 1.0},
        data=data,
        artefact=teacher,
        tokenizer=tokenizer,
    )
    assert texts[11] not in samples.raw(made, "train").x["text"][:, 0]
    assert "1 new texts are texts of validation or test, and were left out" in made.json("meta.json")["notes"]
    assert len(made.json("provenance.json")["made from"]) == len(samples.raw(made, "train").ids)


def test_63_a_teacher_of_another_tokenizer_is_refused(where, language_model):
    teacher, artefact, tokenizer = language_model
    inner = tokenizers.Tokenizer.from_str(tokenizer.bytes("tokenizer.json").decode())
    inner.add_tokens(["more"])
    other = put(where.store, lambda draft: draft.write("tokenizer.json", tokenizing.normal(inner.to_str().encode())))
    with pytest.raises(Refusal, match="the teacher's tokenizer is another .fingerprints"):
        stage(where, "generate", {}, data=text_entry(where.store, sentences(12)), artefact=teacher, tokenizer=other)
    with pytest.raises(Refusal, match="the teacher's rows have 16 tokens; it cannot write 64"):
        stage(where, "generate", {}, data=text_entry(where.store, sentences(12)), artefact=teacher, tokenizer=tokenizer)


def test_texts_of_a_file_are_joined_by_id(where, tmp_path, words):
    path = tmp_path / "api.jsonl"
    path.write_text("".join(f'{{"text": "says {i}", "id": "d{i}"}}\n' for i in reversed(range(8))), encoding="utf-8")
    artefact = blackbox.open_answers(path, Shape("text", {}, 0), ())
    teacher = put(where.store, lambda draft: artefacts.write(draft, artefact, {}))
    data = text_entry(where.store, [f"ask {i}" for i in range(12)], [f"gold {i}{ALTERNATIVE}g" for i in range(12)])
    made = samples.raw(stage(where, "teacher_texts", {}, data=data, artefact=teacher), "train")
    assert made.more["target"].tolist() == [f"says {i}" for i in range(8)]
    assert made.x["text"][:, 0].tolist() == [f"ask {i}" for i in range(8)]
    with pytest.raises(Refusal, match="the teacher must be a torch language model to write texts; it is predictions"):
        stage(
            where,
            "generate",
            {},
            data=data,
            artefact=teacher,
            tokenizer=put(where.store, lambda d: d.write("tokenizer.json", words)),
        )


def test_pseudo_labels_of_a_live_teacher_through_the_stage(where, found):
    data = digits(where.store)
    teacher = run(fit_job({"ce": 1.0}, ("small_cnn", {"width": 8}), epochs=3), {"data": data}, where)
    made = stage(where, "pseudo_labels", {"threshold": 0.11}, data=data, artefact=teacher)
    old, new = samples.read(data, "train"), samples.read(made, "train")
    with torch.no_grad():
        p = artefacts.read(teacher, where.plugins).module(torch.from_numpy(old.x["image"])).double().softmax(1).numpy()
    sure = p.max(axis=1) >= 0.11
    assert new.ids.tolist() == old.ids[sure].tolist(), "rows keep their ids: recorded outputs still belong to them"
    assert new.y.tolist() == p.argmax(axis=1)[sure].tolist()
    assert np.array_equal(new.x["image"], old.x["image"][sure])
    assert samples.read(made, "test").y.tolist() == samples.read(data, "test").y.tolist()


def test_43_classes_of_the_teacher_are_found_by_name(where, tmp_path):
    data = digits(where.store)
    rows = samples.read(data, "train")
    listed = [f'{{"id": "{i}", "label": "{y}"}}\n' for i, y in zip(rows.ids, rows.y, strict=True)]
    (tmp_path / "t.jsonl").write_text("".join(listed), encoding="utf-8")
    turned = [str(k) for k in range(9, -1, -1)]
    artefact = blackbox.open_answers(tmp_path / "t.jsonl", samples.shape(data), turned)
    teacher = put(where.store, lambda draft: artefacts.write(draft, artefact, {}))
    made = samples.read(stage(where, "pseudo_labels", {}, data=data, artefact=teacher), "train")
    assert made.y.tolist() == rows.y.tolist()
    other = blackbox.open_answers(tmp_path / "t.jsonl", samples.shape(data), [*turned, "ten"])
    teacher = put(where.store, lambda draft: artefacts.write(draft, other, {}))
    with pytest.raises(Refusal, match="the teacher's classes are others than the data's .'ten' is not in both"):
        stage(where, "pseudo_labels", {}, data=data, artefact=teacher)


def test_what_the_data_do_not_have_is_refused(where, language_model):
    teacher, _, tokenizer = language_model
    with pytest.raises(Refusal, match="relabel: the data are no texts .image"):
        stage(where, "generate", {}, data=digits(where.store), artefact=teacher, tokenizer=tokenizer)
    with pytest.raises(Refusal, match="relabel: the data have no classes to label"):
        stage(where, "pseudo_labels", {}, data=text_entry(where.store, sentences(12)), artefact=teacher)
