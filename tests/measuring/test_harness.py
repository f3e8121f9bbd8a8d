"""An lm-eval task scored through a Runner, judged by a log-softmax in float64 on the same network."""

import datasets
import numpy as np
import pytest
import torch
from torch import nn

from kdbench import Artefact, Refusal, Shape
from kdbench.nouns import Use
from kdbench.stages.harness import RunnerLM, run_tasks

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
    return RunnerLM(runner, encode, prefix=0, length=LENGTH, batch=3), runner


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
    from types import SimpleNamespace

    lm, _ = model(plugins, letters, "torch_cpu")
    short, long = "a short text", "a text that is longer than the model can read at once, twice"
    found = lm.loglikelihood_rolling([SimpleNamespace(args=(short,)), SimpleNamespace(args=(long,))])
    assert found[0] == pytest.approx(by_hand(letters, short), rel=1e-4)
    assert found[1] < found[0]
    assert np.isfinite(found[1])


def test_a_context_that_is_too_long_loses_its_beginning_and_is_counted(plugins, letters):
    """lm-eval#3115, #3421, helm#741: texts were cut to the model's length without a word."""
    lm, _ = model(plugins, letters, "torch_cpu")
    context, wanted = encode("x" * 40), encode("end")
    ((value, _),) = lm._loglikelihood_tokens([(("", ""), context, wanted)])
    kept = (context + wanted)[-LENGTH - 1 :]
    with torch.no_grad():
        logits = letters.module(torch.tensor([kept[:-1]]))[0, -3:].double()
    assert value == pytest.approx(float(torch.log_softmax(logits, -1)[range(3), wanted].sum()), rel=1e-4)
    assert lm.truncated == 1
    with pytest.raises(Refusal, match="does not fit"):
        lm._loglikelihood_tokens([(("", ""), [0], encode("y" * 30))])


def test_generation_is_refused_with_a_hint(plugins, letters):
    with pytest.raises(Refusal, match="multiple_choice"):
        model(plugins, letters, "torch_cpu")[0].generate_until([])
