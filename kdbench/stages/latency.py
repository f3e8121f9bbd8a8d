"""Stage latency: the contender and the reference timed side by side in this process (see `kdbench.stages.timing_script`)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, digest
from kdbench.stages import Place, artefacts, running, samples, timing_script
from kdbench.stages.host import fingerprint
from kdbench.store import Draft, Entry

SAMPLES = ("wall", "cpu")
ROLES = ("reference", "contender")


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads artefact, reference and data; writes latency.npz: wall_<role> and cpu_<role>, seconds per call (pairs, calls), and
    switches_<role>, involuntary context switches (pairs,), where the system counts them; and latency.json, how it was taken.

    For a null pair the contender is a second copy of the reference. Both run on the first `batch` rows of the test split.
    """
    spec: dict[str, Any] = dict(job.spec)
    if spec.get("host") and spec["host"] != digest(fingerprint()):
        raise Refusal("planned on another machine: plan again here, since timings belong to their host")
    example = running.first_rows(samples.read(inputs["data"], "test").x, spec["batch"])
    source = {"reference": inputs["reference"], "contender": inputs["reference" if spec["null"] else "artefact"]}
    request: dict[str, Any] = {"threads": spec["target"]["params"].get("threads", place.threads), "pairs": spec["pairs"]}
    facts = {}
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        for role in ROLES:
            runner = running.open_runner(artefacts.read(source[role], place.plugins), spec["target"], place, example)
            request[role] = running.lay(runner, Path(folder) / role)
            facts[role] = dict(runner.facts)
            del runner
        result = timing_script.main(request)
    arrays = {f"{kind}_{role}": np.array(result.pop(f"{kind}_{role}"), dtype=np.float64) for kind in SAMPLES for role in ROLES}
    switches = {role: result.pop(f"switches_{role}") for role in ROLES}
    counted = all(n is not None for blocks in switches.values() for n in blocks)
    if counted:
        arrays |= {f"switches_{role}": np.array(blocks, dtype=np.int64) for role, blocks in switches.items()}
    draft.arrays("latency.npz", arrays)
    total = sum(sum(blocks) for blocks in switches.values()) if counted else None
    how = {"involuntary_switches": total, "batch": spec["batch"], "null": spec["null"], "host": fingerprint()}
    draft.json("latency.json", {**result, **how, "facts": facts})
