"""What the causal language models of `transformers` share: one argument, no look ahead, logits alone, a cache to write with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from kdbench import Refusal, Shape


class Causal(nn.Module):
    """tokens int64 (b, length) -> logits (b, length, vocabulary), of the token that follows each."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The network's logits. No position sees a later one, so padding on the right changes nothing before it."""
        return self._call(tokens, None, 0).logits  # type: ignore[no-any-return]

    def step(self, tokens: torch.Tensor, past: Any = None) -> tuple[torch.Tensor, Any]:
        """More tokens (b, k) after those that `past` remembers (None: the first) -> the logits (b, vocabulary) of the last of
        them, and the memory, which is changed in place.
        """
        seen = 0 if past is None else int(past.get_seq_length())
        given = self._call(tokens, past, seen, use_cache=True, logits_to_keep=1)
        return given.logits[:, -1], given.past_key_values

    def _call(self, tokens: torch.Tensor, past: Any, seen: int, use_cache: bool = False, **more: Any) -> Any:
        """The mask is made here, in the form that attention takes: left to itself the library looks at its inputs to find out
        whether it can do without one, which no exporter can follow.
        """
        every = torch.arange(seen + tokens.shape[1], device=tokens.device)
        mask = (every[None, :] <= every[seen:, None])[None, None]
        config: Any = self.network.config
        if config._attn_implementation == "eager":
            dtype = next(self.network.parameters()).dtype
            mask = (~mask).to(dtype) * torch.finfo(dtype).min
        return self.network(
            input_ids=tokens, attention_mask=mask, past_key_values=past, use_cache=use_cache, return_dict=True, **more
        )


def causal(name: str, shape: Shape, positions: int, options: Mapping[str, Any]) -> nn.Module:
    """The library's language model `name` ("GPT2", "Llama", ...) with fresh weights; a configuration of its own for each.

    Raises Refusal for rows longer than its positions, for data without a vocabulary, and for options that the library refuses.
    """
    import transformers  # noqa: PLC0415 - heavy, and only these models need it

    (length,) = shape.inputs["tokens"]
    if length > positions:
        raise Refusal(f"{name.lower()}: rows of {length} tokens, but {positions} positions (allowed: positions {length} or more)")
    vocabulary = shape.levels[0] if shape.levels else shape.classes
    build: Callable[..., nn.Module] = getattr(transformers, "GPT2LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM")
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))  # the library's defaults lie beyond a vocabulary
    try:
        return Causal(build(getattr(transformers, f"{name}Config")(vocab_size=vocabulary, **special, **options)))
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise Refusal(f"{name.lower()}: the library refuses these numbers: {text}") from error
