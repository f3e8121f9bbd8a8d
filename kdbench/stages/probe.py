"""Test rows of another dataset on which the models of a task are asked: with labels and groups, brought to the task's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kdbench.nouns import Job, Refusal
from kdbench.registry import nearest
from kdbench.stages import Place
from kdbench.stages.checks import NO_ROWS
from kdbench.stages.leaks import same_inputs
from kdbench.stages.ood import KEPT, brought
from kdbench.stages.samples import SPLITS, Rows, raw, write
from kdbench.store import Draft, Entry


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """spec: labels {class there: class here}. Reads `data`, whose shape, classes and preparation hold, and `other`; writes the
    test rows of `other` with their labels among the task's classes, mapped by name; their groups and clusters stay.

    Raises Refusal for data of another kind or answer, and for a class that the task does not have.
    """
    del place
    data, other = inputs["data"], inputs["other"]
    here, there = data.json("meta.json"), other.json("meta.json")
    for what in ("kind", "answer"):
        if here[what] != there[what]:
            raise Refusal(
                f"probe: its {what} is {there[what]!r}, the task's is {here[what]!r}; choose a dataset of the same {what}"
            )
    rows = raw(other, "test")
    y: np.ndarray = rows.y
    notes: list[str] = []
    if here["answer"] == "class":
        y, notes = mapped(rows.y, there["classes"], here["classes"], dict(job.spec["labels"]))  # type: ignore[arg-type]
    kept = {k: here[k] for k in KEPT if k in here}
    if here["answer"] != "class":
        kept["classes"] = there["classes"]  # nobody answers with them: they say which texts belong together
    rows = Rows(brought(rows.x, here, there), y, rows.ids, rows.groups, rows.cluster, rows.more)
    notes += _known(rows.x, raw(data, "train").x)
    meta = {**kept, "licence": there["licence"], "source": there["source"], "notes": [*there["notes"], *notes]}
    write(draft, rows, np.full(len(y), SPLITS.index("test")), meta)


def _known(x: Mapping[str, np.ndarray], train: Mapping[str, np.ndarray]) -> list[str]:
    """A note where rows of a probe are training rows of the task: they are no news to its models."""
    n = len(next(iter(x.values())))
    same = same_inputs({name: np.concatenate([value, train[name]]) for name, value in x.items()})
    found = int(np.isin(same[:n], same[n:]).sum())
    return [f"{found} of {n} rows ({found / n:.2%}) are training rows of the task, too"] if found else []


def mapped(y: np.ndarray, there: Sequence[str], here: Sequence[str], given: Mapping[str, str]) -> tuple[np.ndarray, list[str]]:
    """Labels (n,) among the classes `here`, and notes, also on classes that no row has. given: class there -> class here, where
    the names differ in more than case. Names that are equal to the letter come first: two classes may differ in case alone.

    Raises Refusal for a class of these rows that is not to be found, and for names in `given` that nobody has.
    """
    for name, to in given.items():
        for known, said in ((there, name), (here, to)):
            if said not in known:
                raise Refusal(f"probe: labels: no class {said!r}{nearest(said, tuple(known))}")
    table = np.full(len(there) + 1, -1, np.int64)  # the last place serves rows without a label
    for code, name in enumerate(there):
        to = given.get(name, name)
        alike = [to] if to in here else [one for one in here if one.casefold() == to.casefold()]
        if len(alike) == 1:
            table[code] = here.index(alike[0])
        elif bool((y == code).any()):
            raise Refusal(
                f"probe: its class {name!r} is none of the task's{nearest(name, tuple(here))}; say labels: {{{name}: ...}}"
            )
    notes = [f"class {a!r} counts as {b!r}" for a, b in given.items() if a != b]
    return table[y], [*notes, *_absent(table[y], here)]


def _absent(y: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Notes on classes of the task that no row has, as the data of the task say them; and where all rows are of one class."""
    counts = np.bincount(y[y >= 0], minlength=len(classes))
    if (counts > 0).sum() == 1:
        one = classes[int(counts.argmax())][:60]
        return [f"all rows have the class {one!r}: a model that says nothing else is always right"]
    absent = [name[:60] for name, count in zip(classes, counts.tolist(), strict=True) if not count]
    return [f"no row has the class {name!r}: {NO_ROWS}" for name in absent[:20]]
