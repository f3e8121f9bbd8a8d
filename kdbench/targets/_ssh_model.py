"""A model on a remote machine: opened there, asked for rows, and measured where it runs."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from kdbench import Artefact, Bundle, Refusal, Runner
from kdbench.targets import _onnx_file, _rows, _ssh_predict, _ssh_reasons
from kdbench.targets import _ort_loader as loader
from kdbench.targets import _ssh_answers as answers
from kdbench.targets._ssh_place import Place
from kdbench.targets._ssh_session import Session, session

PIECE = 32 << 20
"""Bytes of inputs sent at a time: a small machine holds them in memory."""

SCRIPT = Path(_ssh_predict.__file__)


def runner(place: Place, artefact: Artefact, example: Mapping[str, np.ndarray], threads: int, exporter: str) -> Runner:
    """The artefact as it runs at the place; the facts are those of `ort_cpu`, and what the machine says about itself."""
    model = _onnx_file.file_of(artefact, example, exporter, "ssh")
    bundle = Bundle({loader.MODEL: model}, Path(loader.__file__))
    remote = Remote(place, bundle, threads, artefact.shape.classes)
    graph, host = remote.opened()
    _onnx_file.offered(graph["inputs"], example, "ssh")
    integer = sum(n for kind, n in graph["operators"].items() if kind.startswith(_onnx_file.INT8))
    if artefact.facts.get("precision") == "int8" and not integer:
        raise Refusal(f"ssh: {place.host}: the artefact is int8, but its ONNX Runtime would run none of its operators in int8")
    facts = {
        "runtime": f"onnxruntime {graph['runtime']}",
        "provider": ", ".join(graph["providers"]),
        "precision": "int8" if integer else "float32",
        "int8_operators": integer,
        "operators": sum(graph["operators"].values()),
        "exporter": exporter if artefact.runtime == "torch" else "none",
        "opset": next(o.version for o in onnx.load_from_string(model).opset_import if not o.domain),
        "threads": threads,
        "host": host,
    }
    inputs, batch = list(graph["inputs"]), next(iter(graph["inputs"].values()))

    def predict(x: Mapping[str, np.ndarray]) -> np.ndarray:
        return remote.answered({name: x[name] for name in inputs}, batch)

    return Runner(predict, bundle, facts, elsewhere=partial(elsewhere, place))


@dataclass(frozen=True, slots=True)
class Remote:
    """A model to be run at a place. classes: how many logits a row has."""

    place: Place
    bundle: Bundle
    threads: int
    classes: int

    def opened(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the far end says of the graph that really runs there, and of itself."""
        there = session(self.place)
        return answers.opened(self._ran(there, {}), f"ssh: {self.place.host}"), there.host

    def answered(self, x: Mapping[str, np.ndarray], batch: int | None) -> np.ndarray:
        """Logits float32 (n, classes) of all rows, checked for their number. batch: rows of a graph that takes only so many."""
        there = session(self.place)
        parts = [self._piece(there, piece) for piece in pieces(x, batch or _rows.CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.classes), np.float32)

    def _piece(self, there: Session, x: Mapping[str, np.ndarray]) -> np.ndarray:
        n = len(next(iter(x.values())))
        held = io.BytesIO()
        np.savez(held, allow_pickle=False, **dict(x))
        inputs = there.file("inputs.npz", held.getvalue())
        out = inputs.replace("inputs.npz", "answers.f32")
        rows = Path(_rows.__file__)
        said = self._ran(there, {"rows": there.file(rows.name, rows.read_bytes()), "inputs": inputs, "answers": out})
        if said.get("rows") != n:
            raise Refusal(
                f"ssh: {self.place.host}: it answered {answers.clean(str(said.get('rows')), 20)} rows where {n} were asked"
            )
        data = there.link.get(out, n * self.classes * 4)
        there.link.remove(out)
        there.forget(inputs)
        return np.frombuffer(data, dtype="<f4").reshape(n, self.classes).astype(np.float32)

    def _ran(self, there: Session, more: Mapping[str, str]) -> dict[str, Any]:
        model = there.model(self.bundle)
        request = {"model": model, "threads": self.threads, "optimised": f"{model['folder']}/optimised.onnx", **more}
        said = there.run(SCRIPT, request, alone=False)
        if "missing" in said or "refused" in said:
            raise _ssh_reasons.model(self.place, said)
        return said


def pieces(x: Mapping[str, np.ndarray], batch: int) -> Iterator[dict[str, np.ndarray]]:
    """The rows in pieces of at most about 32 MiB, each a whole number of batches but for the last."""
    n = len(next(iter(x.values())))
    row = sum(values[:1].nbytes for values in x.values())
    step = batch * max(1, PIECE // max(1, row * batch))
    for start in range(0, n, step):
        yield {name: np.ascontiguousarray(values[start : start + step]) for name, values in x.items()}


def elsewhere(
    place: Place, script: Path, request: Mapping[str, Any], bundles: Mapping[str, Bundle], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Run a measuring script where the models run, alone there; gives what it prints, made plain."""
    there = session(place)
    laid = {role: there.model(bundle) for role, bundle in bundles.items()}
    return there.run(script, {"threads": 1, **request, **laid, "files": there.folder(files)}, alone=True)
