"""Fewer digits."""

from __future__ import annotations

import json
from dataclasses import replace

from kdbench import Artefact, Whole, compressor


@compressor(accepts=("toy",), gives="toy", graph="parameters")
def toy_round(artefact: Artefact, *, digits: Whole = 1) -> Artefact:
    """The weights, rounded."""
    model = json.loads(artefact.files["model.json"])
    rounded = {name: [round(value, digits) for value in values] for name, values in model.items()}
    return replace(artefact, files={"model.json": json.dumps(rounded).encode()})
