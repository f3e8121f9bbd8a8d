"""Losses about the layers of encoders against their papers' equations in float64 numpy, text by text, and what they refuse."""

import numpy as np
import pytest
import torch
from encoder_outputs import LENGTHS, encoder, texts, wider
from scipy.special import log_softmax

from kdbench.nouns import Batch, Outputs, Refusal
from kdbench.suite import load as read_suite

PATIENT, TINY, FIRST, SECOND, COSINE = "patient_kd", "tinybert", "minilm", "minilmv2", "hidden_cosine"


@pytest.fixture
def load(plugins):
    return lambda name: plugins.load("method", name)


def double(x):
    return x.detach().numpy().astype(np.float64)


def hidden(outputs):
    return [double(value) for value in outputs.taps.values()]


def shapes(*networks):
    return {
        who: {name: tuple(v.shape[1:]) for name, v in o.taps.items()}
        for who, o in zip(("student", "teacher"), networks, strict=True)
    }


def divergence(left, right):
    """KL of softmax rows, the papers' 1 / (A |x|) sum over heads and tokens, text by text: (heads, n, n) each."""
    found = []
    for s, t in zip(left, right, strict=True):
        log_s, log_t = log_softmax(s, -1), log_softmax(t, -1)
        found.append((np.exp(log_t) * (log_t - log_s)).sum() / (s.shape[0] * s.shape[1]))
    return np.mean(found)


def products(x, y):
    """x y^T / sqrt(d) of every text, without its padding."""
    return [double(x)[i, :, :n] @ double(y)[i, :, :n].transpose(0, 2, 1) / x.shape[-1] ** 0.5 for i, n in enumerate(LENGTHS)]


@pytest.mark.parametrize(("layers", "chosen"), [("skip", (2, 4, 6, 8, 10)), ("last", (7, 8, 9, 10, 11))])
def test_patient_kd_of_6_and_12_layers_equals_numpy_with_the_papers_layers(load, layers, chosen):
    """Sun et al. 2019, section 3.2: I_pt = {2, 4, 6, 8, 10} (skip) and {7, 8, 9, 10, 11} (last)."""
    student, teacher = encoder(0, layers=6), encoder(1, layers=12)
    expected = []
    for j, at in enumerate(chosen, start=1):
        z_s, z_t = hidden(student)[j][:, 0], hidden(teacher)[at][:, 0]
        gap = z_s / np.linalg.norm(z_s, axis=1, keepdims=True) - z_t / np.linalg.norm(z_t, axis=1, keepdims=True)
        expected.append(np.sum(gap**2) / gap.size)
    assert load(PATIENT)[0](student, teacher, layers=layers).item() == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize(("layers", "chosen"), [("skip", (4, 8)), ("last", (10, 11))])
def test_patient_kd_of_3_and_12_layers_takes_the_papers_layers(load, layers, chosen):
    """All other layers of the teacher are far away; the chosen ones point where the student's do."""
    teacher = encoder(1, layers=12)
    taps = list(teacher.taps.values())
    student = Outputs(teacher.logits, {"embeddings": taps[0], "a": 3 * taps[chosen[0]], "b": taps[chosen[1]] / 2, "c": taps[1]})
    assert load(PATIENT)[0](student, teacher, layers=layers).item() == pytest.approx(0, abs=1e-12)


def test_patient_kd_refuses_other_widths_and_shallow_students(load):
    with pytest.raises(Refusal, match="hidden states of 4 and 8 numbers"):
        load(PATIENT)[0](encoder(0, width=4), encoder(1, layers=4), layers="skip")
    with pytest.raises(Refusal, match="1 layers in the student, 4 in the teacher"):
        load(PATIENT)[0](encoder(0, layers=1), encoder(1, layers=4), layers="skip")


