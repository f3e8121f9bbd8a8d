"""The shipped sets of texts against pandas, pyarrow and published counts."""

from __future__ import annotations

import collections
import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.data

SENTIMENTS = ("negative", "positive")
PLAIN = [  # name, files, columns of the texts
    ("sst2", ("text/sst2/train", "text/sst2/dev", "text/sst2/test"), ("text",)),
    ("imdb", ("text/imdb_subset/train", "text/imdb_subset/test"), ("text",)),
    ("customer_reviews", ("text/customer_reviews/all",), ("text",)),
    ("banking77", ("text/banking77/train", "text/banking77/test"), ("text",)),
    ("sick", ("text/sick_nli/train", "text/sick_nli/trial", "text/sick_nli/test"), ("premise", "hypothesis")),
    ("breaking_nli", ("text/breaking_nli/test",), ("premise", "hypothesis")),
    ("hatecheck", ("fairness_text/hatecheck/test",), ("test_case",)),
    ("davidson_hate", ("fairness_text/davidson_hate/all",), ("text",)),
    ("brown", ("lm/brown_genres/all",), ("text",)),
]


@pytest.fixture
def load(plugins, data_folder):
    return lambda name, **params: plugins.load("dataset", name)[0](data_folder, **params)


@pytest.fixture
def frame(data_folder):
    return lambda *names: pd.concat([pd.read_parquet(data_folder / f"{name}.parquet") for name in names], ignore_index=True)


def sizes(samples):
    return tuple(int((samples.split == name).sum()) for name in ("train", "validation", "test"))


@pytest.mark.parametrize(("name", "files", "columns"), PLAIN, ids=[row[0] for row in PLAIN])
def test_texts_survive_byte_for_byte_against_pyarrow(name, files, columns, load, data_folder):
    mine = load(name).x["text"]
    read = [pq.read_table(data_folder / f"{file}.parquet", columns=list(columns)) for file in files]
    assert mine.shape == (sum(len(t) for t in read), len(columns))
    for j, column in enumerate(columns):
        judge = [value.as_py().encode() for table in read for value in table[column]]
        assert [text.encode() for text in mine[:, j]] == judge
    assert all(type(text) is str for text in mine.ravel())


@pytest.mark.parametrize(
    ("name", "split", "counts"),
    [
        ("sst2", (6920, 872, 1821), {"negative": 3310 + 428 + 912, "positive": 3610 + 444 + 909}),
        ("imdb", (5000, 0, 5000), {"negative": 5000, "positive": 5000}),
        ("sick", (4500, 500, 4927), {"entailment": 2857, "neutral": 5611, "contradiction": 1459}),
        ("breaking_nli", (0, 0, 8193), {"entailment": 982, "neutral": 47, "contradiction": 7164}),
        ("hatecheck", (0, 0, 3728), {"hateful": 2563, "non-hateful": 1165}),
        ("equity_evaluation_corpus", (0, 0, 8400), {"negative": 6300, "positive": 2100}),
        ("bias_madlibs", (0, 0, 75700), {"BAD": 37850, "NOT_BAD": 37850}),
    ],
)
def test_official_splits_and_classes_have_the_published_counts(name, split, counts, load):
    mine = load(name)
    assert sizes(mine) == split
    assert mine.classes == tuple(counts)
    assert dict(zip(mine.classes, np.bincount(mine.y).tolist(), strict=True)) == counts


def test_sets_that_are_asked_together_have_the_same_classes_in_the_same_order(load):
    for name in ("sst2", "imdb", "customer_reviews", "equity_evaluation_corpus"):
        assert load(name).classes == SENTIMENTS
    assert load("sick").classes == load("breaking_nli").classes
    assert load("davidson_hate", classes="two").classes == load("hatecheck").classes


def test_labels_mean_what_they_say_against_pandas(load, frame):
    mine, sick = load("sick"), frame("text/sick_nli/train", "text/sick_nli/trial", "text/sick_nli/test")
    assert [mine.classes[y].upper() for y in mine.y] == sick["label"].tolist()
    stars = frame("text/imdb_subset/train", "text/imdb_subset/test")["rating"]
    np.testing.assert_array_equal(load("imdb").y, (stars >= 7).astype(int))
    np.testing.assert_array_equal(load("imdb").groups["rating"], stars.astype(str).to_numpy(str))
    intents = load("banking77")
    assert [intents.classes[y] for y in intents.y] == frame("text/banking77/train", "text/banking77/test")["intent"].tolist()
    film = load("sst2")
    bad = film.y[["one of the worst" in text for text in film.x["text"][:, 0]]]
    assert len(bad) == 8
    assert (bad == 0).all()


