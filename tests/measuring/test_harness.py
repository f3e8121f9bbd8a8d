"""An lm-eval task scored through a Runner, judged by a log-softmax in float64 on the same network, and by lm-eval's own model."""

import datasets
import numpy as np
import pytest
import torch
from torch import nn

from kdbench import Artefact, Refusal, Runner, Shape
from kdbench.nouns import Use
from kdbench.stages.harness_model import RunnerLM, Words
from kdbench.stages.harness_task import run_tasks

from .made_language import LENGTH as WIDE
from .made_language import eager, net, ours, request, theirs, words

LENGTH, VOCABULARY = 24, 128
PAIRS = [("the cat sat", "sat cat the"), ("a dog ran", "ran a dog"), ("we go home", "home we go"), ("it is so", "so it is")] * 2


class Letters(nn.Module):
    """A tiny GPT-2 over ASCII codes."""

    def __init__(self):
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
        config._attn_implementation = "eager"
        self.network = GPT2LMHeadModel(config).eval()

    def forward(self, tokens):
        return self.network(input_ids=tokens, use_cache=False).logits


@pytest.fixture(scope="module")
def letters():
    return Artefact("torch", Shape("tokens", {"tokens": (LENGTH,)}, VOCABULARY), Use("letters"), Letters().eval())


def encode(text):
    return [ord(c) for c in text]


def task():
    rows = [{"good": good, "bad": bad} for good, bad in PAIRS]
    return {
        "task": "pairs",
        "test_split": "test",
        "output_type": "multiple_choice",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
        "doc_to_text": "",
        "doc_to_target": 0,
        "target_delimiter": "",
        "doc_to_choice": lambda doc: [doc["good"], doc["bad"]],
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1},
    }


def by_hand(artefact, text):
    tokens = torch.tensor([[0, *encode(text)]])
    with torch.no_grad():
        logits = artefact.module(tokens[:, :-1])[0].double()
    return float(torch.log_softmax(logits, -1)[torch.arange(len(text)), tokens[0, 1:]].sum())


def model(plugins, artefact, name):
    example = {"tokens": np.zeros((2, LENGTH), np.int64)}
    runner = plugins.load("target", name)[0](artefact, example)
    return RunnerLM(runner, Words(encode, 0), length=LENGTH, batch=3), runner


def scores(result):
    return np.array([[one[0] for one in sample["filtered_resps"]] for sample in result["samples"]["pairs"]], dtype=np.float64)


@pytest.mark.parametrize("name", ["torch_cpu", "ort_cpu"])
def test_task_through_a_runner_equals_torch(plugins, letters, name):
    """lm-eval#879, transformers#24839, #26869: scores that changed with the batch and its padding. Here rows of unlike length
    share a batch of three, and torch scores each of them alone.
    """
    lm, _ = model(plugins, letters, name)
    result = run_tasks(lm, [task()])
    expected = np.array([[by_hand(letters, text) for text in pair] for pair in PAIRS])
    np.testing.assert_allclose(scores(result), expected, rtol=1e-4)
    assert result["results"]["pairs"]["acc,none"] == pytest.approx((expected[:, 0] > expected[:, 1]).mean())
    assert lm.truncated == 0


def test_an_int8_model_is_scored_as_int8(plugins, letters):
    int8 = plugins.load("compressor", "dynamic_int8")[0](letters)
    lm, runner = model(plugins, int8, "ort_cpu")
    assert runner.facts["precision"] == "int8"
    found = scores(run_tasks(lm, [task()]))
    expected = np.array([[by_hand(letters, text) for text in pair] for pair in PAIRS])
    assert not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_rolling_likelihood_of_a_long_text_is_the_sum_over_its_windows(plugins, letters):
    lm, _ = model(plugins, letters, "torch_cpu")
    short, long = "a short text", "a text that is longer than the model can read at once, twice"
    found = lm.loglikelihood_rolling([request(short, doc_id=0), request(long, doc_id=1)])
    assert found[0] == pytest.approx(by_hand(letters, short), rel=1e-4)
    assert found[1] < found[0]
    assert np.isfinite(found[1])
    assert [lm.told[i].tokens for i in (0, 1)] == [len(short), len(long)]
    assert lm.truncated == 0


def test_a_context_that_is_too_long_loses_its_beginning_and_is_counted(plugins, letters):
    """lm-eval#3115, #3421, helm#741: texts were cut to the model's length without a word."""
    lm, _ = model(plugins, letters, "torch_cpu")
    context, wanted = encode("x" * 40), encode("end")
    ((value, _),) = lm.loglikelihood([request("x" * 40, "end", doc_id=5)])
    kept = (context + wanted)[-LENGTH - 1 :]
    with torch.no_grad():
        logits = letters.module(torch.tensor([kept[:-1]]))[0, -3:].double()
    assert value == pytest.approx(float(torch.log_softmax(logits, -1)[range(3), wanted].sum()), rel=1e-4)
    assert lm.truncated == 1
    assert lm.told[5].truncated
    assert (lm.told[5].tokens, lm.told[5].right <= 3) == (3, True)


def test_generation_is_refused_with_a_hint(plugins, letters):
    with pytest.raises(Refusal, match="multiple_choice"):
        model(plugins, letters, "torch_cpu")[0].generate_until([])


CONTEXTS = ["a cat", "", "the dog and the bird", "q:", "it is 3.", "so"]
ENDINGS = [" sat", " ran off", "s", " up up up", ".", "?"]


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_log_likelihoods_are_those_of_lm_evals_own_model_to_the_last_bit(batch):
    """With the same batches, against HFLM. A continuation of one token shares the pass of its context, as there."""
    asked = [request(context, ending, doc_id=i) for i, context in enumerate(CONTEXTS) for ending in ENDINGS]
    assert ours(batch).loglikelihood(asked) == theirs(batch).loglikelihood(asked, disable_tqdm=True)
    texts = [request(text, doc_id=i) for i, text in enumerate("a cat sat. " * k for k in (1, 5, 25))]
    assert ours(batch).loglikelihood_rolling(texts) == theirs(batch).loglikelihood_rolling(texts, disable_tqdm=True)


