"""Jobs, sites and stores for the tests of the pool."""

import sys
from pathlib import Path

from kdbench.execute import Outcome, Site, execute
from kdbench.nouns import Job
from kdbench.store import Store

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))


def add(n, needs=(), **more):
    fields = {k: more.pop(k) for k in ("uses", "together", "alone", "label") if k in more}
    fields.setdefault("label", f"add{n}")
    return Job("add", {"n": n, **more}, {f"in{i}": job.key for i, job in enumerate(needs)}, **fields)


def site(**more):
    return Site(**{"stages": "toystages", "timeout": 60.0, **more})


def go(jobs, root, tell=None, **more) -> tuple[Outcome, Store, list]:
    events = []
    store = Store(Path(root))
    outcome = execute(jobs, store, site(**more), tell or events.append)
    return outcome, store, events


def value(store, job):
    return store.open(job.key).json("value.json")["value"]
