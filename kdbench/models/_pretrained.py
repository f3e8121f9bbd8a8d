"""What surrounds a network of `transformers`: inputs in order, logits alone, no look at padding, and where its layers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from ._segments import segments, separator_of

ADDED = ("bert", "distilbert", "mobilebert", "roberta", "t5")
"""Types that were seen to take a mask in the form that is added to the scores. Given the plain one, the library looks at its
values to leave it out, which no exporter can follow; the others get the plain one all the same, as another form may not mean
the same.
"""

ROLES: Mapping[str, tuple[str, ...]] = {
    "query": ("query", "q_lin", "q_proj", "q"),
    "key": ("key", "k_lin", "k_proj", "k"),
    "value": ("value", "v_lin", "v_proj", "v"),
}
"""What the library calls the projections of attention."""

FIRST = ("embeddings", "drop", "embed_tokens", "embedder")
"""What it calls the module whose output enters the first layer."""


class Classifier(nn.Module):
    """tokens int64 (b, length) -> logits (b, classes). separator: the token between the texts of a pair, which a network that
    tells them apart is shown (see `segments`); -1 for none.
    """

    def __init__(self, network: nn.Module, padding: int = 0, separator: int = -1) -> None:
        super().__init__()
        self.network = network
        self.padding, self.separator = padding, separator_of(network, separator)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The network's logits."""
        mask = attended(self.network, tokens, self.padding)
        more = segments(tokens, self.padding, self.separator)
        return self.network(input_ids=tokens, attention_mask=mask, return_dict=True, **more).logits  # type: ignore[no-any-return]


class ImageClassifier(nn.Module):
    """image float32 (b, channels, height, width) -> logits (b, classes). scale, offset: what each channel is multiplied by, and
    what is added then.
    """

    def __init__(self, network: nn.Module, scale: Sequence[float], offset: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.tensor(scale).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).reshape(1, -1, 1, 1), persistent=False)
        self.changes = any(s != 1 for s in scale) or any(o != 0 for o in offset)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The network's logits."""
        pixels = image * self.scale + self.offset if self.changes else image  # type: ignore[operator]
        return self.network(pixel_values=pixels, return_dict=True).logits  # type: ignore[no-any-return]


class Translator(nn.Module):
    """tokens int64 (b, length), prefix int64 (b, m) -> logits (b, m, vocabulary) of what follows each token of the prefix."""

    def __init__(self, network: nn.Module, padding: int = 0) -> None:
        super().__init__()
        self.network = network
        self.padding = padding

    def forward(self, tokens: torch.Tensor, prefix: torch.Tensor) -> torch.Tensor:
        """The network's logits. No position of the prefix sees a later one, so padding on its right changes nothing before it."""
        return self.network(  # type: ignore[no-any-return]
            input_ids=tokens,
            attention_mask=attended(self.network, tokens, self.padding),
            decoder_input_ids=prefix,
            use_cache=False,
            return_dict=True,
        ).logits


class Encoder(nn.Module):
    """tokens int64 (b, length) -> vectors (b, d), pooled over the last layer's (b, length, d).

    pooling: "mean" over the tokens that are no padding, "max" over them, or the "first" token; normalize: whether vectors are
    then divided by their length, as `sentence_transformers` does where its folder says so. separator: see `Classifier`.
    """

    def __init__(self, network: nn.Module, padding: int, pooling: str, normalize: bool, separator: int = -1) -> None:
        super().__init__()
        self.network = network
        self.padding, self.separator = padding, separator_of(network, separator)
        self.pooling, self.normalize = pooling, normalize

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The pooled vectors. A row of padding alone gives zeros (its first token with "first")."""
        mask = attended(self.network, tokens, self.padding)
        more = segments(tokens, self.padding, self.separator)
        states = self.network(input_ids=tokens, attention_mask=mask, return_dict=True, **more).last_hidden_state
        real = (tokens != self.padding)[:, :, None]
        if self.pooling == "first":
            vectors = states[:, 0]
        elif self.pooling == "max":
            vectors = states.masked_fill(~real, torch.finfo(states.dtype).min).amax(1) * real.any(1)
        else:
            weights = real.to(states.dtype)
            vectors = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return F.normalize(vectors, dim=1) if self.normalize else vectors


def attended(network: nn.Module, tokens: torch.Tensor, padding: int) -> torch.Tensor:
    """What attention may look at, as the library takes it: everything but padding."""
    config: Any = network.config
    if config.model_type not in ADDED:
        return (tokens != padding).long()
    dtype = next(network.parameters()).dtype
    return (tokens == padding)[:, None, None, :].to(dtype) * torch.finfo(dtype).min


def located(module: Any) -> Any:
    """The same module, which holds a network of the library as `network`, and now says where things are in it. `layers`: the name
    of the list of its layers ("" for none); `taps`, `inner`: its features and the projections of its attention, as a model plugin
    declares them.
    """
    module.layers, module.taps, module.inner = parts(module.network)
    return module


def parts(network: nn.Module) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """The name of the list of layers, the taps, and the projections of attention by role; of a decoder, where there are two.

    The names begin at a module that holds the network as `network`. Taps: what enters the first layer, and each layer.
    """
    lists = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
    outer = [name for name, _ in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    if not outer:
        return "", (), {}
    layers = next((name for name in reversed(outer) if "decoder" in name), outer[0])
    block = network.get_submodule(layers)[0]  # type: ignore[index]
    within = block.layer if isinstance(getattr(block, "layer", None), nn.ModuleList) else ()
    rest = f".layer.{len(within) - 1}" if len(within) else ""  # T5: the block gives a tuple, the last part of it the tensor
    around = [layers.rpartition(".")[0], layers.rpartition(".")[0].rpartition(".")[0]]
    known = dict(network.named_modules())
    first = [f"{place}.{name}".lstrip(".") for place in around for name in FIRST if f"{place}.{name}".lstrip(".") in known][:1]
    taps = tuple(f"network.{name}" for name in (*first, f"{layers}.*{rest}"))
    return f"network.{layers}", taps, _inner(network, layers, block)


def _inner(network: nn.Module, layers: str, block: nn.Module) -> dict[str, str]:
    """The projections of each role; none where they are fused, or where several queries share a key."""
    config: Any = network.config
    if getattr(config, "num_key_value_heads", None) not in (None, getattr(config, "num_attention_heads", None)):
        return {}
    found: dict[str, str] = {}
    for role, names in ROLES.items():
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear) and name.rpartition(".")[2] in names:
                found.setdefault(role, f"network.{layers}.*.{name}")
    return found if len(found) == len(ROLES) else {}
