"""What was said about each example of a set, and per-example columns of few distinct values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

KINDS = (("decisions", "probabilities", "logits"), ("values",), ("tokens", "texts"), ("vectors",))
"""What predictions hold: families that have nothing in common, and in each the kinds from the one that tells least."""


INPUTS = "inputs"
"""What a metric reads that is about the examples themselves, whatever was asked."""
HARNESS = "harness"
"""What a metric reads that is about lm-eval's own values of each document, whatever was asked."""


def lacks(kind: str, reads: str) -> str:
    """Why predictions of a kind cannot serve a metric that reads another; "" if they can."""
    if reads in (INPUTS, HARNESS):
        return ""
    family = next(one for one in KINDS if kind in one)
    if reads not in family:
        return f"it reads {reads}; these predictions are {kind}"
    return f"it reads {reads}; these predictions hold only {kind}" if family.index(kind) < family.index(reads) else ""


@dataclass(frozen=True)
class Predictions:
    """Stored answers of one contender on one set of n examples.

    ids text (n,); label int64 (n,) index into `classes`, -1 for none; logits float (n, classes); pred int64 (n,): the decision,
    the first of the largest where several are. classes: names; positive: the class that is a decision in favour, if any.
    kind: what is known. "logits": as the network gave them; "probabilities": `logits` are their logarithms, known up to a
    constant per example; "decisions": only `pred` is known; "values": a regression, `logits` (n, 1) are the predicted and
    `label` the true numbers, float (n,); "tokens": what was said of the tokens of each row, summed in `columns`, and "texts":
    that, and the text that the model itself wrote (both without logits); "vectors": `logits` (n, d) are embeddings.
    columns: further arrays (n, ...) by name (see docs/predictions.md).

    The properties are computed once, in float64, and kept: metrics share them. Do not write into them.
    """

    ids: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    pred: np.ndarray
    classes: tuple[str, ...] = ()
    positive: int | None = None
    kind: str = "logits"
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def log_probability(self) -> np.ndarray:
        """Log softmax of the logits (n, classes), without a clip."""
        import numpy as np  # noqa: PLC0415 - records load no numerical library

        z = self.logits.astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
        return np.asarray(z)

    @cached_property
    def probability(self) -> np.ndarray:
        """Softmax of the logits, (n, classes)."""
        import numpy as np  # noqa: PLC0415 - as above

        return np.asarray(np.exp(self.log_probability))

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of the decision, (n,)."""
        import numpy as np  # noqa: PLC0415 - as above

        chosen = np.arange(len(self.pred)), self.pred
        if "probability" in self.__dict__:
            return np.asarray(self.probability[chosen])
        return np.asarray(np.exp(self.log_probability[chosen]))

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether the decision is the label, bool (n,)."""
        import numpy as np  # noqa: PLC0415 - as above

        return np.asarray(self.pred == self.label)

    @cached_property
    def by_confidence(self) -> np.ndarray:
        """The places of the examples from the most confident to the least, (n,); equal ones in their order."""
        import numpy as np  # noqa: PLC0415 - as above

        return np.asarray(np.argsort(-self.confidence, kind="stable"))

    def take(self, rows: np.ndarray | slice) -> Predictions:
        """Some rows, in that order. What was computed for all is not computed again (except orders)."""
        columns = {name: value[rows] for name, value in self.columns.items()}
        part = replace(self, columns=columns, **{name: getattr(self, name)[rows] for name in ("ids", "label", "logits", "pred")})
        for name in ("log_probability", "probability", "confidence", "correct"):
            if name in self.__dict__:
                part.__dict__[name] = self.__dict__[name][rows]
        return part


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Per-example columns that are zero but in one cell: each example lies in one of `count` cells, and brings values to it.

    code int (n,): the cell of each example, -1 for none. values: arrays (n,). As dense columns (n, count (1 + len(values))):
    1[code = c] for every cell c, then for each value v its v 1[code = c]. The means of these are what `finish` gets. Counting
    cells costs one pass, however many there are: a million rows are judged in milliseconds.
    """

    code: np.ndarray
    count: int
    values: tuple[np.ndarray, ...] = ()

    @property
    def width(self) -> int:
        """The number of columns that it stands for."""
        return self.count * (1 + len(self.values))
