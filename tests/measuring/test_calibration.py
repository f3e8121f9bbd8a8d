"""Models whose times and sizes are known by construction are read as what they are."""

import time

import numpy as np
import pytest

from kdbench import Artefact, Bundle, Refusal, Runner
from kdbench.judge.ask import open_metric
from kdbench.judge.resample import block_draws
from kdbench.nouns import Shape, Use
from kdbench.stages import latency, memory, running, timing_script

from .toys import ALLOCATOR, SLEEPER, toy, two

MB = 10**6

TOY = """
import numpy as np
SECONDS = {seconds}
import time
def load(folder, threads):
    def call(inputs):
        time.sleep(SECONDS)
        return inputs["x"]
    return call
"""

REPEATED = """
import numpy as np
w = np.random.default_rng(0).standard_normal((110, 110)) / 11
def load(folder, threads):
    again = range(int(open(folder + "/times").read()))
    def call(inputs):
        for _ in again:
            x = w
            for _ in range(4): x = np.tanh(x @ w)
        return inputs["x"]
    return call
"""
"""The same work 4 or 5 times, so that one takes 1.25 times as long as the other by construction."""


def runner(folder, source, **files):
    """A toy as a target would open it."""
    folder.mkdir()
    (folder / "loader.py").write_text(source, encoding="utf-8")
    held = {name: str(content).encode() for name, content in files.items()}
    return Runner(lambda x: x["x"], Bundle(held, folder / "loader.py"), {"precision": "float32"})


def rows(n=60):
    return {"x": np.random.default_rng(0).standard_normal((n, 2)).astype(np.float32)}


def ratio_of(plugins, made, seed=0):
    """The number and its 95 % interval, as the judge makes them."""
    metric = open_metric(plugins, "latency_ratio", {})
    blocks = metric({"latency": {**made.arrays, **made.facts}})
    draws = metric.finish(block_draws(blocks, 1000, seed))
    return float(metric.finish(blocks[None])[0]), *np.quantile(draws, [0.025, 0.975])


def test_a_sleeper_of_10_ms_reads_10_0_to_10_6_ms(plugins, tmp_path):
    models = [runner(tmp_path / name, TOY.format(seconds=s)) for name, s in (("r", 0.005), ("c", 0.01))]
    made = latency.time_pair(*models, rows(), latency.Ask(pairs=12))
    metric = open_metric(plugins, "latency", {})
    found = metric.finish(metric({"latency": {**made.arrays, **made.facts}})[None])[0]
    assert 10_000 <= found <= 10_600
    assert all(check["passed"] for check in made.facts["checks"].values())


def times_of(plugins, folder, runs):
    for run in range(runs):
        (folder / str(run)).mkdir()
        models = [runner(folder / str(run) / name, REPEATED, times=n) for name, n in (("r", 4), ("c", 5))]
        yield ratio_of(plugins, latency.time_pair(*models, rows(), latency.Ask()), run)


def test_a_student_that_does_a_quarter_more_work_reads_1_25(plugins, tmp_path):
    ((found, low, high),) = times_of(plugins, tmp_path, 1)
    assert 1.20 <= found <= 1.30
    assert low <= found <= high


@pytest.mark.slow
def test_its_interval_holds_1_25_in_9_of_10_runs(plugins, tmp_path):
    found = list(times_of(plugins, tmp_path, 10))
    assert all(1.20 <= middle <= 1.30 for middle, _, _ in found)
    assert sum(low <= 1.25 <= high for _, low, high in found) >= 9


def test_time_waited_for_a_processor_is_a_part_of_the_wall_time(plugins, tmp_path):
    """A sleeper does not wait for one; the best of a block is never more than its fastest call."""
    models = [runner(tmp_path / name, TOY.format(seconds=0.002)) for name in "rc"]
    made = latency.time_pair(*models, rows(), latency.Ask(pairs=12))
    for role in latency.ROLES:
        wall, waited, best = (made.arrays[f"{kind}_{role}"] for kind in ("wall", "waited", "best"))
        assert (waited >= 0).all()
        assert (waited < wall).all()
        assert (best >= 0.002).all()
        np.testing.assert_array_equal(best, (wall - waited).min(axis=1))


def test_a_pair_is_taken_in_the_time_it_has_and_marked(tmp_path):
    models = {name: toy(tmp_path / name, SLEEPER, seconds=0.02) for name in ("reference", "contender")}
    began = time.perf_counter()
    result = timing_script.main({**two(tmp_path, models), "seconds": 0.5, "fewest": 4, "warmup": 3})
    assert time.perf_counter() - began < 5
    assert 4 <= result["pairs"] < 60 == result["asked_pairs"]
    assert result["late"]
    assert len(result["wall_reference"]) == len(result["waited_contender"]) == result["pairs"]
    quick = {name: toy(tmp_path / "q" / name, SLEEPER, seconds=0.0001) for name in ("reference", "contender")}
    result = timing_script.main({**two(tmp_path / "q", quick), "pairs": 12, "warmup": 3})
    assert (result["pairs"], result["late"], result["rounds"]) == (12, False, 3)


