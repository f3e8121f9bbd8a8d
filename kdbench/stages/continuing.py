"""A teacher that continues texts: its tokenizer, its network, and the sampling between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from kdbench.nets.writing import Sampling, sample
from kdbench.nouns import Artefact, Refusal, Writer
from kdbench.stages.tokenizing import Tokenizer
from kdbench.stages.tokens import filled

ROWS = 64
"""Prompts that are continued at once; all of one length."""


class _Answering(nn.Module):
    """An encoder-decoder with its source read in: what was said so far (b, m) -> logits (b, m, vocabulary)."""

    def __init__(self, network: nn.Module, tokens: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.tokens = tokens

    def forward(self, prefix: torch.Tensor) -> torch.Tensor:
        return self.network(self.tokens, prefix)  # type: ignore[no-any-return]


def writer(artefact: Artefact, tokenizer: Tokenizer, start: int | None = None) -> Writer:
    """The teacher of an artefact as one that writes. start: the token that its rows begin with (of an encoder-decoder: what its
    decoder reads first), as the data say; None for what the tokenizer says. Raises Refusal for one that cannot: no torch network,
    another answer than text or the next token, another vocabulary than the tokenizer's.
    """
    shape = artefact.shape
    if artefact.runtime != "torch" or shape.answer not in ("next", "text") or "tokens" not in shape.inputs:
        raise Refusal(f"the teacher must be a torch language model to write texts; it is {artefact.runtime}, {shape.kind}")
    mine = artefact.facts.get("tokenizer")
    if mine and mine != tokenizer.fingerprint:
        raise Refusal(f"the teacher's tokenizer is another (fingerprints {str(mine)[:12]} and {tokenizer.fingerprint[:12]})")

    def begin(texts: Sequence[str], tokens: int) -> list[str]:
        return [tokenizer.text(ids[:tokens]) for ids in tokenizer.plain(texts)]

    def write(prompts: Sequence[str], tokens: int, temperature: float, top_k: int, top_p: float, seed: int) -> list[str]:
        how = Sampling(temperature, top_k, top_p, tokenizer.eos, tokenizer.padding)
        generator = torch.Generator().manual_seed(seed % 2**63)
        if "prefix" in shape.inputs:
            first = tokenizer.before_answer if start is None else start
            return _answers(artefact, (tokenizer, first), prompts, tokens, (how, generator))
        usual = tokenizer.padding if tokenizer.start is None else tokenizer.start
        first = usual if start is None else start
        return _continued(artefact, (tokenizer, first), prompts, tokens, (how, generator))

    return Writer(begin, write)


def _continued(
    artefact: Artefact, by_whom: tuple[Tokenizer, int], prompts: Sequence[str], tokens: int, by: tuple[Sampling, torch.Generator]
) -> list[str]:
    """What a decoder writes after each prompt; a prompt that leaves no room for so many tokens loses its beginning."""
    tokenizer, start = by_whom
    room = artefact.shape.inputs["tokens"][0] + 1 - tokens  # the last token that is written is never read
    if room < 1:
        raise Refusal(f"the teacher's rows have {room - 1 + tokens} tokens; it cannot write {tokens}")
    ids = [[start, *row][-room:] for row in tokenizer.plain(prompts)]
    lengths = np.array([len(row) for row in ids])
    found = [""] * len(ids)
    for length in np.unique(lengths).tolist():
        for part in _parts(np.flatnonzero(lengths == length)):
            given = torch.tensor([ids[i] for i in part])
            for i, row in zip(part, sample(artefact.module, given, tokens, by[1], by[0]).tolist(), strict=True):
                found[i] = _after(tokenizer, row[:length], row[length:])
    return found


def _answers(
    artefact: Artefact, by_whom: tuple[Tokenizer, int], prompts: Sequence[str], tokens: int, by: tuple[Sampling, torch.Generator]
) -> list[str]:
    """What an encoder-decoder writes about each source."""
    tokenizer, start = by_whom
    sources, _ = tokenizer.cut(prompts, artefact.shape.inputs["tokens"][0])
    found = [""] * len(sources)
    for part in _parts(np.argsort([len(row) for row in sources], kind="stable")):
        width = max(len(sources[i]) for i in part)
        given = torch.from_numpy(filled([sources[i] for i in part], max(1, width), tokenizer.padding))
        network = _Answering(artefact.module, given).train(artefact.module.training)
        most = min(tokens, artefact.shape.inputs["prefix"][0])
        rows = sample(network, torch.full((len(part), 1), start), most, by[1], by[0]).tolist()
        for i, row in zip(part, rows, strict=True):
            found[i] = _after(tokenizer, [], row[1:])
    return found


def _parts(index: np.ndarray) -> list[list[int]]:
    return [index[k : k + ROWS].tolist() for k in range(0, len(index), ROWS)]


def _after(tokenizer: Tokenizer, prompt: list[int], written: list[int]) -> str:
    """The text of what was written. Decoded together with the prompt, so that no space between them is lost or made up."""
    if tokenizer.eos in written:
        written = written[: written.index(tokenizer.eos)]
    before, whole = tokenizer.text(prompt), tokenizer.text([*prompt, *written])
    return whole[len(before) :] if whole.startswith(before) else tokenizer.text(written)
