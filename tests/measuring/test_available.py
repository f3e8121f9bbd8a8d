"""What a machine lacks is said before anything is imported, and stands on the board as not available."""

import shutil
from pathlib import Path

import pytest

from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.stages import available

TARGET = '''from kdbench import target


@target(accepts=("torch",){facts})
def mine(artefact, example, *, provider: str = "cpu"):
    """Nothing."""
'''


@pytest.fixture
def described(tmp_path):
    def make(facts):
        (tmp_path / "targets").mkdir(exist_ok=True)
        (tmp_path / "targets" / "mine.py").write_text(TARGET.replace("{facts}", facts), encoding="utf-8")
        return discover([tmp_path]).get("target", "mine")

    return make


def test_packages(described):
    assert available.lacks(described(""), {}) == ""
    assert available.lacks(described(', needs=("numpy",)'), {}) == ""
    assert available.lacks(described(', needs=("no_such_thing", "numpy")'), {}) == "no_such_thing is not installed"


def test_a_compiler_is_the_one_that_torch_would_call(described, monkeypatch):
    plugin = described(', requires=("compiler",)')
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert available.lacks(plugin, {}) == "no C++ compiler (no-such-compiler is not on the PATH)"
    monkeypatch.setenv("CXX", "ls")
    assert "compiler (" not in available.lacks(plugin, {})
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    assert "is not on the PATH" in available.lacks(plugin, {})


def test_a_device_is_one_with_a_driver(described):
    plugin = described(', requires=("cuda",)')
    there = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()
    assert (available.lacks(plugin, {}) == "") == bool(there)


def test_a_provider_is_its_library_beside_onnxruntime(described):
    import onnxruntime

    plugin = described(', requires=("provider",)')
    assert available.lacks(plugin, {"provider": "cpu"}) == ""
    has = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert available.lacks(plugin, {"provider": "cuda"}) == ("" if has else "the installed onnxruntime has no provider cuda")


def test_an_unknown_requirement_is_refused_with_the_known_ones(described):
    with pytest.raises(Refusal, match=r"did you mean 'compiler'\? \(allowed: compiler, cuda, provider\)"):
        available.lacks(described(', requires=("compilers",)'), {})


def test_a_plan_says_not_available_and_makes_no_job(tmp_path, plugins, monkeypatch):
    from kdbench.plan import plan
    from kdbench.suite import load

    monkeypatch.setenv("CXX", "no-such-compiler")
    text = """
suite: lacking
seeds: [0]
targets: [torch_compile, {ort: {provider: tensorrt}}]
axes: [accuracy, latency]
data: {dataset: digits}
teacher: {model: mlp, fit: scratch}
student: {model: mlp, width: 16}
contenders: {kd: [fit: kd]}
"""
    (tmp_path / "suite.yaml").write_text(text, encoding="utf-8")
    made = plan(load(tmp_path / "suite.yaml", plugins), plugins)
    reasons = {cell.target: cell.reason for cell in made.cells if cell.evidence in ("predictions", "latency", "memory")}
    assert reasons["torch_compile"] == "not available on this machine: no C++ compiler (no-such-compiler is not on the PATH)"
    assert reasons["ort"] == "not available on this machine: the installed onnxruntime has no provider tensorrt"
    assert not [job for job in made.jobs if job.stage in ("predict", "parity", "latency", "memory")]
