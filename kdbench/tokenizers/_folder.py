"""The tokenizer of a checkpoint folder of transformers, whose facts lie in several files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from kdbench import Refusal

NAME = "tokenizer.json"
LARGEST = 64 * 2**20
"""Bytes of a file that are read at most."""

SECTION = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0}
ROLES = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
"""The special tokens of BERT, which a folder may call otherwise."""

PLAIN_BYTES = ("whisper", "gpt2")
"""Types whose texts are pairs of bytes joined by a list of merges, without anything put around them."""


def plain(place: Path) -> bytes:
    """The bytes of a regular file. Raises Refusal for anything else, and for one that is too large."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"file: {place}: {error.strerror or 'cannot be read'} (allowed: a {NAME}, or a folder with one)") from None
    with open(handle, "rb") as opened:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise Refusal(f"file: {place} is not a plain file")
        if facts.st_size > LARGEST:
            raise Refusal(f"file: {place} has {facts.st_size} bytes, more than {LARGEST}")
        return opened.read(LARGEST + 1)


def of_folder(folder: Path) -> bytes:
    """Its tokenizer.json, in which the padding is the one that the folder names beside it; made from vocab.txt where a folder of
    BERT has only that.
    """
    said = _facts(folder, "special_tokens_map.json") | _facts(folder, "tokenizer_config.json")
    if not (folder / NAME).exists():
        merges = (folder / "vocab.json").exists() and (folder / "merges.txt").exists()
        return _of_merges(folder, said) if merges else _of_vocabulary(folder, said)
    facts = _parsed(folder / NAME)
    padding = _name(said.get("pad_token")) or _numbered(facts, _facts(folder, "config.json").get("pad_token_id"))
    if padding:
        facts["padding"] = {**SECTION, "pad_token": padding}
    return json.dumps(facts).encode("utf-8")


def _of_vocabulary(folder: Path, said: dict[str, Any]) -> bytes:
    save = "transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
    if not (folder / "vocab.txt").exists():
        found = [name for name in ("vocab.json", "spiece.model", "tokenizer.model") if (folder / name).exists()]
        has = f"has {found[0]}, but no {NAME}" if found else f"has no {NAME}"
        raise Refusal(f"file: {folder} {has}; write one with {save}")
    try:
        tokens = plain(folder / "vocab.txt").decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refusal(f"file: {folder}/vocab.txt is not UTF-8") from None
    vocabulary = {token.rstrip("\r"): i for i, token in enumerate(tokens[: -1 if tokens[-1] == "" else None])}
    unknown, first, last = (_name(said.get(role)) or usual for role, usual in ROLES.items())
    lost = [token for token in (unknown, first, last) if token not in vocabulary]
    if lost:
        raise Refusal(f"file: {folder}/vocab.txt has no {lost[0]}, so it is not a vocabulary of BERT; write a {NAME} with {save}")
    lower = bool(said.get("do_lower_case", True))
    accents = said.get("strip_accents")
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    inner.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=accents if isinstance(accents, bool) else None)
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    inner.post_processor = processors.BertProcessing((last, vocabulary[last]), (first, vocabulary[first]))
    padding = _name(said.get("pad_token")) or "[PAD]"
    inner.add_special_tokens([token for token in (padding, unknown, first, last, "[MASK]") if token in vocabulary])
    if padding in vocabulary:
        inner.enable_padding(pad_id=vocabulary[padding], pad_token=padding)
    return inner.to_str().encode("utf-8")


def _of_merges(folder: Path, said: dict[str, Any]) -> bytes:
    """The tokenizer of vocab.json and merges.txt, with the tokens that other files add to them."""
    kind = str(_facts(folder, "config.json").get("model_type"))
    if kind not in PLAIN_BYTES:
        some = " or ".join(PLAIN_BYTES)
        raise Refusal(f"file: {folder} has vocab.json and merges.txt, but no {NAME}, which a {kind[:40]} needs (else: {some})")
    try:
        lines = plain(folder / "merges.txt").decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise Refusal(f"file: {folder}/merges.txt is not UTF-8") from None
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    joined = [(pair[0], pair[-1]) for pair in pairs]
    vocabulary = _facts(folder, "vocab.json")
    added = {str(name): number for name, number in _facts(folder, "added_tokens.json").items()}
    listed = said.get("added_tokens_decoder")
    added |= {_name(one): int(k) if k.isdecimal() else k for k, one in listed.items()} if isinstance(listed, dict) else {}
    numbers = {**added, **vocabulary}
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in numbers.values()):
        raise Refusal(f"file: {folder}: vocab.json and what adds to it must give a number, 0 or more, to each token")
    try:
        inner = Tokenizer(models.BPE(numbers, joined))
    except Exception as error:
        raise Refusal(
            f"file: {folder}: vocab.json and merges.txt do not belong together: {' '.join(str(error).split())[:200]}"
        ) from None
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = [name for name in numbers if name.startswith("<|") and name.endswith("|>")]
    inner.add_special_tokens(sorted(special, key=numbers.__getitem__))
    padding = _name(said.get("pad_token"))
    if padding in numbers:
        inner.enable_padding(pad_id=numbers[padding], pad_token=padding)
    return inner.to_str().encode("utf-8")


def _facts(folder: Path, name: str) -> dict[str, Any]:
    return _parsed(folder / name) if (folder / name).exists() else {}


def _parsed(place: Path) -> dict[str, Any]:
    try:
        facts = json.loads(plain(place).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(f"file: {place} is not plain JSON: {str(error)[:200]}") from None
    if not isinstance(facts, dict):
        raise Refusal(f"file: {place} must hold a mapping, not {type(facts).__name__}")
    return facts


def _name(said: Any) -> str:
    """A special token as a folder writes it: its text, or a mapping with its content."""
    text = said.get("content") if isinstance(said, dict) else said
    return text if isinstance(text, str) else ""


def _numbered(facts: dict[str, Any], number: Any) -> str:
    """The special token with this number, "" for none."""
    listed = facts.get("added_tokens")
    added = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return next((_name(one) for one in added if one.get("id") == number and number is not None), "")
