"""Stage latency: the contender and the reference timed side by side (see `kdbench.stages.timing_script`), on the same rows or,
where they read other tokens, on the same texts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, Runner, digest
from kdbench.stages import Place, artefacts, honesty, running, samples, timing_checks, timing_script
from kdbench.stages.host import fingerprint
from kdbench.stages.running import Ask as Ask
from kdbench.store import Draft, Entry

ROLES = ("reference", "contender")
SAMPLES = ("wall", "waited", "cpu")

CALLS = 33
"""Different calls at most: one that is repeated, and enough that are seen once. More are made of these where they are needed."""

INT8_CALLS = 9
"""The same for graphs that are scored call by call, because a row's answer depends on its batch."""

BYTES = 32 * 2**20
"""Inputs of a role at most, beyond two calls. Where both read the same rows, these are written once."""

WRITTEN = ("tokens", "prefix")
"""Inputs that are tokens, filled up on the right."""

MORE = {"most": 3, "spare_seconds": 2.0, "rounds": 9}
"""Short calls get three times the pairs, and both models are opened nine times: with 60 pairs and three openings a network of
0.3 ms a call read up to 2.6 % off itself, with these at most 1.1 % (eight runs each).
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """arrays: wall_<role>, waited_<role> (the part of wall in which the thread waited for a processor) and cpu_<role>, seconds
    per call (pairs, calls); best_<role>, the least of wall - waited in each block (pairs,), so that neighbours on the machine
    count for little; switches_<role>, involuntary context switches of a block (pairs,). facts: how they were taken, and `checks`,
    whether the times are of the model that was scored.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads artefact, reference, data and, where the reference reads other tokens than the contender, reference_data; writes
    latency.npz and latency.json: what `time_rows` gives for the test split and, of two entries of data, reference_tokens: how
    many a row of the reference has.

    For a null pair the contender is a second copy of the reference.
    """
    spec: dict[str, Any] = dict(job.spec)
    if spec.get("host") and spec["host"] != digest(fingerprint()):
        raise Refusal("planned on another machine: plan again here, since timings belong to their host")
    ask = running.asked(spec, place)
    rows = _own(inputs, ask) if "reference_data" in inputs else _shared(inputs["data"], ask)
    source = {"reference": inputs["reference"], "contender": inputs["reference" if spec["null"] else "artefact"]}
    runners = {
        role: running.open_runner(
            artefacts.read(entry, place.plugins), spec["target"], place, running.first_rows(rows[role], ask.batch)
        )
        for role, entry in source.items()
    }
    if ask.decode:
        runners = {role: _decoder(runner) for role, runner in runners.items()}
    made = time_rows(runners, rows, ask)
    own = {"reference_tokens": _width(rows["reference"], ask)} if "reference_data" in inputs else {}
    draft.arrays("latency.npz", made.arrays)
    draft.json("latency.json", {**made.facts, **own, "null": spec["null"]})


def _shared(entry: Entry, ask: Ask) -> dict[str, dict[str, np.ndarray]]:
    """The rows of the test split, by role, where both read the same: as wide as the longest, or of the length asked for."""
    x, shape = samples.read(entry, "test").x, samples.shape(entry)
    if ask.length or ask.decode:
        return dict.fromkeys(ROLES, running.of_length(x, ask.length or ask.decode, shape.padding))
    return dict.fromkeys(ROLES, _needed(x, shape.padding))


def _own(inputs: Mapping[str, Entry], ask: Ask) -> dict[str, dict[str, np.ndarray]]:
    """The same texts of the test split, by role, in its own tokens: as wide as the longest row of the role.

    Raises Refusal for a length in tokens, which is not the same text in both, and for entries of other examples.
    """
    if ask.length or ask.decode:
        raise Refusal("a length in tokens is not the same text for two models that read unlike tokens")
    entries = dict(zip(ROLES, (inputs["reference_data"], inputs["data"]), strict=True))
    rows = {role: samples.read(entry, "test") for role, entry in entries.items()}
    ids, others = (rows[role].ids.tolist() for role in ("contender", "reference"))
    if ids != others:
        at = next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))
        raise Refusal(
            f"the two models cannot be asked about the same texts: their test splits have {len(ids)} and {len(others)} rows, "
            f"and the ids differ from row {at} on"
        )
    return {role: _needed(of.x, samples.shape(entries[role]).padding) for role, of in rows.items()}


def _needed(x: Mapping[str, np.ndarray], padding: int) -> dict[str, np.ndarray]:
    """Rows {name: array (n, ...)}, those of tokens without the last places that all of them fill up: a task may allow for more
    than any of its texts needs, and a tokenizer that needs fewer tokens is to win by it.
    """
    used = {name: np.flatnonzero((x[name] != padding).any(axis=0)) for name in WRITTEN if name in x}
    wide = {name: 1 + int(places.max(initial=0)) for name, places in used.items()}
    return {name: np.ascontiguousarray(values[:, : wide[name]]) if name in wide else values for name, values in x.items()}


def time_pair(reference: Runner, contender: Runner, x: Mapping[str, np.ndarray], ask: Ask) -> Timed:
    """Time two runners on the same rows x {name: array (n, ...)}; see `time_rows`."""
    x = running.of_length(x, ask.length)
    return time_rows({"reference": reference, "contender": contender}, dict.fromkeys(ROLES, x), ask)


def time_rows(runners: Mapping[str, Runner], rows: Mapping[str, Mapping[str, np.ndarray]], ask: Ask) -> Timed:
    """Time two runners, by role, on rows {role: {name: array (n, ...)}} of the same n examples in the same order, of which as
    many as there are of different calls are asked. They have the length that is asked for already.

    Where they run elsewhere, they are timed there, else in this process. Raises Refusal for a runner without a bundle, for rows
    of unlike numbers, and for a pair of which only one runs elsewhere.
    """
    if (runners["reference"].elsewhere is None) != (runners["contender"].elsewhere is None):
        raise Refusal("only one of the two models runs on another machine: both must run in one place to be timed side by side")
    calls = _calls(runners, rows, ask)
    packed = {role: running.npz(x) for role, x in calls.items()}
    named = {data: f"inputs.{role}.npz" for role, data in packed.items()}  # what both read lies in one file
    files = {
        **{name: data for data, name in named.items()},
        "scored.npz": running.npz({role: scored(runner, calls[role]) for role, runner in runners.items()}),
        timing_script.CHECKS: Path(timing_checks.__file__).read_bytes(),
    }
    tolerance = {role: honesty.tolerances(runner.facts) for role, runner in runners.items()}
    inputs = {role: named[data] for role, data in packed.items()}
    request = {"inputs": inputs, "scored": "scored.npz", "tolerance": tolerance, "threads": ask.threads}
    request |= {"pairs": ask.pairs, "seconds": ask.seconds, **MORE}
    facts = {role: dict(runner.facts) for role, runner in runners.items()}
    result = running.elsewhere(runners["contender"], Path(timing_script.__file__), request, runners, files)
    made = _timed(_here(request, runners, files) if result is None else result)
    host = facts["contender"].get("host") if result is not None else None
    about = {"batch": ask.batch, "length": ask.length, "decode": ask.decode, "host": host or fingerprint(), "facts": facts}
    made.facts.update(tokens=_width(rows["contender"], ask), **about)
    return made


def _calls(
    runners: Mapping[str, Runner], rows: Mapping[str, Mapping[str, np.ndarray]], ask: Ask
) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of as many calls for each role, about the same examples."""
    counts = {len(values) for x in rows.values() for values in x.values()}
    if len(counts) > 1:
        raise Refusal(f"{' and '.join(map(str, sorted(counts)))} rows: the two models must be asked about the same examples")
    row = max(sum(values[:1].nbytes for values in x.values()) for x in rows.values())
    few = any(running.by_batch(runner.facts) for runner in runners.values())
    most = min(INT8_CALLS if few else CALLS, max(2, BYTES // max(1, row * ask.batch)))
    return {role: running.calls(x, ask.batch, most) for role, x in rows.items()}


def _width(x: Mapping[str, np.ndarray], ask: Ask) -> int:
    """The tokens of a row that a call reads or, as it writes, adds; 0 for other inputs."""
    return 1 if ask.decode else x["tokens"].shape[1] if "tokens" in x else 0


def _decoder(runner: Runner) -> Runner:
    """The model as it writes. Raises Refusal for one that remembers nothing."""
    if runner.decoder is None:
        raise Refusal("no cache: this model, on this target, reads everything again for each token; see its times by length")
    return runner.decoder


def scored(runner: Runner, calls: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the runner predicts of these rows {name: array (k, batch, ...)}: (k, batch, classes). Rows whose answers depend on
    their batch by design are predicted batch by batch. Raises Refusal where the model fails on rows of this length.
    """
    try:
        return _predicted(runner, calls)
    except Refusal:
        raise
    except Exception as error:  # whatever a runtime raises
        if "tokens" not in calls:
            raise
        wide, why = calls["tokens"].shape[2], " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Refusal(f"rows of {wide} tokens: the model fails on them (has it as many positions?): {why}") from error


def _predicted(runner: Runner, calls: Mapping[str, np.ndarray]) -> np.ndarray:
    k, batch = next(iter(calls.values())).shape[:2]
    if running.by_batch(runner.facts):
        return np.stack([np.asarray(runner.predict({name: v[i] for name, v in calls.items()})) for i in range(k)])
    said = np.asarray(runner.predict({name: v.reshape(k * batch, *v.shape[2:]) for name, v in calls.items()}))
    return said.reshape(k, batch, -1)


def _here(request: Mapping[str, Any], runners: Mapping[str, Runner], files: Mapping[str, bytes]) -> dict[str, Any]:
    """The script's answer, in this process."""
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        laid = {role: running.lay(runner, Path(folder) / role) for role, runner in runners.items()}
        return timing_script.main({**request, **laid, "files": folder})


def _timed(result: dict[str, Any]) -> Timed:
    arrays = {f"{kind}_{role}": np.array(result.pop(f"{kind}_{role}"), np.float64) for kind in SAMPLES for role in ROLES}
    arrays |= {f"best_{role}": (arrays[f"wall_{role}"] - arrays[f"waited_{role}"]).min(axis=1) for role in ROLES}
    switches = {role: np.array(result.pop(f"switches_{role}"), np.int64) for role in ROLES}
    arrays |= {f"switches_{role}": held.sum(axis=1) for role, held in switches.items()}
    facts = {
        **result,
        "involuntary_switches": int(sum(held.sum() for held in switches.values())),
        "waiting": {role: float(arrays[f"waited_{role}"].sum() / arrays[f"wall_{role}"].sum()) for role in ROLES},
        "calls_with_a_switch": {role: float((held > 0).mean()) for role, held in switches.items()},
        "checks": honesty.verdicts(result["honesty"]),
    }
    return Timed(arrays, facts)
