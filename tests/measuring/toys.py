"""Loaders of toy models, as text: nothing of kdbench, so that any interpreter can time them. A toy takes {"x": (b, 2)}."""

import importlib.util
from pathlib import Path

import numpy as np

SLEEPER = """
import time
def load(folder, threads):
    seconds = float(open(folder + "/seconds").read())
    def call(inputs):
        time.sleep(seconds)
        return inputs["x"]
    return call
"""

WORKER = """
def load(folder, threads):
    rounds = int(open(folder + "/rounds").read())
    def call(inputs):
        x = 1.0
        for _ in range(rounds):
            x = x * 1.0000001 + 1e-9
        return inputs["x"] + x
    return call
"""

INSTANT = """
def load(folder, threads):
    return lambda inputs: inputs["x"]
"""

ALLOCATOR = """
def load(folder, threads):
    held = b"x" * int(float(open(folder + "/load").read()) * 10**6)
    scratch = int(float(open(folder + "/infer").read()) * 10**6)
    def call(inputs):
        block = b"y" * scratch
        return inputs["x"] * 0 + len(held) + len(block)
    return call
"""


def toy(folder: Path, source: str, **files: object) -> dict[str, str]:
    """Lay a toy model into a new folder; gives what a request of the timing script names it by."""
    folder.mkdir(parents=True)
    (folder / "loader.py").write_text(source, encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(str(content), encoding="utf-8")
    return {"folder": str(folder), "loader": str(folder / "loader.py")}


def rows(k: int = 33, batch: int = 1) -> np.ndarray:
    """Inputs of k calls of a toy, (k, batch, 2), no two alike."""
    return np.random.default_rng(0).standard_normal((k, batch, 2)).astype(np.float32)


def asked(folder: Path, source: str, k: int = 33, batch: int = 1, **files: object) -> dict[str, object]:
    """A request of the memory script for one toy."""
    np.savez(folder / "inputs.npz", x=rows(k, batch))
    return {"model": toy(folder / "model", source, **files), "inputs": str(folder / "inputs.npz"), "threads": 1}


def two(folder: Path, models: dict[str, dict[str, str]], k: int = 33, batch: int = 1) -> dict[str, object]:
    """A request of the timing script for two toys; the scored answers are what a fresh copy of each says of all rows at once."""
    x = rows(k, batch)
    np.savez(folder / "inputs.npz", x=x)
    np.savez(folder / "scored.npz", **{role: said(model, x) for role, model in models.items()})
    inputs = dict.fromkeys(models, str(folder / "inputs.npz"))
    return {**models, "inputs": inputs, "scored": str(folder / "scored.npz")}


def said(model: dict[str, str], x: np.ndarray) -> np.ndarray:
    """The answers of a freshly opened toy to rows (k, batch, 2), all in one call."""
    spec = importlib.util.spec_from_file_location("toy_loader", model["loader"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    call = module.load(model["folder"], 1)
    return np.asarray(call({"x": x.reshape(-1, 2)})).reshape(*x.shape[:2], -1)
