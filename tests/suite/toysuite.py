"""A good suite for the toy plugins, and changes of it."""

from pathlib import Path

TOYS = Path(__file__).parent / "toyplugins"

GOOD = """\
suite: demo
seeds: [0, 1]
targets: [toy_cpu]
axes: [toy_accuracy, toy_ece]
data: {dataset: toy_digits}
teacher: {model: toy_net, depth: 20, fit: toy_scratch}
student: {model: toy_net}
contenders:
  kd: [fit: {toy_kd: {temperature: 4.0}}]
  none: [fit: toy_scratch]
"""


def changed(old: str, new: str) -> str:
    """The good suite with one piece replaced; the piece must be there once."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def steps(text: str) -> str:
    """The good suite with these steps of the contender `none`."""
    return changed("none: [fit: toy_scratch]", f"none: {text}")
