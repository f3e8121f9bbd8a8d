"""Rows of the catalogue of silent numbers, on what language models and classifiers of texts say: judged, ranked and compared."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from made_evidence import Evidence, row
from made_tokens import VOCABULARY, columns, distributions
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from kdbench.nouns import Artefact, Gate, Job, Shape, Use
from kdbench.stages import networks, size

SHAPE = Shape("tokens", {"tokens": (16,)}, 97, (97,), "next")


class Spoken(Evidence):
    """A task of the next token: n documents, and what was said of their tokens."""

    def __init__(self, root, n=60):
        super().__init__(root, np.full(n, -1), classes=0)

    def speak(self, contender, said, token, seed=0):
        """said: sums over the tokens of each document; token (m,): those that came, as this model reads them."""
        n = len(self.ids)
        none = {"ids": self.ids, "label": np.full(n, -1), "logits": np.zeros((n, 0), np.float32), "pred": np.zeros(n, np.int64)}
        none |= {"confidence": np.zeros(n, np.float32), "correct": np.zeros(n, bool)}
        with self.write("predict", contender, seed) as draft:
            draft.arrays("predictions.npz", {**none, **{f"column.{name}": value for name, value in said.items()}})
            draft.arrays("tokens.npz", {"token": token})
            draft.json("predictions.json", {"n": n, "split": "test", "kind": "tokens"})
        self.cell("predictions", contender, seed, split="test")

    def setup(self):
        return {**super().setup(), "plain": ["scratch"], "twins": {"kd": "scratch"}, "ranking": True}


def documents(n=60, seed=0):
    """The tokens of n documents of 5 to 40 tokens, four in ten of them token 0: (token, row)."""
    rng = np.random.default_rng(seed)
    row_of = np.repeat(np.arange(n), rng.integers(5, 41, n))
    often = rng.random(len(row_of)) < 0.4
    return np.where(often, 0, rng.integers(1, VOCABULARY, len(row_of))), row_of


def wise(token, skill, seed=1):
    """Probabilities (m, V) that know the token that came, the better the more skill."""
    z = np.random.default_rng(seed).normal(size=(len(token), VOCABULARY)) + skill * np.eye(VOCABULARY)[token]
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def gpt2(plugins, layers):
    """The size of a GPT-2, as the stage counts it."""
    about = {p.name: p.default for p in plugins.get("model", "gpt2").params}
    use = Use("gpt2", {**about, "layers": layers, "hidden": 16, "heads": 2, "positions": 16})
    counted = size.measure(Artefact("torch", SHAPE, use, networks.rebuild(plugins, use, SHAPE, seed=0)))
    return {**counted, "bytes": 4 * counted["parameters"]}


def test_71_a_student_that_is_no_smaller_than_its_teacher_or_is_the_teacher_is_no_compression(plugins, tmp_path):
    """A transformer of two layers is taught by one of one, and one contender is the teacher's own checkpoint: both are said in
    the row, and neither has a rank by size; a gate on it fails.
    """
    made, sizes = Evidence(tmp_path, [0, 1]), {layers: gpt2(plugins, layers) for layers in (0, 1, 2)}
    assert sizes[0]["parameters"] < sizes[1]["parameters"] < sizes[2]["parameters"]
    made.json("size", "teacher", sizes[1])
    made.cell("size", "the same", 0)
    made.json("size", "small", sizes[0])
    made.json("size", "large", sizes[2])
    gates = [Gate("parameters_ratio", at_most=0.99, contender=name) for name in ("the same", "small", "large")]
    board = made.board("parameters_ratio", "bytes_ratio", "flops_ratio", gates=gates)
    for metric, what in (("parameters_ratio", "parameters"), ("bytes_ratio", "bytes"), ("flops_ratio", "flops")):
        large, same, small = (row(board, metric=metric, contender=name) for name in ("large", "the same", "small"))
        assert large["value"] == pytest.approx(sizes[2][what] / sizes[1][what])
        said = f"no compression: larger than the teacher ({sizes[2][what]:.0f} {what} to {sizes[1][what]:.0f})"
        assert (large["status"], large["reason"]) == ("ok", said)
        assert (same["value"], same["reason"]) == (1.0, "no compression: it is the teacher itself")
        assert (small["value"] < 1, small["reason"]) == (True, "")
    standing = board.standings.set_index("contender")
    assert standing.loc["small", "rank_low"] == 1
    for name in ("the same", "large"):
        assert (standing.loc[name, "rank_low"], standing.loc[name, "verdict"]) == (0, "apart")
        assert standing.loc[name, "reason"].startswith("not ranked: no smaller than the teacher; no compression")
    assert board.gates["verdict"].tolist() == ["FAIL", "PASS", "FAIL"]


def test_78_macro_averages_over_intents_that_the_test_texts_lack_torchmetrics_295_1664_1691_2441(tmp_path):
    """torchmetrics#295, #1664, #1691, #2441: an absent class counted as 0 or as 1. Of 150 intents 60 have texts; decisions fall
    on some that have none. scikit-learn, told which classes count, is the judge; the board says which have no labels.
    """
    rng = np.random.default_rng(0)
    label = rng.integers(0, 60, 900)
    z = rng.normal(size=(900, 150))
    z[:, 90:] -= 9  # intents that are neither asked for nor answered
    z[np.arange(900), label] += 3
    made = Evidence(tmp_path, label, classes=150)
    made.predict("teacher", z)
    pred = z.astype(np.float32).argmax(1)
    assert len(set(pred) - set(label)) > 10
    judge = {
        "macro_f1": f1_score(label, pred, labels=range(150), average="macro", zero_division=np.nan),
        "macro_precision": precision_score(label, pred, labels=np.unique(pred), average="macro"),
        "macro_recall": recall_score(label, pred, labels=np.unique(label), average="macro"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are decisions without labels
        judge["balanced_accuracy"] = balanced_accuracy_score(label, pred)
    board = made.board(*judge)
    as_zero = f1_score(label, pred, labels=range(150), average="macro", zero_division=0)
    as_one = f1_score(label, pred, labels=range(150), average="macro", zero_division=1)
    assert min(abs(judge["macro_f1"] - wrong) for wrong in (as_zero, as_one)) > 0.1, "an absent class would count"
    for name, expected in judge.items():
        found = row(board, contender="teacher", metric=name)
        assert found["value"] == pytest.approx(expected, abs=1e-12), name
        if name != "macro_precision":
            absent = ", ".join(f"c{k}" for k in range(60, 70))
            assert f"no labels of {absent} and 80 more" in found["reason"], name


def test_84_a_failed_seed_of_a_language_model_is_named_and_its_survivors_have_no_rank(tmp_path):
    """Two of three seeds would have been the best of all: the one that diverged might have been the bad one."""
    made = Spoken(tmp_path)
    token, of = documents()
    for name, skill in (("teacher", 2.0), ("plain", 2.5), ("kd", 4.0)):
        for seed in (0,) if name == "teacher" else (0, 1, 2):
            made.speak(name, columns(wise(token, skill, seed), token, of, 60), token, seed)
    lost = Job("predict", {"lost": True})
    made.jobs.append(lost)
    made.store.fail(lost.key, "invalid output: the model is not finite on 3 of 8 rows of a batch")
    victim = next(i for i, c in enumerate(made.cells) if (c.contender, c.seed) == ("kd", 1))
    made.cells[victim] = replace(made.cells[victim], key=lost.key)
    board = made.board("bits_per_byte", "token_accuracy", gates=[Gate("bits_per_byte", at_most=9.0, contender="kd")])
    for metric in ("bits_per_byte", "token_accuracy"):
        over = row(board, contender="kd", metric=metric)
        assert over["status"] == "partial"
        assert over["reason"].startswith("2 of 3 seeds: predict: invalid output: the model is not finite on 3 of 8 rows")
        one = row(board, contender="kd", metric=metric, seed=1)
        assert (one["status"], np.isnan(one["value"])) == ("failed", True)
    standing = board.standings.set_index("contender")
    assert set(board.standings["metric"]) == {"bits_per_byte"}
    assert (standing.loc["kd", "complete"], standing.loc["kd", "rank_low"], standing.loc["plain", "rank_low"]) == (False, 0, 1)
    assert standing.loc["kd", "value"] < standing.loc["plain", "value"], "the survivors look better"
    assert board.gates["verdict"].tolist() == ["FAIL"]
    assert any("2 of 3 seeds" in warning for warning in board.facts["warnings"])


def test_85_retention_of_a_language_model_that_only_knows_how_frequent_tokens_are_is_undefined(tmp_path):
    """A teacher that always names the most frequent token: 97 % of it is no praise. Of metrics that are better when lower there
    is no share, and what distillation gained is turned: the twin's bits less the student's.
    """
    token, of = documents()
    share = np.bincount(token, minlength=VOCABULARY) / len(token)
    unigram = np.tile(share, (len(token), 1))
    random = distributions(len(token), 0.0, np.random.default_rng(5))[0]
    teachers = {"unigram": unigram, "random": random, "taught": wise(token, 3.0)}
    student, twin = wise(token, 1.0, 2), wise(token, 0.5, 3)
    right = {name: (p.argmax(1) == token).mean() for name, p in {**teachers, "kd": student}.items()}
    for name, p in teachers.items():
        made = Spoken(tmp_path / name)
        for contender, q in (("teacher", p), ("kd", student), ("scratch", twin)):
            made.speak(contender, columns(q, token, of, 60), token)
        board = made.board("token_accuracy", "bits_per_byte", "perplexity")
        kept = row(board, contender="kd", metric="retention{of=token_accuracy}")
        if name == "taught":
            assert kept["value"] == pytest.approx(right["kd"] / right["taught"], rel=1e-12)
            assert f"no better than a constant guess ({share.max():.4g})" in kept["convention"]
        else:
            why = f"the teacher ({right[name]:.4g}) is no better than a constant guess ({share.max():.4g})"
            assert (kept["status"], kept["reason"], np.isnan(kept["value"])) == ("undefined", why, True)
        shares = {m for m in board.scores["metric"] if m.startswith("retention")}
        assert shares == {"retention{of=token_accuracy}"}, "a share of bits or of hesitation means nothing"
        bits = {c: row(board, contender=c, metric="bits_per_byte")["value"] for c in ("kd", "scratch")}
        gain = row(board, contender="kd", metric="gain{of=bits_per_byte}")
        assert gain["value"] == pytest.approx(bits["scratch"] - bits["kd"], rel=1e-12)
        assert gain["better"] == "higher"
        assert gain["value"] > 0
