"""What planning ten thousand jobs costs, and a run that has nothing to do.

pytest tests/bench/test_planning.py --benchmark-only
"""

from dataclasses import replace
from pathlib import Path

from kdbench.plan import plan
from kdbench.suite import load

SUITE = Path(__file__).parents[2] / "suites" / "quickstart.yaml"


def test_planning_ten_thousand_jobs(benchmark, plugins):
    """The quickstart with as many seeds as make 10,000 jobs; keys included."""
    suite = replace(load(SUITE, plugins), seeds=tuple(range(40)))
    planned = benchmark.pedantic(lambda: plan(suite, plugins, None), rounds=3, iterations=1)
    assert len(planned.jobs) >= 10_000
    assert len({job.key for job in planned.jobs}) == len(planned.jobs)
    benchmark.extra_info["jobs"] = len(planned.jobs)
