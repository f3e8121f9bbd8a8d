"""Stage `load`: a checkpoint made elsewhere, audited and brought into the store.

spec: {path, head?, length?}. inputs: data (SAMPLES, or texts where the folder has a tokenizer). The folder is one of transformers
(`config.json`, see `checkpoints`), or holds `artefact.json`. For a torch network that says at least
{"model": {"resnet_cifar": {"depth": 8}}}, and `weights.safetensors` lies beside it; for another runtime it says
{"runtime": "onnx", "files": ["model.onnx"]}. The folder is not trusted: only plain files are read, with limits, and nothing
is unpickled.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.nouns import Artefact, Job, Json, Refusal, Shape
from kdbench.registry import Plugins, nearest
from kdbench.stages import Place, artefacts, samples
from kdbench.stages.artefacts import ARTEFACT, EDITS, WEIGHTS
from kdbench.stages.named_model import named_model
from kdbench.stages.wanted import Wanted, taken_for
from kdbench.store import Draft, Entry

LARGEST_JSON = 2**20
LARGEST_HEADER = 2**24
LARGEST_FILE = 2**31
"""Bytes of `artefact.json`, of the header of a safetensors file, and of a file of another runtime, that are read at most."""

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
KEYS = ("runtime", "shape", "model", "edits", "files", "facts", "classes")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".t7")


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Read the folder strictly and write it as an artefact that cost nothing here."""
    folder, head = Path(str(job.spec["path"])), str(job.spec.get("head") or "")
    meta = inputs["data"].json("meta.json")
    shape = None if meta["kind"] == "text" else samples.shape(inputs["data"])
    length: Any = job.spec.get("length") or 0
    classes, prepare = tuple(str(name) for name in meta["classes"]), meta["prepare"].get(meta["kind"], {})
    wanted = Wanted(shape, str(meta.get("answer", "class")), classes, int(length), prepare)
    artefact = open_any(folder, place.plugins, wanted, head)
    if meta.get("tokenizer") and TOKENIZER not in artefact.files:
        artefact = taken_for(artefact, meta)
    costs: dict[str, Json] = {"seconds": 0.0, "cpu_seconds": 0.0, "examples": 0, "epochs": 0, "steps": 0, "teacher_passes": 0}
    said: Any = artefact.facts.get("notes") or []
    notes: list[Json] = ["made elsewhere: the cost of making it is not known and not counted here", *said]
    record: dict[str, Json] = {
        **costs,
        "history": [],
        "selected_epoch": 0,
        "parity": {"made_elsewhere": True},
        "notes": notes,
    }
    artefacts.write(draft, artefact, artefacts.chained(record, None))


def open_any(folder: Path, plugins: Plugins, wanted: Wanted, head: str) -> Artefact:
    """The artefact of a folder of either form, or of a file of answers. Raises Refusal, in one line, for whatever is not as it
    must be.
    """
    if folder.is_file() and not head:
        from kdbench.stages import blackbox  # noqa: PLC0415 - folders are loaded without pyarrow

        shape = wanted.shape or Shape("text", {}, len(wanted.classes), answer=wanted.answer)
        try:
            return blackbox.open_answers(folder, shape, wanted.classes)
        except Refusal as error:
            raise Refusal(f"load {error}") from None
    if (folder / CONFIG).exists() and not (folder / ARTEFACT).exists():
        from kdbench.stages import checkpoints  # noqa: PLC0415 - other folders are loaded without transformers

        try:
            return checkpoints.open_checkpoint(folder, plugins, wanted, head)
        except Refusal as error:
            raise Refusal(f"load {folder}: {error}") from None
    if head:
        raise Refusal(f"load {folder}: head: {head} is for checkpoints of transformers, and this is none")
    return open_folder(folder, plugins, _shape(folder, plugins, wanted), wanted.classes)


def _shape(folder: Path, plugins: Plugins, wanted: Wanted) -> Shape:
    """The shape of the data; of texts, that of the folder's own tokens."""
    if wanted.shape is not None:
        return wanted.shape
    from kdbench.stages import checkpoints, tokenizing  # noqa: PLC0415 - as above

    try:
        tokenizer = tokenizing.Tokenizer(checkpoints.tokenizer_of(folder, plugins))
        said = _facts(folder).get("shape")
        held = said.get("inputs") if isinstance(said, dict) else None
        return checkpoints.text_shape(tokenizer, wanted, pair=isinstance(held, dict) and "prefix" in held)
    except Refusal as error:
        raise Refusal(f"load {folder}: {error}") from None


def open_folder(folder: Path, plugins: Plugins, shape: Shape, classes: tuple[str, ...]) -> Artefact:
    """The artefact of a folder made elsewhere. Raises Refusal, in one line, for whatever is not as it must be."""
    try:
        return _open(folder, plugins, shape, classes)
    except Refusal as error:
        raise Refusal(f"load {folder}: {error}") from None


