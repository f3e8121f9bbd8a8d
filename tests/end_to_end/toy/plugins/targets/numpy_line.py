"""A linear model in numpy: a target without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from kdbench import Artefact, Runner, target


@target(accepts=("toy",), reference=True, timed=False)
def numpy_line(artefact: Artefact, example: Mapping[str, np.ndarray]) -> Runner:
    """Logits (-z, z), where z is linear in the two coordinates."""
    model = {name: np.asarray(values) for name, values in json.loads(artefact.files["model.json"]).items()}

    def predict(x: Mapping[str, np.ndarray]) -> np.ndarray:
        z = x["numeric"] @ model["weights"] + model["bias"]
        return np.stack([-z, z], axis=1).astype(np.float32)

    return Runner(predict)