def test_continuations_of_one_row_that_begin_elsewhere_are_each_scored_at_their_own_tokens():
    """lm-eval's own model gives one of them the other's tokens; a pass for each is the judge."""
    pairs = [request("a cat", " sat", doc_id=0), request("a cat s", "at", doc_id=1), request("a cat", " sad", doc_id=2)]
    together = ours().loglikelihood(pairs)
    np.testing.assert_allclose([v for v, _ in together], [ours().loglikelihood([one])[0][0] for one in pairs], rtol=1e-5)


def test_of_equally_likely_tokens_the_first_is_the_likeliest():
    from kdbench.stages.harness_answers import scored

    scores = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    wanted = [1, 2, 2]
    assert scored(scores, wanted, False).right == int((scores.argmax(-1) == torch.tensor(wanted)).sum()) == 2


def test_a_batch_of_another_size_changes_scores_by_rounding_alone():
    asked = [request(context, ending) for context in CONTEXTS for ending in ENDINGS]
    one, many = (np.array([value for value, _ in ours(batch).loglikelihood(asked)]) for batch in (1, 36))
    np.testing.assert_allclose(one, many, rtol=1e-4)


def test_greedy_texts_are_those_of_the_library():
    """Against `generate` of transformers, one prompt at a time and without padding; the stops cut the text as lm-eval's own model
    cuts it.
    """
    prompts = ["a cat", "the dog and", "0 1 2"]
    asked = [request(prompt, {"until": [], "max_gen_toks": 12}, doc_id=i) for i, prompt in enumerate(prompts)]
    found = ours(batch=2).generate_until(asked)
    for prompt, text in zip(prompts, found, strict=True):
        tokens = torch.tensor([words().encode(prompt)])
        made = net().network.generate(tokens, max_new_tokens=12, do_sample=False, eos_token_id=3, pad_token_id=0)
        assert text == words().decode(made[0, tokens.shape[1] :].tolist())
    stop = found[0][2:4]
    for until in ([stop], stop):
        cut = [request(prompt, {"until": until, "max_gen_toks": 12}) for prompt in prompts]
        assert ours().generate_until(cut) == theirs().generate_until(cut, disable_tqdm=True)


def test_an_empty_prompt_begins_with_the_token_that_begins_texts():
    """lm-eval's own model fails with an IndexError here."""
    (text,) = ours().generate_until([request("", {"until": ["\n"], "max_gen_toks": 5})])
    made = net().network.generate(torch.tensor([[2]]), max_new_tokens=5, do_sample=False, eos_token_id=3, pad_token_id=0)
    assert text == words().decode(made[0, 1:].tolist()).split("\n")[0]


def test_generation_that_could_not_be_compared_is_refused():
    for settings, reason in (({"do_sample": True}, "samples"), ({"temperature": 0.7, "do_sample": True}, "samples")):
        with pytest.raises(Refusal, match=reason):
            ours().generate_until([request("a", {"until": [], "max_gen_toks": 4, **settings})])
    with pytest.raises(Refusal, match=f"{WIDE + 1} new tokens"):
        ours().generate_until([request("a", {"until": [], "max_gen_toks": WIDE + 1})])
    model = ours()
    model.generate_until([request("a cat " * 30, {"until": [], "max_gen_toks": 4}, doc_id=3)])
    assert model.truncated == 1
    assert model.told[3].truncated


def test_a_runner_of_fixed_width_gets_whole_rows_and_the_same_answers():
    seen = []

    def fixed(x):
        seen.append(x["tokens"].shape[1])
        if x["tokens"].shape[1] != WIDE:
            raise ValueError("expected 96 columns")
        return eager(net()).predict(x)

    asked = [request(context, ending) for context in CONTEXTS for ending in ENDINGS]
    found = RunnerLM(Runner(fixed), words(), length=WIDE, batch=8).loglikelihood(asked)
    np.testing.assert_allclose([v for v, _ in found], [v for v, _ in ours().loglikelihood(asked)], rtol=1e-4)
    assert set(seen[2:]) == {WIDE}


def test_a_continuation_longer_than_the_model_reads_is_scored_in_parts():
    """lm-eval's own model fails with an AssertionError; the parts, asked one by one, are the judge."""
    wanted = "the cat and the dog " * 8
    model, half = ours(), WIDE // 2
    ((value, greedy),) = model.loglikelihood([request("a", wanted)])
    whole, at = words().encode("a" + wanted), 1
    parts = []
    while at < len(whole):
        tokens = torch.tensor([whole[: at + half][-WIDE - 1 :]])
        k = min(half, len(whole) - at)
        with torch.no_grad():
            said = torch.log_softmax(net()(tokens[:, :-1])[0, -k:].double(), -1)
        parts.append(float(said[torch.arange(k), tokens[0, -k:]].sum()))
        at += half
    assert value == pytest.approx(sum(parts), rel=1e-4)
    assert not greedy
    assert (model.truncated, model.told[0].tokens) == (1, len(wanted))
    with pytest.raises(Refusal, match="a continuation has no tokens"):
        ours()._loglikelihood_tokens([("", [2], [])])


def test_logits_of_another_shape_are_refused():
    with pytest.raises(Refusal, match="invalid output: logits of shape"):
        RunnerLM(Runner(lambda x: np.zeros((1, 3))), words(), length=WIDE).loglikelihood([request("a", "b")])
