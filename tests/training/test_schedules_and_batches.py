"""Schedules, the order of examples, seeds, and the join by id."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kdbench.nouns import Refusal, Train
from kdbench.stages.seeds import stream
from kdbench.training.batches import epoch, pool, steps_per_epoch
from kdbench.training.optimise import optimizer
from kdbench.training.schedules import active, learning_rate, progress_at, value_at
from kdbench.training.teaching import places

STEPS = 200


def test_cosine_equals_torch():
    parameter = nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([parameter], lr=0.3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, STEPS)
    for step in range(STEPS):
        assert learning_rate(Train(lr=0.3), step, STEPS) == pytest.approx(sgd.param_groups[0]["lr"], abs=1e-9)
        sgd.step()
        reference.step()


def test_step_schedule_equals_torch_at_the_epochs_of_repdistiller():
    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.05)
    reference = torch.optim.lr_scheduler.MultiStepLR(sgd, [150, 180, 210])
    for step in range(240):
        assert learning_rate(Train(lr=0.05, schedule="step"), step, 240) == pytest.approx(sgd.param_groups[0]["lr"])
        sgd.step()
        reference.step()


def test_warmup_rises_to_the_full_rate_and_then_follows_the_schedule():
    rates = [learning_rate(Train(lr=1.0, schedule="linear", warmup=0.1), step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:] == pytest.approx(1 - np.arange(90) / 90)


@pytest.mark.parametrize(("shape", "middle"), [("linear", 3.0), ("cosine", 3.0), ("exponential", 5**0.5)])
def test_a_parameter_goes_from_one_end_to_the_other(shape, middle):
    schedule = {"from": 5, "to": 1, "shape": shape, "start": 0.0, "stop": 1.0}
    assert value_at(schedule, progress_at(0, 101)) == pytest.approx(5)
    assert value_at(schedule, progress_at(50, 101)) == pytest.approx(middle)
    assert value_at(schedule, progress_at(100, 101)) == pytest.approx(1)
    late = {**schedule, "start": 0.5, "stop": 0.75}
    assert [value_at(late, t) for t in (0, 0.5, 0.75, 1)] == pytest.approx([5, 5, 1, 1])
    assert value_at(4.0, 0.3) == 4.0


def test_a_term_counts_from_its_start_until_its_stop():
    assert [active(0.25, 0.75, step, 8) for step in range(8)] == [False, False, True, True, True, True, False, False]
    assert active(0.0, 1.0, 7, 8)


@given(st.integers(2, 300), st.integers(2, 64), st.integers(0, 3))
def test_every_example_comes_once_an_epoch_and_never_alone(n, size, number):
    batches = epoch(n, size, partial(stream, 0), number)
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert all(2 <= len(b) <= size + 1 for b in batches)
    assert len(batches) == steps_per_epoch(n, size)
    assert sum(len(b) != size for b in batches) <= 1


def test_the_order_depends_on_seed_and_epoch_alone():
    orders = [torch.cat(epoch(50, 8, partial(stream, seed), number)).tolist() for seed in (0, 1) for number in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert torch.cat(epoch(50, 8, partial(stream, 0), 0)).tolist() == orders[0]


def test_streams_are_apart_and_fixed_for_ever():
    assert stream(0, "init") == 9055703558391577090, "another value would change every stored result"
    assert (
        len({stream(0, "init"), stream(1, "init"), stream(0, "order", 1), stream(0, "order", "1"), stream(0, "order", 11)}) == 5
    )


def test_images_are_kept_as_they_are_and_come_channels_last():
    x = np.random.default_rng(0).normal(size=(6, 3, 4, 5)).astype(np.float32)
    batch = pool({"image": x}, np.arange(6)).batch(torch.tensor([4, 1]))
    assert (batch.x["image"].numpy() == x[[4, 1]]).all()
    assert batch.x["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch.y.tolist() == batch.index.tolist() == [4, 1]


def test_outputs_are_joined_by_id_not_by_place():
    """haitongli/knowledge-distillation-pytorch#16, #17: the teacher's outputs stood in another order than the batches."""
    ids = np.array(["c", "a", "d", "b"])
    assert ids[places(np.array(["a", "b", "c"]), ids)].tolist() == ["a", "b", "c"]
    with pytest.raises(Refusal, match="lack 2 of 3 training examples .first: x"):
        places(np.array(["a", "x", "y"]), ids)
    with pytest.raises(Refusal, match="stands twice"):
        places(np.array(["a"]), np.array(["a", "a"]))


@pytest.mark.parametrize("train", [
    Train(lr=0.1), Train(lr=0.1, nesterov=True), Train(optimizer="adam", lr=0.01), Train(optimizer="adamw", lr=0.01),
])  # fmt: skip
def test_fused_optimizers_equal_torch_without_fusing(train):
    def trained(fused):
        torch.manual_seed(0)
        net = nn.Linear(4, 3)
        made = optimizer(train, net.parameters())
        if not fused:
            plain = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[train.optimizer]
            more = {"momentum": 0.9, "nesterov": train.nesterov} if train.optimizer == "sgd" else {}
            made = plain(net.parameters(), lr=train.lr, weight_decay=train.weight_decay, foreach=False, **more)
        for _ in range(5):
            made.zero_grad()
            net(torch.ones(2, 4)).square().sum().backward()
            made.step()
        return net.weight.detach()

    assert torch.allclose(trained(True), trained(False), atol=1e-6)
