"""Numbers that the model stores, without its embedding tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench import Undefined, metric

from ._size_counts import count


@metric(
    form="measured",
    better="lower",
    unit="count",
    low=0.0,
    axis="size",
    title="Parameters without embeddings",
    equation="number of stored weights - number of weights in embedding tables",
    source="Kaplan et al. 2020 (Scaling laws for neural language models), whose N leaves embeddings out",
    convention="stored numbers, shared tensors once, zeros counted; tables are what nn.Embedding, or Gather in a graph, looks "
    "rows up in, positions too; a table that is also the output layer counts as a table",
    reads="decisions",
)
def parameters_without_embeddings(size: Mapping[str, Any]) -> float:
    """The difference of two counts of the size stage. Raises Undefined with its reason."""
    whole = count(size, "parameters")
    if size.get("embedding_parameters") is None:
        raise Undefined("this artefact does not tell its embeddings apart")
    return whole - float(size["embedding_parameters"])
