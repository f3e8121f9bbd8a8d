"""The training loop: epochs of batches for a cohort of students, under equal conditions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from kdbench.nets.taps import forward
from kdbench.nouns import Batch, Outputs, Refusal, Shape, Train
from kdbench.training.batches import Pool, epoch, parts, steps_per_epoch
from kdbench.training.checkpoint import Progress
from kdbench.training.cohort import Member
from kdbench.training.schedules import learning_rate
from kdbench.training.teaching import Live, Recorded, detached, in_float32
from kdbench.training.terms import LossTerm, total
from kdbench.training.top_k import RecordedTopK
from kdbench.training.views import LoadedView, look


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a fit besides its networks and data. stream: names -> a seed (see `stages/seeds.py`); taps and inner: the
    features and the projections of attention of the student that are read, empty for none.
    """

    train: Train
    terms: tuple[LossTerm, ...]
    views: tuple[LoadedView, ...]
    shape: Shape
    taps: tuple[str, ...]
    stream: Callable[..., int]
    inner: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    top: RecordedTopK | None = None

    def steps(self, n: int) -> int:
        """The optimizer steps of the whole fit."""
        return self.train.epochs * steps_per_epoch(n, self.train.batch)


def train_epoch(
    recipe: Recipe, members: Sequence[Member], data: Pool, teacher: Recorded | Live | None, number: int
) -> dict[str, Any]:
    """Train for one epoch (number 0, 1, ...); gives its mean losses (by example) and the learning rate it ended with.

    Random numbers of the epoch (dropout, ...) come from a stream of the seed and its number alone: not from how the student was
    initialised, nor from what ran before. Raises Refusal "diverged at step k" as soon as a loss is not finite.
    """
    torch.manual_seed(recipe.stream("train", number))
    batches = epoch(len(data), recipe.train.batch, recipe.stream, number, data.cost)
    steps, rate = recipe.steps(len(data)), 0.0
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    network = teacher.module if isinstance(teacher, Live) else None
    evidence = {"shape": recipe.shape, "student": members[0].module, "teacher": network}
    for one in members:
        one.module.train()
    for k, index in enumerate(batches):
        step = number * len(batches) + k
        rate = learning_rate(recipe.train, step, steps)
        batch = look(recipe.views, data.batch(index), recipe.stream("view", number, k), evidence)
        for said, share in _gradients(recipe, members, batch, teacher, (step, steps)):
            for name, value in said.items():
                sums[name] = sums.get(name, 0.0) + value * share * len(index)
                weights[name] = weights.get(name, 0.0) + share * len(index)
        for one in members:
            one.update(rate, recipe.train.clip)
    if not all(one.sound() for one in members):
        raise Refusal(
            f"diverged at step {(number + 1) * len(batches)} of {steps}: weights are not finite after epoch {number + 1}"
        )
    for one in members:
        one.remember()
    means = {name: value / weights[name] for name, value in sums.items()}
    return {"loss": means.pop("loss"), "terms": means, "learning_rate": rate}


def _gradients(
    recipe: Recipe, members: Sequence[Member], batch: Batch, teacher: Recorded | Live | None, when: tuple[int, int]
) -> list[tuple[dict[str, float], float]]:
    """Give all members the gradient of a batch, added up over its parts; the losses of the first and the share of each part.

    Raises Refusal for a loss that is not finite.
    """
    for one in members:
        one.forget()
    found = []
    for part, share in parts(batch, recipe.train.accumulate):
        losses = _losses(recipe, members, part, teacher, when)
        for loss, _ in losses:
            if not math.isfinite(value := loss.item()):
                rate = f"learning rate {learning_rate(recipe.train, *when):.3g}"
                raise Refusal(f"diverged at step {when[0] + 1} of {when[1]}: the loss is {value} ({rate})")
            (share * loss).backward()  # type: ignore[no-untyped-call]
        terms = {"loss": losses[0][0].detach(), **losses[0][1]}
        found.append(({name: term.item() for name, term in terms.items()}, share))
    return found


