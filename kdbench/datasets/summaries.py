"""Your own summaries: documents and what they say in short."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._sources import Columns, read_sources


@dataset(kind="text", files=("{path}",), groups=("*",), answer="text")
def summaries(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    source: str = "document",
    target: str = "summary",
    prompt: str = "summarize: {source}",
    groups: list[str] | None = None,
    id: str = "",
    split: str = "",
    cluster: str = "",
    licence: str = "not stated",
) -> Samples:
    """Documents with summaries from a .json, .jsonl, .csv or .parquet file, in the data folder or absolute.

    source, target: the columns of the document and of its summary; a list of texts is several references (the first is taught,
    the best one counts). prompt: what the model reads, with {source} for the document; it is noted with the data. groups, id,
    split, cluster: columns, as for `texts`; without `split`, kdbench draws one.
    """
    return read_sources(root, path, Columns(source, target, groups or (), id, split, cluster), prompt, licence)
