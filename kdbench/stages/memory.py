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

from kdbench.nouns import Job, Refusal
from kdbench.stages import Place, artefacts, memory_script, running, samples
from kdbench.stages.host import fingerprint
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Reads artefact and data; writes memory.json {idle_bytes, peak_load_bytes, peak_infer_bytes, batch, how, facts, host}.

    Bytes are absolute; idle is the same child with its libraries imported and nothing loaded. One child makes the model's
    files, so that export leaves no trace; another one loads them and answers the first `batch` rows of the test split.
    """
    spec: dict[str, Any] = dict(job.spec)
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        made = in_child(lambda: _make(job, inputs, place, Path(folder) / "bundle"))
        _import_model(inputs["artefact"], place)
        request = {**made["model"], "threads": spec["target"]["params"].get("threads", place.threads)}
        result = measure(request)
    draft.json("memory.json", {**result, "batch": spec["batch"], "facts": made["facts"], "host": fingerprint()})


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run `memory_script` on a bundle {folder, loader, threads}: in a fork, or in a fresh interpreter where the kernel does
    not let a process set back its high-water mark. Raises Refusal where neither tells the truth.
    """
    if not os.path.exists("/proc/self/status"):
        raise Refusal("peak memory is read from /proc, which this system does not have")
    if in_child(lambda: {"resets": memory_script.reset()})["resets"]:
        result = in_child(lambda: memory_script.main(dict(request)))
    else:
        result = _fresh_interpreter(request)
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


def _make(job: Job, inputs: Mapping[str, Entry], place: Place, folder: Path) -> dict[str, Any]:
    spec: dict[str, Any] = dict(job.spec)
    example = running.first_rows(samples.read(inputs["data"], "test").x, spec["batch"])
    runner = running.open_runner(artefacts.read(inputs["artefact"], place.plugins), spec["target"], place, example)
    return {"model": running.lay(runner, folder), "facts": dict(runner.facts)}


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
