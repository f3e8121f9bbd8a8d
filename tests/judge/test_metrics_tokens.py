"""Numbers about tokens, against numpy over the tokens themselves and against lm-eval."""

import math

import numpy as np
import pytest
from asking import metric, value
from made_tokens import columns, distributions, said

from kdbench import NotApplicable, Undefined

N = 40


@pytest.fixture(scope="module")
def texts():
    """Texts of 1 to 60 tokens: a mean of their means is not the mean."""
    rng = np.random.default_rng(0)
    row = np.repeat(np.arange(N), rng.integers(1, 60, N))
    p, token = distributions(len(row), 1.5, rng)
    teacher = distributions(len(row), 2.0, rng)[0]
    return p, token, row, teacher


@pytest.fixture(scope="module")
def found(texts):
    p, token, row, teacher = texts
    return said(columns(p, token, row, N, teacher))


def test_every_metric_of_tokens_against_numpy_over_all_tokens(texts, found):
    p, token, _, teacher = texts
    at = p[np.arange(len(token)), token]
    by_hand = {
        "bits_per_byte": -np.log2(at).sum() / (3 * len(token) + N),
        "perplexity": np.exp(-np.mean(np.log(at))),
        "token_accuracy": np.mean(p.argmax(1) == token),
        "token_entropy": -np.mean(np.sum(p * np.log(p), 1)),
        "token_kl_to_teacher": np.mean(np.sum(teacher * np.log(teacher / p), 1)),
        "token_reverse_kl_to_teacher": np.mean(np.sum(p * np.log(p / teacher), 1)),
        "token_agreement": np.mean(teacher.argmax(1) == p.argmax(1)),
    }
    for name, expected in by_hand.items():
        assert value(name, found) == pytest.approx(expected, rel=1e-12), name


def test_they_are_ratios_of_sums_and_no_means_of_ratios(texts, found):
    """One text of many tokens weighs as much as its tokens (lm-eval #1427, #1521: weighting changed between versions)."""
    nll, tokens = found.columns["nll"], found.columns["tokens"]
    assert value("perplexity", found) == pytest.approx(np.exp(nll.sum() / tokens.sum()))
    assert abs(value("perplexity", found) - np.exp(nll / tokens).mean()) > 0.1
    bits = found.columns["nll"] / found.columns["bytes"] / np.log(2)
    assert abs(value("bits_per_byte", found) - bits.mean()) > 1e-3


def test_calibration_of_tokens_against_a_plain_loop(texts, found):
    p, token, _, _ = texts
    confidence, right = p.max(1), p.argmax(1) == token
    gap = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            gap += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert value("token_calibration", found) == pytest.approx(gap, rel=1e-9)
    one = metric("token_calibration")
    curve = one.curve(one({"predictions": found}).mean(0))
    assert curve["share"].sum() == pytest.approx(1.0)
    assert np.nansum(curve["share"] * np.abs(curve["x"] - curve["y"])) == pytest.approx(gap, rel=1e-9)


def test_known_values():
    """A uniform model over V tokens: perplexity V, entropy log V, and log2 V bits a token."""
    v = 16
    p, token, row = np.full((50, v), 1 / v), np.arange(50) % v, np.arange(50) // 5
    held = columns(p, token, row, 10, p)
    held["bytes"] = np.full(10, 20.0)
    of = said(held)
    assert value("perplexity", of) == pytest.approx(v)
    assert value("token_entropy", of) == pytest.approx(math.log(v))
    assert value("bits_per_byte", of) == pytest.approx(5 * 4 / 20)
    assert value("token_kl_to_teacher", of) == 0.0
    assert value("token_agreement", of) == 1.0


def test_without_a_teacher_or_bytes_there_is_no_number(texts):
    p, token, row, _ = texts
    held = columns(p, token, row, N)
    for name in ("token_kl_to_teacher", "token_reverse_kl_to_teacher", "token_agreement"):
        with pytest.raises(NotApplicable, match="teacher"):
            metric(name)({"predictions": said(held)})
    del held["bytes"], held["bin_right"]
    with pytest.raises(NotApplicable, match="bytes"):
        metric("bits_per_byte")({"predictions": said(held)})
    with pytest.raises(NotApplicable, match="bin_"):
        metric("token_calibration")({"predictions": said(held)})


def test_bytes_of_unknown_tokens_are_not_free(texts, found):
    """One token stands for all that a tokenizer does not know: it is soon learned, whatever its bytes were."""
    held = dict(found.columns) | {"unknown": np.zeros(N)}
    assert value("bits_per_byte", said(held)) == value("bits_per_byte", found)
    held["unknown"] = np.eye(N)[3] * 2
    with pytest.raises(Undefined, match="2 tokens are unknown to this tokenizer"):
        metric("bits_per_byte")({"predictions": said(held)})


