"""lm-eval alone with its model: offline, silent, and from the same seeds every time."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator

import numpy as np

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
SWITCHES = (("huggingface_hub.constants", "HF_HUB_OFFLINE"), ("datasets.config", "HF_HUB_OFFLINE"))
"""What libraries that are loaded already have read from the environment, by module and name."""
SEED = 1234
"""lm-eval's own seed of examples before a question."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is fetched, written to the terminal, or drawn from a state that an earlier job left behind; afterwards all is as it
    was.
    """
    before = {name: os.environ.get(name) for name in OFFLINE}
    known = [(sys.modules[module], name) for module, name in SWITCHES if module in sys.modules]
    held = [getattr(module, name, False) for module, name in known]
    level, state, drawn = logging.root.manager.disable, random.getstate(), np.random.get_state()  # noqa: NPY002 - lm-eval's own
    os.environ.update(OFFLINE)
    for module, name in known:
        setattr(module, name, True)
    logging.disable(logging.CRITICAL)
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - as above
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        random.setstate(state)
        np.random.set_state(drawn)  # noqa: NPY002 - as above
        for (module, name), value in zip(known, held, strict=True):
            setattr(module, name, value)
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old
