"""Metrics of written texts against sacrebleu, rouge_score, jiwer, torchmetrics, the rules of SQuAD by hand, or plain loops."""

import warnings

import numpy as np
import pytest
from asking import metric, value
from made_texts import drawn, texts

from kdbench import NotApplicable, Predictions, Undefined
from kdbench.judge.columns import sums, tidy


@pytest.mark.parametrize("tokenize", ["13a", "char", "none"])
@pytest.mark.parametrize("several", [1, 3])
@pytest.mark.parametrize("smooth", ["exp", "none"])
def test_bleu_against_sacrebleu(tokenize, several, smooth):
    from sacrebleu.metrics import BLEU

    for n, seed in ((40, 0), (1, 1), (2, 2), (3, 5)):
        written, references = drawn(n, seed, several)
        judge = BLEU(tokenize=tokenize, smooth_method=smooth, force=True).corpus_score(
            written, list(zip(*references, strict=True))
        )
        found = value("bleu", texts(written, references), {"tokenize": tokenize, "smooth": smooth})
        assert found == pytest.approx(judge.score, abs=1e-9)


@pytest.mark.parametrize(
    ("written", "reference"),
    [("", "a b"), ("a b c d", ""), ("the cat", "the cat"), ("x y z w", "the cat sat on"), ("a b c d e", "a b c d e"),
     ("a c b d e f", "b a d c f e"),
     ("line one-\ntwo\nthree four", "line onetwo three four"), ("a &amp; b &lt;c&gt; &quot;d&quot;", 'a & b <c> "d"')],
)  # fmt: skip
def test_bleu_of_edge_cases_against_sacrebleu(written, reference):
    from sacrebleu.metrics import BLEU

    judge = BLEU(force=True).corpus_score([written], [[reference]]).score
    assert value("bleu", texts([written], [reference])) == pytest.approx(judge, abs=1e-9)


def test_bleu_of_resampled_sets_against_sacrebleu_of_the_repeated_texts():
    from sacrebleu.metrics import BLEU

    written, references = drawn(30, 4, 2)
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=5).astype(np.float32)
    weights[4] = 0
    weights[4, 0] = 3  # one text three times: orders without a match, which smoothing has to fill
    found = metric("bleu")({"predictions": texts(written, references), "weights": weights})
    for w, one in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(30), w.astype(int))
        several = list(zip(*[references[i] for i in rows], strict=True))
        assert one == pytest.approx(BLEU(force=True).corpus_score([written[i] for i in rows], several).score, abs=1e-9)


@pytest.mark.parametrize(
    ("params", "theirs"),
    [({}, {}), ({"words": 2}, {"word_order": 2}), ({"characters": 4, "beta": 1.0}, {"char_order": 4, "beta": 1})],
)
@pytest.mark.parametrize("several", [1, 3])
def test_chrf_against_sacrebleu(params, theirs, several):
    from sacrebleu.metrics import CHRF

    for n, seed in ((40, 0), (1, 1), (2, 2)):
        written, references = drawn(n, seed, several)
        judge = CHRF(**theirs).corpus_score(written, list(zip(*references, strict=True))).score
        assert value("chrf", texts(written, references), params) == pytest.approx(judge, abs=1e-9)


@pytest.mark.parametrize(
    ("written", "reference"), [("", "abc"), ("abc", ""), ("", ""), ("a", "a"), ("ab cd", "abcd"), ("xyz", "abc")]
)
def test_chrf_of_edge_cases_against_sacrebleu(written, reference):
    from sacrebleu.metrics import CHRF

    judge = CHRF().corpus_score([written, "some more"], [[reference, "some text"]]).score
    assert value("chrf", texts([written, "some more"], [reference, "some text"])) == pytest.approx(judge, abs=1e-9)


