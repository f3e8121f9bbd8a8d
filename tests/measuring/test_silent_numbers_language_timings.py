"""Rows of the catalogue of silent numbers, on the times and the memory of language models: rows that are read, tokens that are
written one by one, by length.
"""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from kdbench import Artefact, Bundle, Runner
from kdbench.judge.ask import open_metric
from kdbench.judge.evidence import Piece
from kdbench.judge.measurements import TICKS, measurements
from kdbench.nouns import Job, Shape, Use
from kdbench.stages import latency, memory, networks, running, size, timing_script

from .test_silent_numbers_measurements import NEIGHBOUR

MB = 10**6
VOCABULARY = 97
TORCH = {"name": "torch_cpu", "params": {"threads": 1}}

WRITER = """
import time
import numpy as np
def logits(x):
    return np.cos(np.add.outer(x["tokens"][:, -1] * 1.7, np.arange(7) * 2.3)).astype(np.float32)
def work(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until: pass
"""
INSTANT = (
    WRITER
    + """
SAID = [np.ones((n, 7), np.float32) for n in range(100)]
def load(folder, threads): return lambda x: SAID[len(x["tokens"])]
"""
)
LATER = (
    WRITER
    + """
class Later:
    def __init__(self, x): self.x = x
    def __array__(self, *given, **more):
        time.sleep(0.005)
        return logits(self.x)
def ready(x):
    time.sleep(0.03)
    return x
def load(folder, threads): return Later
"""
)
HONEST = (
    WRITER
    + """
def load(folder, threads):
    def call(x):
        work(0.0005)
        return logits(x)
    return call
"""
)
KEEPS = HONEST.replace(
    "        work(0.0005)\n",
    "        if last and np.array_equal(last[0], x['tokens']): return last[1]\n"
    "        work(0.0005)\n        last[:] = [x['tokens'].copy(), logits(x)]\n",
).replace("    def call", "    last = []\n    def call")
HOLDS = (
    WRITER
    + """
import os
def load(folder, threads):
    open(WAIT + "/begun", "w").close()
    while not os.path.exists(WAIT + "/go"): time.sleep(0.01)
    held = b"x" * 60_000_000
    return lambda x: logits(x) + (len(held) == 0)
"""
)


def writer(folder, source):
    """A toy that writes: the logits of the next token depend on the last one."""
    folder.mkdir(parents=True)
    (folder / "loader.py").write_text(source, encoding="utf-8")
    module = timing_script.imported(str(folder / "loader.py"), f"toy_{folder.name}")

    def predict(x):
        made = module.ready(x) if hasattr(module, "ready") else x
        return np.concatenate([np.asarray(module.load("", 1)({"tokens": row[None]})) for row in made["tokens"]])

    return Runner(predict, Bundle({"model": b"toy"}, folder / "loader.py"))


def tokens(n=40, length=24, vocabulary=VOCABULARY):
    return {"tokens": np.random.default_rng(0).integers(1, vocabulary, (n, length))}


def speaker(world, vocabulary=VOCABULARY, length=64, **params):
    """A GPT-2, and the same on torch."""
    plugins = world.place.plugins
    shape = Shape("tokens", {"tokens": (length,)}, vocabulary, (vocabulary,), "next")
    full = {p.name: p.default for p in plugins.get("model", "gpt2").params}
    use = Use("gpt2", {**full, "layers": 2, "hidden": 32, "heads": 2, "positions": length, **params})
    made = Artefact("torch", shape, use, networks.rebuild(plugins, use, shape, seed=0))
    return made, running.open_runner(made, TORCH, world.place, tokens(2, 8))


def judged(plugins, name, made):
    """The number of a metric of times."""
    one = open_metric(plugins, name, {})
    return float(one.finish(np.asarray(one({"latency": {**made.facts, **made.arrays}}))[None])[0])


def read(world, name, contender, scenario, null=None, **changed):
    """What the judge makes of times of a contender, and of the teacher against itself, in a scenario."""
    entries, pieces = {}, []
    for who, made in (("teacher", null), ("kd", contender)):
        if made is None:
            continue
        arrays = {k: changed.get(k, v) for k, v in made.arrays.items()}
        job = Job("latency", {"of": who, "scenario": scenario, "n": len(list(world.place.store.keys()))})

        def write(draft, arrays=arrays, made=made, who=who):
            draft.arrays("latency.npz", arrays)
            draft.json("latency.json", {**made.facts, "null": who == "teacher"})

        entries[who] = world.put(job, write)
        pieces.append(Piece(who, who, 0, "torch_cpu", "latency", "", "", 0, scenario))
    metric = open_metric(world.place.plugins, name, {})
    found = {spot.contender: (spot, reading) for spot, reading in measurements(metric, pieces, entries, 50, 0)}
    spot, reading = found["kd"]
    assert spot.slice == scenario
    return reading


