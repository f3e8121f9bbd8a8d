"""Loaders of toy models, as text: standard library only, so that any interpreter can time them."""

from pathlib import Path

SLEEPER = """
import time
def read(folder): return [1.0]
def load(folder, threads):
    seconds = float(open(folder + "/seconds").read())
    def call(inputs):
        time.sleep(seconds)
        return [[inputs[0]]]
    return call
"""

WORKER = """
def read(folder): return [1.0]
def load(folder, threads):
    rounds = int(open(folder + "/rounds").read())
    def call(inputs):
        x = inputs[0]
        for _ in range(rounds):
            x = x * 1.0000001 + 1e-9
        return [[x, 0.0]]
    return call
"""

INSTANT = """
def read(folder): return [1.0]
def load(folder, threads):
    return lambda inputs: inputs
"""

ALLOCATOR = """
def read(folder): return None
def load(folder, threads):
    held = b"x" * int(float(open(folder + "/load").read()) * 10**6)
    scratch = int(float(open(folder + "/infer").read()) * 10**6)
    def call(inputs):
        block = b"y" * scratch
        return [float(len(held) + len(block))]
    return call
"""


def toy(folder: Path, source: str, **files: object) -> dict[str, str]:
    """Lay a toy model into a new folder; gives what a request of the timing script names it by."""
    folder.mkdir(parents=True)
    (folder / "loader.py").write_text(source, encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(str(content), encoding="utf-8")
    return {"folder": str(folder), "loader": str(folder / "loader.py")}