def test_customer_reviews_can_be_all_test(load):
    assert load("customer_reviews").split is None
    mine = load("customer_reviews", split="test")
    assert sizes(mine) == (0, 0, 3775)
    assert np.bincount(mine.y).tolist() == [1368, 2407]
    assert (mine.x["text"] == "").sum() == 4
    assert "4 of 3775" in mine.notes[0]


def test_clinc150_and_its_out_of_scope_queries_share_the_files_and_no_row(load, frame):
    inside, outside = load("clinc150"), load("clinc150_oos")
    assert (sizes(inside), sizes(outside)) == ((15000, 3000, 4500), (100, 100, 1000))
    assert len(inside.classes) == 150
    for part, of_each in (("train", 100), ("validation", 20), ("test", 30)):
        assert set(np.bincount(inside.y[inside.split == part])) == {of_each}
    assert not set(inside.ids) & set(outside.ids)
    judge = frame("text/clinc150/train", "text/clinc150/val", "text/clinc150/test")
    assert inside.x["text"][:, 0].tolist() == judge[~judge["is_oos"]]["text"].tolist()
    assert outside.x["text"][:, 0].tolist() == judge[judge["is_oos"]]["text"].tolist()
    assert [inside.classes[y] for y in inside.y] == judge[~judge["is_oos"]]["intent"].tolist()
    assert set(outside.y) == {-1}
    assert (outside.answer, outside.classes) == ("next", ())


def test_banking77_has_forty_test_messages_of_each_intent(load):
    mine = load("banking77")
    assert sizes(mine) == (10003, 0, 3080)
    assert set(np.bincount(mine.y[mine.split == "test"])) == {40}


def test_breaking_nli_has_the_published_categories(load, frame):
    mine, judge = load("breaking_nli"), frame("text/breaking_nli/test")
    assert collections.Counter(mine.groups["category"].tolist()) == collections.Counter(judge["category"])
    assert len(set(mine.groups["category"])) == 14
    assert len(set(mine.cluster)) == judge["premise"].nunique()


def test_ag_news_joins_title_and_description(load, frame):
    mine, judge = load("ag_news", split="test"), frame("text/ag_news_test/test")
    assert mine.x["text"][:, 0].tolist() == (judge["title"] + " " + judge["description"]).tolist()
    assert [mine.classes[y] for y in mine.y] == judge["class"].tolist()
    assert np.bincount(mine.y).tolist() == [1900] * 4
    assert load("ag_news").split is None


def test_hatecheck_groups_equal_pandas(load, frame):
    mine, judge = load("hatecheck"), frame("fairness_text/hatecheck/test")
    assert mine.groups["target_ident"].tolist() == judge["target_ident"].fillna("none").tolist()
    assert {k: len(set(v)) for k, v in mine.groups.items()} == {"functionality": 29, "target_ident": 8, "direction": 3}
    assert (mine.groups["target_ident"] == "none").sum() == 292
    assert len(set(mine.cluster)) == judge["templ_id"].nunique()
    hateful = np.array([name.endswith("_h") for name in mine.groups["functionality"]])
    np.testing.assert_array_equal(mine.y == 0, hateful)  # the name of a functionality ends in its label


def test_davidson_hate_has_the_published_counts(load):
    three, two = load("davidson_hate"), load("davidson_hate", classes="two")
    assert np.bincount(three.y).tolist() == [1430, 19190, 4163]
    assert np.bincount(two.y).tolist() == [1430, 23353]
    assert (three.positive, two.positive) == (None, "non-hateful")


def test_identities_of_bias_madlibs_stand_in_their_texts_and_are_balanced(load):
    """The judge: the rows "i am X" of the file, which list the identities, and plain counting."""
    mine = load("bias_madlibs")
    texts = mine.x["text"][:, 0].tolist()
    listed = {text.removeprefix("i am ") for text in texts if text.startswith("i am ")}
    identity = mine.groups["identity"]
    assert set(identity) == listed
    assert len(listed) == 50
    for text, name in zip(texts, identity, strict=True):
        longest = max((term for term in listed if f" {term} " in f" {text.rstrip('.')} "), key=len)
        assert name == longest, text
    table = pd.crosstab(identity, mine.y)
    assert (table == 757).all().all()
    assert set(collections.Counter(mine.cluster.tolist()).values()) == {50}
    assert pd.crosstab(mine.cluster, mine.y).gt(0).sum(axis=1).eq(1).all()  # the label does not depend on the identity
    assert set(mine.groups["kind"]) == {"gender", "orientation", "origin", "religion", "age", "disability"}
    assert not any("engineer" in text for text in texts)


