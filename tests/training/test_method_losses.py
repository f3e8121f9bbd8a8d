"""Every loss against the paper's equation in float64 numpy, and against one invariant of the paper."""

import inspect

import numpy as np
import pytest
import torch
from encoder_outputs import encoder, texts
from scipy.special import log_softmax

from kdbench.declare import Plugin
from kdbench.nouns import Batch, Outputs, Refusal, TopK
from kdbench.registry import discover
from kdbench.training.terms import EVIDENCE

METHODS = discover().names("method")
ENCODERS = ("patient_kd", "hidden_cosine")
SHAPES = {"stem": (6, 8, 8), "stage1": (6, 8, 8), "stage2": (12, 4, 4), "stage3": (24, 2, 2), "pooled": (24,)}
WIDER = {"stem": (9, 8, 8), "stage1": (9, 8, 8), "stage2": (18, 4, 4), "stage3": (36, 2, 2), "pooled": (36,)}


@pytest.fixture
def load(plugins):
    return lambda name: plugins.load("method", name)


def outputs(shapes, seed, n=7, classes=5, grad=False):
    rng = np.random.default_rng(seed)
    logits = torch.tensor(3 * rng.normal(size=(n, classes)), dtype=torch.float32, requires_grad=grad)
    taps = {k: torch.tensor(rng.normal(size=(n, *s)), dtype=torch.float32, requires_grad=grad) for k, s in shapes.items()}
    return Outputs(logits, taps)


def batch(n=7, classes=5, soft=False):
    rng = np.random.default_rng(9)
    y = torch.from_numpy(rng.dirichlet(np.ones(classes), n).astype(np.float32) if soft else rng.integers(0, classes, n))
    return Batch({"image": torch.zeros(n, 1, 8, 8)}, y, torch.arange(n))


def tensors(given):
    return (given.logits, *given.taps.values(), *(t for layers in given.inner.values() for t in layers))


def double(x):
    return x.detach().numpy().astype(np.float64)


def cross_entropy(logits, y):
    p = log_softmax(double(logits), axis=-1)
    targets = np.eye(p.shape[1])[y.numpy()] if y.ndim == 1 else double(y)
    return float(np.mean(-np.sum(targets * p, axis=1)))


@pytest.mark.parametrize("name", ["ce", "scratch"])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_equals_numpy(load, name, soft):
    student, examples = outputs(SHAPES, 0), batch(soft=soft)
    assert load(name)[0](student, examples).item() == pytest.approx(cross_entropy(student.logits, examples.y), rel=1e-5)


