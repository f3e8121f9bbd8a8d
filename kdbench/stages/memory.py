"""Stage memory: peak resident memory of loading a model and of answering, in a child that does nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.nouns import Job, Refusal, Runner
from kdbench.stages import Place, artefacts, memory_script, running, samples
from kdbench.stages.host import fingerprint
from kdbench.stages.latency import scored
from kdbench.stages.running import Ask
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads artefact and data; writes memory.json: what `of_runner` gives for rows of the test split, and the host."""
    spec: dict[str, Any] = dict(job.spec)
    ask = running.asked(spec, place)
    _import_model(inputs["artefact"], place)

    def rows() -> dict[str, np.ndarray]:
        padding = samples.shape(inputs["data"]).padding
        return running.of_length(samples.read(inputs["data"], "test").x, ask.length, padding)

    def make() -> Runner:
        artefact = artefacts.read(inputs["artefact"], place.plugins)
        return running.open_runner(artefact, spec["target"], place, running.first_rows(rows(), ask.batch))

    found = of_runner(make, rows(), ask)
    draft.json("memory.json", {**found, "host": found["facts"].get("host") or fingerprint()})


def of_runner(make: Callable[[], Runner], x: Mapping[str, np.ndarray], ask: Ask) -> dict[str, Any]:
    """{idle_bytes, peak_load_bytes, peak_infer_bytes, device_load_bytes, device_peak_bytes, how, batch, length, model_bytes,
    model_files, facts} of a model that is called with the first rows of x {name: array (n, ...)}.

    Bytes of memory are absolute; idle is the same child with its libraries imported and nothing loaded; those of a device are
    its allocator's peak, None where the loader offers none. model_files: bytes of the files that the target loads, by their
    ending. One child makes them, so that export leaves no trace; another one loads them. Where the runner runs elsewhere, it is
    measured there.
    """
    calls = running.calls(running.of_length(x, ask.length), ask.batch, 1)
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        made = in_child(lambda: _make(make, calls, Path(folder), ask.threads))
        found = _told(made["found"]) if made["found"] else measure(made["request"])
    return {**found, "batch": ask.batch, "length": ask.length, **{k: made[k] for k in ("model_bytes", "model_files", "facts")}}


def _make(make: Callable[[], Runner], calls: Mapping[str, np.ndarray], folder: Path, threads: int) -> dict[str, Any]:
    """The model's files laid into the folder, and the request of the script, or what the script says elsewhere."""
    runner, given = make(), running.npz(calls)
    if "tokens" in calls:
        scored(runner, calls)  # asked here once, so that rows which it cannot read are refused as they are when it is timed
    request: dict[str, Any] = {"inputs": "inputs.npz", "threads": threads}
    found = running.elsewhere(runner, Path(memory_script.__file__), request, {"model": runner}, {"inputs.npz": given})
    if found is None:
        (folder / "inputs.npz").write_bytes(given)
        request |= {"model": running.lay(runner, folder / "model"), "files": str(folder)}
    sizes: dict[str, int] = {}
    for name, data in runner.bundle.files.items() if runner.bundle is not None else ():
        ending = Path(name).suffix or name
        sizes[ending] = sizes.get(ending, 0) + len(data)
    about = {"model_bytes": sum(sizes.values()), "model_files": sizes, "facts": dict(runner.facts)}
    return {**about, "request": request, "found": found}


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run `memory_script` on its request: in a fork, or in a fresh interpreter where the kernel does
    not let a process set back its high-water mark. Raises Refusal where neither tells the truth.
    """
    if not os.path.exists("/proc/self/status"):
        raise Refusal("peak memory is read from /proc, which this system does not have")
    if in_child(lambda: {"resets": memory_script.reset()})["resets"]:
        result = in_child(lambda: memory_script.main(dict(request)))
    else:
        result = _fresh_interpreter(request)
    return _told(result)


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """The script's numbers. Raises Refusal where they are those of its libraries."""
    hidden = result.pop("hidden_bytes")
    if hidden and result["peak_load_bytes"] <= result["idle_bytes"] + hidden:
        raise Refusal(
            f"the model's peak is hidden below what importing its libraries took ({hidden} bytes), and it cannot be set back"
        )
    return result


def in_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives, from a fork of this process. An exception there is a Refusal here; a death says by which signal."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "w", encoding="utf-8") as pipe:
                json.dump(_outcome(work), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        signal = os.waitstatus_to_exitcode(status)
        raise Refusal(f"the measuring child died {f'of signal {-signal}' if signal < 0 else f'with exit code {signal}'}")
    outcome = json.loads(text)
    if "error" in outcome:
        raise Refusal(outcome["error"])
    return dict(outcome["result"])


def _outcome(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"result": work()}
    except Refusal as error:
        return {"error": str(error)}
    except Exception as error:  # a plugin may raise anything; its text travels through the pipe
        return {"error": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"}


def _import_model(entry: Entry, place: Place) -> None:
    """The code of the network, so that importing it counts as idle."""
    model = entry.json(artefacts.ARTEFACT).get("model")
    if model and entry.json(artefacts.ARTEFACT)["runtime"] == "torch":
        place.plugins.load("model", model["name"])


def _fresh_interpreter(request: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(dict(request)), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, memory_script.__file__, str(path)], capture_output=True, text=True, encoding="utf-8", check=False
        )
    if done.returncode:
        raise Refusal(f"the measuring child failed: {(done.stderr.strip().splitlines() or ['no message'])[-1][:300]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
