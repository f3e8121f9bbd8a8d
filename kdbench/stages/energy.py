"""Stage energy: joules of a model's answers, by the machine's own meters (see `kdbench.stages.energy_script`); and what a stage
that trains or compresses took by the same meters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Job, Json, Refusal, Runner, digest
from kdbench.stages import Place, artefacts, energy_script, running, samples
from kdbench.stages.host import fingerprint
from kdbench.store import Draft, Entry

CALLS = 32
"""Different inputs that a model is called with in turns, at most: one input again and again would flatter a cache."""
SHARED = 0.1
"""Other processes may take this share of a job's CPU time; beyond, what the meter says is not the job's alone."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads artefact and data; writes energy.json: the windows as the script gives them, facts of the runner, host. Without a
    meter {"meter": null, "reason"}: the number is then undefined, and nothing is estimated.
    """
    spec: dict[str, Any] = dict(job.spec)
    if spec.get("host") and spec["host"] != digest(fingerprint()):
        raise Refusal("planned on another machine: plan again here, since energy belongs to its host")
    x = samples.read(inputs["data"], "test").x
    example = running.first_rows(x, spec["batch"])
    runner = running.open_runner(artefacts.read(inputs["artefact"], place.plugins), spec["target"], place, example)
    ask = running.Ask(spec["batch"], threads=spec["target"]["params"].get("threads", place.threads))
    device = str(place.plugins.get("target", spec["target"]["name"]).facts.get("device") or "cpu")
    result = of_runner(runner, x, ask, device=device)
    draft.json("energy.json", {**result, "facts": dict(runner.facts), "host": runner.facts.get("host") or fingerprint()})


def of_runner(runner: Runner, x: Mapping[str, np.ndarray], ask: running.Ask, **settings: Json) -> dict[str, Any]:
    """What `energy_script` finds for a runner, where its model runs; x: {name: array (n, ...)}, the rows to answer. settings: of
    the script: `device` ("cpu" or "cuda"), `windows`, `busy_seconds`, `idle_seconds`, `powercap`.
    """
    given = running.npz(running.calls(x, ask.batch, CALLS))
    request: dict[str, Any] = {"threads": ask.threads, "inputs": "inputs.npz", **settings}
    found = running.elsewhere(runner, Path(energy_script.__file__), request, {"model": runner}, {"inputs.npz": given})
    if found is not None:
        return found
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        (Path(folder) / "inputs.npz").write_bytes(given)
        return energy_script.main({**request, "model": running.lay(runner, Path(folder) / "model"), "files": folder})


class Spent:
    """What this process takes by the packages' meter from now on; `read` it at least every quarter of an hour."""

    def __init__(self) -> None:
        self._reason = energy_script.without()
        self._meter = None if self._reason else energy_script.Meter(energy_script.counters())
        self._began = energy_script.cpu_seconds()

    def read(self) -> None:
        """Look at the meter, so that it does not come round unseen."""
        if self._meter is not None:
            self._meter.read()

    def record(self, *, resumed: bool = False) -> dict[str, Json]:
        """{"joules", "reason", "meter"}: idle power included, since nobody was idle beside it; null with the reason where
        there is no meter, where others used the same package, and where an earlier process did a part (`resumed`).
        """
        joules = self._meter.read() if self._meter is not None else None
        reason = self._reason or ("resumed: the energy of the first part is not known" if resumed else self._others())
        meter = self._meter.name if self._meter is not None else None
        return {"joules": None if reason else joules, "reason": reason, "meter": meter}

    def _others(self) -> str:
        """Whether the package was used by others meanwhile: its meter cannot tell processes apart."""
        now = energy_script.cpu_seconds()
        if now is None or self._began is None:
            return "whether other jobs shared the package is not known: there is no /proc/stat"
        machine, mine = now[0] - self._began[0], now[1] - self._began[1]
        others = max(0.0, machine - mine)
        if others <= SHARED * mine + 0.05:
            return ""
        return f"shared with other jobs: they took {others:.1f} s of CPU time beside its {mine:.1f} s"