def test_chrf_of_a_resampled_set_is_made_of_means_of_counts():
    from sacrebleu.metrics import CHRF

    written, references = drawn(25, 7)
    one, rows = metric("chrf"), np.random.default_rng(1).integers(0, 25, 25)
    columns = tidy(one({"predictions": texts(written, references)}), 25)
    found = float(one.finish(sums(columns[rows])[0] / 25))
    assert found == pytest.approx(
        CHRF().corpus_score([written[i] for i in rows], [[references[i][0] for i in rows]]).score, abs=1e-9
    )


@pytest.mark.parametrize("of", ["rouge1", "rouge2", "rougeL"])
@pytest.mark.parametrize("several", [1, 3])
def test_rouge_against_rouge_score(of, several):
    from rouge_score.rouge_scorer import RougeScorer

    written, references = drawn(40, 3, several)
    written += ["", "中文", "one", "A  Big--Cat's tail", "x\ny z"]
    references += [
        ("the cat",) * several,
        ("中文",) * several,
        ("one",) * several,
        ("a big cat s TAIL",) * several,
        ("",) * several,
    ]
    judge = RougeScorer([of], use_stemmer=False)
    expected = np.mean([judge.score_multi(list(r), w)[of].fmeasure for w, r in zip(written, references, strict=True)])
    assert value("rouge", texts(written, references), {"of": of}) == pytest.approx(expected, abs=1e-12)


def test_rouge_says_how_many_references_it_cannot_read():
    one = metric("rouge")
    assert one.say("note", {"predictions": texts(["中文", "a"], ["中文", "a"])}).startswith("1 of 2 references have no word")
    assert one.say("note", {"predictions": texts(["a"], ["a"])}) == ""


def spoken(n, seed):
    """As `drawn`, without the empty references that jiwer counts in its own way."""
    written, references = drawn(n, seed)
    return written, [r[0] for r in references]


@pytest.mark.parametrize("seed", range(4))
def test_wer_against_jiwer(seed):
    import jiwer

    written, references = spoken(30, seed)
    written[0] = ""
    assert value("wer", texts(written, references)) == pytest.approx(jiwer.wer(references, written), abs=1e-12)
    plain = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.RemovePunctuation(),
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )
    kept = [(w, r) for w, r in zip(written, references, strict=True) if any(c.isalnum() for c in r)]
    written, references = map(list, zip(*kept, strict=True))
    judge = jiwer.wer(references, written, reference_transform=plain, hypothesis_transform=plain)
    assert value("wer", texts(written, references), {"normaliser": "basic"}) == pytest.approx(judge, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_cer_against_jiwer(seed):
    import jiwer

    written, references = spoken(30, seed)
    written[0] = " "
    assert value("cer", texts(written, references)) == pytest.approx(jiwer.cer(references, written), abs=1e-12)


def test_case_and_punctuation_count_as_errors_unless_a_normaliser_is_named():
    of = texts(["The Cat."], ["the cat"])
    assert value("wer", of) == 1.0
    assert value("wer", of, {"normaliser": "basic"}) == 0.0
    assert value("cer", of) == pytest.approx(3 / 7)


def test_wer_is_pooled_over_words_and_not_a_mean_of_rates():
    of = texts(["a", "one two three"], ["b", "one two three"])
    assert value("wer", of) == 1 / 4


def test_an_empty_reference_adds_its_insertions_and_no_words():
    assert value("wer", texts(["x y", "a"], ["", "a b"])) == 3 / 2
    assert value("cer", texts(["xy", "ab"], ["", "ab"])) == 2 / 2
    for name in ("wer", "cer", "written_length"):
        assert np.isnan(value(name, texts(["x y"], [""])))
        assert metric(name).facts["undefined"].startswith("no reference")


@pytest.mark.parametrize("length", [1, 3, 31, 64, 65, 200])
def test_edits_and_common_parts_against_a_table_in_plain_loops(length):
    from kdbench.metrics._written import common, edits

    rng = np.random.default_rng(length)
    for _ in range(5):
        a, b = rng.integers(0, 4, rng.integers(0, length + 1)).tolist(), rng.integers(0, 4, rng.integers(0, length + 1)).tolist()
        cost = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
        best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a, 1):
            for j, y in enumerate(b, 1):
                cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (x != y))
                best[i][j] = best[i - 1][j - 1] + 1 if x == y else max(best[i - 1][j], best[i][j - 1])
        assert edits(a, b) == cost[-1][-1]
        assert common(a, b) == best[-1][-1]


