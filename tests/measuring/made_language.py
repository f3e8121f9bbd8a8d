"""A tiny language for tests of lm-eval: a tokenizer of characters, a random GPT-2, and a data folder for every built-in task."""

import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch import nn

from kdbench import Artefact, Runner, Shape
from kdbench.nouns import Use
from kdbench.stages.harness_model import RunnerLM, Words
from kdbench.stages.tokenizing import normal, open_tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .,?:'\n#ABDHKQSTW$"
NAMES = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", *LETTERS)
SIZE, LENGTH = 64, 96
NOUNS = ("cat", "dog", "bird", "fox", "hen", "cow")


@cache
def tokenizer_json():
    """A tokenizer that splits text into characters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(NAMES)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    made.add_special_tokens(["[PAD]", "[UNK]", "[BOS]", "[EOS]"])
    return normal(made.to_str().encode())


class Net(nn.Module):
    """A random GPT-2; its last layer is scaled so that it has opinions."""

    def __init__(self, size=SIZE, length=LENGTH, width=32, seed=0):
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(seed)
        special = {"bos_token_id": 2, "eos_token_id": 3}
        config = GPT2Config(vocab_size=size, n_positions=length, n_embd=width, n_layer=2, n_head=2, **special)
        self.network = GPT2LMHeadModel(config).eval()
        with torch.no_grad():
            self.network.transformer.ln_f.weight.mul_(6.0)

    def forward(self, tokens):
        return self.network(input_ids=tokens, use_cache=False).logits


@cache
def net(seed=0):
    return Net(seed=seed).eval()


def artefact(seed=0):
    return Artefact("torch", Shape("tokens", {"tokens": (LENGTH,)}, SIZE, (SIZE,), "next"), Use("made"), net(seed))


def words():
    opened = open_tokenizer(tokenizer_json())
    return Words(lambda text: opened.plain([text])[0], 2, opened.text, 3, 0)


def eager(module):
    """A Runner without a target around it."""

    def predict(x):
        with torch.inference_mode():
            return module(torch.from_numpy(x["tokens"])).numpy()

    return Runner(predict)


def ours(batch=8, seed=0, length=LENGTH):
    return RunnerLM(eager(net(seed)), words(), length=length, batch=batch)


def theirs(batch=8, seed=0, length=LENGTH):
    """lm-eval's own model around the same network."""
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer.from_str(tokenizer_json().decode())
    inner.no_padding()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]"}
    made = PreTrainedTokenizerFast(tokenizer_object=inner, clean_up_tokenization_spaces=False, **special)
    return HFLM(pretrained=net(seed).network, tokenizer=made, device="cpu", batch_size=batch, max_length=length)


def request(*args, doc_id=0):
    return SimpleNamespace(args=args, doc_id=doc_id)


def folder(root, n=24):
    """A data folder with n documents of every built-in task."""
    rng = np.random.default_rng(7)

    def noun():
        return str(rng.choice(NOUNS))

    def put(path, rows):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(file)

    pairs = [(noun(), noun()) for _ in range(n)]
    put(
        "lm/blimp/test.parquet",
        [
            {
                "sentence_good": f"the {a} sees {b}s.",
                "sentence_bad": f"the {a} see {b}s.",
                "field": "syntax/semantics" if i % 2 else "syntax",
                "linguistics_term": "agreement",
                "uid": f"u{i // (n // 3)}",
                "pair_id": i % (n // 3),
            }
            for i, (a, b) in enumerate(pairs)
        ],
    )
    put("lm/lambada_openai/test.parquet", [{"text": f"a {a} met a {b}. they saw the {a}"} for a, b in pairs])
    put(
        "lm/hellaswag_val/val.parquet",
        [
            {
                "context": f"H {a}: the {a} {i} sat. the {b}",
                "label": i % 4,
                **{f"ending{j}": f"{noun()}s" + " up" * j for j in range(4)},
            }
            for i, (a, b) in enumerate(pairs)
        ],
    )
    put(
        "lm/piqa_val/val.parquet",
        [{"goal": f"how {a} {i}?", "sol1": f"by {a}", "sol2": f"with a {b}", "label": i % 2} for i, (a, b) in enumerate(pairs)],
    )
    for split, k in (("test", n), ("train", 9)):
        put(f"lm/gsm8k/{split}.parquet", [{"question": f"{i} {noun()}s?", "answer": f"so {i}\n#### {i}"} for i in range(k)])
    lines = [line for i in range(n) for line in (" ", f" = {noun()} {i} = ", " ", f" a {noun()} , so ' it ' is . ")]
    put("lm/wikitext2_valid_test/test.parquet", [{"line": line} for line in lines])
    put(
        "fairness_text/crows_pairs/test.parquet",
        [
            {
                "sent_more": f"the {a} is bad.",
                "sent_less": f"the {b} is bad.",
                "stereo_antistereo": "stereo",
                "bias_type": ("age", "gender")[i % 2],
            }
            for i, (a, b) in enumerate(pairs)
        ],
    )
    said = {
        ("pro", 1): "[The cook] saw the guard as [she] sat.",
        ("anti", 1): "[The cook] saw the guard as [he] sat.",
        ("pro", 2): "The cook saw [the guard] and met [him].",
        ("anti", 2): "The cook saw [the guard] and met [her].",
    }
    put(
        "fairness_text/winobias/all.parquet",
        [
            {
                "split": "test",
                "type": t,
                "stereotype": s,
                "sentence_bracketed": text.replace("sat", f"sat {i}").replace("saw", f"saw {i}"),
            }
            for i in range(n // 4)
            for (s, t), text in said.items()
        ],
    )
    put(
        "fairness_text/bbq_6cat/test.parquet",
        [
            {
                "category": ("Age", "Nationality")[i % 2],
                "example_id": i,
                "question_index": str(i // 8),
                "question_polarity": ("neg", "nonneg")[i // 2 % 2],
                "context_condition": ("ambig", "disambig")[i // 4 % 2],
                "context": f"a {a} met a {b}.",
                "question": "who?",
                "ans0": "the old one",
                "ans1": "the Dutch one",
                "ans2": "unknown",
                "group0": "old",
                "group1": "nonOld",
                "group2": "unknown",
                "stereotyped_groups": json.dumps(["old"] if i % 2 == 0 else ["Dutch"]),
                "label": (2, 0, 1)[i % 3],
            }
            for i, (a, b) in enumerate(pairs)
        ],
    )
    return root
