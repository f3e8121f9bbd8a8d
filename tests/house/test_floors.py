"""Who may import whom (.importlinter), and what the light commands load."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.registry import FOLDERS

ROOT = Path(__file__).parents[2]
HEAVY = {
    "torch",
    "transformers",
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "pyarrow",
    "onnxruntime",
    "onnx",
    "lm_eval",
    "altair",
    "jinja2",
}


def loaded(*command: str) -> set[str]:
    """Top-level packages that a command imports, from Python's own account (-X importtime)."""
    done = subprocess.run([sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 10, done.stderr
    return {line.split(".")[0] for line in lines}


@pytest.fixture(scope="module")
def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return parser


def test_import_linter_finds_every_floor_kept():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_room_stands_on_a_floor(contracts):
    """A new file or folder directly below kdbench/ must be given its floor."""
    floors = {
        name for line in contracts["importlinter:contract:floors"]["layers"].split() for name in line.split() if "." in name
    }
    kinds = {f"kdbench.{folder}" for folder in FOLDERS.values()}
    rooms = {f"kdbench.{p.stem}" for p in (ROOT / "kdbench").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"kdbench.__init__", "kdbench.__main__"} == floors | kinds


@pytest.mark.parametrize("contract", ["plugins", "door", "kinds"])
def test_every_kind_of_plugin_is_under_contract(contracts, contract):
    section = contracts[f"importlinter:contract:{contract}"]
    listed = set((section.get("source_modules") or section["modules"]).split())
    assert {f"kdbench.{folder}" for folder in FOLDERS.values()} <= listed


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("list",), ("list", "--json"), ("show", "model", "resnet_cifar"), ("init", "--help")]
)
def test_light_commands_load_nothing_heavy(words):
    names = loaded("-m", "kdbench", *words)
    assert not names & (HEAVY | {"pydantic", "rich", "ruamel", "typer", "multiprocessing"})


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--help"),
        ("plan", "--help"),
        ("report", "--help"),
        ("judge", "--help"),
        ("predictions", "--help"),
        ("measure", "--help"),
        ("export", "--help"),
        ("validate", "--help"),
        ("schema", "--help"),
        ("doctor", "--help"),
    ],
)
def test_help_of_a_command_loads_no_numerical_library(words):
    assert not loaded("-m", "kdbench", *words) & HEAVY


@pytest.mark.parametrize(
    "module", ["kdbench", "kdbench.registry", "kdbench.store", "kdbench.suite", "kdbench.plan", "kdbench.stages"]
)
def test_records_registry_suite_plan_and_store_load_no_numerical_library(module):
    assert not loaded("-c", f"import {module}") & HEAVY
