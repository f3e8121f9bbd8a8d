"""Prediction files as other people write them: with pandas, csv, numpy and pyarrow, without kdbench."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write(path, columns, **meta):
    """Columns (lists, arrays (n,) or (n, K)) to a file of the format of its ending. meta: kdbench.* metadata, not for CSV."""
    return {".parquet": parquet, ".csv": text, ".npz": npz}[path.suffix](path, columns, **meta)


def parquet(path, columns, **meta):
    held = {k: v if isinstance(v, pa.Array) else pa.array(list(v) if np.ndim(v) == 2 else v) for k, v in columns.items()}
    said = {f"kdbench.{k}": v if isinstance(v, str) else json.dumps(v) for k, v in meta.items()}
    pq.write_table(pa.table(held).replace_schema_metadata(said), path)
    return path


def text(path, columns):
    columns = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in columns.items()}
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(
            ["" if v is None else repr(v) if isinstance(v, float) else v for v in row]
            for row in zip(*columns.values(), strict=True)
        )
    return path


def npz(path, columns, **meta):
    said = {f"kdbench.{k}": np.array(v) for k, v in meta.items()}
    np.savez(path, **{k: np.asarray(v) for k, v in columns.items()}, **said)
    return path


def logits(n=60, classes=3, seed=0, skill=2.0):
    """(labels, logits) of a model that is right more often the larger `skill` is."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    z = rng.normal(size=(n, classes))
    z[np.arange(n), label] += skill
    return label, z


def good(n=60, classes=3, **other):
    """The columns of a plain file of logits, one column a class."""
    label, z = logits(n, classes)
    columns = {"id": [f"r{i}" for i in range(n)], "label": [f"c{k}" for k in label]}
    columns |= {f"logit.c{k}": z[:, k].tolist() for k in range(classes)}
    return {**columns, **other}
