"""`kdbench doctor`: what this machine can run, and whether the stored evidence is whole. Changes nothing."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdbench.cli import options
from kdbench.cli.terminal import bold, clean, styled
from kdbench.execute import Site, host
from kdbench.execute.pool import Pool
from kdbench.nouns import Refusal
from kdbench.registry import FOLDERS, Plugins
from kdbench.signature import Problem
from kdbench.stages import available, energy_script
from kdbench.stages.host import fingerprint
from kdbench.store import Damaged, Missing, Store

WELL, ILL = 0, 3
PATIENCE = 20.0
"""Seconds that the job server gets to start."""
TORCH = """import torch
print(f"{torch.__version__}, {'CUDA ' + torch.version.cuda if torch.cuda.is_available() else 'no CUDA device'}, ", end="")
print(f"{torch.get_num_threads()} threads, oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}")"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ill: it keeps kdbench from doing what it is for, and makes the exit code 3."""

    heading: str
    name: str
    text: str
    ill: bool = False


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser("doctor", help="what this machine can run", description=__doc__)
    options.folders(parser)
    text = "also check every stored entry against its checksums (reads all of them)"
    parser.add_argument("--store", metavar="DIR", type=Path, help=text)
    parser.add_argument("--deep", action="store_true", help="also import torch, in a process of its own")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 if nothing is wrong, else 3. Raises Refusal for a folder that is not one."""
    plugins = options.plugins(args)
    findings = [*machine(), *packages(), *torch(deep=args.deep), *server(), *meters(), *targets(plugins), *problems(plugins)]
    if args.store is not None:
        findings += store(args.store)
    width, last, on = max(len(one.name) for one in findings), "", styled(sys.stdout)
    for one in findings:
        if one.heading != last:
            print(("\n" if last else "") + bold(one.heading, on))
            last = one.heading
        print(f"  {clean(one.name):<{width}}  {'WRONG: ' if one.ill else ''}{clean(one.text)}")
    return ILL if any(one.ill for one in findings) else WELL


def machine() -> Iterator[Finding]:
    """Processor, cores, memory, system."""
    facts = fingerprint()
    isa = facts["isa"] if isinstance(facts["isa"], list) else []
    yield Finding("machine", "processor", str(facts["cpu"] or "unknown"))
    yield Finding("machine", "cores", f"{host.cores()} of {os.cpu_count()} may be used: at most as many jobs at once")
    yield Finding("machine", "memory", f"{host.memory() / 2**30:.1f} GiB; {Site().cap() / 2**30:.1f} GiB for each job")
    yield Finding("machine", "AVX-512", "yes" if "avx512f" in isa else "no")
    yield Finding("machine", "AMX", "yes" if any(str(one).startswith("amx") for one in isa) else "no")
    yield Finding("machine", "system", f"{facts['os']} {facts['arch']}, Python {sys.version.split()[0]}")


def packages() -> Iterator[Finding]:
    """The packages that kdbench is made with, as installed; read from metadata, not imported."""
    try:
        wanted = importlib.metadata.requires("kdbench") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("packages", "kdbench", "is not installed: `pip install -e .`", ill=True)
        return
    for line in wanted:
        name, _, condition = line.partition(";")
        found = re.match(r"[\w.-]+", name)
        if found and "extra" not in condition:
            yield _package(found[0])


def _package(name: str) -> Finding:
    try:
        return Finding("packages", name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", name, "not installed", ill=True)


def torch(*, deep: bool) -> Iterator[Finding]:
    """Whether torch is there; with `deep`, whether it can be imported, and what it finds."""
    if importlib.util.find_spec("torch") is None:
        yield Finding("torch", "torch", "not found", ill=True)
    elif not deep:
        yield Finding("torch", "torch", "found (--deep imports it)")
    else:
        tried = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True, check=False, timeout=300)
        words = (tried.stdout if tried.returncode == 0 else tried.stderr).strip().splitlines()
        yield Finding("torch", "torch", words[-1] if words else f"exit code {tried.returncode}", ill=tried.returncode != 0)


def server() -> Iterator[Finding]:
    """Whether the job server starts, from nothing to ready, without torch."""
    began = time.monotonic()
    site = Site()
    hello = {"plugins": [], "data": "", "timeout": 1.0, "memory": 0, "host": {}, "stages": site.stages, "packages": []}
    with tempfile.TemporaryDirectory(prefix="kdbench-doctor-") as folder, selectors.DefaultSelector() as selector:
        try:
            pool = Pool(hello, Path(folder), [])
        except OSError as error:
            yield Finding("jobs", "job server", f"does not start: {error}", ill=True)
            return
        selector.register(pool.channel, selectors.EVENT_READ)
        while not pool.ready and pool.channel.open and time.monotonic() - began < PATIENCE:
            selector.select(1.0)
            pool.receive()
        ready, words = pool.ready, pool.words()
        pool.close(at_once=not ready)
    took = f"ready after {time.monotonic() - began:.2f} s"
    yield Finding("jobs", "job server", took if ready else f"does not start: {words or 'no answer'}", ill=not ready)


def meters() -> Iterator[Finding]:
    """Real meters of energy: without one, energy is reported as such."""
    why = energy_script.without()
    yield Finding("meters", "RAPL", why or ", ".join(one.name for one in energy_script.counters()))
    there = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    nvml = energy_script.without("cuda") or "driver found"
    yield Finding("meters", "NVIDIA", nvml if there else "no device")


def targets(plugins: Plugins) -> Iterator[Finding]:
    """Every target, and what this machine lacks for it, if anything."""
    for description in plugins.describe("target"):
        if isinstance(description, Problem):
            continue  # listed among the problems
        try:
            missing = available.lacks(description, {one.name: one.default for one in description.params})
        except Refusal as error:
            yield Finding("targets", description.name, str(error), ill=True)
        else:
            yield Finding("targets", description.name, f"not available: {missing}" if missing else "available")


def problems(plugins: Plugins) -> Iterator[Finding]:
    """Plugin files that cannot be used, by reading them alone."""
    found = [*plugins.problems, *(one for kind in FOLDERS for one in plugins.describe(kind) if isinstance(one, Problem))]
    for one in found:
        yield Finding("plugins", f"{one.kind} {one.name}".strip(), f"{one.origin}: {one.reason}", ill=True)
    if not found:
        yield Finding("plugins", "all", f"{sum(len(plugins.names(kind)) for kind in FOLDERS)} can be read")


def store(root: Path) -> Iterator[Finding]:
    """Every entry, every checksum. Raises Refusal where there is no store."""
    if not root.is_dir():
        raise Refusal(f"--store {root}: no such folder")
    held, whole, size = Store(root), 0, 0
    for key in tuple(held.keys()):
        try:
            entry = held.open(key)
        except (Damaged, Missing) as error:
            why = error.why if isinstance(error, Damaged) else "is gone"
            yield Finding("store", key[:12], f"{why}; it is made again when a run reads it", ill=True)
            continue
        whole += 1
        size += sum(facts["bytes"] for facts in entry.manifest["files"].values())
    yield Finding("store", "whole", f"{whole} entries, {size / 2**20:.1f} MiB")
