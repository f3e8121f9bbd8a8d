"""`kdbench measure` as people run it: figures beside independent ones, refusals, Ctrl-C, the lock of the machine."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import made_graphs
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from scipy.stats import binom

from kdbench.cli import main
from kdbench.execute.lock import Quiet
from kdbench.measure import graph, inputs
from kdbench.measure.figures import word
from kdbench.nouns import Refusal, Scenario

STUDENT, TEACHER = 64, 512


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made_graphs.perceptron(folder / "student.onnx", STUDENT)
    made_graphs.perceptron(folder / "teacher.onnx", TEACHER, name="input")
    made_graphs.embeddings(folder / "text.onnx")
    (folder / "tmp").mkdir()
    return folder


def alone(models):
    """An environment with a lock of its own: nothing here is so exact that it must wait for other tests that time something."""
    return {**os.environ, "TMPDIR": str(models / "tmp")}


@pytest.fixture
def measure(models):
    """Runs `kdbench measure` among the models: (exit code, standard output, standard error)."""

    def run(*arguments):
        command = [sys.executable, "-m", "kdbench", "measure", *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=models,
            env=alone(models),
            capture_output=True,
            text=True,
            timeout=280,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def compared(models):
    """One comparison at two batch sizes: (exit code, standard output, the JSON)."""
    words = ["student.onnx", "--against", "teacher.onnx", "--pairs", "14", "--batch", "1", "--batch", "4", "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, "-m", "kdbench", "measure", *words], cwd=models, env=alone(models), capture_output=True, text=True
    )
    return done.returncode, done.stdout, json.loads((models / "out.json").read_text(encoding="utf-8"))


def figure(document, metric, model="model", scenario=""):
    (found,) = [f for f in document["figures"] if (f["metric"], f["model"], f["scenario"]) == (metric, model, scenario)]
    return found


def samples(document, model, scenario=""):
    (found,) = [t for t in document["timings"] if (t["contender"], t["scenario"]) == (model, scenario)]
    return {name: np.array(values) for name, values in found["samples"].items()}


def test_a_comparison_is_complete_and_says_it_in_words(compared):
    code, out, _ = compared
    assert code == 0
    assert re.search(r"Latency: student.onnx is faster than teacher.onnx on ort_cpu: 0\.\d+×", out)
    assert "student.onnx: input 'x' is taken for 'input', by its place" in out
    assert "checks passed: " in out
    assert "load" in out
    assert "\x1b" not in out


def best(held, role):
    """The fastest call of each block; of those that nothing interrupted, where the timing tells them apart."""
    return held.get(f"best_{role}", held[f"wall_{role}"].min(axis=1))


@pytest.mark.parametrize("scenario", ["", "batch=4"])
def test_times_are_those_of_the_raw_samples_against_numpy(compared, scenario):
    _, _, document = compared
    held = samples(document, "model", scenario)
    ratio = np.median(best(held, "contender") / best(held, "reference"))
    assert figure(document, "latency_ratio", scenario=scenario)["value"] == pytest.approx(ratio)
    assert figure(document, "latency", scenario=scenario)["value"] == pytest.approx(np.median(best(held, "contender")) * 1e6)
    null = samples(document, "against", scenario)
    floor = np.median(best(null, "contender") / best(null, "reference"))
    assert figure(document, "latency_ratio", "against", scenario)["value"] == pytest.approx(floor)
    cpu = held["cpu_contender"].mean() / held["cpu_reference"].mean()
    assert figure(document, "cpu_time_ratio", scenario=scenario)["value"] == pytest.approx(cpu)


def test_a_percentile_is_the_order_statistic_that_the_calls_allow_against_mlperf(compared):
    """Of 70 to 210 calls p90 leaves out as many as a binomial law allows at 99 % confidence, p99 needs 662."""
    _, _, document = compared
    calls = np.sort(samples(document, "model")["wall_contender"].ravel())
    assert 70 <= calls.size <= 210
    slow = max(t for t in range(1, calls.size) if binom.cdf(t, calls.size, 0.1) <= 0.01)
    assert figure(document, "latency_percentile")["value"] == pytest.approx(calls[-slow] * 1e6)
    assert figure(document, "latency_percentile{p=99}")["status"] == "undefined"
    assert "662" in figure(document, "latency_percentile{p=99}")["reason"]


@pytest.mark.parametrize(("model", "width", "file"), [("model", STUDENT, "student.onnx"), ("against", TEACHER, "teacher.onnx")])
def test_sizes_are_those_counted_by_hand(compared, models, model, width, file):
    _, _, document = compared
    weights = made_graphs.multiplications(width)
    assert figure(document, "parameters", model)["value"] == weights
    assert figure(document, "flops", model)["value"] == 2 * weights
    assert figure(document, "bytes_on_disk", model)["value"] == (models / file).stat().st_size


def test_memory_and_energy_have_a_number_or_a_reason(compared):
    _, _, document = compared
    assert 0 < figure(document, "peak_memory")["value"] < 1000
    for name in {f["metric"] for f in document["figures"] if "energy" in f["metric"]}:
        energy = figure(document, name)
        assert energy["value"] is not None or "no meter" in energy["reason"]


def test_every_verdict_follows_from_its_interval_and_the_null_pair(compared):
    _, _, document = compared
    assert {(v["metric"], v["scenario"]) for v in document["verdicts"]} >= {("latency_ratio", ""), ("latency_ratio", "batch=4")}
    for verdict in document["verdicts"]:
        null = figure(document, verdict["metric"], "against", verdict["scenario"])["value"]
        assert verdict["floor"] == pytest.approx(max(abs(null - 1), 0.02))
        assert verdict["low"] <= verdict["value"] <= verdict["high"]


@pytest.mark.parametrize(
    ("low", "high", "floor", "said"),
    [
        (0.5, 0.979, 0.02, "faster"),
        (0.5, 0.98, 0.02, "no difference shown"),
        (0.9, 0.94, 0.07, "no difference shown"),
        (1.021, 1.5, 0.02, "slower"),
        (0.7, 1.4, 0.02, "no difference shown"),
        (float("nan"), 0.5, 0.02, "not measured"),
        (0.4, 0.5, float("nan"), "not measured"),
    ],
)
def test_a_verdict_needs_the_whole_interval_outside_of_the_noise(low, high, floor, said):
    assert word(low, high, floor) == said


def test_a_model_alone_is_measured_against_its_own_copy_on_real_rows(measure, models):
    rng = np.random.default_rng(1)
    np.savez(models / "rows.npz", ids=rng.integers(0, 100, (40, 12)), label=np.zeros(40))
    code, out, err = measure("text.onnx", "--input", "rows.npz", "--pairs", "5", "--length", "8")
    assert (code, err) == (0, "")
    assert "Latency / its own copy (length=8)" in out
    assert "rows: rows.npz; ids 40 x 8" in out
    assert "not used of the file: label" in out
    assert "faster" not in out


def test_scores_of_more_than_two_dimensions_are_measured_too(measure, models):
    made_graphs.maps(models / "maps.onnx")
    code, out, err = measure("maps.onnx", "--shape", "pixels=1x3x8x8", "--pairs", "3")
    assert (code, "FAILED" in out) == (0, False), err


def test_a_saved_student_is_measured_and_one_without_shape_refused(measure, models):
    from safetensors.torch import save_file

    from kdbench.models.mlp import mlp
    from kdbench.nouns import Shape

    net = mlp(Shape("image", {"image": (1, 8, 8)}, 10), width=8)
    (models / "saved").mkdir()
    save_file(net.state_dict(), models / "saved/weights.safetensors")
    (models / "saved/artefact.json").write_text('{"model": {"mlp": {"width": 8}}}', encoding="utf-8")
    code, _, err = measure("saved")
    assert (code, "does not say what the model takes" in err, err.count("kdbench: ")) == (2, True, 1)
    shape = '"shape": {"kind": "image", "inputs": {"image": [1, 8, 8]}, "classes": 10}'
    said = '{"model": {"mlp": {"width": 8}}, ' + shape + "}"
    (models / "saved/artefact.json").write_text(said, encoding="utf-8")
    code, out, err = measure("saved", "--pairs", "3", "--seconds", "0.5", "--json", "saved.json")
    assert code == 0, err
    document = json.loads((models / "saved.json").read_text(encoding="utf-8"))
    assert figure(document, "parameters")["value"] == sum(p.numel() for p in net.parameters())
    assert out.startswith("# torch_cpu")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.onnx"], "nowhere.onnx: no such file or folder"),
        (["student.onnx", "--against", "gone"], "gone: no such file or folder"),
        (["weights.pt"], "weights.pt: may hold code and is not opened"),
        (["empty"], "empty: a folder without artefact.json is no saved student"),
        (["student.onnx", "--target", "ort_cpuu"], "no target named 'ort_cpuu'; did you mean 'ort_cpu'?"),
        (["student.onnx", "--target", "ort_cpu: {threds: 2}"], "unknown key 'threds'; did you mean 'threads'?"),
        (["student.onnx", "--target", "torch_cpu"], "target torch_cpu runs torch models, and student.onnx is onnx (allowed: "),
        (["student.onnx", "--batch", "0"], "--batch 0: allowed is a whole number from 1"),
        (["student.onnx", "--pairs", "2"], "--pairs 2: at least 3"),
        (["student.onnx", "--seconds", "inf"], "--seconds inf: allowed"),
        (["student.onnx", "--shape", "x=1xfour"], "--shape 'x=1xfour': found no name=sizes"),
        (["student.onnx", "--range", "x=3:1"], "--range 'x=3:1': found no name=low:high"),
        (["student.onnx", "--input", "none.npz"], "--input none.npz: no such file"),
        (["student.onnx", "--json", "no/where.json"], "--json no/where.json: no such folder"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(models, monkeypatch, capsys, words, said):
    monkeypatch.chdir(models)
    (models / "weights.pt").touch()
    (models / "empty").mkdir(exist_ok=True)
    code = main(["measure", *words])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_what_only_the_file_tells_is_refused_in_one_clean_line(measure, models):
    made_graphs.foreign(models / "foreign.onnx")
    made_graphs.embeddings(models / "hostile.onnx", name="\x1b[31mred\u202e")
    made_graphs.perceptron(models / "fixed.onnx", 8, batch=4)
    (models / "cut.onnx").write_bytes((models / "student.onnx").read_bytes()[:900])
    np.savez(models / "other.npz", pixels=np.zeros((3, 32), np.float32))
    for words, said in [
        (["foreign.onnx"], "needs operators of my.ops"),
        (["cut.onnx"], "cut.onnx is not an ONNX graph"),
        (["hostile.onnx", "--length", "4"], "takes whole numbers (int64), and nothing says which"),
        (["fixed.onnx"], "takes 4 rows a call and no others (allowed: --batch 4)"),
        (["student.onnx", "--shape", "x=1x31"], "--shape x=1x31: the model takes rows x 32"),
        (["student.onnx", "--input", "other.npz"], "has no rows for input 'x' (allowed: pixels)"),
        (["student.onnx", "--against", "text.onnx"], "do not take the same inputs"),
    ]:
        code, out, err = measure(*words)
        assert (code, out, said in err) == (2, "", True), (words, err)
        assert "\x1b" not in err
        assert "\u202e" not in err


def test_an_interrupt_ends_everything_and_leaves_nothing(models, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "kdbench", "measure", "student.onnx", "--pairs", "100000", "--seconds", "200"]
    running = subprocess.Popen(command, cwd=models, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("kdbench-measure-*/store/tmp/*/j*")) and time.monotonic() < end:
        time.sleep(0.05)
    below = set(_tree(running.pid))
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err.splitlines()[-1]) == (130, "interrupted: nothing of it is kept")
    assert list(tmp_path.glob("kdbench-measure-*")) == []
    assert [pid for pid in below if Path(f"/proc/{pid}/stat").exists() and pid != running.pid] == []


def _tree(pid):
    from kdbench.execute.linux import tree

    return tree(pid)


def test_a_machine_that_another_run_works_on_is_waited_for(models, tmp_path, monkeypatch):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    other = Quiet(tmp_path)
    assert other.take()
    command = [sys.executable, "-m", "kdbench", "measure", "student.onnx", "--pairs", "3", "--seconds", "0.3"]
    running = subprocess.Popen(command, cwd=models, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert running.stderr.readline().startswith("waiting: another run of kdbench is at work")
    time.sleep(0.5)
    assert running.poll() is None
    other.leave()
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert "Latency" in out


def test_random_rows_are_the_same_twice_and_keep_to_their_range():
    takes = {"ids": {"dims": ["n", "length"], "dtype": "int32"}, "x": {"dims": ["n", 3], "dtype": "float16"}}
    sizes = inputs.sizes(takes, {}, Scenario(2, 7))
    assert sizes == {"ids": (7,), "x": (3,)}
    first, second = (inputs.random_rows(takes, sizes, {"ids": (5, 9)}, 2) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in takes)
    assert (first["ids"].dtype, first["ids"].min(), first["ids"].max()) == (np.int32, 5, 9)
    assert first["x"].dtype == np.float16


@pytest.mark.parametrize(
    ("given", "scenario", "said"),
    [
        ({}, Scenario(), "leaves 'h' open (say --shape pixels=1x3xNxN)"),
        ({"pixels": (1, 3, 8)}, Scenario(), "the model takes n x 3 x h x w"),
        ({"pixels": (1, 4, 8, 8)}, Scenario(), "the model takes n x 3 x h x w"),
        ({"pixel": (1, 3, 8, 8)}, Scenario(), "did you mean 'pixels'?"),
        ({"pixels": (1, 3, 8, 8)}, Scenario(1, 5), "no input of the model has an open first dimension"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(given, scenario, said):
    takes = {"pixels": {"dims": ["n", 3, "h", "w"], "dtype": "float32"}}
    with pytest.raises(Refusal, match=re.escape(said)):
        inputs.sizes(takes, given, scenario)


def test_a_graph_with_other_input_names_answers_the_same_against_onnx_runtime(tmp_path):
    """A loop and a branch see the names around them, and hide some behind their own."""
    flag = helper.make_node("Constant", [], ["flag"], value=helper.make_tensor("f", TensorProto.BOOL, [], [True]))
    inner = [made_graphs.value("z", TensorProto.FLOAT, None)]
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "then", [], inner)
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "else", [], inner)
    nodes = [flag, helper.make_node("If", ["flag"], ["y"], then_branch=then, else_branch=other)]
    ends = [made_graphs.value(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    data = made_graphs.save(tmp_path / "branch.onnx", nodes, ends[:1], ends[1:]).read_bytes()
    changed = graph.renamed("branch.onnx", data, {"x": "pixels"})
    onnx.checker.check_model(onnx.load_from_string(changed))
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    before, after = (ort.InferenceSession(d, providers=["CPUExecutionProvider"]) for d in (data, changed))
    assert np.array_equal(before.run(None, {"x": x})[0], after.run(None, {"pixels": x})[0])
    with pytest.raises(Refusal, match="uses the name for something else"):
        graph.renamed("branch.onnx", data, {"x": "flag"})
