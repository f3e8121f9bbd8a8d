"""Shifts of texts: how much they change, by rapidfuzz's edit distance and by counting; what they must leave whole."""

from __future__ import annotations

import difflib
import unicodedata

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from kdbench.registry import discover

FOUND = discover()
NAMES = [n for n in FOUND.names("shift") if "text" in FOUND.get("shift", n).facts["kinds"]]
PLAIN = "A great film, with funny actors and a sad story: people will like it, perhaps. The children buy a big car quickly!"
ODD = [
    "",
    " ",
    "\n\t ",
    "a",
    "x.",
    "...",
    "e\u0301te\u0301 cafe\u0301 nai\u0308ve",  # letters and accents apart
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e",  # Devanagari: vowel signs
    "\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645 \u200f\u05e9\u05dc\u05d5\u05dd",  # Arabic, Hebrew, a direction
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd ok \U0001f1e9\U0001f1ea",  # a family, a skin tone, a flag
    "\u4e2d\u6587\u6ca1\u6709\u7a7a\u683c",
    "\x1b[31mred\x07 tab\tend\u2028line",
    "Stra\u00dfe \u0130stanbul \u01c6",
    "=1+1 </script> \\input{x} {{7*7}}",
]


def apply(name, x, severity, seed=0, **params):
    plugin, given = FOUND.load("shift", name)[0], {"severity": severity, "rng": np.random.default_rng(seed)}
    names = FOUND.get("shift", name).evidence
    return plugin(x, **{k: v for k, v in given.items() if k in names}, **params)


def column(*texts):
    out = np.empty((len(texts), 1), object)
    out[:, 0] = texts
    return out


def many(n=300):
    """Texts of the words of PLAIN in other orders."""
    rng = np.random.default_rng(5)
    words = PLAIN.split()
    return column(*(" ".join(rng.permutation(words)) for _ in range(n)))


