"""Finds plugins by listing folders, and reads what they declare without importing them.

A plugin is a file: its folder says the kind, its name is the name in a suite. The file is imported only by `load`, in the
process that needs it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from kdbench.declare import Plugin
from kdbench.nouns import Refusal, Use
from kdbench.signature import Description, Found, Problem, describe

GROUP = "kdbench.plugins"
FOLDERS: Mapping[str, str] = {
    "method": "methods",
    "view": "views",
    "tokenizer": "tokenizers",
    "harness": "harnesses",
    "relabeler": "relabelers",
    "compressor": "compressors",
    "model": "models",
    "dataset": "datasets",
    "shift": "shifts",
    "metric": "metrics",
    "target": "targets",
    "section": "sections",
}


class Plugins:
    """Everything that can be named in a suite, by kind and name."""

    def __init__(self, found: Iterable[Found], problems: Iterable[Problem] = ()) -> None:
        self._found: dict[tuple[str, str], Found] = {}
        self.problems: list[Problem] = list(problems)
        for one in found:
            first = self._found.setdefault((one.kind, one.name), one)
            if first is not one:
                reason = f"the name is taken by {first.origin}; rename the file"
                self.problems.append(Problem(one.kind, one.name, one.origin, reason))

    def names(self, kind: str) -> tuple[str, ...]:
        """All names of a kind, sorted."""
        return tuple(sorted(name for k, name in self._found if k == kind))

    def get(self, kind: str, name: str) -> Description:
        """What the file declares. Raises Refusal for an unknown name (with the nearest) or a file that cannot be read."""
        if (kind, name) not in self._found:
            raise Refusal(f"no {kind} named {name!r}{nearest(name, self.names(kind))}")
        found = self._found[kind, name]
        result = describe(found, found.changed())
        if isinstance(result, Problem):
            raise Refusal(f"{kind} {name!r} ({found.path}): {result.reason}")
        return result

    def about(self, dataset: Use, kind: str = "dataset") -> Mapping[str, Any]:
        """What a dataset declares; where its answer depends on a parameter, "{param}", as the parameter says. Raises Refusal."""
        facts = self.get(kind, dataset.name).facts
        return {**facts, "answer": str(facts.get("answer", "class")).format_map(dataset.params)}

    def describe(self, kind: str) -> Iterator[Description | Problem]:
        """Every plugin of a kind, readable or not."""
        for name in self.names(kind):
            found = self._found[kind, name]
            yield describe(found, found.changed())

    def load(self, kind: str, name: str) -> tuple[Plugin, Any]:
        """Import the file: (the declared plugin, its module). Only for processes that may be lost."""
        description = self.get(kind, name)
        module = _import(description.module, description.path, kind)
        plugin = getattr(module, name, None)
        if not isinstance(plugin, Plugin):
            raise Refusal(f"{description.path}: {name} is not declared with @{kind}")
        return plugin, module


def discover(folders: Sequence[Path] = ()) -> Plugins:
    """Built-ins first, then installed packages, then the given folders; the first of a name keeps it."""
    found = list(_listing(Path(__file__).parent, "kdbench", "kdbench"))
    problems: list[Problem] = []
    for point in importlib.metadata.entry_points(group=GROUP):
        origin = point.dist.name if point.dist else point.name
        place = _package_folder(point.value)
        if place is None:
            problems.append(Problem("", point.name, origin, f"package {point.value!r} is not installed"))
        else:
            found += _listing(place, origin if origin != "kdbench" else point.value, point.value)
    for folder in folders:
        if not folder.is_dir():
            raise Refusal(f"--plugins {folder}: no such folder")
        listed = list(_listing(folder.resolve(), str(folder), ""))
        if not listed:
            raise Refusal(f"--plugins {folder}: holds none of the folders {', '.join(FOLDERS.values())}")
        found += listed
    return Plugins(found, problems)


def given(description: Description, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence that a plugin names, by name. Raises Refusal for a name that is not on offer."""
    for name in description.evidence:
        if name not in evidence:
            raise Refusal(f"{description.kind} {description.name!r} asks for {name!r}{nearest(name, tuple(evidence))}")
    return {name: evidence[name] for name in description.evidence}


def nearest(name: str, allowed: Sequence[str]) -> str:
    """The tail of a refusal: the nearest allowed name, and the allowed names."""
    close = get_close_matches(str(name).lower(), allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (allowed: {', '.join(allowed) or 'none'})"


def _listing(root: Path, origin: str, package: str) -> Iterator[Found]:
    for kind, folder in FOLDERS.items():
        if (root / folder).is_dir():
            paths = sorted((root / folder).glob("*.py"))
            private = tuple(path for path in paths if path.name.startswith("_") and path.name != "__init__.py")
            for path in paths:
                if not path.name.startswith("_"):
                    yield Found(kind, path.stem, path, origin, f"{package}.{folder}.{path.stem}" if package else "", private)


def _package_folder(package: str) -> Path | None:
    """Where a top-level package lies, without importing it."""
    try:
        spec = importlib.util.find_spec(package.split(":")[0].split(".")[0])
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _import(module: str, path: Path, kind: str) -> Any:
    if module:
        return importlib.import_module(module)
    folder = f"kdbench_folder_{hashlib.sha256(str(path.parent).encode()).hexdigest()[:12]}"
    name = f"{folder}.{path.stem}"
    if name not in sys.modules:
        package = sys.modules.setdefault(folder, ModuleType(folder))  # so that `from ._private import f` finds its neighbour
        package.__path__ = [str(path.parent)]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise Refusal(f"{path}: not a Python file")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