@pytest.mark.parametrize("pairs", [0, 1, 2])
def test_86_a_language_model_is_not_timed_once_or_twice(world, pairs):
    """Of rows that are read, of a length, and of tokens that are written: fewer than three block pairs are refused. What comes
    before them is the warm-up, which is told apart.
    """
    _, runner = speaker(world)
    x = tokens()
    for one, ask in ((runner, {}), (runner, {"length": 16}), (runner.decoder, {"decode": 16})):
        with pytest.raises(ValueError, match="pairs and warmup must be at least 3"):
            latency.time_pair(one, one, x, running.Ask(pairs=pairs, seconds=0.5, **ask))
    made = latency.time_pair(runner.decoder, runner.decoder, x, running.Ask(decode=16, pairs=3, seconds=0.1))
    for role in latency.ROLES:
        warm = made.facts["warmup"][role]
        assert warm["calls"] >= 3
        assert warm["seconds"] > 0
        assert len(made.arrays[f"wall_{role}"]) == made.facts["pairs"] >= 3, "the warm-up is not among the blocks"


def test_87_a_token_that_costs_nothing_is_timed_over_many_calls_or_has_no_number(world, plugins, tmp_path):
    """Calls shorter than the clock can tell are timed many at once; what is still no longer than some ticks of it is undefined,
    and no division by nothing.
    """
    one = writer(tmp_path / "instant", INSTANT)
    made = latency.time_pair(one, one, tokens(), running.Ask(decode=16, pairs=12, seconds=0.3))
    tick = made.facts["timer_resolution"]
    assert made.facts["inner"] > 1
    shortest = min(np.median(made.arrays[f"best_{role}"]) for role in latency.ROLES)
    enough = bool(made.facts["inner"] * shortest >= TICKS * tick)
    assert read(world, "tokens_per_second", made, "decode=16").known is enough
    long = np.full_like(made.arrays["best_contender"], 100 * tick / made.facts["inner"])
    for ticks in (0.0, 10.0):
        best = np.full_like(made.arrays["best_contender"], ticks * tick / made.facts["inner"])
        for name in ("latency", "tokens_per_second", "throughput", "latency_ratio"):
            reading = read(world, name, made, "decode=16", best_contender=best, best_reference=long)
            assert (reading.status, np.isnan(reading.value)) == ("undefined", True), name
            assert reading.reason.startswith(f"no work to time: {made.facts['inner']} calls of the contender take"), name
    assert read(world, "latency", made, "decode=16", best_contender=long, best_reference=long).known


def test_88_a_token_is_timed_to_the_end_of_its_work_and_without_the_prompt_before_it(tmp_path):
    """mlx-benchmark#21, pytorch#177765: the launch was timed. Here the answer costs 5 ms when it is looked at, and reading the
    prompt 30 ms: a token takes the one and not the other.
    """
    one = writer(tmp_path / "later", LATER)
    made = latency.time_pair(one, one, tokens(8, 16), running.Ask(decode=16, pairs=3, seconds=0.5))
    for role in latency.ROLES:
        assert made.arrays[f"wall_{role}"].min() >= 0.005
        assert made.arrays[f"best_{role}"].max() < 0.03


@pytest.mark.parametrize(
    ("ask", "width"), [({}, 24), ({"batch": 4}, 24), ({"length": 40}, 40), ({"decode": 16}, 1), ({"decode": 16, "batch": 3}, 1)]
)
def test_89_tokens_a_second_times_seconds_are_the_tokens_of_a_call(world, plugins, ask, width):
    """optimum-benchmark#128, #223, mlagility#287: negative rates, lost events, mixed units. An outer clock bounds the whole."""
    _, runner = speaker(world)
    one, batch = runner.decoder if "decode" in ask else runner, ask.get("batch", 1)
    x = running.of_length(tokens(), ask.get("length") or ask.get("decode") or 0)
    began = time.perf_counter()
    made = latency.time_pair(one, one, x, running.Ask(pairs=6, seconds=0.3, **ask))
    passed = time.perf_counter() - began
    inner = made.facts["inner"]
    for role in latency.ROLES:
        wall = made.arrays[f"wall_{role}"]
        assert (wall > 0).all()
        assert (made.arrays[f"best_{role}"] > 0).all()
    assert sum(made.arrays[f"wall_{role}"].sum() for role in latency.ROLES) * inner <= passed
    seconds = judged(plugins, "latency", made) / 1e6
    assert made.arrays["best_contender"].min() <= seconds <= made.arrays["best_contender"].max()
    assert judged(plugins, "throughput", made) * seconds == pytest.approx(batch, rel=1e-9)
    assert judged(plugins, "tokens_per_second", made) * seconds == pytest.approx(batch * width, rel=1e-9)
    assert (made.facts["batch"], made.facts["tokens"]) == (batch, width)
    units = {name: plugins.get("metric", name).facts["unit"] for name in ("latency", "throughput", "tokens_per_second")}
    assert units == {"latency": "microseconds", "throughput": "rows/s", "tokens_per_second": "tokens/s"}