@pytest.mark.parametrize(("given", "chosen"), [(None, (2, 4)), ([1, 3], (1, 3))])
def test_tinybert_equals_numpy(load, given, chosen):
    """Jiao et al. 2020, equations 7 to 9, of every text without its padding; the uniform map is 2m for 2 of 4 layers."""
    method, module = load(TINY)
    student, teacher = encoder(0, layers=2, width=4), encoder(1, layers=4, width=8)
    state = module.state(shapes(student, teacher), 7)
    w_e, w_h = double(state["embedding"].weight).T, double(state["hidden"].weight).T
    h_s, h_t, expected = hidden(student), hidden(teacher), 0.0
    for w, s, t in [(w_e, h_s[0], h_t[0]), *((w_h, h_s[m], h_t[g]) for m, g in enumerate(chosen, start=1))]:
        expected += np.mean([np.mean((s[i, :n] @ w - t[i, :n]) ** 2) for i, n in enumerate(LENGTHS)])
    for m, g in enumerate(chosen):
        a_s = products(student.inner["query"][m], student.inner["key"][m])
        a_t = products(teacher.inner["query"][g - 1], teacher.inner["key"][g - 1])
        expected += np.mean([np.mean((s - t) ** 2) for s, t in zip(a_s, a_t, strict=True)])
    assert method(student, teacher, texts(), state, layers=given).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("student", "layers", "text"), [
    (encoder(0, heads=4), None, "tinybert: 4 heads in the student, 2 in the teacher; they must be equally many"),
    (encoder(0, layers=5), None, "the student has 5 layers, the teacher 4; say which with `layers`"),
    (encoder(0), [0, 5], r"layers \[0, 5\] .allowed: a layer of the teacher, 1 to 4, for each of the student's 2"),
    (encoder(0), [1], r"layers \[1\] .allowed"),
    (Outputs(encoder(0).logits, encoder(0).taps), None, "tinybert: the student gives no query of its attention"),
])  # fmt: skip
def test_tinybert_refuses_what_it_cannot_compare(load, student, layers, text):
    method, module = load(TINY)
    teacher = encoder(1, layers=4)
    with pytest.raises(Refusal, match=text):
        method(student, teacher, texts(), module.state(shapes(student, teacher), 7), layers=layers)


def test_minilm_equals_numpy(load):
    """Wang et al. 2020: attention and value relation of the last layers, whatever the widths."""
    student, teacher = encoder(0, layers=2, width=4), encoder(1, layers=3, width=8)
    expected = 0.0
    for left, right in (("query", "key"), ("value", "value")):
        expected += divergence(*(products(o.inner[left][-1], o.inner[right][-1]) for o in (student, teacher)))
    assert load(FIRST)[0](student, teacher, texts()).item() == pytest.approx(expected, rel=1e-5)


def test_minilm_needs_equally_many_heads(load):
    with pytest.raises(Refusal, match="minilm: 4 heads in the student, 2 in the teacher"):
        load(FIRST)[0](encoder(0, heads=4), encoder(1), texts())


@pytest.mark.parametrize(("asked", "heads", "layer"), [(0, 4, 0), (2, 2, 0), (1, 1, 2)])
def test_minilmv2_equals_numpy_whatever_the_heads(load, asked, heads, layer):
    """Wang et al. 2021: heads side by side, cut into relation heads; 0 is the largest number that divides 4 and 8."""
    student, teacher = encoder(0, layers=2, width=4, heads=1), encoder(1, layers=3, width=8, heads=4)
    expected = 0.0
    for role in ("query", "key", "value"):
        parts = []
        for outputs, at in ((student, -1), (teacher, layer - 1)):
            beside = np.concatenate(list(double(outputs.inner[role][at]).transpose(1, 0, 2, 3)), axis=-1)
            size = beside.shape[-1] // heads
            cut = np.stack([beside[..., a * size : (a + 1) * size] for a in range(heads)], axis=1)
            parts.append([x[:, :n] @ x[:, :n].transpose(0, 2, 1) / size**0.5 for x, n in zip(cut, LENGTHS, strict=True)])
        expected += divergence(*parts)
    given = load(SECOND)[0](student, teacher, texts(), relation_heads=asked, teacher_layer=layer)
    assert given.item() == pytest.approx(expected, rel=1e-5)


def test_minilmv2_refuses_heads_and_layers_that_are_not_there(load):
    with pytest.raises(Refusal, match="3 relation heads do not divide the student's width 8"):
        load(SECOND)[0](encoder(0), encoder(1), texts(), relation_heads=3, teacher_layer=0)
    with pytest.raises(Refusal, match="teacher_layer 5 .allowed: 1 to 2, or 0 for the last"):
        load(SECOND)[0](encoder(0), encoder(1), texts(), relation_heads=0, teacher_layer=5)