SQUAD = [  # by hand, after normalize_answer, compute_exact and compute_f1 of evaluate-v2.0.py
    ("The Eiffel Tower", "eiffel tower", 1, 1),
    ("a  cat!", "the cat", 1, 1),
    ("Denver Broncos", "the Denver Broncos won", 0, 2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3)),
    ("in 1066, A.D.", "1066 AD", 0, 2 * (2 / 3) * 1 / (2 / 3 + 1)),
    ("", "", 1, 1),
    ("the", "", 1, 1),
    ("cat", "", 0, 0),
    ("", "cat", 0, 0),
    ("dog dog", "dog", 0, 2 * (1 / 2) * 1 / (1 / 2 + 1)),
    ("Gold–silver", "gold silver", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("written", "reference", "exact", "overlap"), SQUAD)
def test_exact_match_and_f1_against_the_rules_of_squad(written, reference, exact, overlap):
    assert value("exact_match", texts([written], [reference])) == exact
    assert value("token_f1", texts([written], [reference])) == pytest.approx(overlap)


def test_squad_numbers_against_torchmetrics():
    from torchmetrics.functional.text import squad

    written, references = drawn(40, 9, 3)
    references = [tuple(f"{one} dog" for one in r) for r in references]  # none of marks alone: no answer in SQuAD 2.0
    asked = [{"prediction_text": w, "id": str(i)} for i, w in enumerate(written)]
    gold = [{"answers": {"answer_start": [0] * 3, "text": list(r)}, "id": str(i)} for i, r in enumerate(references)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = squad(asked, gold)
    of = texts(written, references)
    assert 100 * value("exact_match", of) == pytest.approx(float(judge["exact_match"]), abs=1e-4)
    assert 100 * value("token_f1", of) == pytest.approx(float(judge["f1"]), abs=1e-4)


def test_the_best_of_several_references_counts():
    of = texts(["colour"], [("color", "colour")])
    for name in ("exact_match", "token_f1", "rouge"):
        assert value(name, of) == 1.0
    assert value("wer", of) == value("cer", of) == 0.0


def test_exact_match_of_what_follows_a_mark():
    of = texts(["so #### 42", "#### 7 no #### 8", "42", "####"], ["2*21 #### 42", "#### 8", "#### 42", "#### 1"])
    assert value("exact_match", of, {"after": "####"}) == 0.5
    assert value("exact_match", of) == 0.25  # marks do not count
    assert value("exact_match", texts(["The Cat"], ["cat"]), {"normaliser": "none"}) == 0.0


def test_length_ratio_by_hand():
    of = texts(["one two three", "", "a b"], ["one two", "three", ("a b c d e", "a", "a b c")])
    assert value("written_length", of) == pytest.approx(5 / (2 + 1 + 1))
    assert metric("written_length").say("note", {"predictions": of}) == "1 of 3 texts are empty"


def test_distinct_n_by_hand_and_under_weights():
    of = texts(["a b a b", "A b c", "d"], ["", "", ""])
    assert value("distinct_n", of) == 3 / 5  # ab ba ab | ab bc
    assert value("distinct_n", of, {"n": 1}) == 4 / 8
    weights = np.array([[1, 1, 1], [2, 1, 0], [0, 3, 0], [0, 0, 3]], dtype=np.float32)
    found = metric("distinct_n")({"predictions": of, "weights": weights})
    assert found[:3] == pytest.approx([3 / 5, 3 / 8, 2 / 6])
    assert np.isnan(found[3])
    with pytest.raises(Undefined, match="no text has 5 words"):
        value("distinct_n", of, {"n": 5})


def test_agreement_of_texts_against_sacrebleu_and_rouge_score():
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import CHRF

    mine, theirs = drawn(20, 11)
    theirs = [t[0] for t in theirs]
    mine[0] = theirs[0]
    student, teacher = texts(mine, [""] * 20), texts(theirs, [""] * 20)
    assert value("agreement_of_texts", student, teacher=teacher) == np.mean([a == b for a, b in zip(mine, theirs, strict=True)])
    chrf = np.mean([CHRF().sentence_score(a, [b]).score for a, b in zip(mine, theirs, strict=True)]) / 100
    assert value("agreement_of_texts", student, {"by": "chrf"}, teacher=teacher) == pytest.approx(chrf, abs=1e-9)
    judge = RougeScorer(["rougeL"])
    rouge = np.mean([1.0 if a == b else judge.score(b, a)["rougeL"].fmeasure for a, b in zip(mine, theirs, strict=True)])
    assert value("agreement_of_texts", student, {"by": "rougeL"}, teacher=teacher) == pytest.approx(rouge, abs=1e-12)
    empty = texts([""], [""])
    for by in ("exact", "chrf", "rougeL"):
        assert value("agreement_of_texts", empty, {"by": by}, teacher=empty) == 1.0


OF_TEXTS = ["bleu", "cer", "chrf", "distinct_n", "exact_match", "rouge", "token_f1", "wer", "written_length"]
ODD = ["\ud800 lone", "\x1b[31mred", "a\x00b", "‮evil", "👩‍👩‍👧 e\u0301", "\u2028", " " * 300, "x" * 5000]


@pytest.mark.parametrize("name", OF_TEXTS)
def test_odd_texts_give_finite_numbers(name):
    assert np.isfinite(value(name, texts([*ODD, "a b c"], [*ODD[::-1], "a b d"])))


@pytest.mark.parametrize("name", OF_TEXTS)
def test_a_text_of_a_megabyte_is_undefined_with_the_reason_and_not_an_hour_of_work(name):
    with pytest.raises(Undefined, match=r"1048576 characters in the text of 'r1'; at most 50000 are compared"):
        value(name, texts(["a", "x" * 2**20], ["a", "b"]))


def test_predictions_without_texts_are_not_applicable():
    bare = Predictions(np.array(["a"]), np.array([-1]), np.zeros((1, 0)), np.zeros(1, int), kind="texts", columns={})
    for name in OF_TEXTS:
        with pytest.raises(NotApplicable, match="wrote no texts"):
            value(name, bare)


@pytest.mark.parametrize("name", ["bleu", "chrf", "distinct_n", "exact_match", "rouge", "wer"])
def test_the_judge_gives_intervals_for_the_whole_and_for_groups_that_hold_the_value(name):
    from kdbench.judge.cases import Case
    from kdbench.judge.means import of_means
    from kdbench.judge.readings import Spot
    from kdbench.judge.resample import Resampler
    from kdbench.judge.seeds import checkpoint
    from kdbench.judge.sets import of_sets
    from kdbench.judge.slices import Cuts, Grouping, Slice

    of, code, one = texts(*drawn(80, 5)), np.arange(80) % 2, metric(name)
    slices = tuple(Slice(f"g={i}", np.flatnonzero(code == i), 40, "g", str(i)) for i in (0, 1))
    cuts, spot = Cuts(Slice("", None, 80), (Grouping("g", code, slices),)), Spot("student", 0, "", "test")
    judge = of_sets if one.form == "set" else of_means
    found = {s.slice: r for s, r in judge(one, Case(spot, {"predictions": of}, "one"), cuts, Resampler(80, 200, 1))}
    assert set(found) == {"", "g=0", "g=1"}
    for place, reading in found.items():
        rows = np.arange(80) if not place else np.flatnonzero(code == int(place[-1]))
        assert reading.value == pytest.approx(value(name, of.take(rows)), abs=1e-9)
        estimate = checkpoint(reading)
        assert estimate.low <= reading.value <= estimate.high
        assert estimate.low < estimate.high or reading.value in (0.0, 1.0)
