"""Numbers from timings and meters against plain arithmetic, published logs and scipy."""

import numpy as np
import pytest
from asking import metric
from scipy import stats
from test_metric_values import latency_of

from kdbench import NotApplicable, Undefined

CHAIN = {"cpu_seconds": 40.0, "through": [], "elsewhere": False, "energy": {"joules": 900.0, "reason": ""}}


def cost(**chain):
    return {"chain": {**CHAIN, **chain}, "key": "own"}


def judged(name, params=None, **evidence):
    one = metric(name, **(params or {}))
    found = one(evidence)
    return float(one.finish(np.asarray(found)[None])[0]) if isinstance(found, np.ndarray) else float(found)


def paired(student=2e-3, teacher=5e-3, noise=0.02, seed=0, **facts):
    rng = np.random.default_rng(seed)
    of, ref = (mean * (1 + noise * rng.standard_normal((60, 5))) for mean in (student, teacher))
    return {"wall_contender": of, "cpu_contender": of, "wall_reference": ref, "cpu_reference": ref, **facts}


def metered(net=0.3, idle=20.0, windows=10, calls=25, seed=0, **facts):
    """Windows of 0.3 s in which `calls` answers took `net` joules each beside `idle` watts."""
    rng = np.random.default_rng(seed)
    waits, works = 0.2 + 0.01 * rng.random(windows + 1), 0.3 + 0.01 * rng.random(windows)
    return {
        "meter": "RAPL package-0", "idle_seconds": list(waits), "idle_joules": list(idle * waits), "busy_seconds": list(works),
        "busy_joules": list(idle * works + net * calls), "calls": [calls] * windows, "batch": 1, "other_cpu": 0.01, **facts,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("calls", "discarded"),
    [(100, 2), (201, 9), (659, 47), (708, 51), (2048, 172), (2116, 178), (2145, 181), (79944, 7796)],
)
def test_the_percentile_discards_as_many_calls_as_published_logs_of_loadgen(calls, discarded):
    """From the early-stopping lines of MLPerf single-stream logs: queries processed, highest latencies to be discarded."""
    slowest_first = np.arange(calls, 0, -1.0)
    found = judged("latency_percentile", {"p": 90}, latency=latency_of(slowest_first[:, None])) / 1e6
    assert found == pytest.approx(slowest_first[discarded])


@pytest.mark.parametrize("batch", [1, 8, 32])
def test_throughput_is_the_batch_over_the_latency(batch):
    timing = paired(batch=batch)
    expected = batch / np.median(timing["wall_contender"].min(axis=1))
    assert judged("throughput", latency=timing) == pytest.approx(expected, rel=1e-12)
    assert judged("latency", latency=timing) * judged("throughput", latency=timing) / 1e6 == pytest.approx(batch, rel=1e-12)
    assert metric("throughput").say("note", {"latency": timing}) == f"{batch} rows a call"


@pytest.mark.parametrize("batch", [1, 8])
def test_break_even_is_the_cost_over_the_mean_saving(batch):
    timing = paired(batch=batch)
    saved = (timing["cpu_reference"].mean() - timing["cpu_contender"].mean()) / batch
    assert judged("break_even", cost=cost(), latency=timing) == pytest.approx(40.0 / saved, rel=1e-12)


def test_what_made_the_teacher_is_not_paid_again_by_a_student_that_starts_as_the_teacher():
    timing, teacher = paired(), {"chain": {**CHAIN, "cpu_seconds": 30.0}, "key": "teacher"}
    free = judged("break_even", cost=cost(), latency=timing, teacher_cost=teacher)
    ours = judged("break_even", cost=cost(through=["teacher", "other"]), latency=timing, teacher_cost=teacher)
    assert ours == pytest.approx(free / 4), "10 of its 40 seconds"
    assert judged("break_even", cost=cost(cpu_seconds=30.0, through=["teacher"]), latency=timing, teacher_cost=teacher) == 0.0


def test_the_teacher_itself_has_no_break_even():
    with pytest.raises(NotApplicable, match="the same graph as the teacher"):
        judged("break_even", cost=cost(), latency=paired(null=True))


def test_what_cost_nothing_is_paid_back_at_once():
    assert judged("break_even", cost=cost(cpu_seconds=0.0), latency=paired()) == 0.0


def test_a_student_that_is_not_cheaper_never_pays_back():
    with pytest.raises(Undefined, match=r"never paid back: a prediction costs 0\.00\d+ CPU seconds more than the teacher's"):
        judged("break_even", cost=cost(), latency=paired(student=8e-3))


