"""PyTorch through torch.compile, on the CPU."""

from __future__ import annotations

import atexit
import copy
import functools
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from kdbench import Artefact, Bundle, Count, Refusal, Runner, target
from kdbench.targets import _compiled_loader as loader
from kdbench.targets._rows import CHUNK
from kdbench.targets._torch_loader import prepare
from kdbench.targets._torch_rows import torch_facts, torch_predictor, using


@target(accepts=("torch",), requires=("compiler",))
def torch_compile(artefact: Artefact, example: Mapping[str, np.ndarray], *, threads: Count = 1) -> Runner:
    """The network compiled by torch's inductor to C++ kernels, as one graph, on the CPU.

    example: {input: array (n, ...)}, in the order of the network's arguments. threads: of one kernel. Compiled for one row, for n
    rows and for 256, by which predictions are made; inductor chooses by the size, but one kernel may serve several. It takes
    seconds to minutes. The compiled kernels travel with the model, and the timed process refuses to compile any of them anew.
    Raises Refusal where torch cannot compile the whole network.
    """
    module = prepare(copy.deepcopy(artefact.module).cpu())
    rows = dict.fromkeys((CHUNK, len(next(iter(example.values()))), 1))
    sizes = loader.Sizes(list(rows), [(list(x.shape[1:]), str(x.dtype)) for x in example.values()])
    network = io.BytesIO()
    torch.save(module, network)
    folder = _kernels()
    try:
        with using(threads), loader.caching(folder):
            call = loader.primed(module, sizes)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"torch_compile: cannot be compiled: {type(error).__name__}: {first}") from error
    facts = torch_facts(module, "inductor CPU", threads) | {"compiled_rows": sorted(sizes.rows)}
    files = {
        loader.MODULE: network.getvalue(),
        loader.KERNELS: _zipped(Path(folder)),
        loader.SIZES: json.dumps(sizes._asdict()).encode(),
    }
    return Runner(torch_predictor(call, threads, CHUNK), Bundle(files, Path(loader.__file__)), facts)


@functools.cache
def _kernels() -> str:
    """The folder of all kernels of this process: torch keeps what it has loaded in memory and writes none twice, so that a folder
    for each network would lack what another one has compiled.
    """
    folder = tempfile.mkdtemp(prefix="kdbench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _zipped(folder: Path) -> bytes:
    """The files of a folder, uncompressed: they are read once, a moment later."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as out:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                out.write(path, path.relative_to(folder).as_posix())
    return held.getvalue()