@pytest.mark.parametrize("name", ["ce", "scratch", "label_smoothing"])
def test_cross_entropy_of_tokens_does_not_see_padding(load, name):
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(2, 6, 5)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, 5, (2, 6)))
    y[1, 4:] = -100
    method = load(name)[0]
    loss = method(Outputs(logits), Batch({}, y, torch.arange(2)))
    more = torch.cat([logits, torch.randn(2, 3, 5)], 1), torch.cat([y, torch.full((2, 3), -100)], 1)
    assert method(Outputs(more[0]), Batch({}, more[1], torch.arange(2))).item() == pytest.approx(loss.item(), rel=1e-6)
    if name != "label_smoothing":
        kept = y.flatten() != -100
        assert loss.item() == pytest.approx(cross_entropy(logits.flatten(0, 1)[kept], y.flatten()[kept]), rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_equals_numpy(load, temperature):
    student, teacher = outputs(SHAPES, 0), outputs(WIDER, 1)
    log_s, log_t = (log_softmax(double(o.logits) / temperature, axis=1) for o in (student, teacher))
    expected = temperature**2 * np.mean(np.sum(np.exp(log_t) * (log_t - log_s), axis=1))
    assert load("kd")[0](student, teacher, batch(), temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_kd_gradient_at_high_temperature_is_that_of_matched_logits(load):
    """Hinton et al. section 2.1: for high T and zero-mean logits the gradient tends to (z_s - z_t) / N (and / b)."""
    student, teacher = outputs(SHAPES, 0, grad=True), outputs(WIDER, 1)
    load("kd")[0](student, teacher, batch(), temperature=1000.0).backward()
    z_s, z_t = (double(o.logits) - double(o.logits).mean(1, keepdims=True) for o in (student, teacher))
    assert double(student.logits.grad) == pytest.approx((z_s - z_t) / (5 * 7), abs=2e-3)


def test_kd_of_tokens_does_not_see_padding(load):
    """optipfair#34, Liger-Kernel#974, #1478: padding was part of the loss. Other logits there change nothing."""
    rng = np.random.default_rng(0)
    z_s, z_t = (torch.tensor(rng.normal(size=(2, 6, 5)), dtype=torch.float32) for _ in range(2))
    y = torch.zeros(2, 6, dtype=torch.int64)
    y[0, 3:] = -100
    kd = load("kd")[0]
    loss = kd(Outputs(z_s), Outputs(z_t), Batch({}, y, torch.arange(2)), temperature=2.0).item()
    z_s[0, 3:] = torch.randn(3, 5)
    assert kd(Outputs(z_s), Outputs(z_t), Batch({}, y, torch.arange(2)), temperature=2.0).item() == pytest.approx(loss)
    kept = y != -100
    log_s, log_t = (log_softmax(double(z[kept]) / 2, axis=1) for z in (z_s, z_t))
    assert loss == pytest.approx(4 * np.mean(np.sum(np.exp(log_t) * (log_t - log_s), axis=1)), rel=1e-5)


def test_label_smoothing_equals_numpy_and_is_cross_entropy_at_zero(load):
    student, examples = outputs(SHAPES, 0), batch()
    method = load("label_smoothing")[0]
    q = 0.8 * np.eye(5)[examples.y.numpy()] + 0.2 / 5
    expected = np.mean(-np.sum(q * log_softmax(double(student.logits), axis=1), axis=1))
    assert method(student, examples, smoothing=0.2).item() == pytest.approx(expected, rel=1e-5)
    assert method(student, examples, smoothing=0.0).item() == pytest.approx(cross_entropy(student.logits, examples.y), rel=1e-5)


def test_attention_transfer_equals_numpy(load):
    student, teacher = outputs(SHAPES, 0), outputs(WIDER, 1)
    expected = 0.0
    for name in ("stage1", "stage2", "stage3"):
        q = [np.mean(double(o.taps[name]) ** 2, axis=1).reshape(7, -1) for o in (student, teacher)]
        q = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in q]
        expected += np.mean((q[0] - q[1]) ** 2)
    assert load("attention_transfer")[0](student, teacher, p=2.0).item() == pytest.approx(expected, rel=1e-5)


def test_attention_transfer_ignores_the_scale_and_sign_of_features(load):
    """The maps are normalised and unsigned: a network with scaled, negated and repeated channels attends alike."""
    teacher = outputs(SHAPES, 1)
    student = Outputs(teacher.logits, {k: torch.cat([-3 * v, 3 * v], 1) for k, v in teacher.taps.items()})
    assert load("attention_transfer")[0](student, teacher, p=3.0).item() == pytest.approx(0.0, abs=1e-10)


def test_attention_transfer_pools_to_the_smaller_map(load):
    student = outputs(SHAPES, 0)
    finer = {k: (2 * s[0], 2 * s[1], 2 * s[2]) if len(s) == 3 else s for k, s in SHAPES.items()}
    assert 0 < load("attention_transfer")[0](student, outputs(finer, 1), p=2.0).item() < 1


def test_fitnets_equals_numpy(load):
    method, module = load("fitnets")
    student, teacher = outputs(SHAPES, 0), outputs(WIDER, 1)
    state = module.state({"student": SHAPES, "teacher": WIDER}, 7, hint=2).eval()
    conv, norm = state[0], state[1]
    r = np.einsum("oc,nchw->nohw", double(conv.weight)[:, :, 0, 0], double(student.taps["stage2"]))
    r = np.maximum(r / np.sqrt(1 + norm.eps), 0)  # a fresh batch norm in eval mode has mean 0, variance 1, weight 1, bias 0
    expected = np.mean((r - double(teacher.taps["stage2"])) ** 2)
    assert method(student, teacher, batch(), state, hint=2).item() == pytest.approx(expected, rel=1e-4)


def test_fitnets_regressor_reaches_a_teacher_of_another_width(load):
    """Romero et al. section 2.2: the regressor makes networks of other widths comparable, and can be trained to zero."""
    method, module = load("fitnets")
    student = outputs({"stem": (4,), "hint": (8,)}, 0)
    teacher = Outputs(student.logits, {"stem": student.taps["stem"], "hint": student.taps["hint"] @ torch.randn(8, 16)})
    state = module.state({"student": {"stem": (4,), "hint": (8,)}, "teacher": {"stem": (4,), "hint": (16,)}}, 7, hint=1)
    optimizer = torch.optim.Adam(state.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        method(student, teacher, batch(), state, hint=1).backward()
        optimizer.step()
    assert method(student, teacher, batch(), state, hint=1).item() < 1e-2


def test_fitnets_refuses_a_hint_that_is_not_there(load):
    with pytest.raises(Refusal, match="student has 5 taps, so hint must be below 5, not 9"):
        load("fitnets")[1].state({"student": SHAPES, "teacher": WIDER}, 7, hint=9)


def test_attention_transfer_refuses_other_depths(load):
    shorter = {k: v for k, v in WIDER.items() if k != "stage3"}
    with pytest.raises(Refusal, match="equally many maps after the stem, not 3 and 2"):
        load("attention_transfer")[0](outputs(SHAPES, 0), outputs(shorter, 1), p=2.0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_the_contract(plugins, name):
    """Known evidence; a finite non-negative scalar of float32; the same twice; gradient reaches the student and nothing else."""
    described = plugins.get("method", name)
    plugin, module = plugins.load("method", name)
    assert isinstance(plugin, Plugin)
    assert described.doc
    assert set(described.evidence) <= set(EVIDENCE)
    assert not described.params or all(not p.required for p in described.params)
    for term in described.facts.get("recipe") or {}:
        assert term in METHODS
    student, teacher = outputs(SHAPES, 0, grad=True), outputs(WIDER, 1, grad=True)
    held = {"student": student, "teacher": teacher, "batch": batch()}
    if name in ENCODERS or described.facts.get("inner"):
        student, teacher = encoder(0, grad=True), encoder(1, layers=4, grad=True)
        held = {"student": student, "teacher": teacher, "batch": texts()}
    held |= {"peer": outputs(SHAPES, 2, grad=True), "previous": outputs(SHAPES, 3, grad=True)}
    likely = held["teacher"].logits.detach().log_softmax(-1).sort(descending=True)
    held["top_k"] = TopK(likely.values[:, :2], likely.indices[:, :2], likely.values[:, 2:].logsumexp(-1, keepdim=True))
    if "state" in described.evidence:
        assert "n_train" in inspect.signature(module.state).parameters
        said = {"logits": (5,), "outputs": {"student": (5,), "teacher": (5,)}}
        taps = {
            who: {k: tuple(v.shape[1:]) for k, v in o.taps.items()} for who, o in (("student", student), ("teacher", teacher))
        }
        held["state"] = module.state({**said, **taps}, 7)
    frozen = {k: v for k, v in held.items() if k in ("teacher", "peer", "previous")}
    for outside in frozen.values():
        for tensor in tensors(outside):
            tensor.requires_grad_(False)
    loss = plugin(*(held[e] for e in described.evidence))
    assert loss.ndim == 0
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert loss.item() >= 0
    assert plugin(*(held[e] for e in described.evidence)).item() == loss.item()
    loss.backward()
    grads = [t.grad for t in tensors(student) if t.grad is not None]
    assert grads
    assert any(bool((g != 0).any()) for g in grads)
    for outside in frozen.values():
        assert all(t.grad is None for t in tensors(outside))
