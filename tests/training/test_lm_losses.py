"""Losses on tokens against float64 numpy, their gradients against autograd, and their end points against each other."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch.nn import functional

from kdbench.nouns import Batch, Outputs, Refusal, TopK

B, L, V = 3, 6, 17


@pytest.fixture
def load(found):
    return lambda name: found.load("method", name)[0]


@pytest.fixture
def said():
    """Logits of student and teacher, and labels with a hole, an unequal number of them in each row."""
    rng = np.random.default_rng(3)
    z_s, z_t = (torch.tensor(2 * rng.normal(size=(B, L, V)), dtype=torch.float32) for _ in range(2))
    y = torch.from_numpy(rng.integers(0, V, (B, L)))
    y[0, 2:] = -100
    y[1, :1] = -100
    return z_s.requires_grad_(True), z_t, Batch({"tokens": torch.zeros(B, L, dtype=torch.int64)}, y, torch.arange(B))


def kl(log_p, log_q):
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def counted(said, t=1.0):
    z_s, z_t, batch = said
    kept = (batch.y != -100).numpy()
    return (log_softmax(z.detach().numpy().astype(np.float64)[kept] / t, axis=-1) for z in (z_s, z_t))


def mixture(log_p, log_q, share):
    return np.log(share * np.exp(log_p) + (1 - share) * np.exp(log_q))


VALUES = {
    "kd": ({}, kl),
    "reverse_kl": ({}, lambda t, s: kl(s, t)),
    "jsd": ({"beta": 0.3}, lambda t, s: 0.3 * kl(t, mixture(t, s, 0.3)) + 0.7 * kl(s, mixture(t, s, 0.3))),
    "skew_kl": ({"skew": 0.1}, lambda t, s: kl(t, mixture(t, s, 0.1))),
    "skew_kl reverse": ({"skew": 0.1, "direction": "reverse"}, lambda t, s: kl(s, mixture(t, s, 0.9))),
}


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("name", VALUES)
def test_divergences_against_numpy(load, said, name, temperature):
    """A mean over all positions that count, not over the means of the rows, which have 2, 5 and 6 of them."""
    params, formula = VALUES[name]
    log_s, log_t = counted(said, temperature)
    expected = temperature**2 * np.mean(formula(log_t, log_s))
    z_s, z_t, batch = said
    loss = load(name.split()[0])(Outputs(z_s), Outputs(z_t), batch, temperature=temperature, **params)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def plainly(name, z_s, z_t, y, t):
    """The same divergences as torch composes them, for autograd."""
    log_s, log_t = (functional.log_softmax(z[y != -100] / t, -1) for z in (z_s, z_t))

    def between(a, b):
        return functional.kl_div(b, a, reduction="batchmean", log_target=True)

    def mixed(share):
        return torch.logsumexp(torch.stack([log_t + math.log(share), log_s + math.log(1 - share)]), 0)

    return (
        t**2
        * {
            "kd": lambda: between(log_t, log_s),
            "reverse_kl": lambda: between(log_s, log_t),
            "jsd": lambda: 0.3 * between(log_t, mixed(0.3)) + 0.7 * between(log_s, mixed(0.3)),
            "skew_kl": lambda: between(log_t, mixed(0.1)),
            "skew_kl reverse": lambda: between(log_s, mixed(0.9)),
        }[name]()
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("name", VALUES)
def test_gradients_against_autograd_of_torch(load, said, name, temperature):
    z_s, z_t, batch = said
    (0.7 * load(name.split()[0])(Outputs(z_s), Outputs(z_t), batch, temperature=temperature, **VALUES[name][0])).backward()
    ours, other = z_s.grad.clone(), z_s.detach().clone().requires_grad_(True)
    judge = plainly(name, other, z_t, batch.y, temperature)
    (0.7 * judge).backward()
    assert torch.allclose(ours, other.grad, rtol=1e-4, atol=1e-7)
    assert bool((ours[batch.y == -100] == 0).all())


@pytest.mark.parametrize("name", VALUES)
def test_padding_and_batches_change_nothing(load, said, name):
    """Other logits where nothing is asked, more such positions, and rows apart: the mean over all counted positions stays."""
    method, (params, _) = load(name.split()[0]), VALUES[name]
    z_s, z_t, batch = said
    whole = method(Outputs(z_s), Outputs(z_t), batch, temperature=1.0, **params).item()
    with torch.no_grad():
        z_s[batch.y == -100] = 40 * torch.randn(int((batch.y == -100).sum()), V)
    wider = [torch.cat([z, torch.randn(B, 4, V)], 1) for z in (z_s.detach(), z_t)]
    y = torch.cat([batch.y, torch.full((B, 4), -100)], 1)
    padded = method(Outputs(wider[0]), Outputs(wider[1]), Batch({}, y, batch.index), temperature=1.0, **params).item()
    assert padded == pytest.approx(whole, rel=1e-6)
    parts = [
        method(Outputs(z_s[i : i + 1]), Outputs(z_t[i : i + 1]), Batch({}, batch.y[i : i + 1], batch.index[:1]), **params).item()
        for i in range(B)
        if name != "kd"
    ]
    shares = (batch.y != -100).sum(1).numpy() / int((batch.y != -100).sum())
    assert not parts or float(np.dot(parts, shares)) == pytest.approx(whole, rel=1e-5)


def test_nothing_counted_is_no_loss_and_no_gradient(load, said):
    z_s, z_t, batch = said
    loss = load("jsd")(Outputs(z_s), Outputs(z_t), Batch({}, torch.full((B, L), -100), batch.index))
    loss.backward()
    assert loss.item() == 0
    assert not z_s.grad.any()


def test_jsd_has_exactly_the_end_points_it_names(load, said):
    """beta 0 is forward KL and beta 1 reverse KL; half is the symmetric divergence. (trl #2202, #6780: ends that gave 0.)"""
    z_s, z_t, batch = said
    jsd = load("jsd")
    forward = load("kd")(Outputs(z_s), Outputs(z_t), batch, temperature=1.0).item()
    backward = load("reverse_kl")(Outputs(z_s), Outputs(z_t), batch).item()
    assert jsd(Outputs(z_s), Outputs(z_t), batch, beta=0.0).item() == forward
    assert jsd(Outputs(z_s), Outputs(z_t), batch, beta=1.0).item() == backward
    one, other = (jsd(Outputs(a), Outputs(b), batch, beta=0.5).item() for a, b in ((z_s, z_t), (z_t, z_s)))
    assert one == pytest.approx(other, rel=1e-5)
    assert 0 < one < math.log(2)


def test_the_inside_of_jsd_tends_to_nothing_unless_it_is_scaled(load, said):
    z_s, z_t, batch = said
    jsd = load("jsd")
    for beta, end in ((1e-4, 0.0), (1 - 1e-4, 1.0)):
        at_end = jsd(Outputs(z_s), Outputs(z_t), batch, beta=end).item()
        near = jsd(Outputs(z_s), Outputs(z_t), batch, beta=beta).item()
        scaled = jsd(Outputs(z_s), Outputs(z_t), batch, beta=beta, scale="continuous").item()
        assert near < 1e-3 * at_end
        assert scaled == pytest.approx(at_end, rel=0.02)
    half = [jsd(Outputs(z_s), Outputs(z_t), batch, beta=0.5, scale=scale).item() for scale in ("none", "continuous")]
    assert half[1] == pytest.approx(4 * half[0], rel=1e-6)


def test_skew_divergences_are_bounded_where_the_plain_ones_are_not(load):
    """Ko et al. 2024: mixing in a tenth of the first distribution bounds the divergence by -log 0.1."""
    z_s, z_t = (torch.zeros(1, 1, V) for _ in range(2))
    z_s[..., 0], z_t[..., 1] = 200.0, 200.0
    batch = Batch({}, torch.zeros(1, 1, dtype=torch.int64), torch.arange(1))
    for direction in ("forward", "reverse"):
        value = load("skew_kl")(Outputs(z_s), Outputs(z_t), batch, direction=direction).item()
        assert value == pytest.approx(math.log(10), rel=1e-5)
    assert load("reverse_kl")(Outputs(z_s), Outputs(z_t), batch).item() == pytest.approx(200.0, rel=1e-5)
    assert load("jsd")(Outputs(z_s), Outputs(z_t), batch).item() == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("name", VALUES)
def test_a_student_that_says_the_same_has_no_loss(load, said, name):
    z_s, _, batch = said
    loss = load(name.split()[0])(Outputs(z_s), Outputs(z_s.detach()), batch, temperature=1.0, **VALUES[name][0])
    loss.backward()
    assert abs(loss.item()) < 1e-6
    assert z_s.grad.abs().max() < 1e-7


def test_another_vocabulary_or_width_is_refused(load, said):
    z_s, z_t, batch = said
    with pytest.raises(Refusal, match="size of their vocabulary: 17 and 16"):
        load("reverse_kl")(Outputs(z_s), Outputs(z_t[..., :16]), batch)
    with pytest.raises(Refusal, match="differ in their positions"):
        load("jsd")(Outputs(z_s), Outputs(z_t[:, :5]), batch)


def recorded(z_t, k):
    log_p = z_t.log_softmax(-1)
    top = log_p.topk(k, -1)
    return TopK(top.values, top.indices, log_p.scatter(-1, top.indices, -torch.inf).logsumexp(-1, keepdim=True))


def by_hand(said, k, estimator):
    log_s, log_t = counted(said)
    values = []
    for s, t in zip(log_s, log_t, strict=True):
        top = np.argsort(-t)[:k]
        p, q = np.exp(t[top]), np.exp(s[top])
        inside = np.sum(p * (t[top] - s[top]))
        rest, other = 1 - p.sum(), 1 - q.sum()
        tail = rest * (np.log(rest) - np.log(other)) if rest > 1e-12 else 0.0
        p, q = p / p.sum(), q / q.sum()
        values.append({"drop_tail": inside, "tail_bucket": inside + tail, "renormalise": np.sum(p * np.log(p / q))}[estimator])
    return float(np.mean(values))


@pytest.mark.parametrize("estimator", ["tail_bucket", "drop_tail", "renormalise"])
@pytest.mark.parametrize("k", [1, 4, V - 1])
def test_top_k_estimators_against_numpy(load, said, estimator, k):
    z_s, z_t, batch = said
    loss = load("top_k_kd")(Outputs(z_s), batch, recorded(z_t, k), k=k, estimator=estimator)
    assert loss.item() == pytest.approx(by_hand(said, k, estimator), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("estimator", ["tail_bucket", "drop_tail", "renormalise"])
def test_top_k_gradients_against_finite_differences(load, said, estimator):
    z_s, z_t, batch = said
    method, top = load("top_k_kd"), recorded(z_t, 4)
    method(Outputs(z_s), batch, top, estimator=estimator).backward()
    at, z = (1, 3), z_s.detach().double()
    for v in (0, 5, 11, int(top.ids[1, 3, 0])):
        moved = []
        for sign in (1, -1):
            other = z.clone()
            other[(*at, v)] += sign * 1e-4
            double = TopK(top.log_probability.double(), top.ids, top.rest.double())
            moved.append(method(Outputs(other), batch, double, estimator=estimator).item())
        assert z_s.grad[(*at, v)].item() == pytest.approx((moved[0] - moved[1]) / 2e-4, abs=1e-5)


def test_top_k_of_everything_is_the_whole_divergence(load, said):
    z_s, z_t, batch = said
    whole = load("kd")(Outputs(z_s), Outputs(z_t), batch, temperature=1.0).item()
    for estimator in ("tail_bucket", "drop_tail", "renormalise"):
        assert load("top_k_kd")(Outputs(z_s), batch, recorded(z_t, V), estimator=estimator).item() == pytest.approx(
            whole, rel=1e-4
        )


def test_the_bucket_never_says_more_than_the_whole_and_renormalising_the_teacher_alone_would(load, said):
    z_s, z_t, batch = said
    whole = load("kd")(Outputs(z_s), Outputs(z_t), batch, temperature=1.0).item()
    buckets = [load("top_k_kd")(Outputs(z_s), batch, recorded(z_t, k)).item() for k in (1, 2, 4, 8, 16)]
    assert buckets == sorted(buckets)
    assert buckets[-1] <= whole * (1 + 1e-5)
    same = load("top_k_kd")(Outputs(z_t.clone().requires_grad_()), batch, recorded(z_t, 2), estimator="renormalise").item()
    assert abs(same) < 1e-6, "a student that is its teacher has no loss, however little is recorded"
