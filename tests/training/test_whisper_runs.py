"""A suite whose teacher and student are folders of Whisper, from clips to the board; judged by transformers and jiwer."""

from __future__ import annotations

import os
import subprocess
import sys

import jiwer
import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from whisper_folders import BEGINS, ENDS, MELS, RATE, STARTS, WORDS, clips, folder, network

pytestmark = pytest.mark.slow

PLUGIN = '''
"""Tones, and words that stand for them."""

import numpy as np

from kdbench import Samples, dataset


@dataset(kind="audio", files=("tones.npz",), licence="none", answer="text")
def tones(root) -> Samples:
    """Clips of a second at 16 kHz with one to three words each."""
    held = np.load(root / "tones.npz", allow_pickle=False)
    n = len(held["audio"])
    target = np.array(held["said"].tolist(), dtype=object)
    split = np.array([("train", "validation", "test")[i % 3] for i in range(n)])
    return Samples(
        "audio", {"audio": held["audio"]}, np.zeros(n, int), np.arange(n).astype(str), ("a",), "none", "made in the test",
        split=split, answer="text", target=target, rate=16000,
    )
'''
SUITE = """
suite: spoken
seeds: [0]
data: {dataset: tones, length: 9}
teacher: {load: ./teacher}
student: {model: whisper, layers: 1, decoder_layers: 1, hidden: 16, heads: 2, intermediate: 16, positions: 16}
train: {epochs: 2, batch: 4, optimizer: adamw, lr: 0.01}
contenders:
  other: [load: ./student]
  tuned: [load: ./student, fit: scratch]
  small: [fit: {kd: {weight: 1, temperature: 1}}]
  deaf: [load: ./deaf]
axes: [wer, agreement_of_texts, token_kl_to_teacher, parameters]
"""
N = 36
SAID = [" ".join(WORDS[(i * k) % 6] for k in range(1, 2 + i % 3)) for i in range(N)]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    place = tmp_path_factory.mktemp("spoken")
    for name, seed in (("teacher", 26), ("student", 6)):
        folder(place / name, network(seed=seed))
    folder(place / "deaf", network(seed=6, num_mel_bins=8))
    audio = clips(N)
    np.savez(place / "tones.npz", audio=audio, said=np.array(SAID))
    (place / "plugins/datasets").mkdir(parents=True)
    (place / "plugins/datasets/tones.py").write_text(PLUGIN, encoding="utf-8")
    (place / "suite.yaml").write_text(SUITE, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "KDBENCH_DATA"} | {"TMPDIR": str(place)}
    command = [sys.executable, "-m", "kdbench", "run", "suite.yaml", "--plugins", "plugins", "--data", "."]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 3, done.stderr  # one row fails, and the others stand
    scores = pd.read_parquet(place / "reports/spoken/scores.parquet")
    return place, audio, scores[(scores["seed"] == 0) & (scores["slice"] == "")]


def written(place, audio):
    """What the library's greedy search writes, from its own features."""
    judge = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(place)
    given = extractor([row / 32768 for row in audio], sampling_rate=RATE, return_tensors="pt").input_features.float()
    rows = transformers.GenerationMixin.generate(
        judge, given, decoder_input_ids=torch.tensor([[STARTS, *BEGINS]] * len(audio)), max_new_tokens=6, do_sample=False
    )[:, 4:].tolist()
    ended = [row[: row.index(ENDS)] if ENDS in row else row for row in rows]
    return [" ".join(WORDS[token - 7] for token in row if token >= 7) for row in ended]


def one(scores, contender, metric):
    found = scores[(scores["contender"] == contender) & (scores["metric"].str.startswith(metric))]
    assert len(found) == 1, found[["contender", "metric", "reason"]]
    return found.iloc[0]


def test_word_errors_of_folders_of_whisper_against_transformers_and_jiwer(board):
    place, audio, scores = board
    test = np.arange(N) % 3 == 2
    said = {name: written(place / name, audio[test]) for name in ("teacher", "student")}
    references = [text for text, is_test in zip(SAID, test, strict=True) if is_test]
    assert len(set(said["teacher"])) > 2
    for name, contender in (("teacher", "teacher"), ("student", "other")):
        assert one(scores, contender, "wer")["value"] == pytest.approx(jiwer.wer(references, said[name]), abs=1e-12)
    assert np.isfinite([one(scores, name, "wer")["value"] for name in ("tuned", "small")]).all()


def test_students_that_hear_as_the_teacher_are_compared_with_it(board):
    _, _, scores = board
    for name in ("other", "tuned", "small"):
        assert one(scores, name, "token_kl_to_teacher")["value"] > 0.01
    assert MELS == 20
    assert "for 20 bands and 200 frames, config.json for 8 bands" in one(scores, "deaf", "wer")["reason"]
