"""A model as `artefact.json` names it, checked against what its plugin declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.declare import RANGES
from kdbench.nouns import Refusal, Use
from kdbench.registry import Plugins, nearest
from kdbench.signature import Param
from kdbench.stages.artefacts import ARTEFACT

PLAIN: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


def named_model(said: Any, plugins: Plugins) -> Use:
    """`resnet_cifar`, {resnet_cifar: {depth: 8}} or {name, params}; parameters checked against the model's signature.

    Raises Refusal for anything else.
    """
    if isinstance(said, str):
        said = {said: {}}
    if isinstance(said, dict) and set(said) == {"name", "params"}:
        said = {said["name"]: said["params"]}
    if not (isinstance(said, dict) and len(said) == 1):
        raise Refusal(f'{ARTEFACT}: "model" must be {{"name": {{parameters}}}}, e.g. {{"resnet_cifar": {{"depth": 8}}}}')
    name, given = next(iter(said.items()))
    if not isinstance(given, dict | None) or not isinstance(name, str):
        raise Refusal(f"{ARTEFACT}: parameters of model {name!r} must be a mapping, not {type(given).__name__}")
    described = {param.name: param for param in plugins.get("model", name).params}
    for key, value in (given or {}).items():
        if key not in described:
            raise Refusal(f"model {name!r} has no parameter {key!r}{nearest(key, list(described))}")
        _check_value(described[key], value, f"model {name!r}")
    for key, param in described.items():
        if param.required and key not in (given or {}):
            raise Refusal(f"model {name!r} needs {key!r}")
    return Use(name, {key: (given or {}).get(key, param.default) for key, param in described.items()})


def _check_value(param: Param, value: Any, where: str) -> None:
    base, limits = RANGES.get(param.annotation, (None, None))
    allowed = PLAIN.get(base.__name__ if base is not None else param.annotation)
    if allowed is None:
        return  # a richer type: the model itself says what it takes
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise Refusal(f"{where}: {param.name} must be {param.annotation}, not {value!r}")
    if limits is None or not isinstance(value, int | float):
        return
    number = float(value)
    below = limits.low is not None and (number < limits.low or (limits.low_open and number == limits.low))
    above = limits.high is not None and (number > limits.high or (limits.high_open and number == limits.high))
    if below or above:
        raise Refusal(f"{where}: {param.name} must be {param.annotation}, not {value!r}")