def test_a_saving_that_is_not_sure_gives_no_number_against_the_t_interval_of_scipy():
    told, silent = 0, 0
    for seed in range(40):
        timing = paired(student=4.9e-3, noise=0.1, seed=seed)
        saved = timing["cpu_reference"].mean(axis=1) - timing["cpu_contender"].mean(axis=1)
        low = stats.t.interval(0.95, len(saved) - 1, saved.mean(), stats.sem(saved))[0]
        if low > 0:
            assert judged("break_even", cost=cost(), latency=timing) > 0
            told += 1
        else:
            with pytest.raises(Undefined, match="paid back"):
                judged("break_even", cost=cost(), latency=timing)
            silent += 1
    assert told > 3
    assert silent > 3


@pytest.mark.parametrize("name", ["break_even", "break_even_energy", "training_energy"])
def test_a_checkpoint_made_elsewhere_has_no_cost(name):
    evidence = {"cost": cost(elsewhere=True), "latency": paired(), "energy": metered(), "teacher_energy": metered(net=0.9)}
    wanted = metric(name).asks
    with pytest.raises(Undefined, match="made elsewhere"):
        judged(name, **{k: v for k, v in evidence.items() if k in wanted})


def test_energy_is_the_net_of_the_idle_power_around_each_window():
    rng = np.random.default_rng(3)
    found = metered(net=0.3, calls=25)
    found["busy_joules"] = [j + e for j, e in zip(found["busy_joules"], rng.normal(0, 0.1, 10), strict=True)]
    found["idle_joules"] = [j + e for j, e in zip(found["idle_joules"], rng.normal(0, 0.02, 11), strict=True)]
    net = 0.0
    for w in range(10):
        watts = sum(found["idle_joules"][w : w + 2]) / sum(found["idle_seconds"][w : w + 2])
        net += found["busy_joules"][w] - watts * found["busy_seconds"][w]
    assert judged("energy", energy=found) == pytest.approx(1000 * net / 250, rel=1e-12)
    assert judged("energy", energy=metered(batch=8)) == pytest.approx(1000 * 0.3 / 8)
    assert metric("energy").say("note", {"energy": metered()}) == "RAPL package-0, idle 20.0 W"


def test_energy_without_a_meter_or_below_its_noise_is_undefined():
    with pytest.raises(Undefined, match="^no meter: there is no RAPL package below"):
        judged("energy", energy={"meter": None, "reason": "no meter: there is no RAPL package below /sys/class/powercap"})
    with pytest.raises(Undefined, match="below what the meter can tell"):
        judged("energy", energy=metered(net=-0.01))


def test_energy_beside_other_work_is_noisy():
    doubt = metric("energy").say("doubt", {"energy": metered(other_cpu=0.21)})
    assert doubt == "other work took 21 % of the machine's CPU time meanwhile"
    assert metric("energy").say("doubt", {"energy": metered()}) == ""
    assert "not known" in metric("energy").say("doubt", {"energy": metered(other_cpu=None)})


def test_break_even_in_energy_is_joules_over_joules_saved():
    found = judged("break_even_energy", cost=cost(), energy=metered(net=0.3), teacher_energy=metered(net=0.9, seed=1))
    assert found == pytest.approx(900.0 / 0.6)
    with pytest.raises(Undefined, match="shared with other jobs"):
        judged(
            "break_even_energy",
            cost=cost(energy={"joules": None, "reason": "shared with other jobs: they took 3.0 s"}),
            energy=metered(net=0.3),
            teacher_energy=metered(net=0.9),
        )
    with pytest.raises(Undefined, match="never paid back"):
        judged("break_even_energy", cost=cost(), energy=metered(net=0.9), teacher_energy=metered(net=0.3))


def test_training_energy_is_what_the_chain_recorded():
    assert judged("training_energy", cost=cost()) == 900.0
    with pytest.raises(Undefined, match="was not recorded"):
        judged("training_energy", cost={"chain": {"cpu_seconds": 1.0}})


def test_memory_by_phase_is_the_peak_less_idle():
    held = {"idle_bytes": 50_000_000, "peak_load_bytes": 80_000_000, "peak_infer_bytes": 95_500_000}
    assert judged("peak_memory", memory=held) == pytest.approx(45.5)
    assert judged("peak_memory_loading", memory=held) == pytest.approx(30.0)
    assert judged("peak_device_memory", memory={**held, "device_peak_bytes": 12_300_000}) == pytest.approx(12.3)
    files = {"model_bytes": 1234, "model_files": {".onnx": 1000, ".json": 234}}
    assert judged("model_bytes", memory=files) == 1234
    assert metric("model_bytes").say("note", {"memory": files}) == ".json 234, .onnx 1000"
    with pytest.raises(NotApplicable, match="no device memory"):
        judged("peak_device_memory", memory=held)
