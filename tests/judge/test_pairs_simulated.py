"""How often a comparison is wrong in simulated worlds whose truth is known: published sizes of seed effects, 3 seeds or 1."""

import numpy as np
import pytest

from kdbench.judge.lines import Line, Rules
from kdbench.judge.pairs import pairs

DRAWS, N = 200, 1000
WEIGHTS = np.random.default_rng(0).multinomial(N, np.full(N, 1 / N), DRAWS).astype(np.float32)


def world(rng, seeds, spread, gap=0.0):
    """Two methods of one skill, but for `gap`, on common examples: seed effects of sd `spread`, mostly the same mistakes."""
    easy = rng.random(N)
    held = []
    for name, skill in (("a", 0.8), ("b", 0.8 - gap)):
        effect = rng.normal(0, spread, (seeds, 1))
        own = rng.random((seeds, N))
        shared = rng.random((seeds, N)) < 0.7
        hits = np.where(shared, easy, own) < skill + effect
        values = hits.mean(axis=1)
        draws = WEIGHTS @ hits.mean(axis=0).astype(np.float32) / N
        held.append(Line(name, values, draws, N, np.packbits(hits, axis=1), N))
    return held


def share(worlds, seeds, spread, gap, verdicts, margin=0.0):
    rng = np.random.default_rng(seeds + round(spread * 1e4) + round(gap * 1e5))
    rules = Rules(margin=margin, bounded=True)
    found = [pairs(world(rng, seeds, spread, gap), rules)[0]["verdict"] in verdicts for _ in range(worlds)]
    return sum(found) / worlds


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0025), (3, 0.02), (1, 0.0)])
def test_null_is_called_significant_in_at_most_6_percent(seeds, spread):
    """Seed effects of sd 0.25 points are those of CIFAR-100; one checkpoint is judged by exact McNemar."""
    assert share(500, seeds, spread, 0.0, ("BEATS", "NO")) <= 0.06


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0025), (1, 0.0)])
def test_a_difference_of_the_margin_is_called_equivalent_in_at_most_5_percent(seeds, spread):
    assert share(500, seeds, spread, 0.03, ("EQUIVALENT",), margin=0.03) <= 0.055


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0025), (1, 0.0)])
def test_large_differences_and_equal_methods_are_found(seeds, spread):
    assert share(60, seeds, spread, 0.1, ("BEATS",)) > 0.9
    assert share(60, seeds, spread, 0.0, ("EQUIVALENT",), margin=0.06) > 0.9