def test_equity_evaluation_corpus_is_balanced_between_persons(load, frame):
    mine, judge = load("equity_evaluation_corpus"), frame("fairness_text/equity_evaluation_corpus/test")
    judge = judge[judge["Emotion"].notna()]
    assert mine.x["text"][:, 0].tolist() == judge["Sentence"].tolist()
    np.testing.assert_array_equal(mine.y, (judge["Emotion"] == "joy").astype(int))
    assert mine.groups["race"].tolist() == judge["Race"].fillna("not told").tolist()
    assert mine.groups["gender"].tolist() == judge["Gender"].tolist()
    assert pd.crosstab(mine.groups["gender"], mine.y).to_numpy().tolist() == [[3150, 1050], [3150, 1050]]
    assert set(collections.Counter(mine.cluster.tolist()).values()) == {60}
    assert "240 sentences" in mine.notes[0]


def test_tiny_shakespeare_joined_is_the_file_and_the_first_nine_tenths_are_train(load, data_folder):
    mine, whole = load("tiny_shakespeare"), (data_folder / "lm/tiny_shakespeare/input.txt").read_bytes()
    texts = mine.x["text"][:, 0]
    assert "".join(texts).encode() == whole
    assert "".join(texts[mine.split == "train"]).encode() == whole[: math.floor(0.9 * len(whole))]
    long = [text for text in texts[:-1] if text.endswith("\n\n")]
    assert len(long) >= len(texts) - 2
    assert min(map(len, long)) >= 4000
    assert max(map(len, texts)) < 6000
    assert len(load("tiny_shakespeare", passage=10**9).y) == 2


def test_wikitext2_has_the_published_articles_tokens_and_bytes(load, data_folder):
    """Published (Merity et al. 2016): 60 articles in each part; 217,646 and 245,569 tokens, a line end counting as one."""
    mine = load("wikitext2")
    assert sizes(mine) == (0, 60, 60)
    for part, file, tokens in (("validation", "valid", 217_646), ("test", "test", 245_569)):
        lines = pq.read_table(data_folder / f"lm/wikitext2_valid_test/{file}.parquet")["line"].to_pylist()
        joined = "".join(mine.x["text"][mine.split == part, 0])
        assert joined == "\n".join(lines)
        assert len(joined.replace("\n", " <eos> ").split()) == tokens
    for text in mine.x["text"][:, 0]:
        assert text.split("\n")[1].startswith(" = ")
        assert not text.split("\n")[1].startswith(" = = ")


def test_brown_has_the_published_genres(load, frame):
    mine = load("brown")
    assert sizes(mine) == (0, 0, 500)
    assert collections.Counter(mine.groups["genre"].tolist()) == collections.Counter(frame("lm/brown_genres/all")["genre"])
    assert len(set(mine.groups["genre"])) == 15
    assert sum(len(text.split()) for text in mine.x["text"][:, 0]) == pytest.approx(1_161_192, rel=0.001)


def test_imdb_reviews_lm_holds_its_test_documents_out(load, frame):
    mine = load("imdb_reviews_lm")
    train, test = (mine.x["text"][mine.split == part, 0].tolist() for part in ("train", "test"))
    held = frame("lm/imdb_unsup_subset/valid")["text"].tolist()
    assert test == held
    assert train == [text for text in frame("lm/imdb_unsup_subset/train")["text"] if text not in set(held)]
    assert len(train) == 5496
    assert "4 train documents" in mine.notes[0]
    labelled = set(load("imdb").x["text"][:, 0])
    assert len(labelled & {*train, *test}) == 9  # posted twice, once with a label


@pytest.mark.parametrize("name", ["tiny_shakespeare", "wikitext2", "brown", "imdb_reviews_lm", "clinc150_oos"])
def test_free_text_has_no_label_and_no_empty_document(name, load):
    mine = load(name)
    assert (mine.kind, mine.answer, mine.classes) == ("text", "next", ())
    assert set(mine.y) == {-1}
    assert all(text.strip() for text in mine.x["text"][:, 0])


def test_leaks_of_the_official_splits_are_those_that_the_notes_name(load):
    """Test rows whose input is a train row: 2 in SST-2, 10 in IMDB, 2 in CLINC150, 49 in SICK, by sets of tuples."""
    found = {}
    for name in ("sst2", "imdb", "clinc150", "banking77", "sick"):
        mine = load(name)
        rows = [tuple(row) for row in mine.x["text"].tolist()]
        train = {row for row, part in zip(rows, mine.split, strict=True) if part == "train"}
        found[name] = sum(row in train for row, part in zip(rows, mine.split, strict=True) if part == "test")
    assert found == {"sst2": 2, "imdb": 10, "clinc150": 2, "banking77": 0, "sick": 49}
    assert load("sick").alike
    assert not load("sst2").alike
