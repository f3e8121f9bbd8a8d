"""The on-policy view: what it changes, whose words they are, and that a fit learns from it."""

import numpy as np
import pytest
import torch
from fit_entries import fit_job, run
from lm_entries import windows

from kdbench.nets import build
from kdbench.nets.writing import Sampling, sample
from kdbench.nouns import Batch, Refusal, Shape, Use
from kdbench.stages import artefacts

SHAPE = Shape("tokens", {"tokens": (10,)}, 11, (11,), "next", 0)
SMALL = {"layers": 1, "hidden": 16, "heads": 2, "positions": 16, "dropout": 0.0}
ADAM = {"optimizer": "adam", "lr": 0.01, "batch": 16, "weight_decay": 0.0}


@pytest.fixture
def view(found):
    return found.load("view", "on_policy")[0]


@pytest.fixture
def student(found):
    return build.build(found.load("model", "gpt2")[0], Use("gpt2", SMALL), SHAPE, seed=2).eval()


@pytest.fixture
def batch():
    stream = torch.from_numpy(np.random.default_rng(0).integers(0, 11, (6, 11)))
    return Batch({"tokens": stream[:, :-1].clone()}, stream[:, 1:].clone(), torch.arange(6))


def test_the_prompt_stays_and_each_label_is_the_token_drawn_next(view, student, batch):
    made = view(batch, np.random.default_rng(5), SHAPE, student, share=1.0, prompt=4, tokens=7)
    tokens, y = made.x["tokens"], made.y
    assert tokens.shape == y.shape == (6, 10)
    assert torch.equal(tokens[:, :4], batch.x["tokens"][:, :4])
    assert bool((y[:, :3] == -100).all())
    assert torch.equal(y[:, 3:-1], tokens[:, 4:])
    assert int((y != -100).sum()) == 6 * 7
    assert torch.equal(made.index, batch.index)
    assert not torch.equal(tokens[:, 4:10], batch.x["tokens"][:, 4:])


def test_what_it_writes_is_drawn_by_the_student_itself(view, student, batch):
    rng = np.random.default_rng(5)
    made = view(batch, np.random.default_rng(5), SHAPE, student, share=1.0, prompt=4, tokens=7, temperature=0.7)
    rng.random()
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    drawn = sample(student, batch.x["tokens"][:, :4], 7, generator, Sampling(temperature=0.7))
    assert torch.equal(made.x["tokens"], drawn[:, :-1])
    assert torch.equal(made.y[:, 3:], drawn[:, 4:])


def test_the_share_of_changed_batches(view, student, batch):
    changed = [
        view(batch, np.random.default_rng(i), SHAPE, student, share=0.3, prompt=4, tokens=2) is not batch for i in range(300)
    ]
    assert 0.2 < np.mean(changed) < 0.4
    assert all(view(batch, np.random.default_rng(i), SHAPE, student, share=0.0, prompt=4, tokens=2) is batch for i in range(20))


def test_a_row_that_ends_inside_the_prompt_is_not_judged(view, student, batch):
    batch.y[2, 2:] = -100
    made = view(batch, np.random.default_rng(5), SHAPE, student, share=1.0, prompt=4, tokens=3)
    assert bool((made.y[2] == -100).all())
    assert int((made.y != -100).sum()) == 5 * 3


def test_refuses_short_rows_and_data_that_are_no_text(view, student, batch):
    with pytest.raises(Refusal, match="rows of 10 tokens are too short for a prompt of 10"):
        view(batch, np.random.default_rng(0), SHAPE, student, prompt=10)
    with pytest.raises(Refusal, match="a prompt of 4 and 8 tokens make rows of 11; the models are for rows of 10"):
        view(batch, np.random.default_rng(0), SHAPE, student, prompt=4, tokens=8)
    other = Shape("tokens", {"tokens": (10,)}, 2, (11,), "class", 0)
    with pytest.raises(Refusal, match="the data ask for the class of tokens"):
        view(batch, np.random.default_rng(0), other, student)


def test_gkd_teaches_the_student_about_its_own_words(where, found):
    """A student that has only its own words and the teacher's judgement of them learns to count as the teacher does."""
    text = windows(where.store)
    teacher = run(fit_job({"ce": 1.0}, ("gpt2", {**SMALL, "hidden": 32}), epochs=20, **ADAM), {"data": text}, where)
    views = {"on_policy": {"share": 1.0, "prompt": 2, "tokens": 8}}
    term = {"jsd": {"weight": 1.0, "params": {"beta": 0.5}}}
    job = fit_job(term, ("gpt2", SMALL), seed=1, epochs=20, views=views, **ADAM)
    entry = run(job, {"data": text, "teacher": teacher}, where)
    record = entry.json("record.json")
    assert record["parity"]["teacher"] == "live"
    assert not record["parity"]["same_batches"]
    assert record["parity"]["train"]["views"] == [{"name": "on_policy", "params": views["on_policy"]}]
    assert record["teacher_passes"] == record["examples"] == 20 * 48
    student = artefacts.read(entry, found).module
    prompts = (torch.arange(200)[:, None] + torch.arange(2)) % 11
    with torch.no_grad():
        written = sample(student, prompts, 8, torch.Generator().manual_seed(0))
    right = float(((written[:, 2:] - written[:, 1:-1]) % 11 == 1).float().mean())
    assert right > 0.5, "by chance it would be 0.09"
    short = fit_job(term, ("gpt2", SMALL), seed=1, epochs=2, views=views, **ADAM)
    one, other = (run(short, {"data": text, "teacher": teacher}, where, again=True) for _ in range(2))
    assert one.bytes("weights.safetensors") == other.bytes("weights.safetensors")