def _losses(
    recipe: Recipe, members: Sequence[Member], batch: Batch, teacher: Recorded | Live | None, when: tuple[int, int]
) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """The loss of each member. All members answer first, then all are updated: a peer is what the other says before this step."""
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.train.precision == "bf16"):
        taught = teacher.outputs(batch) if teacher is not None else None
        said = [_answer(one.module, batch, recipe) for one in members]
        with torch.no_grad():
            before = [_answer(one.previous, batch, recipe) if one.previous is not None else None for one in members]
    losses = []
    for i, one in enumerate(members):
        peer = detached(said[1 - i]) if len(members) == 2 else None
        evidence: dict[str, Any] = {"student": said[i], "teacher": taught, "batch": batch, "peer": peer, "previous": before[i]}
        evidence["top_k"] = recipe.top.of(batch) if recipe.top is not None else None
        losses.append(total(recipe.terms, evidence, one.states, *when))
    return losses


def accuracy(module: nn.Module, data: Pool, size: int = 512) -> float | None:
    """Share of correct answers of a network on a split, in eval mode and float32; of positions whose label is not -100 for
    tokens.

    None where nothing has a label. Raises Refusal for logits that are not finite.
    """
    if not len(data):
        return None
    module.eval()
    right = counted = 0
    with torch.no_grad():
        for index in data.ordered(size):
            batch = data.batch(index)
            logits = forward(module, batch.x).logits
            if not bool(torch.isfinite(logits).all()):
                raise Refusal("diverged: the student gives logits that are not finite on the validation split")
            valid = batch.y >= 0
            if not bool(valid.any()):
                continue
            right += int(((logits.argmax(-1) == batch.y) & valid).sum())
            counted += int(valid.sum())
    return right / counted if counted else None


def _at_once(shape: Shape) -> int:
    """Rows of validation that are asked at once: of token sequences as many as give 64 MB of logits."""
    if shape.answer not in ("next", "text"):
        return 512
    longest = max(size[0] for size in shape.inputs.values())
    return max(1, min(512, 2**24 // (longest * max(1, shape.classes))))


def train_all(
    recipe: Recipe,
    members: Sequence[Member],
    splits: tuple[Pool, Pool],
    teacher: Recorded | Live | None,
    progress: Progress,
    save: Callable[[Progress], None],
) -> Progress:
    """Train from where `progress` stands to the last epoch; `save` is called at the end of each but the last.

    The validation split (the second) is looked at once an epoch, for the history and for `select: best_validation` (the first
    best epoch stays), but for answers in vectors, which have no accuracy; no other split is ever seen.
    """
    data, validation = splits
    while progress.epochs < recipe.train.epochs:
        began, spent = time.perf_counter(), time.process_time()
        passes = teacher.passes if teacher is not None else 0
        entry = train_epoch(recipe, members, data, teacher, progress.epochs)
        vectors = recipe.shape.answer == "vector"  # the largest of its numbers is no class
        reached = None if vectors else accuracy(members[0].module, validation, _at_once(recipe.shape))
        progress.epochs += 1
        progress.steps += steps_per_epoch(len(data), recipe.train.batch)
        progress.examples += len(data)
        progress.teacher_passes += (teacher.passes if teacher is not None else 0) - passes
        if recipe.train.select == "best_validation" and reached is not None and reached > progress.best_accuracy:
            progress.best_accuracy, progress.best_epoch = reached, progress.epochs
            progress.best = {k: v.detach().clone() for k, v in members[0].module.state_dict().items()}
        progress.history.append({"epoch": progress.epochs, "validation_accuracy": reached, **entry})
        progress.seconds += time.perf_counter() - began
        progress.cpu_seconds += time.process_time() - spent
        if progress.epochs < recipe.train.epochs:
            save(progress)
    return progress


def _answer(module: nn.Module, batch: Batch, recipe: Recipe) -> Outputs:
    return in_float32(forward(module, batch.x, recipe.taps, recipe.inner))
