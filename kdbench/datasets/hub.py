"""A dataset of the Hugging Face hub, by name, configuration and commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._hub import opened, sheets
from kdbench.datasets._roles import Roles
from kdbench.datasets._sheet import Sheet


@dataset(kind="text", files=(), groups=("*",), answer="{answer}")
def hub(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    name: str,
    revision: str,
    config: str = "",
    text: str = "text",
    pair: str = "",
    label: str = "label",
    target: str = "",
    answer: Literal["class", "next", "text", "vector"] = "class",
    classes: list[str] | None = None,
    groups: list[str] | None = None,
    positive: str = "",
    train_split: str = "train",
    validation_split: str = "validation",
    test_split: str = "test",
    id: str = "",
    cluster: str = "",
    alike: bool = False,
    licence: str = "not stated",
) -> Samples:
    """Texts of the hub, by the library `datasets`, which must be installed; first from its cache, else over the network.

    name: as in `nyu-mll/glue`; config: its configuration, as `sst2`. revision: the commit, 40 hexadecimal digits: it stands for
    the content in every key, so a branch or a tag, which may move, is refused. No code of the hub is run. text, pair, label,
    target, answer, classes, groups, positive, id, cluster, alike: as in `texts`; labels go by their names where the hub has them.
    train_split, validation_split, test_split: which split of the hub serves as which, "" for none. GLUE keeps the labels of its
    test splits secret, so: `{hub: {name: nyu-mll/glue, config: sst2, revision: ..., text: sentence, validation_split: "",
    test_split: validation}}`.
    """
    del root
    roles = Roles(text, pair, label, target, answer, groups or (), id, cluster, classes or (), positive)
    said = {"train": train_split, "validation": validation_split, "test": test_split}
    splits = {ours: theirs for ours, theirs in said.items() if theirs}
    if len(set(splits.values())) < len(splits) or not splits:
        raise Refusal(f"hub: {name}: splits {', '.join(map(repr, said.values()))}: different splits of the hub are needed")
    found = sheets(opened(name, config, revision), splits, roles.columns())
    joined = Sheet(Path(name), {c: [v for one in found.values() for v in one.columns[c]] for c in roles.columns()})
    part = np.repeat(list(found), [one.rows for one in found.values()])
    samples = roles.samples(joined, part, licence, " ".join(filter(None, (name, config, "at", revision[:12]))))
    ids = samples.ids if id else np.array([f"{ours}-{i}" for ours, one in found.items() for i in range(one.rows)])
    return replace(samples, alike=alike, ids=ids)
