"""Stage `features`: what a torch network holds inside about every row of a split, one vector a tap and row.

spec: {split}. inputs: data (SAMPLES), artefact. Writes `ids.npy` (n,), `tap.<i>.npy` float32 (n, c_i), from shallow to deep, and
`features.json` {names, n, split, pooled}: names[i] is the submodule behind `tap.<i>.npy`, pooled[i] the shape of one row's
output there before it was averaged over its positions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from kdbench.nets.taps import expand, forward
from kdbench.nouns import Artefact, Job, Refusal, Shape
from kdbench.registry import Plugins
from kdbench.stages import Place, artefacts, samples
from kdbench.store import Draft, Entry
from kdbench.training.batches import Pool, pool

FEATURES = "features.json"
BATCH = 256
"""Rows of one forward pass, whatever the size of the split: no number depends on it beyond rounding."""


def run(job: Job, inputs: Mapping[str, Entry], draft: Draft, place: Place) -> None:
    """Run the network in evaluation mode over the split and write its taps.

    Raises Refusal for an artefact that is not torch, for data of another shape, for a model that declares no taps, for an empty
    split, and where features are not finite.
    """
    torch.set_num_threads(place.threads)
    split = str(job.spec["split"])
    artefact = artefacts.read(inputs["artefact"], place.plugins)
    if artefact.runtime != "torch":
        raise Refusal(f"features: a {artefact.runtime} artefact has no taps; only torch artefacts have")
    shape = samples.shape(inputs["data"])
    if dict(artefact.shape.inputs) != dict(shape.inputs):
        raise Refusal(f"features: the model is for {artefacts.text_of(artefact.shape)}, the data are {artefacts.text_of(shape)}")
    names = expand(artefact.module, declared(artefact, place.plugins))
    rows = samples.read(inputs["data"], split)
    if not len(rows.y):
        raise Refusal(f"features: the {split} split is empty")
    held, shapes = _record(artefact.module, pool(rows.x, rows.y), names, shape)
    for name, value in held.items():
        bad = int((~np.isfinite(value)).any(axis=1).sum())
        if bad:
            raise Refusal(f"invalid output: the features of {name!r} are not finite on {bad} of {len(value)} rows")
    draft.array("ids.npy", rows.ids)
    for i, name in enumerate(names):
        draft.array(f"tap.{i}.npy", held[name])
    draft.json(FEATURES, {"names": list(names), "n": len(rows.y), "split": split, "pooled": [list(shapes[n]) for n in names]})


def declared(artefact: Artefact, plugins: Plugins) -> tuple[str, ...]:
    """The taps that the model of an artefact declares, shallow to deep. Raises Refusal where it declares none."""
    name = artefact.model.name if artefact.model else ""
    taps = tuple(plugins.get("model", name).facts.get("taps", ())) if name else ()
    if not taps:
        raise Refusal(f"features: the model {name!r} declares no taps")
    return taps


def pooled(value: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """One float32 vector a row, (b, c): the mean over the positions of a feature.

    value: (b, c) as it is; (b, length, c), tokens: the mean over the length, with `mask` (b, length) over the positions where it
    is not 0 alone (0 where there is none); (b, c, height, width, ...): the mean over all that follows the channels (global
    average pooling). Means are taken in float64. Raises Refusal for another number of dimensions.
    """
    if value.ndim < 2:
        raise Refusal(f"features: a tap gives {tuple(value.shape)}; expected (rows, channels, ...) or (rows, length, channels)")
    wide = value.double()
    if value.ndim == 3:
        if mask is None:
            return wide.mean(1).float()
        weight = (mask != 0).to(wide).unsqueeze(2)
        return (torch.where(weight > 0, wide, 0.0).sum(1) / weight.sum(1).clamp(min=1)).float()
    return (wide.flatten(2).mean(2) if value.ndim > 3 else wide).float()


def _record(
    module: torch.nn.Module, data: Pool, names: tuple[str, ...], shape: Shape
) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, ...]]]:
    module = module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert not module.training, "in train mode a row's features would depend on the rows beside it"
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.no_grad():
        for index in torch.split(torch.arange(len(data)), BATCH):
            x = data.batch(index).x
            given = forward(module, x, names)
            for name in names:
                value = given.taps[name]
                if len(value) != len(index):
                    raise Refusal(f"features: tap {name!r} gives {len(value)} rows for {len(index)} examples")
                shapes[name] = tuple(value.shape[1:])
                mask = x["tokens"] != shape.padding if shape.kind == "tokens" else x.get("mask")
                along = mask is not None and value.ndim == 3 and value.shape[1] == mask.shape[1]
                parts[name].append(pooled(value, mask if along else None).numpy())
    return {name: np.concatenate(of) for name, of in parts.items()}, shapes
