"""Readings made from right-or-wrong answers, with bootstrap draws that all of them share."""

import numpy as np
from asking import metric

from kdbench.judge.derived import derived
from kdbench.judge.readings import Reading, Spot
from kdbench.judge.rows import subject


def shares(answers, draws=200, seed=0):
    """answers: (contender, seed, shift, severity) -> 0/1 (n,). Gives Spot -> Reading of their means, and weights (draws, n)."""
    n = len(next(iter(answers.values())))
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws) / n
    readings = {}
    for (contender, run, shift, severity), hits in answers.items():
        spot = Spot(contender, run, "torch_cpu", "test", shift, severity)
        held = np.asarray(hits, dtype=float)
        key = f"{contender}/{run}/{shift}/{severity}"
        readings[spot] = Reading(float(held.mean()), weights @ held, n, evidence=key, units=n, kind="rate")
    return readings, weights


def tables(readings, setup=None, name="accuracy", **facts):
    """Derived id -> (subject, readings) of a metric."""
    one = metric(name)
    about = subject(one, "task")
    return {s.metric: (s, table) for s, table in derived(one, readings, about, setup or {})}


def at(table, contender, shift="", seed=0):
    """The one reading of a contender at a shift (a mean over severities)."""
    return table[Spot(contender, seed, "torch_cpu", "test", shift, 0)]


def coins(rng, share, n=400):
    """Exactly round(share n) ones, in random places."""
    held = np.zeros(n)
    held[rng.permutation(n)[: round(share * n)]] = 1
    return held
