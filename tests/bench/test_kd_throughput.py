"""How many examples a CPU-second of distillation takes in: kdbench's loop against the usual one.

    pytest tests/bench/test_kd_throughput.py --benchmark-only

Both train the same student with the same loss, batch and optimizer in float32 on one thread. The usual loop draws batches from
a DataLoader and runs the teacher at every step; kdbench's has the teacher's outputs recorded (that one pass is a case of its
own). Times are CPU seconds of the process, which other programs disturb least; `extra_info` holds samples
per CPU-second and the ratio.
"""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from kdbench.nets.build import build
from kdbench.nouns import Shape, Term, Train, Use
from kdbench.stages.seeds import stream
from kdbench.suite import load
from kdbench.training.batches import epoch, pool
from kdbench.training.cohort import member
from kdbench.training.loop import Recipe, train_epoch
from kdbench.training.teaching import Recorded, live
from kdbench.training.terms import load_terms

SUITE = Path(__file__).parents[2] / "suites" / "quickstart.yaml"
TERMS = [Term(Use("ce"), 0.1), Term(Use("kd", {"temperature": 4.0}), 0.9)]
STEPS = 8
TURNS = 9


@pytest.fixture(params=["quickstart", "28x28"])
def work(request, plugins):
    """The networks and the batch size of the quickstart's images; on images of their size, and of Fashion-MNIST's."""
    torch.set_num_threads(1)
    task = next(task for task in load(SUITE, plugins).tasks if task.name == "digits")
    taught = next(c for c in task.contenders if c.name == "kd").steps[0]
    nets, batch = (task.teacher.steps[0].model, taught.model), taught.train.batch
    size = 8 if request.param == "quickstart" else 28
    shape = Shape("image", {"image": (1, size, size)}, 10)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch * STEPS, 1, size, size)).astype(np.float32)
    y = rng.integers(0, 10, batch * STEPS)
    networks = [build(plugins.load("model", use.name)[0], use, shape, seed=0) for use in nets]
    return shape, batch, x, y, networks, load_terms(plugins, TERMS)


def usual(work):
    """One epoch as it is commonly written."""
    _, batch, x, y, (teacher, student), _ = work
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=batch, shuffle=True)
    optimizer = torch.optim.SGD(student.parameters(), 0.05, 0.9, weight_decay=5e-4)
    teacher.eval()
    student.train()

    def run():
        for images, labels in loader:
            with torch.no_grad():
                taught = teacher(images)
            said = student(images)
            soft = functional.kl_div(
                functional.log_softmax(said / 4, 1), functional.softmax(taught / 4, 1), reduction="batchmean"
            )
            loss = 0.1 * functional.cross_entropy(said, labels) + 0.9 * 16 * soft
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def ours(work):
    """One epoch of kdbench's loop, with recorded teacher outputs."""
    shape, batch, x, y, (teacher, student), terms = work
    train = Train(epochs=1000, batch=batch, lr=0.05)
    recipe = Recipe(train, terms, (), shape, (), partial(stream, 0))
    data = pool({"image": x}, y)
    members = [member(student, {}, train, {}, False)]
    source = live(teacher, ())
    with torch.no_grad():
        logits = torch.cat([source.outputs(data.batch(index)).logits for index in torch.arange(len(data)).split(256)])
    return lambda: train_epoch(recipe, members, data, Recorded(logits, {}), 0)


def recording(work):
    """The one pass of the teacher."""
    _, _, x, y, (teacher, _), _ = work
    data, source = pool({"image": x}, y), live(teacher, ())
    return lambda: [source.outputs(data.batch(index)) for index in torch.arange(len(data)).split(256)]


def cpu_seconds(run):
    began = time.process_time()
    run()
    return time.process_time() - began


def test_kd_samples_per_cpu_second(benchmark, work):
    """The loops take turns, because CPU time itself drifts with what else runs on the machine; the ratio is their median."""
    loops = {"usual": usual(work), "ours": ours(work), "recording": recording(work)}
    for run in loops.values():
        run()
    spent = [{name: cpu_seconds(run) for name, run in loops.items()} for _ in range(TURNS)]
    n = len(work[3])
    for name in loops:
        benchmark.extra_info[f"{name}_samples_per_cpu_second"] = round(n / float(np.median([turn[name] for turn in spent])))
    ratios = np.array([turn["usual"] / turn["ours"] for turn in spent])
    benchmark.extra_info["ratio_usual_to_ours"] = round(float(np.median(ratios)), 2)
    benchmark.extra_info["ratio_quartiles"] = [round(float(q), 2) for q in np.quantile(ratios, (0.25, 0.75))]
    benchmark.pedantic(loops["ours"], rounds=3, iterations=1)


def test_both_loops_see_equal_work(work):
    """kdbench's loop skips nothing: every example once an epoch, in batches of the size that the usual loop has."""
    _, batch, _, y, _, _ = work
    batches = epoch(len(y), batch, partial(stream, 0), 0)
    assert [len(b) for b in batches] == [batch] * STEPS
    assert sorted(torch.cat(batches).tolist()) == list(range(len(y)))