def test_hidden_cosine_equals_numpy(load):
    student, teacher = encoder(0, layers=1), encoder(1, layers=3)
    expected = []
    for i, n in enumerate(LENGTHS):
        s, t = hidden(student)[-1][i, :n], hidden(teacher)[-1][i, :n]
        expected.append(np.mean(1 - (s * t).sum(1) / np.linalg.norm(s, axis=1) / np.linalg.norm(t, axis=1)))
    assert load(COSINE)[0](student, teacher, texts()).item() == pytest.approx(np.mean(expected), rel=1e-5)
    with pytest.raises(Refusal, match=r"shapes \(6, 4\) and \(6, 8\)"):
        load(COSINE)[0](encoder(0, width=4), teacher, texts())


def test_hidden_cosine_of_next_tokens_counts_positions_with_a_label(load):
    student, teacher, y = encoder(0), encoder(1), torch.full((3, 6), -100)
    y[0, 2:5], y[1, 0] = 4, 7
    batch = Batch(texts().x, y, torch.arange(3), 0)
    s, t = hidden(student)[-1][y.numpy() != -100], hidden(teacher)[-1][y.numpy() != -100]
    expected = np.mean(1 - (s * t).sum(1) / np.linalg.norm(s, axis=1) / np.linalg.norm(t, axis=1))
    assert load(COSINE)[0](student, teacher, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [TINY, FIRST, SECOND])
def test_attention_of_networks_that_only_look_back_is_refused(load, name):
    plugin, module = load(name)
    student, teacher = encoder(0), encoder(1)
    batch = Batch(texts().x, torch.zeros(3, 6, dtype=torch.int64), torch.arange(3), 0)
    more = (module.state(shapes(student, teacher), 7),) if name == TINY else ()
    with pytest.raises(Refusal, match=f"{name}: compares attention of encoders"):
        plugin(student, teacher, batch, *more)


@pytest.mark.parametrize("name", [PATIENT, TINY, FIRST, SECOND, COSINE, "fitnets"])
def test_62_padding_is_no_part_of_a_loss_about_layers_optipfair_34_liger_974(plugins, load, name):
    """optipfair#34, Liger-Kernel#974, #1478. More padding, with other numbers there, leaves the loss as it was."""
    plugin, module = load(name)
    evidence = plugins.get("method", name).evidence
    student, teacher, batch = encoder(0), encoder(1, layers=4), texts()
    state = module.state(shapes(student, teacher), 7) if "state" in evidence else None
    held = {"student": student, "teacher": teacher, "batch": batch, "state": state}
    more = {
        "student": wider(student, batch)[0],
        "teacher": wider(teacher, batch, fill=-3.0)[0],
        "batch": wider(student, batch)[1],
    }
    losses = [plugin(*({**held, **given}[role] for role in evidence)).item() for given in ({}, more)]
    assert losses[0] > 0
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.parametrize("name", [TINY, FIRST, SECOND, COSINE])
def test_a_student_that_is_the_teacher_has_no_loss(load, name):
    plugin, module = load(name)
    teacher = encoder(1)
    more = ()
    if name == TINY:
        more = (module.state(shapes(teacher, teacher), 7),)
        for weight in more[0].parameters():
            torch.nn.init.eye_(weight)
    assert plugin(teacher, teacher, texts(), *more).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("name", "expected"), [
    (PATIENT, {"ce": 0.5, "kd": 0.5, PATIENT: 100.0}),
    (TINY, {TINY: 1.0, "kd": 1.0}),
    (FIRST, {FIRST: 1.0, "ce": 1.0}),
    (SECOND, {SECOND: 1.0, "ce": 1.0}),
    (COSINE, {"kd": 5.0, "ce": 2.0, COSINE: 1.0}),
])  # fmt: skip
def test_the_published_recipes_are_read(plugins, tmp_path, name, expected):
    path = tmp_path / "suite.yaml"
    networks = "teacher: {model: small_cnn, fit: scratch}\nstudent: {model: small_cnn}\n"
    text = f"suite: x\ntargets: [torch_cpu]\ndata: {{dataset: digits}}\n{networks}"
    path.write_text(f"{text}contenders: {{one: [fit: {name}]}}\n")
    (task,) = read_suite(path, plugins).tasks
    terms = {term.method.name: term for term in task.contenders[0].steps[-1].terms}
    assert {key: term.weight for key, term in terms.items()} == expected
    if name == TINY:
        assert (terms[TINY].stop, terms["kd"].start, terms["kd"].method.params["temperature"]) == (0.5, 0.5, 1.0)
    if name == COSINE:
        assert terms["kd"].method.params["temperature"] == 2.0
