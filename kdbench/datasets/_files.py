"""Where the files of a dataset lie: in the data folder, or inside an installed package."""

from __future__ import annotations

import importlib.util
import stat
from pathlib import Path

from kdbench import Refusal


def in_folder(root: Path | None, name: str, most: int) -> Path:
    """A regular file of at most `most` bytes in the data folder (an absolute `name` needs none). Raises Refusal."""
    if root is None and not Path(name).is_absolute():
        raise Refusal(f"{name}: no data folder is known: give --data DIR or set KDBENCH_DATA to the folder that holds {name}")
    return regular((root or Path()) / name, most)


def in_package(package: str, name: str, most: int) -> Path:
    """A file that ships inside an installed package, found without importing the package. Raises Refusal."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refusal(f"{package}/{name}: the package {package!r} is not installed; pip install {package}")
    return regular(Path(next(iter(spec.submodule_search_locations))) / name, most)


def regular(path: Path, most: int) -> Path:
    """`path` itself, if it is a regular file (or a link to one) of at most `most` bytes. Raises Refusal."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise Refusal(f"{path}: no such file; give --data DIR or set KDBENCH_DATA to the folder that holds it") from None
    except (OSError, ValueError) as error:
        raise Refusal(f"{str(path)!r}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(facts.st_mode):
        raise Refusal(f"{path}: not a regular file; only regular files are read")
    if facts.st_size > most:
        raise Refusal(f"{path}: {facts.st_size} bytes; at most {most} are read")
    return path
