"""A plugin as a suite names it, and how several of one plugin are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kdbench.nouns.canonical import Params


@dataclass(frozen=True, slots=True)
class Use:
    """A plugin by name, with every parameter filled in: what `kd` or `kd: {temperature: 2}` in a suite becomes."""

    name: str
    params: Params = field(default_factory=dict)


def labelled(uses: Sequence[Use]) -> dict[str, Use]:
    """Uses by the name that tells them apart: the plugin's own; where several are of one plugin, with the parameters in which
    they differ, `ssh{host=pi}`. Equal uses are one.
    """
    held: dict[str, Use] = {}
    for use in uses:
        alike = [dict(other.params) for other in uses if other.name == use.name]
        differing = [key for key, value in use.params.items() if any(other.get(key) != value for other in alike)]
        said = ",".join(f"{key}={use.params[key]}" for key in differing)
        held[f"{use.name}{{{said}}}" if said else use.name] = use
    return held