def declared(folder: Path) -> tuple[Shape, tuple[str, ...]]:
    """The shape and the names of the classes that a folder says of itself, for those who have no data to compare it with.

    Raises Refusal, in one line, where it says none.
    """
    try:
        facts = _facts(folder)
        shape = artefacts.to_shape(facts["shape"])
    except Refusal as error:
        raise Refusal(f"load {folder}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        form = '{"kind": "image", "inputs": {"image": [1, 8, 8]}, "classes": 10}'
        said = f"{ARTEFACT} does not say what the model takes"
        raise Refusal(f'load {folder}: {said} (needed without data: "shape": {form})') from None
    return shape, _names(facts) or tuple(map(str, range(shape.classes)))


def _names(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes, () where they are not said."""
    more = facts.get("facts")
    said = facts.get("classes") or (more.get("classes") if isinstance(more, dict) else None)
    return tuple(map(str, said)) if isinstance(said, list) else ()


def _open(folder: Path, plugins: Plugins, shape: Shape, classes: tuple[str, ...]) -> Artefact:
    if not folder.is_dir():
        raise Refusal("no such folder")
    facts = _facts(folder)
    _same_shape(facts, shape, classes)
    if facts.get("runtime", "torch") != "torch":
        return _other(folder, facts, shape, classes)
    from kdbench.stages import networks  # noqa: PLC0415 - other runtimes are loaded without torch

    model = named_model(facts.get("model"), plugins)
    _plain_file(folder, WEIGHTS, None)
    edits = facts.get("edits") or []
    if edits:
        _plain_file(folder, EDITS, None)
        if not (isinstance(edits, list) and all(isinstance(edit, dict) and isinstance(edit.get("kind"), str) for edit in edits)):
            raise Refusal(f"{ARTEFACT}: edits must be a list of {{kind, facts}}")
    replay = networks.read_edits(edits, folder / EDITS)
    module = networks.rebuild(plugins, model, shape, replay)
    networks.load_weights(module, folder / WEIGHTS)
    more: dict[str, Json] = {"classes": list(classes), "made_elsewhere": True}
    files = {}
    if TOKENIZER in (facts.get("files") or ()):
        from kdbench.stages import tokenizing  # noqa: PLC0415 - only where there is one

        files[TOKENIZER] = tokenizing.normal(_plain_file(folder, TOKENIZER, LARGEST_FILE))
        more["tokenizer"] = tokenizing.Tokenizer(files[TOKENIZER]).fingerprint
    return Artefact("torch", shape, model, module, replay, files, more)


def _other(folder: Path, facts: Mapping[str, Any], shape: Shape, classes: tuple[str, ...]) -> Artefact:
    """An artefact of another runtime: the files that it lists, as they are. An ONNX graph must be whole and stand alone."""
    names = facts.get("files")
    if not (isinstance(names, list) and names and all(isinstance(n, str) and Path(n).name == n for n in names)):
        raise Refusal(f"{ARTEFACT}: files must list the names of the files of a {facts['runtime']} artefact, which lie beside it")
    files = {name: _plain_file(folder, name, LARGEST_FILE) for name in names}
    if facts["runtime"] == "onnx":
        from kdbench.nets.onnx_check import check  # noqa: PLC0415 - only for a graph

        for name, data in files.items():
            if name.endswith(".onnx"):
                check(name, data)
    return Artefact(str(facts["runtime"]), shape, None, None, (), files, {"classes": list(classes), "made_elsewhere": True})


def _facts(folder: Path) -> dict[str, Any]:
    data = _plain_file(folder, ARTEFACT, LARGEST_JSON)
    try:
        facts = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{ARTEFACT} is not plain JSON: {str(error)[:200]}") from None
    if not isinstance(facts, dict):
        raise Refusal(f"{ARTEFACT} must hold a mapping, not {type(facts).__name__}")
    for key in facts:
        if key not in KEYS:
            raise Refusal(f"{ARTEFACT}: unknown key {key!r}{nearest(key, KEYS)}")
    return facts


def _plain_file(folder: Path, name: str, limit: int | None) -> bytes:
    """The bytes of a small file; of a safetensors file only the header's length is looked at. Links and pipes are refused."""
    path = folder / name
    try:
        held = path.lstat()
    except OSError:
        other = [p.name for p in sorted(folder.iterdir()) if p.suffix in PICKLES] if name == WEIGHTS else []
        hint = f"; {other[0]} may hold code: save its tensors with safetensors.torch.save_file" if other else ""
        raise Refusal(f"there is no {name}{hint}") from None
    if not stat.S_ISREG(held.st_mode):
        raise Refusal(f"{name} is not a plain file (links are not followed)")
    if limit is not None:
        if held.st_size > limit:
            raise Refusal(f"{name} has {held.st_size} bytes, more than {limit}")
        return path.read_bytes()
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if held.st_size < 8 or header > min(LARGEST_HEADER, held.st_size - 8):
        raise Refusal(f"{name} is not a whole safetensors file (its header says {header} bytes)")
    return b""


def _same_shape(facts: Mapping[str, Any], shape: Shape, classes: tuple[str, ...]) -> None:
    said = facts.get("shape")
    if said is not None:
        try:
            found = artefacts.to_shape({"separator": shape.separator, **said})
        except (KeyError, TypeError, ValueError):
            raise Refusal(f"{ARTEFACT}: shape must be {{kind, inputs, classes, levels}}") from None
        if found.classes != shape.classes:
            raise Refusal(f"the checkpoint tells {found.classes} classes apart, the data have {shape.classes}")
        if found != shape:
            raise Refusal(f"the checkpoint is for {artefacts.text_of(found)}, the data are {artefacts.text_of(shape)}")
    more = facts.get("facts")
    names = facts.get("classes") or (more.get("classes") if isinstance(more, dict) else None)
    if names is not None and names != list(classes):
        alike = isinstance(names, list) and sorted(map(str, names)) == sorted(classes)
        kind = "in another order" if alike else "others"
        raise Refusal(f"the checkpoint's classes are {kind} than the data's ({', '.join(classes[:10])})")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
