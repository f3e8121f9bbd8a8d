"""The suite that only loads checkpoint folders: a full comparison without training, judged by transformers itself."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SUITE = Path(__file__).parents[2] / "suites" / "audit_two_checkpoints.yaml"
NAMES = ("good", "bad")
"""The classes as the checkpoints number them: not the order of the data, which is that of the alphabet."""
SUBJECTS = ("film", "plot", "cast", "score", "ending", "dialogue", "camera", "pace")
PRAISE, BLAME = ("fine", "bright", "moving", "clever"), ("dull", "flat", "clumsy", "hollow")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = ("the", "is", "and", "really", "never", *SUBJECTS, *PRAISE, *BLAME)
PIECES = ("pa", "##ce", *(word for word in reversed(WORDS[2:]) if word != "pace"))
"""Another vocabulary, in which a word has two tokens."""
ROWS = ("teacher", "student", "other-words", "misnamed")


def sentences():
    """(text, label, split): each sentence once."""
    made = [(f"The {a} is {b} and the {c} is {b}.", "good") for a in SUBJECTS for b in PRAISE for c in ("film", "pace") if a != c]
    made += [(f"The {a} is never {b} and really {c}.", "bad") for a in SUBJECTS for b in PRAISE for c in BLAME[:2]]
    return [(text, label, ("train", "test", "validation", "test")[i % 4]) for i, (text, label) in enumerate(made)]


def checkpoint(folder, layers, seed, words=WORDS, names=NAMES):
    """A folder as transformers writes it: a BERT classifier with random weights, and its tokenizer."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(words) + len(SPECIAL), hidden_size=16, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip
    network = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.4)
    vocabulary = {name: i for i, name in enumerate((*SPECIAL, *words))}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.add_special_tokens(list(SPECIAL))
    rows = [inner.encode(text).ids for text, _, _ in sentences()]
    with torch.no_grad():  # in the middle, so that both classes are chosen
        said = torch.cat([network.eval()(input_ids=torch.tensor([row])).logits for row in rows])
        network.classifier.bias -= said.median(0).values
    network.save_pretrained(folder)
    inner.save(str(folder / "tokenizer.json"))


def decisions(folder, texts):
    """The class of each text, by name, as the library says it of one text at a time."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.no_grad():
        said = [int(network(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits.argmax()) for text in texts]
    return np.array([network.config.id2label[i] for i in said])


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """(the folder, the ended process, its scores) of the suite as its comment says to run it."""
    place = tmp_path_factory.mktemp("audit")
    with open(place / "reviews.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("review", "verdict", "part"), *sentences()])
    checkpoint(place / "teacher", layers=2, seed=1)
    checkpoint(place / "student", layers=1, seed=2)
    checkpoint(place / "other-words", layers=1, seed=3, words=PIECES)
    checkpoint(place / "misnamed", layers=1, seed=4, names=("praise", "blame"))
    asked = {
        "teacher.load": place / "teacher",
        "contenders": f"{{{', '.join(f'{name}: [load: {place}/{name}]' for name in ROWS[1:])}}}",
        "data.dataset": f"{{texts: {{path: {place}/reviews.csv, text: review, label: verdict, split: part}}}}",
        "data.length": 16, "data.shifts": "[typos]", "data.severities": "[3]", "probes": "[]", "targets": "[torch_cpu]",
        "measure": "{seconds: 0.2}", "resamples": 200,
    }  # fmt: skip
    settings = [part for path, value in asked.items() for part in ("--set", f"{path}={value}")]
    environment = {name: value for name, value in os.environ.items() if name != "KDBENCH_DATA"} | {"TMPDIR": str(place)}
    command = [sys.executable, "-m", "kdbench", "run", str(SUITE), *settings]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False)
    scores = pd.read_parquet(place / "reports/audit_two_checkpoints/scores.parquet")
    return place, done, scores[(scores["seed"] == 0) & (scores["slice"] == "") & (scores["shift"] == "")]


def number(scores, contender, metric):
    """The one number of a contender on the clean test rows."""
    found = scores[(scores["contender"] == contender) & (scores["metric"] == metric) & (scores["status"].isin(["ok", "noisy"]))]
    assert len(found) == 1, (contender, metric, len(found))
    return float(found["value"].iloc[0])


def reasons(scores, contender, metric):
    """Why a contender has no number."""
    found = scores[(scores["contender"] == contender) & (scores["metric"] == metric) & ~scores["status"].isin(["ok", "noisy"])]
    return set(found["reason"])


def test_accuracy_and_agreement_of_loaded_checkpoints_against_transformers(audited):
    place, _, scores = audited
    test = [(text, label) for text, label, part in sentences() if part == "test"]
    label = np.array([label for _, label in test])
    said = {name: decisions(place / name, [text for text, _ in test]) for name in ROWS[:3]}
    assert all(len(set(chosen)) == 2 for chosen in said.values())  # else an order of classes could not be told from its reverse
    for name, chosen in said.items():
        assert number(scores, name, "accuracy") == pytest.approx((chosen == label).mean(), abs=1e-12)
    for name in ROWS[1:3]:
        assert number(scores, name, "agreement") == pytest.approx((said[name] == said["teacher"]).mean(), abs=1e-12)


def test_sizes_and_times_of_loaded_checkpoints_are_on_the_board(audited):
    place, _, scores = audited
    from safetensors.numpy import load_file

    for name in ROWS[:3]:
        held = sum(value.size for value in load_file(place / name / "model.safetensors").values())
        assert number(scores, name, "parameters") == held
        assert number(scores, name, "bytes_on_disk") > 4 * held
    assert number(scores, "student", "parameters_ratio") < 1
    for name in ROWS[:2]:
        assert number(scores, name, "latency") > 0
        assert number(scores, name, "peak_memory") > 0
    assert number(scores, "student", "latency_ratio") < 1  # one layer instead of two
    assert (scores[scores["metric"] == "training_examples"]["value"].dropna() == 0).all()  # nothing was trained


def test_what_cannot_be_compared_says_why(audited):
    _, done, scores = audited
    assert done.returncode == 3  # partial: a row failed, and the others stand
    (why,) = reasons(scores, "misnamed", "accuracy")
    assert "the checkpoint's classes are praise, blame, the data's bad, good" in why
    assert not reasons(scores, "student", "latency_ratio")  # the same tokenizer, though it lies in another folder


def test_a_checkpoint_with_its_own_words_is_timed_on_the_same_texts(audited):
    place, _, scores = audited
    from tokenizers import Tokenizer

    wide = {}
    for name in ("teacher", "other-words"):
        tokenizer = Tokenizer.from_file(str(place / name / "tokenizer.json"))
        wide[name] = max(len(tokenizer.encode(text).ids) for text, _, part in sentences() if part == "test")
    assert wide["other-words"] == wide["teacher"] + 1
    assert 0 < number(scores, "other-words", "latency_ratio") < 1.1  # one layer instead of two
    said = f"the same texts, each model its own tokens: {wide['other-words']} a row, the teacher {wide['teacher']}"
    found = scores[(scores["metric"] == "latency_ratio") & scores["status"].isin(["ok", "noisy"])].set_index("contender")[
        "reason"
    ]
    assert said in found["other-words"]
    assert "own tokens" not in found["student"]
