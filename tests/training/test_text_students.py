"""Text models without attention against plain computations, padding that changes nothing, and what attention is said to be."""

import numpy as np
import pytest
import torch
from torch import nn

from kdbench.nets.build import build
from kdbench.nets.taps import expand, forward, inner_names
from kdbench.nouns import Refusal, Shape, Use

SHAPE = Shape("tokens", {"tokens": (6,)}, 3, (30,), padding=2)
TOKENS = torch.tensor([[5, 7, 3, 9, 21, 4], [8, 1, 6, 2, 2, 2], [4, 2, 2, 2, 2, 2]])
LENGTHS = (6, 3, 1)
STUDENTS = {
    "bag_of_embeddings": {"embedding": 8},
    "text_cnn": {"embedding": 8, "maps": 5},
    "bilstm": {"embedding": 8, "hidden": 6, "layers": 2, "classifier": 10},
    "bert": {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32},
    "distilbert": {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32},
    "mobilebert": {"layers": 2, "hidden": 32, "bottleneck": 16, "heads": 4, "intermediate": 32},
}
ENCODERS = ("bert", "distilbert", "mobilebert")


@pytest.fixture
def make(plugins):
    def made(name, shape=SHAPE, **more):
        return build(plugins.load("model", name)[0], Use(name, {**STUDENTS[name], **more}), shape, seed=3).eval()

    return made


def double(x):
    return x.detach().numpy().astype(np.float64)


@pytest.mark.parametrize("name", STUDENTS)
def test_59_padding_changes_no_answer_whatever_token_it_is(make, plugins, name):
    """lm-eval#879, transformers#24839, #26869. Rows cut to their own length say what they say among longer ones, their taps too;
    this holds for weights at the padding token that are not zero."""
    net = make(name)
    with torch.no_grad():
        for table in (
            m for m in net.modules() if isinstance(m, nn.Embedding) and m.num_embeddings == 30 and name != "mobilebert"
        ):
            table.weight[2] = 5.0
        taps = expand(net, plugins.get("model", name).facts["taps"])
        given = forward(net, {"tokens": TOKENS}, taps)
        for i, n in enumerate(LENGTHS):
            alone = forward(net, {"tokens": TOKENS[i : i + 1, :n]}, taps)
            assert torch.allclose(alone.logits, given.logits[i : i + 1], atol=1e-5)
            for tap in taps:
                there = given.taps[tap][i : i + 1]
                assert torch.allclose(alone.taps[tap], there[:, :n] if there.ndim == 3 else there, atol=1e-5)


@pytest.mark.parametrize("name", STUDENTS)
def test_the_vocabulary_is_that_of_the_data(make, name):
    def rows(net):
        return max(m.num_embeddings for m in net.modules() if isinstance(m, nn.Embedding))

    wide = Shape("tokens", {"tokens": (6,)}, 3, (700,))
    assert rows(make(name, wide)) == 700
    assert rows(make(name, wide, vocabulary=701)) == 701
    with pytest.raises(Refusal, match=f"{name}: a vocabulary of 29 tokens, but the data have 700"):
        make(name, wide, vocabulary=29)


def test_an_empty_text_gives_finite_logits(make):
    for name in STUDENTS:
        assert torch.isfinite(make(name)(torch.full((2, 6), 2))).all()


def test_bag_of_embeddings_equals_numpy(make):
    net = make("bag_of_embeddings")
    table, w, b = (double(p) for p in (net.words.table.weight, net.classifier.weight, net.classifier.bias))
    expected = [table[TOKENS[i, :n].numpy()].mean(0) @ w.T + b for i, n in enumerate(LENGTHS)]
    assert double(net(TOKENS)) == pytest.approx(np.array(expected), abs=1e-5)


def test_text_cnn_equals_numpy(make):
    """Kim 2014: c_i = relu(w . x_i:i+h-1 + b), the maximum over i, of windows that begin at a token; zeros after the text."""
    net = make("text_cnn")
    table, expected = double(net.words.table.weight), []
    for i, n in enumerate(LENGTHS):
        x = np.concatenate([table[TOKENS[i, :n].numpy()], np.zeros((4, 8))])
        maxima = []
        for window in net.windows:
            w, b = double(window.weight), double(window.bias)
            seen = np.array([[(w[m] * x[at : at + w.shape[2]].T).sum() + b[m] for m in range(5)] for at in range(n)])
            maxima.append(np.maximum(seen, 0).max(0))
        expected.append(np.concatenate(maxima) @ double(net.classifier.weight).T + double(net.classifier.bias))
    assert double(net(TOKENS)) == pytest.approx(np.array(expected), abs=1e-5)


def test_bilstm_equals_torchs_own_of_packed_sequences(make):
    net = make("bilstm")
    judge = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=True)
    state = {}
    for i, layer in enumerate(net.layers):
        for part, suffix in ((layer.onward, ""), (layer.back, "_reverse")):
            state |= {f"{name.replace('_l0', f'_l{i}')}{suffix}": value for name, value in part.state_dict().items()}
    judge.load_state_dict(state)
    packed = nn.utils.rnn.pack_padded_sequence(net.words(TOKENS), torch.tensor(LENGTHS), batch_first=True)
    last = judge(packed)[1][0]
    assert torch.allclose(net(TOKENS), net.classifier(torch.cat([last[-2], last[-1]], 1)), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_attention_from_projections_is_the_librarys_own_of_eager_attention(make, plugins, name):
    """The fused kernel shows no attention; what terms compute from the projections is what plain attention says of itself."""
    net, plain = make(name), make(name, attention="eager")
    plain.load_state_dict(net.state_dict())
    inner = inner_names(net, plugins.get("model", name).facts["inner"])
    with torch.no_grad():
        given = forward(net, {"tokens": TOKENS}, inner=inner)
        mask = (TOKENS != 2).long()
        said = plain.network(TOKENS, attention_mask=mask, output_attentions=True).attentions
    assert [len(given.inner[role]) for role in ("query", "key", "value")] == [len(said)] * 3 == [2] * 3
    for q, k, expected in zip(given.inner["query"], given.inner["key"], said, strict=True):
        scores = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).masked_fill(mask[:, None, None, :] == 0, -1e9)
        assert torch.allclose(scores.softmax(-1), expected, atol=1e-6)
    assert torch.equal(given.logits, net(TOKENS))


def test_a_network_without_attention_is_refused_and_no_empty_sum(make):
    net = make("bilstm")
    with pytest.raises(Refusal, match="the model does not say what projects to its key"):
        inner_names(net, {"query": "words"})
    with pytest.raises(Refusal, match="the network has 0 query, 0 key and 0 value projections"):
        inner_names(net, dict.fromkeys(("query", "key", "value"), "dropout.*"))
    with pytest.raises(Refusal, match="no module around 'words' says its number of heads"):
        forward(net, {"tokens": TOKENS}, inner={"query": ("words",)})


def test_a_star_in_the_middle_stands_for_all_children_in_order(make):
    net = make("distilbert")
    names = expand(net, ("network.distilbert.transformer.layer.*.attention.k_lin",))
    assert names == tuple(f"network.distilbert.transformer.layer.{i}.attention.k_lin" for i in range(2))
    with pytest.raises(Refusal, match=r"has no submodule 'network.distilbert.transformer.layer.0.attention.k'"):
        expand(net, ("network.distilbert.transformer.layer.*.attention.k",))
