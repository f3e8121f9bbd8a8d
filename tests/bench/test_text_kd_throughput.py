"""How many texts a CPU-second of distillation takes in: kdbench's loop against the Trainer of transformers.

    pytest tests/bench/test_text_kd_throughput.py --benchmark-only

Both train the same BERT student of 2 layers from the same teacher of 4, with the same texts, loss, batch and optimizer, in
float32 on one thread. The Trainer draws random batches, pads each to its longest text and runs the teacher at every step.
kdbench's batches are of texts of like length, with the teacher live, and with its outputs recorded (that one pass is a case of
its own). Lengths are log-normal, 22 tokens in the mean and 64 at most, as sentences of reviews are. Times are CPU seconds of the
process; loops take turns; `extra_info` holds texts per CPU-second and ratios.
"""

import time
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from kdbench.nets.build import build
from kdbench.nouns import Shape, Term, Train, Use
from kdbench.stages.seeds import stream
from kdbench.training.batches import epoch, pool
from kdbench.training.cohort import member
from kdbench.training.loop import Recipe, train_epoch
from kdbench.training.teaching import Recorded, live
from kdbench.training.terms import load_terms

TERMS = [Term(Use("ce"), 0.1), Term(Use("kd", {"temperature": 4.0}), 0.9)]
N, BATCH, LONGEST, WORDS, TURNS = 1600, 32, 64, 8192, 3
SHAPE = Shape("tokens", {"tokens": (LONGEST,)}, 2, (WORDS,))
TEACHER = Use("bert", {"layers": 4, "hidden": 256, "heads": 4, "intermediate": 1024})
STUDENT = Use("bert", {"layers": 2, "hidden": 128, "heads": 2, "intermediate": 512})
SPREAD = 0.6


def texts():
    """Rows of random tokens, and their labels."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(np.log(22) - SPREAD**2 / 2, SPREAD, N)).round().clip(3, LONGEST).astype(np.int64)
    tokens = rng.integers(1, WORDS, (N, LONGEST)) * (np.arange(LONGEST) < lengths[:, None])
    return tokens, rng.integers(0, 2, N)


@pytest.fixture
def networks(plugins):
    torch.set_num_threads(1)
    return [build(plugins.load("model", use.name)[0], use, SHAPE, seed=0) for use in (TEACHER, STUDENT)]


def usual(networks, folder):
    """An epoch of the Trainer with dynamic padding and a loss of its own, as its documentation shows."""
    import transformers

    teacher, student = (network.network for network in networks)
    teacher.eval().requires_grad_(False)
    tokens, y = texts()
    rows = [{"input_ids": row[row != 0], "labels": label} for row, label in zip(tokens, y, strict=True)]

    def padded(batch):
        ids = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row["input_ids"]) for row in batch], batch_first=True)
        return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": torch.tensor([int(r["labels"]) for r in batch])}

    class Distiller(transformers.Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            labels = inputs.pop("labels")
            with torch.no_grad():
                taught = teacher(**inputs).logits
            said = model(**inputs)
            soft = functional.kl_div(
                functional.log_softmax(said.logits / 4, -1), functional.softmax(taught / 4, -1), reduction="batchmean"
            )
            loss = 0.1 * functional.cross_entropy(said.logits, labels) + 0.9 * 16 * soft
            return (loss, said) if return_outputs else loss

    arguments = transformers.TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=BATCH, num_train_epochs=1, learning_rate=1e-4, use_cpu=True,
        save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip
    trainer = Distiller(model=student, args=arguments, train_dataset=rows, data_collator=padded)
    return lambda: trainer.train()


def ours(networks, plugins, recorded):
    """An epoch of kdbench's loop."""
    teacher, student = networks
    train = Train(epochs=1000, batch=BATCH, optimizer="adamw", lr=1e-4, weight_decay=0.0, clip=1.0)
    recipe = Recipe(train, load_terms(plugins, TERMS), (), SHAPE, (), partial(stream, 0))
    data = pool({"tokens": texts()[0]}, texts()[1], 0)
    source = live(teacher, ())
    if recorded:
        source = Recorded(recording(networks)(), {})
    return lambda: train_epoch(recipe, [member(student, {}, train, {}, False)], data, source, 0)


def recording(networks):
    """The one pass of the teacher, longest texts first."""
    data, source = pool({"tokens": texts()[0]}, texts()[1], 0), live(networks[0], ())

    def run():
        batches = data.ordered(256)
        return torch.cat([source.outputs(data.batch(index)).logits for index in batches])[torch.cat(batches).argsort()]

    return run


def cpu_seconds(run):
    began = time.process_time()
    run()
    return time.process_time() - began


def test_text_kd_rows_per_cpu_second(benchmark, networks, plugins, tmp_path):
    """The loops take turns, because CPU time itself drifts with what else runs on the machine; ratios are medians of theirs."""
    loops = {
        "trainer": usual(networks, tmp_path),
        "live": ours(networks, plugins, recorded=False),
        "cached": ours(networks, plugins, recorded=True),
        "recording": recording(networks),
    }
    loops["live"]()
    spent = [{name: cpu_seconds(run) for name, run in loops.items()} for _ in range(TURNS)]
    for name in loops:
        benchmark.extra_info[f"{name}_rows_per_cpu_second"] = round(N / float(np.median([turn[name] for turn in spent])))
    for name in ("live", "cached"):
        ratios = [turn["trainer"] / turn[name] for turn in spent]
        benchmark.extra_info[f"ratio_trainer_to_{name}"] = round(float(np.median(ratios)), 2)
        benchmark.extra_info[f"ratios_{name}"] = [round(ratio, 2) for ratio in ratios]
    benchmark.pedantic(loops["cached"], rounds=1, iterations=1)


def test_batches_of_like_length_hold_every_text_once_and_little_padding():
    """What the figures rest on: equal work, of which less is padding. The judge of random batches is a plain permutation."""
    tokens, y = texts()
    data = pool({"tokens": tokens}, y, 0)
    batches = epoch(N, BATCH, partial(stream, 0), 0, data.cost)
    assert sorted(torch.cat(batches).tolist()) == list(range(N))
    lengths = (tokens != 0).sum(1)
    bucketed = sum(data.batch(index).x["tokens"].numel() for index in batches) / lengths.sum()
    random = (
        sum(lengths[index].max() * BATCH for index in np.random.default_rng(1).permutation(N).reshape(-1, BATCH)) / lengths.sum()
    )
    assert bucketed < 1.2
    assert random > 2.2
