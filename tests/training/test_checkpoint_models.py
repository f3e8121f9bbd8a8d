"""The model plugin `pretrained`: any architecture of transformers from a configuration, against the library's own call of it."""

import copy
import pickle

import pytest
import torch
from checkpoint_folders import SMALL

from kdbench.nets.build import build, feature_shapes
from kdbench.nets.export import to_onnx
from kdbench.nets.flops import count
from kdbench.nets.taps import expand, forward, inner_names
from kdbench.nouns import Refusal, Shape, Use

VOCABULARY, LENGTH = 30, 6
TOKENS = torch.tensor([[5, 7, 3, 9, 2, 4], [8, 1, 6, 0, 0, 0]])
PREFIX = torch.tensor([[1, 7, 3], [1, 5, 0]])
IMAGE = Shape("image", {"image": (1, 8, 8)}, 10)
ENCODERS = ("bert", "distilbert", "mobilebert", "roberta")
CASES = [
    *((kind, "class") for kind in (*ENCODERS, "gpt2", "llama")),
    *((kind, "next") for kind in ("gpt2", "llama")),
    *((kind, "vector") for kind in (*ENCODERS, "gpt2", "llama", "t5")),
    ("t5", "text"), ("gpt2", "text"), ("vit", "class"), ("resnet", "class"),
]  # fmt: skip


def shape(kind, answer):
    if kind in ("vit", "resnet"):
        return IMAGE
    inputs = {"tokens": (LENGTH,)} | ({"prefix": (3,)} if (kind, answer) == ("t5", "text") else {})
    classes = {"class": 3, "vector": 16}.get(answer, VOCABULARY)
    return Shape("tokens", inputs, classes, (VOCABULARY,), answer, 0)


def config(kind, **more):
    return {"model_type": kind, **SMALL[kind], **more}


def make(plugins, kind, answer, seed=0, params=None, **more):
    use = Use("pretrained", {"config": config(kind, **more), **(params or {})})
    return build(plugins.load("model", "pretrained")[0], use, shape(kind, answer), seed=seed).eval()


def inputs(kind, answer):
    if kind in ("vit", "resnet"):
        return (torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)),)
    return (TOKENS, PREFIX) if (kind, answer) == ("t5", "text") else (TOKENS,)


def judged(net, kind, answer, x):
    """The library's own call, with its own plain mask and float64 pooling."""
    if kind in ("vit", "resnet"):
        return net.network(pixel_values=x[0]).logits
    mask = (x[0] != 0).long()
    if answer == "text" and kind == "t5":
        return net.network(input_ids=x[0], attention_mask=mask, decoder_input_ids=x[1]).logits
    given = net.network(input_ids=x[0], attention_mask=mask)
    if answer != "vector":
        return given.logits
    states = given.last_hidden_state.double()
    return torch.stack([row[m].mean(0) for row, m in zip(states, mask.bool(), strict=True)])


@pytest.mark.parametrize(("kind", "answer"), CASES)
def test_every_architecture_gives_what_the_library_gives(plugins, kind, answer):
    net, x = make(plugins, kind, answer), inputs(kind, answer)
    with torch.no_grad():
        own, theirs = net(*x), judged(net, kind, answer, x)
    real = torch.ones(own.shape[:2], dtype=torch.bool) if own.ndim == 2 else (x[-1] != 0)
    assert torch.allclose(own[real].double(), theirs[real].double(), atol=1e-5)
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(again(*x), net(*x))


@pytest.mark.parametrize(("kind", "answer"), [case for case in CASES if case[0] not in ("vit", "resnet")])
def test_padding_changes_nothing(plugins, kind, answer):
    """Catalogue 59: the second row alone, and shorter."""
    net = make(plugins, kind, answer)
    x = inputs(kind, answer)
    with torch.no_grad():
        whole, alone = net(*x)[1], net(x[0][1:, :3], *(p[1:, :2] for p in x[1:]))[0]
    if whole.ndim == 2:
        whole = whole[: len(alone)]
    assert torch.allclose(whole, alone, atol=1e-5)


@pytest.mark.parametrize(("kind", "answer"), CASES)
def test_taps_and_projections_are_found_in_every_architecture(plugins, kind, answer):
    net = make(plugins, kind, answer)
    names = expand(net, ("*",))
    shapes = feature_shapes(net, shape(kind, answer), ("*",))
    assert len(names) == 3, "what enters the first of two layers, and both"
    assert [*shapes][1:] == list(names)
    if kind not in ("vit", "resnet"):
        assert {shapes[name][-1] for name in names[1:]} == {16}
    if kind not in ("gpt2", "resnet", "llama"):
        found = inner_names(net, net.inner)
        assert [len(found[role]) for role in ("query", "key", "value")] == [2, 2, 2]
        x = dict(zip(shape(kind, answer).inputs, inputs(kind, answer), strict=True))
        if kind != "vit":
            assert {t.shape[1] for t in forward(net, x, (), found).inner["query"]} == {2}


def test_fresh_weights_depend_on_the_seed_alone_and_the_configuration_is_not_touched(plugins):
    said = config("bert")
    before = copy.deepcopy(said)
    use = Use("pretrained", {"config": said})
    nets = [build(plugins.load("model", "pretrained")[0], use, shape("bert", "class"), seed=s).eval() for s in (0, 0, 1)]
    assert said == before
    a, b, c = (net(TOKENS) for net in nets)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_attention_of_either_kind_gives_the_same(plugins):
    for kind in (*ENCODERS, "gpt2", "llama"):
        plain = make(plugins, kind, "class", params={"attention": "eager"})
        assert torch.allclose(plain(TOKENS), make(plugins, kind, "class")(TOKENS), atol=1e-5)


