"""Folders of a tiny Whisper as transformers writes them, with random weights, and clips with the words that are said in them."""

import json

import numpy as np
import torch

from kdbench import Samples
from kdbench.nouns import Job
from kdbench.stages import samples, sound

SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|notimestamps|>")
WORDS = ("zero", "one", "two", "three", "four", "five")
NAMES = (*SPECIAL, *WORDS)
ENDS, STARTS, ENGLISH, GERMAN, TRANSLATE, TRANSCRIBE, PLAIN = range(len(SPECIAL))
RATE, SECONDS, MELS = 16_000, 2, 20
WRITING = {
    "decoder_start_token_id": STARTS, "eos_token_id": ENDS, "pad_token_id": ENDS, "bos_token_id": ENDS, "language": "en",
    "task": "transcribe", "lang_to_id": {"<|en|>": ENGLISH, "<|de|>": GERMAN},
    "task_to_id": {"translate": TRANSLATE, "transcribe": TRANSCRIBE}, "no_timestamps_token_id": PLAIN, "is_multilingual": True,
    "return_timestamps": False, "suppress_tokens": None, "begin_suppress_tokens": None,
}  # fmt: skip
BEGINS = [ENGLISH, TRANSCRIBE, PLAIN]
"""What generate puts behind <|startoftranscript|> for WRITING."""


def network(kind="ForConditionalGeneration", seed=26, **more):
    """A network of transformers, far enough from zero to write more than one word."""
    import transformers

    torch.manual_seed(seed)
    sizes = {
        "vocab_size": len(NAMES), "num_mel_bins": MELS, "d_model": 16, "encoder_layers": 1, "decoder_layers": 2,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
        "max_source_positions": SECONDS * 50, "max_target_positions": 16, "pad_token_id": ENDS, "bos_token_id": ENDS,
        "eos_token_id": ENDS, "decoder_start_token_id": STARTS, "begin_suppress_tokens": None,
    }  # fmt: skip
    made = getattr(transformers, f"Whisper{kind}")(transformers.WhisperConfig(**{**sizes, **more})).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(torch.randn_like(value) * 0.4)
    return made


def folder(place, made=None, writing=(), **hears):
    """What save_pretrained writes: network, feature extractor and tokenizer; generation_config.json as WRITING has it."""
    import transformers

    (network() if made is None else made).save_pretrained(place)
    transformers.WhisperFeatureExtractor(**{"feature_size": MELS, "chunk_length": SECONDS, **hears}).save_pretrained(place)
    words(place)
    (place / "generation_config.json").write_text(json.dumps({**WRITING, **dict(writing)}))
    return place


def words(place):
    """A tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(NAMES)}, unk_token=WORDS[0]))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(list(SPECIAL))
    inner.save(str(place / "tokenizer.json"))


def clips(n, seconds=1.0, rate=RATE, seed=0):
    """int16 (n, samples): noise and tones to the very end, unlike in loudness; the first row has a silent part, the last is
    silent.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    tones = np.sin(2 * np.pi * rng.uniform(100, 3500, (n, 3))[..., None] * time).sum(1) / 3
    audio = 10.0 ** rng.uniform(-3, -0.3, (n, 1)) * (tones + 0.3 * rng.normal(size=(n, len(time))))
    audio[0, len(time) // 2 :] = 0
    audio[-1] = 0
    return np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)


def entry(store, audio, said, rate=RATE, name="words"):
    """The entry of a data stage: the first half trains, the rest tests."""
    n = len(audio)
    about = Samples("audio", {"audio": audio}, np.zeros(n, int), np.arange(n).astype(str), ("a",), "", "", rate=rate)
    ready = sound.fit(about, audio, np.arange(n) < n // 2)
    target = np.array(said, dtype=object)
    rows = samples.Rows({"audio": audio}, np.zeros(n, np.int64), about.ids, {}, None, {"target": target})
    meta = {
        "kind": "audio", "answer": "text", "classes": ["a"], "positive": None, "columns": {}, "levels": [], "licence": "",
        "source": "made in the test", "notes": [], "prepare": ready.prepare,
    }  # fmt: skip
    job = Job("data", {"name": name, "content": samples.content(rows, np.zeros(n), ["a"]), "rate": rate})
    with store.write(job) as draft:
        samples.write(draft, rows, np.where(np.arange(n) < n // 2, 0, 2), meta)
    return store.open(job.key)