def test_what_the_machine_was_like_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    made = latency.time_pair(*(runner(tmp_path / n, TOY.format(seconds=0.0005)) for n in "rc"), rows(), latency.Ask(pairs=4))
    facts = made.facts
    assert facts["settings"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert facts["governor"] is None or isinstance(facts["governor"], str)
    assert (facts["batch"], facts["length"], facts["threads"], facts["order"]) == (1, 0, 1, "ABBA")
    assert all(0 <= facts[name][role] <= 1 for name in ("waiting", "calls_with_a_switch") for role in latency.ROLES)
    assert min(facts["load_before"], facts["load_after"]) >= 0


def test_a_runner_elsewhere_is_timed_there(tmp_path):
    """It is given both bundles, the inputs, the scored answers and the checks; `elsewhere` here is a folder."""
    seen = {}

    def elsewhere(script, request, bundles, arrays):
        there = tmp_path / "there"
        there.mkdir()
        seen.update(script=script.name, arrays=sorted(arrays), roles=sorted(bundles))
        for name, data in arrays.items():
            (there / name).write_bytes(data)
        models = {role: running.lay(Runner(len, bundle), there / role) for role, bundle in bundles.items()}
        return timing_script.main({**request, **models, "files": str(there)})

    here = runner(tmp_path / "m", TOY.format(seconds=0.0005))
    there = Runner(here.predict, here.bundle, {"host": {"cpu": "a small one"}}, elsewhere=elsewhere)
    made = latency.time_pair(there, there, rows(), latency.Ask(pairs=4))
    assert made.facts["host"] == {"cpu": "a small one"}
    assert all(check["passed"] for check in made.facts["checks"].values())
    assert seen == {
        "script": "timing_script.py",
        "arrays": ["inputs.contender.npz", "scored.npz", "timing_checks.py"],
        "roles": ["contender", "reference"],
    }


def test_lengths_cut_and_repeat_tokens_and_nothing_else():
    x = {"tokens": np.arange(12).reshape(2, 6)}
    np.testing.assert_array_equal(running.of_length(x, 4)["tokens"], [[0, 1, 2, 3], [6, 7, 8, 9]])
    np.testing.assert_array_equal(running.of_length(x, 8)["tokens"][0], [0, 1, 2, 3, 4, 5, 0, 1])
    np.testing.assert_array_equal(running.of_length(x, 0)["tokens"], x["tokens"])
    with pytest.raises(Refusal, match="only tokens have a length, and there is image"):
        running.of_length({"image": np.zeros((2, 1, 4, 4))}, 8)


@pytest.mark.parametrize(("n", "batch", "most", "k"), [(60, 8, 97, 7), (60, 1, 33, 33), (5, 8, 9, 1), (8, 8, 9, 1)])
def test_calls_are_of_different_rows(n, batch, most, k):
    found = running.calls({"x": np.arange(n * 2).reshape(n, 2)}, batch, most)["x"]
    assert found.shape == (k, batch, 2)
    assert len(np.unique(found[..., 0])) == min(n, k * batch)


# --- memory

DEVICE = ALLOCATOR + "\nheld = []\ndef device_peak():\n    held.append(1)\n    return 1000 * len(held)\n"


def test_memory_of_a_runner_is_that_of_its_model_not_of_its_making(tmp_path):
    """The maker takes 300 MB, as an export does; the parent holds 700 MB."""
    parent = bytearray(b"p" * (700 * MB))

    def make():
        bytearray(b"e" * (300 * MB))
        return runner(tmp_path / "m", ALLOCATOR, load=100, infer=20)

    found = memory.of_runner(make, rows(), latency.Ask(batch=4))
    assert len(parent) == 700 * MB
    assert found["peak_load_bytes"] - found["idle_bytes"] == pytest.approx(100 * MB, abs=5 * MB)
    assert found["peak_infer_bytes"] - found["idle_bytes"] == pytest.approx(120 * MB, abs=5 * MB)
    assert (found["batch"], found["device_peak_bytes"], found["facts"]) == (4, None, {"precision": "float32"})


def test_model_files_are_counted_by_their_ending_and_a_device_is_asked(tmp_path):
    def make():
        made = runner(tmp_path / "m", DEVICE, load=1, infer=1)
        return Runner(made.predict, Bundle({**made.bundle.files, "a.onnx": b"x" * 70, "b.onnx": b"x" * 30}, made.bundle.loader))

    found = memory.of_runner(make, rows(), latency.Ask())
    assert found["model_files"] == {"load": 1, "infer": 1, ".onnx": 100}
    assert found["model_bytes"] == 102
    assert (found["device_load_bytes"], found["device_peak_bytes"]) == (1000, 2000)


@pytest.mark.parametrize("target", ["torch_cpu", "ort_cpu"])
def test_a_batch_takes_more_memory_than_a_row(plugins, target):
    """Inputs of 64 MB for 64 rows of 512 x 512: at least one activation of that size."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(510 * 510, 2))
    artefact = Artefact("torch", Shape("image", {"image": (1, 512, 512)}, 2), Use("none", {}), net.eval())
    x = {"image": np.zeros((64, 1, 512, 512), np.float32)}
    found = [
        memory.of_runner(
            lambda n=n: plugins.load("target", target)[0](artefact, running.first_rows(x, n)), x, latency.Ask(batch=n)
        )
        for n in (1, 64)
    ]
    one, many = (made["peak_infer_bytes"] - made["idle_bytes"] for made in found)
    assert many - one >= 60 * MB