def test_where_lm_eval_asks_nobody_says_that_the_teacher_reads_other_tokens(texts):
    p, token, row, _ = texts
    held = columns(p, token, row, N) | {"lm_eval.acc:mean:higher": np.ones(N)}
    with pytest.raises(NotApplicable, match="^no teacher was asked beside it here: lm-eval asks each model by itself$"):
        metric("token_kl_to_teacher")({"predictions": said(held)})


def test_texts_without_tokens_have_no_value_and_spoil_no_other(texts, found):
    p, token, row, teacher = texts
    more = said(columns(p, token, row, N + 3, teacher))
    empty = said({name: np.zeros((2, *v.shape[1:])) for name, v in found.columns.items()})
    for name in ("perplexity", "token_accuracy", "token_kl_to_teacher", "token_calibration"):
        assert value(name, more) == pytest.approx(value(name, found), rel=1e-9)
        assert math.isnan(value(name, empty))
    assert math.isnan(value("bits_per_byte", empty))


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A tiny random GPT-2, its tokenizer of bytes, and texts, as lm-eval opens them."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("lm_eval")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[BOS]": 2, "[EOS]": 3} | {c: 4 + i for i, c in enumerate(alphabet)}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="[BOS]", eos_token="[EOS]", unk_token="[UNK]", pad_token="[PAD]"
    )
    size = len(vocabulary)
    config = GPT2Config(vocab_size=size, n_positions=32, n_embd=16, n_layer=1, n_head=2, bos_token_id=2, eos_token_id=3)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        model.transformer.wte.weight.mul_(20)
    return model, tokenizer, size


TEXTS = [
    "A short one.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, und so weiter und so fort.",
    "x" * 70,
    "¡olé!",
]


def test_perplexity_and_bits_per_byte_against_lm_eval_rolling_likelihood(lm):
    """The same model, texts and windows (32 tokens, one of context): lm-eval's own sums, to seven digits.

    Its last window goes back for context, ours does not, so its windows are taken. Without its cache of logits: that one takes
    two windows of a text of seventy equal letters for one.
    """
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    from kdbench.nouns import Runner, Shape
    from kdbench.stages.samples import Rows
    from kdbench.stages.scoring import score

    model, tokenizer, size = lm
    judge = HFLM(
        pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=4, max_length=32, prefix_token_id=2, logits_cache=False
    )
    requests = [Instance("loglikelihood_rolling", {}, (text,), i) for i, text in enumerate(TEXTS)]
    theirs = judge.loglikelihood_rolling(requests, disable_tqdm=True)
    x, y, clusters = [], [], []
    for i, text in enumerate(TEXTS):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        rolled = get_rolling_token_windows(token_list=ids, prefix_token=2, max_seq_len=32, context_len=1)
        for context, wanted in map(make_disjoint_window, rolled):
            row = [*context, *wanted][:-1]
            label = [-100] * (len(row) - len(wanted)) + list(wanted)
            x.append(row + [0] * (32 - len(row)))
            y.append(label + [-100] * (32 - len(label)))
            clusters.append(i)

    def predict(given):
        with torch.no_grad():
            return model(torch.from_numpy(given["tokens"]), use_cache=False).logits.numpy()

    rows = Rows({"tokens": np.array(x)}, np.array(y), np.array([f"w{i}" for i in range(len(x))]), {})
    sums = score(Runner(predict), rows, Shape("tokens", {"tokens": (32,)}, size, (size,), "next", 0))
    by_text = {name: np.bincount(clusters, sums[name]) for name in ("nll", "tokens")}
    assert by_text["nll"] == pytest.approx(-np.array(theirs, dtype=np.float64), rel=1e-6)
    counted = np.array([len(text.encode()) for text in TEXTS], dtype=np.float64)
    of = said({**by_text, "bytes": counted})
    nll = -float(np.sum(theirs))
    assert value("bits_per_byte", of) == pytest.approx(nll / counted.sum() / math.log(2), rel=1e-6)
    assert value("perplexity", of) == pytest.approx(math.exp(nll / by_text["tokens"].sum()), rel=1e-6)


def test_bits_per_byte_against_lm_eval_own_metric(lm):
    """lm-eval's aggregation of the same (log-likelihood, bytes) pairs."""
    from lm_eval.api.metrics import bits_per_byte

    rng = np.random.default_rng(0)
    nll, size = rng.uniform(10, 500, 30), rng.integers(1, 400, 30).astype(float)
    theirs = bits_per_byte([(-a, b) for a, b in zip(nll, size, strict=True)])
    assert value("bits_per_byte", said({"nll": nll, "bytes": size, "tokens": size})) == pytest.approx(theirs, rel=1e-12)
