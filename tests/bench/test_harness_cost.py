"""What it costs to ask lm-eval's questions through kdbench, beside lm-eval's own model and `evaluate()` on the same requests.

    pytest tests/bench/test_harness_cost.py --benchmark-only -s

Both ask one small GPT-2 (two layers, d 128, 4,096 tokens) about 670 pairs of BLiMP on one thread, in batches of 32. kdbench's
side is the whole stage: the task is opened, the model read from the store and put on a target, its answers made into columns and
written. The other side opens the same task and calls `evaluate()` with HFLM around the network that is in memory already. Times
are CPU seconds of the process, in turns; `extra_info` holds the least of each and the median ratio of a turn.
"""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from kdbench.nouns import Artefact, Job, Shape, Use
from kdbench.registry import discover
from kdbench.stages import Place, artefacts, harness, questions
from kdbench.stages.quiet import quiet
from kdbench.stages.tokenizing import TOKENIZER
from kdbench.store import Store

SIZE, LENGTH, PAIRS, TURNS = 4096, 128, 670, 7
LIMIT, START = 1.15, 1.0
USE = {"name": "blimp", "params": {"limit": PAIRS, "delimiter": "", "paradigms": None}}
MODEL = Use("gpt2", {"layers": 2, "hidden": 128, "heads": 4, "positions": LENGTH, "dropout": 0.0, "attention": "sdpa"})


@pytest.fixture
def work(tmp_path, data_folder):
    """A place, the entries that the stage reads, and the network and its tokenizer as the library has them."""
    torch.set_num_threads(1)
    place = Place(discover(), Store(tmp_path / "store"), data_folder)
    plugins = place.plugins
    text = (
        row["sentence_good"] for row in plugins.load("harness", "blimp")[1].read(data_folder, "lm/blimp/test.parquet")[:20_000]
    )
    tokenizer = plugins.load("tokenizer", "bpe")[0](text, vocabulary=SIZE)
    shape = Shape("tokens", {"tokens": (LENGTH,)}, SIZE, (SIZE,), "next")
    torch.manual_seed(0)
    module = plugins.load("model", "gpt2")[0](shape, **MODEL.params).eval()
    held = Artefact("torch", shape, MODEL, module, files={TOKENIZER: tokenizer})
    entries = {
        "artefact": put(place, Job("fit", {}), lambda draft: artefacts.write(draft, held, {})),
        "data": run(place, questions, {"harness": USE, "limit": 0, "shots": 0}, {}),
    }
    return place, entries, module, tokenizer


def put(place, job, write):
    with place.store.write(job) as draft:
        write(draft)
    return place.store.open(job.key)


def run(place, stage, spec, inputs):
    job = Job(stage.__name__.rsplit(".", 1)[1], {**spec, "at": time.perf_counter_ns()})
    return put(place, job, lambda draft: stage.run(job, inputs, draft, place))


def through_kdbench(work):
    place, entries, _, _ = work
    harness.running._LATEST.clear()
    spec = {"harness": USE, "limit": 0, "shots": 0, "length": 0, "target": {"name": "torch_cpu", "params": {"threads": 1}}}
    return run(place, harness, spec, entries)


def directly(work):
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    place, _, module, tokenizer = work
    inner = Tokenizer.from_str(tokenizer.decode())
    inner.no_padding()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]"}
    with quiet():
        named = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
        model = HFLM(pretrained=module.network, tokenizer=named, device="cpu", batch_size=32, max_length=LENGTH)
        config = place.plugins.load("harness", "blimp")[0](place.data, **USE["params"])
        task = TaskManager(include_defaults=False).load([config])
        return evaluate(lm=model, task_dict=task, bootstrap_iters=0, log_samples=True)


def cpu(call, work):
    start = time.process_time()
    call(work)
    return time.process_time() - start


@pytest.mark.data
def test_cost_of_the_whole_stage(benchmark, work):
    through, direct = through_kdbench(work), directly(work)
    assert through.json("predictions.json")["results"]["acc,none"] == direct["results"]["blimp"]["acc,none"]
    turns = TURNS if benchmark.enabled else 1
    times = np.array([(cpu(through_kdbench, work), cpu(directly, work)) for _ in range(turns)])
    (ours, theirs), ratio = times.min(axis=0), float(np.median(times[:, 0] / times[:, 1]))
    benchmark.extra_info.update(ours=ours, theirs=theirs, ratio=ratio)
    benchmark.pedantic(through_kdbench, args=(work,), rounds=1)
    print(f"BLiMP, {PAIRS} pairs: {ours:.2f} CPU-s through kdbench, {theirs:.2f} directly: {ratio:.2f} x")
    assert not benchmark.enabled or ratio <= LIMIT


STARTED = """
import sys, time
sys.path.insert(0, {here!r})
import torch, transformers
torch.set_num_threads(1)
start = time.process_time()
from pathlib import Path
from kdbench.registry import discover
from kdbench.stages import Place, harness
from kdbench.stages.harness_task import open_task
from kdbench.stages.quiet import quiet
from kdbench.store import Store
imported = time.process_time() - start
place = Place(discover(), Store(Path({store!r})), Path({data!r}))
with quiet():
    open_task(place, {use!r})
print(imported, time.process_time() - start - imported)
"""


@pytest.mark.data
def test_start_up_of_a_local_task(benchmark, tmp_path, data_folder):
    """Beyond what loading the model needs (torch and transformers are imported): lm-eval's own import, and opening the task."""
    script = STARTED.format(here="", store=str(tmp_path), data=str(data_folder), use=USE)

    def started():
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
        return [float(word) for word in said.stdout.split()]

    least = np.array([started() for _ in range(3 if benchmark.enabled else 1)]).min(axis=0)
    benchmark.extra_info.update(imports=least[0], task=least[1])
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"import of lm-eval {least[0]:.2f} CPU-s, opening the task {least[1]:.2f} CPU-s")
    assert not benchmark.enabled or least[1] <= START
