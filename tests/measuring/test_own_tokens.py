"""Two models that read unlike tokens are timed on the same texts, each on its own tokens of them."""

import json

import numpy as np
import pytest
import tokenizers
import torch

from kdbench.nouns import Artefact, Bundle, Job, Refusal, Runner, Use, digest
from kdbench.stages import host, latency, networks, running, samples, timing_script, tokenizer, tokens
from kdbench.stages.tokenizing import TOKENIZER

TEXTS = [" ".join(["film", "plot", "cast", "pace"][(i + j) % 4] for j in range(2 + i % 4)) + f" {i}" for i in range(60)]
LENGTH = 48
SPEC = {"target": {"name": "torch_cpu", "params": {}}, "batch": 1, "graph": "g", "reference": "r", "pairs": 12, "null": False}
SLEEPS = """
import time
def load(folder, threads):
    def call(inputs):
        rows = inputs["tokens"]
        time.sleep({seconds})
        return rows[:, :1] * 1.0
    return call
"""
BY_WIDTH, BY_CONTENT = "0.0005 * rows.shape[1]", "0.001 * rows[0, 0]"


def sleeper(folder, seconds):
    """A model that answers with the first token of a row, after a time that its tokens decide."""
    folder.mkdir()
    (folder / "loader.py").write_text(SLEEPS.format(seconds=seconds), encoding="utf-8")
    return Runner(lambda x: x["tokens"][:, :1] * 1.0, Bundle({}, folder / "loader.py"), {"precision": "float32"})


def pair(folder, seconds):
    return {role: sleeper(folder / role, seconds) for role in latency.ROLES}


def median_ratio(made):
    return float(np.median(made.arrays["best_contender"] / made.arrays["best_reference"]))


