"""All plugins that come with kdbench, read as `kdbench list` reads them; and what is packed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kdbench.cli.show import allowed
from kdbench.registry import FOLDERS
from kdbench.signature import Description

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def described(plugins):
    return [one for kind in FOLDERS for one in plugins.describe(kind)]


def test_every_plugin_file_can_be_read(plugins):
    assert not plugins.problems
    assert [one for one in described(plugins) if not isinstance(one, Description)] == []


def test_every_plugin_is_documented(plugins):
    assert [f"{one.kind} {one.name}" for one in described(plugins) if len(one.doc.split()) < 4] == []


def test_every_type_of_parameter_is_understood(plugins):
    """A bare builtin, a list of one, a mapping, a literal, or a range that declare.py names; each may be "or nothing"."""
    item = r"(bool|int|float|str|(int|float) (from|above) [^\s,\]]+)"
    some = rf"{item}|nothing|list\[{item}\]|tuple\[{item}, \.\.\.\]|dict\[str, Any\]"
    one_of = rf"({some}|'[^']*'|-?\d+|(int|float) (from|above) \S+(,? (to|below) \S+)?)"
    known = re.compile(rf"{one_of}( or {one_of})*")
    strange = [
        f"{one.kind} {one.name}.{param.name}: {param.annotation}"
        for one in described(plugins)
        for param in one.params
        if not known.fullmatch(allowed(param))
    ]
    assert not strange


def test_both_packages_are_found(plugins):
    assert {one.origin for one in described(plugins)} >= {"kdbench", "kdbench_baselines"}


def test_the_list_of_packages_is_complete():
    """setuptools is told each package by name."""
    here = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".").replace("baselines", "kdbench_baselines")
        for room in ("kdbench", "baselines")
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == here


def test_the_wheel_holds_every_file_of_the_packages(tmp_path):
    """Built from a copy, because setuptools leaves a build folder behind."""
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.egg-info", "build")
    for name in ("kdbench", "baselines"):
        shutil.copytree(ROOT / name, tmp_path / "src" / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "src" / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        tmp_path,
        tmp_path / "src",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    source = {
        p.relative_to(tmp_path / "src").as_posix()
        for name in ("kdbench", "baselines")
        for p in (tmp_path / "src" / name).rglob("*")
    }
    wanted = {name.replace("baselines/", "kdbench_baselines/", 1) if name.startswith("baselines/") else name for name in source}
    missing = sorted(name for name in wanted - held if "." in Path(name).name)
    assert not missing


@pytest.mark.parametrize("extra", ["", "test", "dev"])
def test_constraints_pin_every_direct_dependency_within_its_floor(extra):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    project = PROJECT["project"]
    for text in project["optional-dependencies"][extra] if extra else project["dependencies"]:
        wanted = Requirement(text)
        if wanted.name != "kdbench":
            assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), text
