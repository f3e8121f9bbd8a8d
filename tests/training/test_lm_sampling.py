"""Writing with a language model: true to its distribution, with and without a cache."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import chisquare
from torch import nn

from kdbench.nets import build
from kdbench.nets.writing import Sampling, choose, sample
from kdbench.nouns import Refusal, Shape, Use

VOCABULARY = 300
SHAPE = Shape("tokens", {"tokens": (16,)}, VOCABULARY, (VOCABULARY,), "next", 0)


class Plain(nn.Module):
    """The same network without its cache."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, tokens):
        return self.inner(tokens)


@pytest.fixture
def module(found):
    use = Use("gpt2", {"layers": 1, "hidden": 32, "heads": 2, "positions": 32})
    made = build.build(found.load("model", "gpt2")[0], use, SHAPE, seed=4)
    with torch.no_grad():
        made.network.transformer.wte.weight.mul_(8)  # a distribution that is neither flat nor a spike
    return made


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def expected(module, prompt, temperature=1.0):
    with torch.no_grad():
        z = module.eval()(prompt)[0, -1].numpy().astype(np.float64)
    return softmax(z / temperature)


def test_frequencies_of_the_next_token_against_softmax(module):
    """transformers cuts sampling to 50 tokens where nobody asked for it; here all that the model gives a chance come."""
    prompt, n = torch.tensor([[3, 14, 15]]), 20_000
    drawn = sample(module, prompt.expand(n, -1), 1, generator())[:, -1].numpy()
    p = expected(module, prompt)
    assert 0.01 < p.max() < 0.5
    often = p * n >= 10
    seen = np.bincount(drawn, minlength=VOCABULARY)
    observed = np.append(seen[often], seen[~often].sum())
    assert chisquare(observed, np.append(p[often] * n, p[~often].sum() * n)).pvalue > 1e-3
    assert len(np.unique(drawn)) > 100 > 50


def test_temperature_against_softmax(module):
    prompt, n = torch.tensor([[3, 14, 15]]), 20_000
    drawn = sample(module, prompt.expand(n, -1), 1, generator(), Sampling(temperature=0.5))[:, -1].numpy()
    p = expected(module, prompt, 0.5)
    often = p * n >= 10
    seen = np.bincount(drawn, minlength=VOCABULARY)
    observed = np.append(seen[often], seen[~often].sum())
    assert chisquare(observed, np.append(p[often] * n, p[~often].sum() * n)).pvalue > 1e-3


def test_the_second_token_follows_the_first(module):
    """Conditional frequencies: the cache holds what was drawn, row by row."""
    rows = sample(module, torch.tensor([[3, 14, 15]]).expand(20_000, -1), 2, generator(1)).numpy()
    first, n = np.bincount(rows[:, 3]).argmax(), np.bincount(rows[:, 3]).max()
    p = expected(module, torch.tensor([[3, 14, 15, int(first)]]))
    seen = np.bincount(rows[rows[:, 3] == first, 4], minlength=VOCABULARY)
    often = p * n >= 10
    observed = np.append(seen[often], seen[~often].sum())
    assert chisquare(observed, np.append(p[often] * n, p[~often].sum() * n)).pvalue > 1e-3


def test_greedy_equals_argmax_of_whole_passes(module):
    prompts = torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (4, 5)))
    written = sample(module, prompts, 12, None, Sampling(temperature=0))
    tokens = prompts
    with torch.no_grad():
        for _ in range(12):
            tokens = torch.cat([tokens, module(tokens)[:, -1:].argmax(-1)], 1)
    assert torch.equal(written, tokens)
    assert torch.equal(written[:, :5], prompts)


def test_with_and_without_a_cache_the_same_tokens(module):
    prompts = torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (6, 5)))
    one, other = (sample(m, prompts, 10, generator(7)) for m in (module, Plain(module)))
    assert torch.equal(one, other)
    assert torch.equal(one, sample(module, prompts, 10, generator(7)))
    assert not torch.equal(one, sample(module, prompts, 10, generator(8)))


def test_a_row_ends_at_the_stop_token_and_no_other_row_is_touched(module):
    prompts = torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (8, 5)))
    free = sample(module, prompts, 10, generator(7))
    stop = int(free[2, 8])
    ended = sample(module, prompts, 10, generator(7), Sampling(stop=stop, padding=299))
    for one, whole in zip(ended, free, strict=True):
        at = next((i for i in range(5, 15) if whole[i] == stop), 14)
        assert torch.equal(one[: at + 1], whole[: at + 1])
        assert bool((one[at + 1 :] == 299).all())


def test_cuts_only_when_asked():
    z = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).expand(4000, -1)
    for how, kept in ((Sampling(top_k=2), {0, 1}), (Sampling(top_p=0.75), {0, 1}), (Sampling(top_p=0.8001), {0, 1, 2})):
        assert set(choose(z, how, generator()).tolist()) == kept
    share = (choose(z, Sampling(top_k=2), generator()) == 0).double().mean().item()
    assert share == pytest.approx(0.5 / 0.8, abs=0.03)
    assert set(choose(z, Sampling(), generator()).tolist()) == {0, 1, 2, 3}


def test_impossible_tokens_are_never_drawn():
    z = torch.full((5000, 64), -1e9)
    z[:, 40:43] = 0.0
    assert set(choose(z, Sampling(), generator()).tolist()) == {40, 41, 42}


def test_the_module_stays_in_its_mode_and_dropout_is_off(module):
    module.train()
    prompts = torch.zeros((2, 3), dtype=torch.int64)
    before = torch.random.get_rng_state()
    one = sample(module, prompts, 5, generator(3))
    assert module.training
    assert torch.equal(torch.random.get_rng_state(), before), "the stream of the training loop is not touched"
    assert torch.equal(one, sample(module.eval(), prompts, 5, generator(3)))


def test_refusals(module):
    with pytest.raises(Refusal, match="rows of one or more tokens"):
        sample(module, torch.zeros((2, 0), dtype=torch.int64), 3)
    with pytest.raises(Refusal, match="temperature -1"):
        Sampling(temperature=-1)
    with pytest.raises(Refusal, match="top_p 0"):
        Sampling(top_p=0)
    with torch.no_grad():
        module.network.transformer.wte.weight[0] = float("nan")
    with pytest.raises(Refusal, match="not finite"):
        sample(module, torch.zeros((2, 3), dtype=torch.int64), 3)
