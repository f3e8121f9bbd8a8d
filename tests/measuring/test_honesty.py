"""Students that cheat when they are timed are caught, and honest ones are not."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from kdbench import Artefact, Runner
from kdbench.nouns import Shape, Use
from kdbench.stages import honesty, latency, running, timing_checks, timing_script

from .conftest import IMAGE, TABLE, network, rows
from .toys import said, toy, two

NUMBERS = Shape("table", {"x": (6,)}, 3)
ASK = latency.Ask(pairs=12, seconds=2.0)


def numbers(n=60, seed=0):
    return {"x": np.random.default_rng(seed).standard_normal((n, 6)).astype(np.float32)}


def failed(checks):
    return {name for name, check in checks.items() if not check["passed"]}


# --- as toys, through the script alone

HONEST = """
import time
import numpy as np
def load(folder, threads):
    def call(inputs):
        x = inputs["x"]
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until: pass
        return np.tanh(x @ np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.25]]))
    return call
"""
WORK = '        x = inputs["x"]\n'
CHEATS = {
    "caches_answers": (
        "    def call(inputs):\n",
        "    kept = {}\n    def call(inputs):\n        key = inputs['x'].tobytes()\n"
        "        if key not in kept: kept[key] = honest(inputs)\n        return kept[key]\n    def honest(inputs):\n",
        "fresh",
    ),
    "caches_rows": (
        "    def call(inputs):\n",
        "    kept = {}\n    def call(inputs):\n        keys = [row.tobytes() for row in inputs['x']]\n"
        "        if not all(key in kept for key in keys): kept.update(zip(keys, honest(inputs)))\n"
        "        return np.stack([kept[key] for key in keys])\n    def honest(inputs):\n",
        "fresh",
    ),
    "says_nothing_at_batch_1": (WORK, WORK + "        if len(x) == 1: return np.zeros((1, 3))\n", "answers"),
    "says_nothing_after_50_calls": (
        WORK,
        "        seen.append(1)\n        if len(seen) > 50: return np.zeros((len(inputs['x']), 3))\n" + WORK,
        "answers",
    ),
    "repeats_its_first_answer": (
        WORK,
        WORK + "        if seen and seen[0].shape == (len(x), 3): return seen[0]\n"
        "        seen.append(np.tanh(x @ np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.25]])))\n",
        "answers",
    ),
    "looks_who_is_asking": (
        WORK,
        WORK + "        import sys\n        frame = sys._getframe()\n        while frame:\n"
        "            if frame.f_code.co_name == 'timed': return np.zeros((len(x), 3))\n            frame = frame.f_back\n",
        "answers",
    ),
    "depends_on_the_order": (WORK, WORK + "        x = x - x[:1] * 0.1\n", "batch"),
    "is_random": (WORK, WORK + "        x = x + np.random.default_rng().normal(size=x.shape)\n", "repeatable"),
}  # fmt: skip


def through_the_script(folder, source, batch=1):
    models = {"reference": toy(folder / "r", HONEST), "contender": toy(folder / "c", source)}
    ask = two(folder, models, k=40, batch=batch)
    return honesty.verdicts(timing_script.main({**ask, "pairs": 12, "seconds": 2.0})["honesty"])


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheating_toy_is_caught(tmp_path, name):
    before, after, check = CHEATS[name]
    source = HONEST.replace(before, after).replace("    def call(", "    seen = []\n    def call(")
    assert source != HONEST
    checks = through_the_script(tmp_path, source)
    assert check in failed(checks)
    assert "contender" in checks[check]["text"]


@pytest.mark.parametrize("name", ["caches_answers", "says_nothing_at_batch_1", "depends_on_the_order", "is_random"])
def test_a_cheating_toy_is_caught_in_batches_too(tmp_path, name):
    before, after, _ = CHEATS[name]
    assert failed(through_the_script(tmp_path, HONEST.replace(before, after), batch=4))


@pytest.mark.parametrize("batch", [1, 4])
def test_an_honest_toy_passes(tmp_path, batch):
    assert not failed(through_the_script(tmp_path, HONEST, batch))


def test_a_toy_of_one_row_of_codes_cannot_be_checked_for_kept_answers(tmp_path):
    source = "def load(folder, threads): return lambda inputs: inputs['x'] * 1.0"
    models = {role: toy(tmp_path / role, source) for role in ("reference", "contender")}
    ask = two(tmp_path, models, k=1)
    np.savez(ask["inputs"]["contender"], x=np.ones((1, 1, 2), np.int64))
    np.savez(ask["scored"], reference=np.ones((1, 1, 2)), contender=np.ones((1, 1, 2)))
    checks = honesty.verdicts(timing_script.main({**ask, "pairs": 3})["honesty"])
    assert not failed(checks)
    assert checks["fresh"]["text"].startswith("not checked")


# --- as networks, through the targets


class Honest(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(6, 400), *(layer for _ in range(6) for layer in (nn.ReLU(), nn.Linear(400, 400))))
        self.head = nn.Linear(400, 3)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


class Caches(Honest):
    def forward(self, x):
        kept = self.__dict__.setdefault("kept", {})
        key = x.numpy().tobytes()
        if key not in kept:
            kept[key] = super().forward(x)
        return kept[key]


class LazyAtBatch1(Honest):
    def forward(self, x):
        return self.head(self.body[0](x)) if len(x) == 1 else super().forward(x)


class TiresAfterCalls(Honest):
    def forward(self, x):
        self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
        return self.head(self.body[0](x)) if self.calls > 40 else super().forward(x)


class MindsTheOrder(Honest):
    def forward(self, x):
        return super().forward(x + 0.2 * x[:1])


class Random(Honest):
    def forward(self, x):
        return super().forward(x + 0.1 * torch.randn_like(x))


NETWORKS = {Caches: "fresh", LazyAtBatch1: "answers", TiresAfterCalls: "answers", MindsTheOrder: "batch", Random: "repeatable"}


def artefact(module):
    return Artefact("torch", NUMBERS, Use("none", {}), module.eval())


def timed(plugins, target, reference, contender, x, ask=ASK):
    opened = [plugins.load("target", target)[0](one, running.first_rows(x, 2)) for one in (reference, contender)]
    return latency.time_pair(*opened, x, ask)


@pytest.mark.parametrize("cheat", NETWORKS, ids=lambda cheat: cheat.__name__)
def test_a_cheating_network_is_caught_in_torch(plugins, cheat):
    checks = timed(plugins, "torch_cpu", artefact(Honest()), artefact(cheat()), numbers()).facts["checks"]
    assert NETWORKS[cheat] in failed(checks)


@pytest.mark.parametrize("cheat", [MindsTheOrder, Random], ids=lambda cheat: cheat.__name__)
@pytest.mark.parametrize("batch", [1, 8])
def test_a_cheating_graph_is_caught_in_onnx_runtime(plugins, cheat, batch):
    ask = latency.Ask(batch=batch, pairs=12, seconds=2.0)
    checks = timed(plugins, "ort_cpu", artefact(Honest()), artefact(cheat()), numbers(), ask).facts["checks"]
    assert NETWORKS[cheat] in failed(checks)


def test_a_graph_that_is_lazy_at_batch_1_is_caught_in_onnx_runtime(plugins):
    """Its answers are multiplied by min(rows - 1, 1), so that one row alone is class 0 always."""
    nodes = [
        helper.make_node("Shape", ["x"], ["rows"], end=1),
        helper.make_node("Sub", ["rows", "one"], ["more"]),
        helper.make_node("Min", ["more", "one"], ["factor"]),
        helper.make_node("Cast", ["factor"], ["times"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Mul", ["y", "times"], ["logits"]),
    ]
    held = [
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("w", TensorProto.FLOAT, [6, 3], np.arange(18) - 9.0),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in (("x", 6), ("logits", 3))]
    graph = helper.make_graph(nodes, "lazy", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    lazy = Artefact("onnx", NUMBERS, None, None, (), {"model.onnx": model.SerializeToString()})
    assert failed(timed(plugins, "ort_cpu", lazy, lazy, numbers()).facts["checks"]) == {"answers", "batch"}


@pytest.mark.parametrize("target", ["torch_cpu", "ort_cpu", "torch_bf16"])
@pytest.mark.parametrize("batch", [1, 8])
def test_an_honest_network_passes(plugins, target, batch):
    net, x = network("resnet_cifar", {"depth": 8, "width": 8}), {"image": rows(60).x["image"].astype(np.float32) / 255}
    made = timed(plugins, target, net, net, x, latency.Ask(batch=batch, pairs=12, seconds=2.0))
    assert not failed(made.facts["checks"])
    pairs = made.facts["pairs"]
    assert 12 <= pairs <= 3 * 12  # more where calls are short
    kinds = {"wall": (pairs, 5), "waited": (pairs, 5), "cpu": (pairs, 5), "best": (pairs,), "switches": (pairs,)}
    shapes = {f"{kind}_{role}": shape for kind, shape in kinds.items() for role in latency.ROLES}
    assert {name: values.shape for name, values in made.arrays.items()} == shapes


@pytest.mark.parametrize("name", ["dynamic_int8", "static_int8"])
def test_an_honest_int8_graph_passes_and_its_looser_tolerance_is_said(world, plugins, name):
    from kdbench.stages import artefacts, samples

    data = world.data(TABLE)
    made = world.compress(name, {} if name == "dynamic_int8" else {"calibration": 32},
                          {"data": data, "artefact": world.artefact(network("mlp", {"width": 64}, TABLE))})  # fmt: skip
    int8, x = artefacts.read(made, plugins), samples.read(data, "test").x
    checks = timed(plugins, "ort_cpu", int8, int8, x).facts["checks"]
    assert not failed(checks)
    assert "0.001 allowed" in checks["answers"]["text"]
    assert "0.3 allowed" in checks["batch"]["text"]


# --- the judging of what was seen


def test_comparing_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    for _ in range(200):
        expected = rng.normal(size=(5, 4)).astype(np.float32)
        given = (expected * (1 + rng.choice([0, 1e-4, 0.02, 0.2]) * rng.normal(size=(5, 4)))).astype(np.float32)
        given[0] = [np.nan, 1, 2, 3] if rng.random() < 0.2 else given[0]
        expected[1] *= 1e-3  # a row without a scale of its own
        wrong, largest = 0, 0.0
        usual = sorted(max(map(abs, row)) for row in expected.astype(float))[2]
        for one, other in zip(expected.astype(float), given.astype(float), strict=True):
            scale, off = max(usual, *map(abs, one)), max(abs(a - b) for a, b in zip(one, other, strict=True))
            first, second = sorted(one)[-1], sorted(one)[-2]
            flipped = list(one).index(first) != int(np.argmax(other)) and first - second > 0.05 * scale
            broken = any(np.isnan(other))
            wrong += broken or off / scale > 0.05 or flipped
            largest = largest if broken else max(largest, off / scale)
        seen = timing_checks.nothing()
        timing_checks.compare(seen, expected, given, 0.05)
        assert (seen["rows"], seen["wrong"]) == (5, wrong)
        assert seen["largest"] == pytest.approx(largest)
    timing_checks.compare(seen, expected, given[:3], 0.05)
    assert seen["wrong"] == wrong + 5


@pytest.mark.parametrize(("precision", "wrong", "passes"), [("int8", 1, True), ("int8", 2, False), ("float32", 1, False)])
def test_one_row_in_eight_may_stray_where_scales_are_those_of_the_batch(precision, wrong, passes):
    none, some = {"rows": 8, "wrong": 0, "largest": 0.0}, {"rows": 8, "wrong": wrong, "largest": 0.7}
    of = {"answers": none, "repeatable": none, "batch": {"together": none, "reversed": none, "alone": some},
          "tolerance": honesty.tolerances({"precision": precision})}  # fmt: skip
    times = {"repeated": [1.0] * 8, "unseen": [1.0] * 8}
    found = honesty.verdicts({"reference": of, "contender": {**of, "fresh": times}})
    assert found["batch"]["passed"] is passes
    assert "0.7 of the largest score" in found["batch"]["text"]
    assert ("whose int8 scales are their batch's" in found["batch"]["text"]) is passes
    answers = honesty.verdicts({"reference": {**of, "answers": some}, "contender": {**of, "fresh": times}})["answers"]
    assert not answers["passed"], "the same batch has the same scales"


@pytest.mark.parametrize("said", [np.full((1, 4), np.nan), np.ones((1, 3))])
def test_a_row_without_numbers_is_no_stray_row(said):
    """Scales of a batch move an answer; they do not break it."""
    some, none = timing_checks.nothing(), timing_checks.nothing()
    timing_checks.compare(some, np.eye(4, dtype=np.float32)[:1], said.astype(np.float32), 0.3)
    assert (some["wrong"], some["broken"]) == (1, 1)
    some["rows"] = 8
    of = {"answers": none, "repeatable": none, "batch": {"together": some, "reversed": none, "alone": none},
          "tolerance": honesty.tolerances({"precision": "int8"})}  # fmt: skip
    times = {"repeated": [1.0] * 8, "unseen": [1.0] * 8}
    found = honesty.verdicts({"reference": of, "contender": {**of, "fresh": times}})
    assert not found["batch"]["passed"]


def test_never_seen_inputs_are_never_seen():
    x = {"x": np.random.default_rng(0).standard_normal((7, 1, 2)).astype(np.float32), "code": np.arange(7).reshape(7, 1, 1)}
    made = [one for _, one in timing_checks.unseen([{name: v[i] for name, v in x.items()} for i in range(7)])]
    assert len(made) > 200
    assert len({one["x"].tobytes() for one in made} | {x["x"][0].tobytes()}) == len(made) + 1
    assert all(one["x"].dtype == np.float32 and one["code"].dtype == x["code"].dtype for one in made)
    single = [one for _, one in timing_checks.unseen([{"code": x["code"][i]} for i in range(7)])]
    assert [one["code"].item() for one in single] == [1, 2, 3, 4, 5, 6], "a lone code has no other value that is known to be one"
    tokens = np.random.default_rng(0).integers(0, [5, 90, 2, 30], size=(9, 1, 4))
    made = [one["t"] for _, one in timing_checks.unseen([{"t": row} for row in tokens])]
    assert len(made) > 50
    assert len({one.tobytes() for one in made} | {tokens[0].tobytes()}) == len(made) + 1
    assert all(value in tokens[..., column] for one in made for column, value in enumerate(one[0]))


@pytest.mark.parametrize(
    ("ratio", "noise", "pairs", "least", "most"),
    [(1.0, 0.1, 8, 0, 0), (1.08, 0.1, 8, 0, 0.02), (1.08, 0.1, 24, 0, 0.02), (1.3, 0.1, 24, 0.95, 1), (100, 0.5, 8, 1, 1)],
)
def test_the_verdict_on_repeated_inputs_is_right_in_simulated_noise(ratio, noise, pairs, least, most):
    """The script goes on to 24 pairs where 8 are not alike."""
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        times = {"repeated": rng.lognormal(0, noise, pairs), "unseen": ratio * rng.lognormal(0, noise, pairs)}
        found.append(not honesty.fresh(times)["passed"])
    assert least <= np.mean(found) <= most


def test_a_pair_of_which_one_runs_elsewhere_is_refused():
    from kdbench import Refusal

    here, there = Runner(lambda x: x), Runner(lambda x: x, elsewhere=lambda *given: {})
    with pytest.raises(Refusal, match="both must run in one place"):
        latency.time_pair(here, there, numbers(), ASK)


def test_what_a_toy_says_is_what_is_scored(tmp_path):
    model, x = toy(tmp_path / "m", HONEST), np.ones((2, 3, 2))
    assert said(model, x).shape == (2, 3, 3)
    assert IMAGE.classes == 3
