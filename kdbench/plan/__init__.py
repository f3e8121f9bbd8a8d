"""From a suite to jobs: pure data, no numerical library, nothing run.

`plan` gives the jobs that make evidence and the cells of the board that wait for it; `judging` gives, for the evidence that is
there, one job per task and metric. `reasons` says why a job is still to do.
"""

from kdbench.plan.evidence import plan
from kdbench.plan.judging import judging
from kdbench.plan.reasons import reasons

__all__ = ["judging", "plan", "reasons"]
