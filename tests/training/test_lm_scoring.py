"""What a language model says of given texts: sums against numpy, and nothing that depends on batches, widths or order."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from kdbench.nets import build
from kdbench.nouns import IGNORED, Refusal, Runner, Shape, Use
from kdbench.stages import scoring
from kdbench.stages.samples import Rows

VOCABULARY, LENGTH = 40, 12
SHAPE = Shape("tokens", {"tokens": (LENGTH,)}, VOCABULARY, (VOCABULARY,), "next", 0)
BY_TOKEN = ("row", "token", "log_probability", "rank", "entropy", "top_ids", "top_log_probabilities")


@pytest.fixture
def runner(found):
    def made(seed, calls=None):
        use = Use("gpt2", {"layers": 1, "hidden": 16, "heads": 2, "positions": 16})
        module = build.build(found.load("model", "gpt2")[0], use, SHAPE, seed=seed).eval()
        with torch.no_grad():
            module.network.transformer.wpe.weight.mul_(20)
            module.network.transformer.wte.weight.mul_(5)

        def predict(x):
            if calls is not None:
                calls.append(x["tokens"].shape)
            with torch.no_grad():
                return module(torch.from_numpy(x["tokens"])).numpy()

        return Runner(predict)

    return made


@pytest.fixture
def rows():
    """Windows of 1 to 12 tokens; one that asks for nothing; one with a prompt that is not asked for."""
    rng = np.random.default_rng(0)
    tokens, y = rng.integers(1, VOCABULARY, (20, LENGTH)), rng.integers(0, VOCABULARY, (20, LENGTH))
    for i, length in enumerate(rng.integers(1, LENGTH + 1, 20)):
        tokens[i, length:], y[i, length:] = 0, -100
    y[3] = -100
    y[4], tokens[4] = rng.integers(0, VOCABULARY, LENGTH), rng.integers(1, VOCABULARY, LENGTH)
    y[4, :5] = -100
    ids = np.array([f"doc-{i}/0" for i in range(20)])
    return Rows({"tokens": tokens}, y, ids, {}, None, {"bytes": rng.integers(0, 60, 20)})


def whole(runner, rows):
    z = runner.predict(rows.x).astype(np.float64)
    return log_softmax(z, axis=-1), rows.y != -100


def summed(values, wanted):
    return np.where(wanted, values, 0.0).sum(axis=1)


def test_columns_against_numpy(runner, rows):
    student = runner(0)
    found = scoring.score(student, rows, SHAPE)
    log_p, wanted = whole(student, rows)
    at = np.take_along_axis(log_p, np.maximum(rows.y, 0)[..., None], -1)[..., 0]
    expected = {
        "tokens": wanted.sum(1),
        "bytes": rows.more["bytes"],
        "nll": -summed(at, wanted),
        "right": summed(log_p.argmax(-1) == rows.y, wanted),
        "entropy": -summed((np.exp(log_p) * log_p).sum(-1), wanted),
    }
    for name, value in expected.items():
        assert found[name].dtype == np.float64
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
    assert found["right"].sum() > 0
    assert "kl" not in found


def test_divergence_from_the_teacher_against_numpy(runner, rows):
    student, teacher = runner(0), runner(1)
    found = scoring.score(student, rows, SHAPE, teacher)
    (log_p, wanted), (log_t, _) = whole(student, rows), whole(teacher, rows)
    assert found["kl"] == pytest.approx(summed((np.exp(log_t) * (log_t - log_p)).sum(-1), wanted), rel=1e-5)
    assert found["reverse_kl"] == pytest.approx(summed((np.exp(log_p) * (log_p - log_t)).sum(-1), wanted), rel=1e-5)
    assert found["agree"] == pytest.approx(summed(log_p.argmax(-1) == log_t.argmax(-1), wanted))
    alone = scoring.score(teacher, rows, SHAPE)
    assert np.array_equal(found["teacher_nll"], alone["nll"])
    assert np.array_equal(found["teacher_right"], alone["right"])
    itself = scoring.score(student, rows, SHAPE, student)
    assert not itself["kl"].any()
    assert np.array_equal(itself["agree"], itself["tokens"])


def test_bins_of_confidence_against_a_plain_loop(rows):
    rng = np.random.default_rng(2)
    table = (rng.normal(size=(VOCABULARY, VOCABULARY)) * np.linspace(0, 8, VOCABULARY)[:, None]).astype(np.float32)
    student = Runner(lambda x: table[x["tokens"]])
    found = scoring.score(student, rows, SHAPE)
    log_p, wanted = whole(student, rows)
    count, confidence, right = (np.zeros((20, 15)) for _ in range(3))
    for i, j in zip(*np.nonzero(wanted), strict=True):
        p = float(np.exp(log_p[i, j].max()))
        m = next(m for m in range(15) if p <= (m + 1) / 15)
        count[i, m] += 1
        confidence[i, m] += p
        right[i, m] += log_p[i, j].argmax() == rows.y[i, j]
    assert (count.sum(0) > 0).sum() > 8
    assert np.array_equal(found["bin_count"], count)
    assert found["bin_confidence"] == pytest.approx(confidence, rel=1e-6)
    assert np.array_equal(found["bin_right"], right)


def test_tokens_one_by_one_against_numpy(runner, rows):
    student = runner(0)
    found = {name: value for name, value in scoring.score(student, rows, SHAPE).items() if name.startswith("tokens.")}
    assert sorted(found) == sorted("tokens." + name for name in BY_TOKEN)
    log_p, wanted = whole(student, rows)
    row, place = np.nonzero(wanted)
    here, label = log_p[row, place], rows.y[row, place]
    assert np.array_equal(found["tokens.row"], row)
    assert np.array_equal(found["tokens.token"], label)
    at = here[np.arange(len(row)), label]
    assert found["tokens.log_probability"] == pytest.approx(at, rel=1e-5)
    assert np.array_equal(found["tokens.rank"], (here > at[:, None]).sum(1))
    order = np.argsort(-here, axis=1)[:, :8]
    assert np.array_equal(found["tokens.top_ids"], order)
    assert found["tokens.top_log_probabilities"] == pytest.approx(np.take_along_axis(here, order, 1), rel=2e-3)
    assert (found["tokens.rank"] == 0).sum() == scoring.score(student, rows, SHAPE)["right"].sum()
    kinds = [found[f"tokens.{name}"].dtype for name in ("log_probability", "rank", "top_ids", "top_log_probabilities")]
    assert kinds == [np.float32, np.int32, np.int32, np.float16]


def test_nothing_depends_on_batches_or_order(runner, rows, monkeypatch):
    """Rows one by one, all at once, or shuffled: the same numbers (lm-eval #879: padding and batch size changed results)."""
    student, teacher = runner(0), runner(1)
    first = scoring.score(student, rows, SHAPE, teacher)
    monkeypatch.setattr(scoring, "LARGEST", 1)
    monkeypatch.setattr(scoring, "STEP", 1)
    alone = scoring.score(student, rows, SHAPE, teacher)
    for name, value in first.items():
        assert alone[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    order = np.random.default_rng(3).permutation(20)
    shuffled = scoring.score(student, rows.take(order), SHAPE, teacher)
    for name, value in first.items():
        if not name.startswith("tokens."):
            assert shuffled[name] == pytest.approx(value[order], rel=1e-4, abs=1e-5), name


def test_calls_are_bounded_and_no_wider_than_their_longest_row(runner, rows, monkeypatch):
    calls = []
    monkeypatch.setattr(scoring, "LARGEST", 4 * LENGTH * VOCABULARY)
    scoring.score(runner(0, calls), rows, SHAPE)
    assert sum(n for n, _ in calls) == 19, "the row that asks for nothing is not run"
    assert all(n * width <= 4 * LENGTH for n, width in calls)
    assert [width for _, width in calls] == sorted((width for _, width in calls), reverse=True)
    assert calls[-1][1] < LENGTH


def test_no_rows_and_no_tokens(runner, rows):
    found = scoring.score(runner(0), rows.take(np.array([3])), SHAPE, runner(1))
    assert found["tokens"].tolist() == found["nll"].tolist() == found["kl"].tolist() == [0.0]
    assert found["tokens.row"].shape == (0,)
    assert scoring.score(runner(0), rows.take(np.zeros(0, np.int64)), SHAPE)["bin_count"].shape == (0, 15)


def test_tokens_that_the_tokenizer_does_not_know_are_counted_where_they_are_asked_for(runner, rows):
    rows.x["tokens"][:] = 7  # read, but not asked for
    y = np.where(rows.y == IGNORED, rows.y, np.arange(rows.y.size).reshape(rows.y.shape) % 5 + 5)
    found = scoring.score(runner(0), Rows(rows.x, y, rows.ids, {}), SHAPE, None, 7)
    assert found["unknown"].tolist() == [sum(token == 7 for token in row) for row in y.tolist()]
    assert found["unknown"].sum() > 0
    assert "unknown" not in scoring.score(runner(0), rows, SHAPE)


def test_equal_logits_rank_by_their_number(rows):
    flat = Runner(lambda x: np.zeros((*x["tokens"].shape, VOCABULARY), np.float32))
    found = scoring.score(flat, rows, SHAPE)
    assert np.array_equal(found["tokens.rank"], found["tokens.token"])
    assert found["nll"] == pytest.approx(found["tokens"] * np.log(VOCABULARY))


def test_an_encoder_and_a_decoder_are_asked_about_what_follows_the_prefix():
    """Two inputs: the source keeps its own width, the labels and logits are those of the prefix."""
    rng = np.random.default_rng(1)
    source, prefix, y = rng.integers(1, 9, (5, 10)), rng.integers(1, 9, (5, 6)), rng.integers(0, 9, (5, 6))
    source[:, 7:], y[2, 3:] = 0, -100
    table = rng.normal(size=(9, 9)).astype(np.float32)
    seen = []

    def predict(x):
        seen.append((x["tokens"].shape[1], x["prefix"].shape[1]))
        return table[x["prefix"]] + 0.1 * x["tokens"].sum(1)[:, None, None] * np.arange(9, dtype=np.float32)

    shape = Shape("tokens", {"tokens": (10,), "prefix": (6,)}, 9, (9,), "text", 0)
    rows = Rows({"tokens": source, "prefix": prefix}, y, np.arange(5).astype(str), {})
    found = scoring.score(Runner(predict), rows, shape)
    log_p = log_softmax(predict(rows.x).astype(np.float64), axis=-1)
    at = np.take_along_axis(log_p, np.maximum(y, 0)[..., None], -1)[..., 0]
    assert found["nll"] == pytest.approx(-summed(at, y != -100), rel=1e-6)
    assert seen[0] == (7, 6)
    assert "bytes" not in found


def test_what_is_not_finite_or_of_another_size_is_refused(runner, rows):
    good = runner(0)

    def broken(x):
        z = np.array(good.predict(x))
        z[0, :, 0] = np.nan
        return z

    with pytest.raises(Refusal, match="invalid output: the model is not finite on 1 of 19 rows"):
        scoring.score(Runner(broken), rows, SHAPE)
    with pytest.raises(Refusal, match="the teacher gives logits of shape .* expected .* \\(rows, tokens, vocabulary\\)"):
        scoring.score(good, rows, SHAPE, Runner(lambda x: np.array(good.predict(x))[..., :39]))
    rows.y[0, 0] = VOCABULARY
    with pytest.raises(Refusal, match="outside of the vocabulary of 40 tokens"):
        scoring.score(good, rows, SHAPE)
