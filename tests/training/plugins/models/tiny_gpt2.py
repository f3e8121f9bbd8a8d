"""A very small GPT-2."""

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from kdbench import Count, Shape, model


class _Net(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.network(input_ids=tokens, use_cache=False).logits


@model(kinds=("tokens",))
def tiny_gpt2(shape: Shape, *, width: Count = 16, layers: Count = 1) -> nn.Module:
    """Logits (b, length, vocabulary) for the next token."""
    config = GPT2Config(
        vocab_size=shape.classes, n_positions=shape.inputs["tokens"][0], n_embd=width, n_layer=layers, n_head=2,
        bos_token_id=0, eos_token_id=0, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return _Net(GPT2LMHeadModel(config))