@pytest.mark.parametrize(
    ("seconds", "rows", "known"),
    [
        (BY_WIDTH, {"reference": np.ones((40, 12), int), "contender": np.ones((40, 6), int)}, 0.5),
        (BY_WIDTH, {"reference": np.ones((40, 4), int), "contender": np.ones((40, 10), int)}, 2.5),
        (BY_CONTENT, {"reference": np.full((40, 4), 2), "contender": np.full((40, 4), 6)}, 3.0),
    ],
)
def test_a_time_that_its_own_tokens_decide_has_the_ratio_that_was_made(tmp_path, seconds, rows, known):
    x = {role: {"tokens": held + np.arange(len(held))[:, None] // 100} for role, held in rows.items()}
    made = latency.time_rows(pair(tmp_path, seconds), x, latency.Ask(pairs=6, seconds=1.0))
    assert median_ratio(made) == pytest.approx(known, rel=0.12)  # a sleeper oversleeps by some tens of microseconds
    assert made.facts["tokens"] == rows["contender"].shape[1]
    assert all(check["passed"] for check in made.facts["checks"].values()), made.facts["checks"]


def test_what_is_timed_elsewhere_gets_the_tokens_of_each(tmp_path):
    """`elsewhere` here is a folder; of the same rows one file is sent, of unlike ones two."""
    sent = []

    def elsewhere(script, request, bundles, files):
        there = tmp_path / f"there{len(sent)}"
        there.mkdir()
        for name, data in files.items():
            (there / name).write_bytes(data)
        sent.append(sorted(name for name in files if name.startswith("inputs")))
        models = {role: running.lay(Runner(len, bundle), there / role) for role, bundle in bundles.items()}
        return timing_script.main({**json.loads(json.dumps(request)), **models, "files": str(there)})

    far = {r: Runner(o.predict, o.bundle, {"host": {}}, elsewhere=elsewhere) for r, o in pair(tmp_path, BY_WIDTH).items()}
    x = {role: {"tokens": np.arange(20 * wide).reshape(20, wide)} for role, wide in (("reference", 3), ("contender", 9))}
    made = latency.time_rows(far, x, latency.Ask(pairs=6, seconds=1.0))
    assert median_ratio(made) == pytest.approx(3, rel=0.12)
    assert all(check["passed"] for check in made.facts["checks"].values())
    latency.time_pair(*far.values(), x["contender"], latency.Ask(pairs=4, seconds=0.2))
    assert [len(names) for names in sent] == [2, 1]


def test_both_are_asked_about_as_many_examples_and_as_many_calls(tmp_path):
    models = pair(tmp_path, BY_WIDTH)
    wide = {"reference": {"tokens": np.ones((40, 2**18), int)}, "contender": {"tokens": np.ones((40, 2), int)}}
    found = latency._calls(models, wide, latency.Ask())
    assert {role: x["tokens"].shape for role, x in found.items()} == {"reference": (16, 1, 2**18), "contender": (16, 1, 2)}
    with pytest.raises(Refusal, match="^30 and 40 rows: the two models must be asked about the same examples$"):
        latency.time_rows(models, {**wide, "contender": {"tokens": np.ones((30, 2), int)}}, latency.Ask())


# --- through the stage, with tokenizers that learn and small networks


def text_entry(world, ids):
    rows = samples.Rows({"text": np.array([[t] for t in TEXTS], object)}, np.arange(len(TEXTS)) % 2, ids, {})
    split = np.repeat(np.array([0, 2], np.int8), [20, len(TEXTS) - 20])
    meta = {
        "kind": "text",
        "answer": "class",
        "classes": ["a", "b"],
        "positive": None,
        "columns": {},
        "levels": [],
        "prepare": {},
    }
    meta |= {"licence": "none", "source": "made here", "notes": []}
    return world.put(Job("data", {"ids": ids.tolist()}), lambda draft: samples.write(draft, rows, split, meta))


@pytest.fixture
def spoken(world):
    """name, ids -> (the tokenizer's text, the entry of tokens, an artefact that reads them); "words" by a BiLSTM, "byte" by a
    BERT.
    """

    def make(name, ids=None):
        ids = np.array([f"t{i}" for i in range(len(TEXTS))]) if ids is None else ids
        given = text_entry(world, ids)
        params = {p.name: p.default for p in world.place.plugins.get("tokenizer", name).params}
        said = world.run(tokenizer, {"tokenizer": {"name": name, "params": params}}, {"data": given})
        spec = {"length": LENGTH, "layout": "pair", "of": [name, *ids.tolist()]}
        entry = world.run(tokens, spec, {"data": given, "tokenizer": said})
        model, sizes = ("bilstm", {"embedding": 8, "hidden": 8}) if name == "words" else (
            "bert", {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64}
        )  # fmt: skip
        full = {p.name: p.default for p in world.place.plugins.get("model", model).params} | sizes
        shape = samples.shape(entry)
        module = networks.rebuild(world.place.plugins, Use(model, full), shape, seed=1).eval()
        with torch.no_grad():
            for value in module.parameters():
                value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
        artefact = world.artefact(Artefact("torch", shape, Use(model, full), module), tag=name)
        return said.bytes(TOKENIZER).decode(), entry, artefact

    return make


def stage_inputs(reference, contender):
    return {"data": contender[1], "artefact": contender[2], "reference": reference[2], "reference_data": reference[1]}


def test_a_pair_of_unlike_tokenizers_is_timed_on_the_same_texts_against_the_tokenizers_themselves(world, spoken, monkeypatch):
    teacher, student = spoken("byte"), spoken("words")
    seen = {}
    ask = latency.time_rows
    monkeypatch.setattr(latency, "time_rows", lambda runners, rows, how: seen.update(rows) or ask(runners, rows, how))
    spec = {**SPEC, "host": digest(host.fingerprint()), "pairs": 4, "seconds": 0.3}
    facts = world.run(latency, spec, stage_inputs(teacher, student)).json("latency.json")
    assert all(check["passed"] for check in facts["checks"].values()), facts["checks"]
    for role, (said, _, _) in (("reference", teacher), ("contender", student)):
        judge = tokenizers.Tokenizer.from_str(said)
        judge.no_padding()
        rows = [judge.encode(text).ids[:LENGTH] for text in TEXTS[20:]]
        wide = max(map(len, rows))
        assert [r[: len(own)] for r, own in zip(seen[role]["tokens"].tolist(), rows, strict=True)] == rows
        assert seen[role]["tokens"].shape[1] == wide
        assert facts["tokens" if role == "contender" else "reference_tokens"] == wide
    assert facts["tokens"] < facts["reference_tokens"] < LENGTH


def test_a_pair_that_reads_alike_is_timed_on_rows_as_wide_as_its_longest_text_too(world, spoken):
    """The ratios of one column are of rows that were cut by one rule."""
    _, entry, artefact = spoken("words")
    spec = {**SPEC, "pairs": 4, "seconds": 0.2}
    facts = world.run(latency, spec, {"data": entry, "artefact": artefact, "reference": artefact}).json("latency.json")
    stored = samples.read(entry, "test").x["tokens"]
    assert stored.shape[1] == LENGTH
    assert facts["tokens"] == (stored != samples.shape(entry).padding).sum(axis=1).max() < LENGTH
    assert "reference_tokens" not in facts


def test_texts_that_are_not_the_same_and_lengths_that_are_not_are_refused(world, spoken):
    ids = np.array([f"t{i}" for i in range(len(TEXTS))])
    ids[[30, 31]] = ids[[31, 30]]
    teacher, student = spoken("byte"), spoken("words", ids)
    said = "^the two models cannot be asked about the same texts: .* 40 and 40 rows, and the ids differ from row 10 on$"
    with pytest.raises(Refusal, match=said):
        world.run(latency, SPEC, stage_inputs(teacher, student))
    with pytest.raises(Refusal, match="^a length in tokens is not the same text for two models that read unlike tokens$"):
        world.run(latency, {**SPEC, "length": 16}, stage_inputs(teacher, spoken("words")))
