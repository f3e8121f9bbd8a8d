"""What this machine lacks for a plugin, found without importing anything heavy."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sysconfig
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kdbench.nouns import Refusal
from kdbench.registry import nearest
from kdbench.signature import Description


def lacks(plugin: Description, params: Mapping[str, Any]) -> str:
    """Why the plugin cannot run here, by what its file declares: `needs` packages, `requires` parts of the machine; "" if it can.

    params: as the suite sets them. Raises Refusal for a requirement that nobody knows how to look for.
    """
    missing = [f"{name} is not installed" for name in plugin.facts.get("needs", ()) if not _installed(name)]
    for name in plugin.facts.get("requires", ()):
        if name not in PARTS:
            raise Refusal(f"{plugin.kind} {plugin.name!r} requires {name!r}{nearest(name, tuple(PARTS))}")
        missing.append(PARTS[name](params))
    return "; ".join(filter(None, missing))


@cache
def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _compiler(_params: Mapping[str, Any]) -> str:
    """A C++ compiler, as torch looks for one, and the headers of this Python, which its kernels include."""
    wanted = os.environ.get("CXX") or ("clang++" if platform.system() == "Darwin" else "g++")
    if shutil.which(wanted.split()[0]) is None:
        return f"no C++ compiler ({wanted} is not on the PATH)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"no headers of Python {platform.python_version()} (Python.h) for the C++ compiler"
    return ""


def _cuda(_params: Mapping[str, Any]) -> str:
    """A driver with a device; whether torch can use it, shows when it does."""
    there = Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
    return "" if there or shutil.which("nvidia-smi") else "no NVIDIA device (no driver was found)"


def _provider(params: Mapping[str, Any]) -> str:
    """The library of an execution provider of ONNX Runtime. Those without one are known only when a session opens."""
    name, spec = params.get("provider"), importlib.util.find_spec("onnxruntime")
    if name not in SHARED or spec is None or not spec.submodule_search_locations:
        return ""
    there = list((Path(next(iter(spec.submodule_search_locations))) / "capi").glob(f"*onnxruntime_providers_{name}.*"))
    return "" if there else f"the installed onnxruntime has no provider {name}"


SHARED = ("cuda", "tensorrt", "openvino", "dnnl", "migraphx", "rocm", "qnn")
"""Execution providers of ONNX Runtime that come as a library of their own."""

PARTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"compiler": _compiler, "cuda": _cuda, "provider": _provider}
"""What a plugin may require of a machine, and how to find out what is missing."""
