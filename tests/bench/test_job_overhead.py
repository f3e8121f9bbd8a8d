"""What a job costs beyond its work: CPU seconds of the whole tree of processes, per job, and the start of the job server."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "execute"))

import toys

from kdbench.execute import warm

LIMIT = 0.15
"""CPU seconds per job."""


def cpu_seconds() -> float:
    """Of this process and all that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


@pytest.mark.parametrize("with_torch", [False, True], ids=["plain", "torch"])
def test_overhead_per_job(with_torch, benchmark, tmp_path, monkeypatch):
    """The difference between many empty jobs and one, so that the start of the server is not counted; torch: forked from a
    server that holds torch, with pages to copy.
    """
    if with_torch:
        choose = warm.choose
        monkeypatch.setattr(warm, "choose", lambda *given: ["numpy", "torch", *choose(*given)])
    count = 100 if benchmark.enabled else 3
    spent = []

    def run(jobs):
        before = cpu_seconds()
        outcome, *_ = toys.go(jobs, tmp_path)
        assert outcome.ran == len(jobs)
        spent.append(cpu_seconds() - before)

    run([toys.add(-1)])
    benchmark.pedantic(run, args=([toys.add(n) for n in range(count)],), rounds=1)
    overhead = (spent[1] - spent[0]) / (count - 1)
    benchmark.extra_info["cpu_seconds_per_job"] = overhead
    benchmark.extra_info["cpu_seconds_of_a_run_with_one_job"] = spent[0]
    if benchmark.enabled:
        assert overhead <= LIMIT


def test_nothing_to_do(benchmark, tmp_path):
    """A run whose jobs are all in the store."""
    jobs = [toys.add(n) for n in range(50)]
    toys.go(jobs, tmp_path)
    outcome, *_ = benchmark.pedantic(toys.go, args=(jobs, tmp_path), rounds=10)
    assert (outcome.done, outcome.ran) == (50, 0)