def test_the_six_shifts_are_there():
    assert {"typos", "casing", "word_drop", "word_swap", "negation", "punctuation"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_text_shifts_keep_the_contract_and_grow_by_rapidfuzz(name):
    x = many()
    before, far = x.copy(), []
    for severity in range(1, 6):
        out = apply(name, x, severity)
        assert (out.shape, out.dtype) == (x.shape, x.dtype)
        assert all(type(text) is str for text in out.ravel())
        assert (out == apply(name, x, severity)).all()
        far.append(np.mean([Levenshtein.distance(a, b) for a, b in zip(x[:, 0], out[:, 0], strict=True)]))
    assert (x == before).all()
    assert far[0] > 0
    assert all(a < b for a, b in zip(far, far[1:], strict=False)), far


@pytest.mark.parametrize("name", [n for n in NAMES if n != "negation"])
def test_another_stream_gives_another_draw(name):
    assert (apply(name, many(), 3, seed=0) != apply(name, many(), 3, seed=1)).any()


@pytest.mark.parametrize("name", NAMES)
def test_odd_texts_survive_and_empty_ones_stay(name):
    x = column(*ODD)
    for severity in (1, 5):
        for seed in range(20):
            out = apply(name, x, severity, seed)[:, 0]
            assert out[0] == ""
            assert [t.strip() == "" for t in out] == [t.strip() == "" for t in ODD]
            for text in out:
                text.encode("utf-8")


@pytest.mark.parametrize("name", [n for n in NAMES if n != "casing"])  # "\u0130" has two characters in lower case
def test_no_mark_leaves_its_letter(name):
    """Every mark follows a character that it followed before."""
    x = column(*ODD)
    for seed in range(30):
        for before, after in zip(ODD, apply(name, x, 5, seed)[:, 0], strict=True):
            pairs = set(zip(before, before[1:], strict=False))
            for a, b in zip(after, after[1:], strict=False):
                if unicodedata.category(b)[0] == "M":
                    assert (a, b) in pairs, (before, after)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_keep_their_places(name):
    x = np.concatenate([many(50), many(50)[::-1]], axis=1)
    out = apply(name, x, 5)
    assert out.shape == (50, 2)
    assert (out[:, 1] != x[:, 1]).mean() > 0.9
    for i in range(50):
        near = Levenshtein.distance(x[i, 0], out[i, 0]) <= Levenshtein.distance(x[i, 1], out[i, 0])
        assert near or x[i, 0] == x[i, 1]


@pytest.mark.parametrize("name", ["typos", "casing", "punctuation", "word_drop"])
def test_what_a_lower_severity_changed_a_higher_has_changed_too(name):
    """The words that a lower severity changed or dropped, by difflib, are among those that a higher one did."""
    x = column(" ".join(f"{a}{b}word" for a in "abcdefghij" for b in "klmnopqrst"))

    def kept(severity):
        words, out = x[0, 0].split(), apply(name, x, severity)[0, 0].split()
        blocks = difflib.SequenceMatcher(None, words, out, autojunk=False).get_matching_blocks()
        return {words[b.a + k] for b in blocks for k in range(b.size)}

    sets = [kept(severity) for severity in range(1, 6)]
    assert all(low >= high for low, high in zip(sets, sets[1:], strict=False))
    assert len(sets[4]) < len(sets[0]) < 100


def test_a_million_characters_are_done_in_time():
    x = column("word and " * 120_000)
    for name in NAMES:
        assert len(apply(name, x, 5)[0, 0]) > 500_000


def test_typos_hit_the_stated_share_of_letters_by_rapidfuzz():
    """An edit is at most two in Levenshtein's distance (an exchange), and every hit that changes the text is at least one."""
    x = column("abcdefghijklmnopqrstuvwxyz" * 400)
    for severity, share in enumerate((0.02, 0.04, 0.07, 0.11, 0.16), 1):
        out = apply("typos", x, severity)[0, 0]
        done = Levenshtein.distance(x[0, 0], out) / 10_400
        assert share * 0.9 < done < 1.35 * share, severity


def test_a_neighbour_on_the_keyboard_is_a_neighbour():
    from kdbench.shifts.typos import NEAR

    assert set(NEAR["g"]) == set("fhtyvb")
    assert set(NEAR["q"]) == set("wa")
    assert set(NEAR["p"]) == set("ol")
    assert all(a in NEAR[b] for a in NEAR for b in NEAR[a])
    assert set(NEAR["G"]) == set("FHTYVB")


def test_typos_leave_digits_emoji_and_punctuation_alone():
    x = column("12345 67.89, !? \U0001f44d\U0001f3fd\u200d\U0001f468 __ -- 3/4" * 50)
    assert (apply("typos", x, 5) == x).all()


def test_casing_changes_case_only_and_the_stated_share_of_words():
    x = column(" ".join(["Mixed"] * 5000))
    for severity, share in enumerate((0.1, 0.25, 0.5, 0.75, 1.0), 1):
        for to, done in (("upper", "MIXED"), ("lower", "mixed")):
            out = apply("casing", x, severity, to=to)[0, 0].split()
            assert set(out) <= {"Mixed", done}
            assert np.mean([w == done for w in out]) == pytest.approx(share, abs=0.03)
        assert apply("casing", x, severity)[0, 0].casefold() == x[0, 0].casefold()


def test_word_drop_drops_the_stated_share_and_keeps_order_and_one_word():
    words = [f"w{i}" for i in range(4000)]
    for severity, share in enumerate((0.05, 0.1, 0.2, 0.3, 0.4), 1):
        left = apply("word_drop", column(" ".join(words)), severity)[0, 0].split(" ")
        assert 1 - len(left) / 4000 == pytest.approx(share, abs=0.03)
        assert left == [w for w in words if w in set(left)]
    for seed in range(50):
        assert apply("word_drop", column("one"), 5, seed)[0, 0] == "one"
        assert apply("word_drop", column("a b"), 5, seed)[0, 0] in ("a b", "a", "b")


def test_word_swap_uses_the_table_or_the_neighbour():
    x = column(" ".join(f"w{i}" for i in range(4000)))
    for severity, share in enumerate((0.05, 0.1, 0.2, 0.35, 0.5), 1):
        out = apply("word_swap", x, severity)[0, 0].split()
        assert sorted(out) == sorted(x[0, 0].split())
        hit = np.mean([a != b for a, b in zip(x[0, 0].split(), out, strict=True)])
        assert 1.2 * share < hit < 2.2 * share  # an exchange moves two words
    films = apply("word_swap", column("(Films), " * 400), 5)[0, 0]
    assert set(films.split()) == {"(Films),", "(Movies),"}
    assert films.count("Movies") == pytest.approx(200, abs=40)
    assert "COMICAL" in apply("word_swap", column("FUNNY " * 40), 5)[0, 0]


def test_synonyms_go_both_ways_and_negate_nothing():
    from kdbench.shifts._synonyms import SYNONYMS

    assert all(word in SYNONYMS[other] for word, others in SYNONYMS.items() for other in others)
    assert all(word == word.lower() and word.isalpha() and word not in others for word, others in SYNONYMS.items())
    assert not {"not", "no", "never", "none", "very", "hardly"} & set(SYNONYMS)


def test_negation_adds_tautologies_before_the_closing_mark_and_keeps_the_premise():
    x = np.array([["It rains.", "It is wet ."], ["One", ""]], object)
    assert apply("negation", x, 1).tolist() == [["It rains.", "It is wet and false is not true ."], ["One", ""]]
    out = apply("negation", column("Good!", "fine"), 2)[:, 0].tolist()
    assert out == ["Good and false is not true and no is not yes!", "fine and false is not true and no is not yes"]
    assert apply("negation", column("a"), 5)[0, 0].count(" is not ") == 5


def test_punctuation_changes_no_letter_and_the_stated_share_of_words():
    x = column("word " * 3000 + "end, " * 3000)
    for severity, share in enumerate((0.05, 0.1, 0.2, 0.35, 0.5), 1):
        out = apply("punctuation", x, severity)[0, 0].split()
        assert [w.strip(",.;:!?-") for w in out] == ["word"] * 3000 + ["end"] * 3000
        assert np.mean([a != b for a, b in zip(out, x[0, 0].split(), strict=True)]) == pytest.approx(share, abs=0.03)
    assert apply("punctuation", column(". . ."), 5, 3)[0, 0].strip()