def test_dropout_is_that_of_the_configuration(plugins):
    for rate in (0.0, 0.5):
        net = make(plugins, "bert", "class", hidden_dropout_prob=rate, attention_probs_dropout_prob=0.0).train()
        assert torch.equal(net(TOKENS), net(TOKENS)) == (rate == 0)


def test_pooling_against_loops(plugins):
    for pooling in ("mean", "first", "max"):
        net = make(plugins, "bert", "vector", params={"pooling": pooling, "normalize": True})
        with torch.no_grad():
            states = net.network(input_ids=TOKENS, attention_mask=(TOKENS != 0).long()).last_hidden_state
            rows = [states[i, : int((TOKENS[i] != 0).sum())] for i in range(2)]
            pooled = [{"mean": row.mean(0), "first": row[0], "max": row.max(0).values}[pooling] for row in rows]
            judge = torch.stack([row / row.norm() for row in pooled])
            assert torch.allclose(net(TOKENS), judge, atol=1e-6)
            assert torch.isfinite(net(torch.zeros(1, 4, dtype=torch.int64))).all(), "a row of padding alone"


def test_operations_are_counted_and_equal_the_formula(plugins):
    """One layer: 2 x (4 d^2 + 2 d f) L + 4 L^2 d; pooler and classifier on one token."""
    import numpy as np

    flops = count(make(plugins, "bert", "class"), {"tokens": np.ones((1, LENGTH), np.int64)})["flops"]
    d, f = 16, 24
    assert flops == 2 * (2 * (4 * d * d + 2 * d * f) * LENGTH + 4 * LENGTH**2 * d) + 2 * d * d + 2 * d * 3


@pytest.mark.parametrize(("kind", "answer"), [("bert", "class"), ("distilbert", "vector"), ("gpt2", "next"), ("vit", "class")])
def test_networks_can_be_exported(plugins, kind, answer):
    onnxruntime = pytest.importorskip("onnxruntime")
    net, x = make(plugins, kind, answer), inputs(kind, answer)[0]
    name = next(iter(shape(kind, answer).inputs))
    session = onnxruntime.InferenceSession(to_onnx(net, {name: x.numpy()}), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {name: x.numpy()})
    assert torch.allclose(torch.from_numpy(out), net(x).detach(), atol=1e-4)


@pytest.mark.parametrize(("kind", "answer", "more", "text"), [
    ("bert", "class", {"auto_map": {"AutoModel": "evil.Model"}}, "has 'auto_map': code of its own is never run"),
    ("bert", "class", {"quantization_config": {"bits": 4}}, "has 'quantization_config': save its weights as floats first"),
    ("bert", "class", {"hiden_size": 3}, "a bert configuration has no option 'hiden_size'; did you mean 'hidden_size'"),
    ("bert", "class", {"hidden_size": "x"}, "options of 'bert' are refused"),
    ("bert", "class", {"num_attention_heads": 3}, "'bert' cannot be built: .*not a multiple"),
    ("bert", "class", {"vocab_size": 20}, "the bert has a vocabulary of 20 tokens, the data have 30"),
    ("gpt2", "next", {"vocab_size": 40}, "the gpt2 has a vocabulary of 40 tokens, the data have 30"),
    ("bert", "class", {"max_position_embeddings": 5}, "rows of 6 tokens, but the bert has 5 positions .allowed: length 5"),
    ("roberta", "class", {"max_position_embeddings": 6}, "rows of 6 tokens, but the roberta has 5 positions"),
    ("bert", "next", {}, "this bert is an encoder, which sees the tokens it would predict .allowed: is_decoder: true"),
    ("t5", "class", {}, "an encoder-decoder .t5. gives no class of a row"),
    ("bert", "vector", {"hidden_size": 32}, "gives vectors of 32 numbers, not of 16"),
    ("vit", "class", {"image_size": 16}, "the vit is for images 1x16x16, the data have 1x8x8"),
    ("resnet", "class", {"num_channels": 3}, "the resnet is for images 3x8x8, the data have 1x8x8"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(plugins, kind, answer, more, text):
    with pytest.raises(Refusal, match=text) as caught:
        make(plugins, kind, answer, **more)
    assert "\n" not in str(caught.value)


def test_unknown_types_are_refused_with_what_there_is(plugins):
    plugin, _ = plugins.load("model", "pretrained")
    with pytest.raises(
        Refusal, match=r"model_type 'bertt'; did you mean 'bert'\? \(allowed: the \d+ types of .*bert, distilbert"
    ):
        plugin(shape("bert", "class"), config={"model_type": "bertt"})
    with pytest.raises(Refusal, match="model_type 'None'"):
        plugin(shape("bert", "class"), config={})
    with pytest.raises(Refusal, match="no network of transformers gives the answer 'vector' to image data here"):
        plugin(Shape("image", {"image": (1, 8, 8)}, 10, answer="vector"), config=config("vit"))


def test_what_the_configuration_does_not_say_follows_the_data(plugins):
    held = {key: value for key, value in config("vit").items() if key not in ("image_size", "num_channels")}
    plugin, _ = plugins.load("model", "pretrained")
    net = plugin(Shape("image", {"image": (3, 12, 12)}, 5), config=held)
    assert net(torch.zeros(2, 3, 12, 12)).shape == (2, 5)
    assert make(plugins, "bert", "class").network.config.vocab_size == VOCABULARY


def test_a_language_model_that_looks_ahead_is_refused(plugins, monkeypatch):
    plugin, module = plugins.load("model", "pretrained")
    monkeypatch.setattr(module.Causal, "forward", lambda self, t: t.float().sum(1)[:, None, None].expand(-1, t.shape[1], 30))
    with pytest.raises(Refusal, match="sees the tokens that it is to predict"):
        plugin(shape("gpt2", "next"), config=config("gpt2"))