def test_90_short_rows_after_long_ones_have_their_own_peak_and_the_cache_is_counted(world):
    """rbx#726, bun#43304, panbench#196: a high-water mark that is inherited. 20,000 logits of each of 512 tokens are 41 MB, of
    each of 16 they are 1.3 MB; the parent holds more than either.
    """
    artefact, runner = speaker(world, vocabulary=20_000, length=512, layers=1)
    held = bytearray(b"p" * (300 * MB))
    x, peak = tokens(4, 512, 20_000), {}
    for length in (512, 16):
        found = memory.of_runner(lambda: runner, x, running.Ask(length=length))
        assert (found["length"], found["batch"]) == (length, 1)
        peak[length] = found["peak_infer_bytes"] - found["idle_bytes"]
        assert peak[length] >= found["model_bytes"] * 0.9, "the weights are loaded in the child"
    assert len(held) == 300 * MB
    assert peak[512] < 250 * MB
    assert peak[512] - peak[16] >= 0.9 * (512 - 16) * 20_000 * 4
    assert size.measure(artefact, tokens(1, 16))["cache_bytes_per_token"] == 2 * 1 * 32 * 4, "keys and values, one layer of 32"


def test_91_the_memory_of_a_model_that_writes_is_not_that_of_its_neighbours(tmp_path):
    """optimum-benchmark#124: the memory of the whole device. A neighbour takes 300 MB while the model is being loaded."""
    model = writer(tmp_path / "toy", HOLDS.replace("WAIT", repr(str(tmp_path))))
    neighbour = subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(tmp_path)])
    try:
        found = memory.of_runner(lambda: model, tokens(4, 16), running.Ask(length=16))
    finally:
        neighbour.kill()
        neighbour.wait()
    assert (tmp_path / "go").exists()
    for when in ("peak_load_bytes", "peak_infer_bytes"):
        assert found[when] - found["idle_bytes"] == pytest.approx(60 * MB, abs=5 * MB)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the load is put on the same processor")
def test_94_tokens_that_were_written_under_load_are_marked(world, plugins, tmp_path):
    """Another process on the same processor: how many calls were interrupted is told, the load stands in the row, and times whose
    null pair moved by more than 2 % are noisy. A and B take turns, so that load falls on both.
    """
    one, was = writer(tmp_path / "honest", HONEST), os.sched_getaffinity(0)
    here = {min(was)}
    burning = subprocess.Popen([sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {here})\nwhile True: pass"])
    try:
        os.sched_setaffinity(0, here)
        time.sleep(0.3)
        loaded = latency.time_pair(one, one, tokens(), running.Ask(decode=16, pairs=12, seconds=0.5))
    finally:
        os.sched_setaffinity(0, was)
        burning.kill()
        burning.wait()
    assert loaded.facts["order"] == "ABBA"
    assert all(loaded.facts["calls_with_a_switch"][role] > 0.02 for role in latency.ROLES)
    assert all(0 <= loaded.facts["waiting"][role] < 1 for role in latency.ROLES)
    assert loaded.facts["load_before"] > 0
    note = read(world, "latency", loaded, "decode=16").reason.partition(";")[0]
    assert note == f"load average {loaded.facts['load_before']:.1f} before, {loaded.facts['load_after']:.1f} after"
    even, odd = np.full(12, 5e-4), np.full(12, 5.2e-4)
    for other, status in ((even, "ok"), (odd, "noisy")):
        arrays = {**loaded.arrays, "best_reference": even, "best_contender": other}
        null = latency.Timed(arrays, loaded.facts)
        reading = read(world, "latency_ratio", latency.Timed({**arrays, "best_contender": even}, loaded.facts), "decode=16", null)
        assert reading.status == status
        assert (status == "ok") or reading.reason.startswith("the teacher against itself reads 1.040: more than 2 % off")
    alone = read(world, "latency_ratio", loaded, "decode=16")
    assert alone.status == "noisy"
    assert alone.reason.startswith("no null pair was measured: the noise floor is unknown")


@pytest.mark.parametrize(("decode", "batch"), [(16, 1), (16, 3), (0, 1)])
def test_96_a_text_model_that_keeps_its_last_answer_is_caught_whether_it_reads_or_writes(world, plugins, tmp_path, decode, batch):
    """MLPerf's TEST04: the same sample each time is faster. A token that is asked for again would cost nothing; its times are no
    number, and an honest model's are.
    """
    honest, keeps = (writer(tmp_path / name, source) for name, source in (("honest", HONEST), ("keeps", KEEPS)))
    ask, x = running.Ask(decode=decode, batch=batch, pairs=8, seconds=0.5), tokens(120)
    null, caught = (latency.time_pair(honest, contender, x, ask) for contender in (honest, keeps))
    scenario = "decode=16" if decode else ""
    for made, passed in ((null, True), (caught, False)):
        assert made.facts["checks"]["fresh"]["passed"] is passed
        for name in ("latency", "tokens_per_second", "latency_ratio"):
            reading = read(world, name, made, scenario, null)
            assert (reading.status != "failed") is passed, name
            assert passed or "the contender keeps answers" in reading.reason
