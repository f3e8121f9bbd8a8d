"""Your own translations: texts in one language and in another."""

from __future__ import annotations

from pathlib import Path

from kdbench import Samples, dataset
from kdbench.datasets._sources import Columns, read_sources


@dataset(kind="text", files=("{path}",), groups=("*",), answer="text")
def translations(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    source: str = "source",
    target: str = "target",
    prompt: str = "{source}",
    groups: list[str] | None = None,
    id: str = "",
    split: str = "",
    cluster: str = "",
    licence: str = "not stated",
) -> Samples:
    """Texts with translations from a .json, .jsonl, .csv or .parquet file, in the data folder or absolute.

    source, target: the columns of the text and of its translation; a list of texts is several references (the first is taught,
    the best one counts). prompt: what the model reads, with {source} for the text (T5 wants "translate English to German:
    {source}"); it is noted with the data. groups, id, split, cluster: columns, as for `texts`; without `split`,
    kdbench draws one.
    """
    return read_sources(root, path, Columns(source, target, groups or (), id, split, cluster), prompt, licence)
