"""Greedy writing through a runner: a rule with a known answer, and the greedy `generate` of transformers itself."""

from __future__ import annotations

import numpy as np
import pytest
import tokenizers
import torch

from kdbench import Refusal, Runner, Shape
from kdbench.stages import writing
from kdbench.stages.samples import Rows

V = 30
PAD, UNK, BOS, EOS = range(4)


@pytest.fixture(scope="module")
def words():
    """A tokenizer whose token k is the word "wk"."""
    vocabulary = {"[PAD]": PAD, "[UNK]": UNK, "[BOS]": BOS, "[EOS]": EOS, **{f"w{k}": k for k in range(4, V)}}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.add_special_tokens(["[PAD]", "[UNK]", "[BOS]", "[EOS]"])
    return inner.to_str().encode()


def text(tokens):
    return " ".join(f"w{k}" for k in tokens)


def rows(x, y=None, target=None):
    n = len(next(iter(x.values())))
    more = {} if target is None else {"target": np.array(target, dtype=object)}
    y = np.full((n, 1), -100) if y is None else y
    return Rows({k: np.asarray(v) for k, v in x.items()}, y, np.array([f"r{i}" for i in range(n)]), {}, None, more)


def one_hot(next_token, shape):
    """Logits (b, m, V) that point at next_token (b, m)."""
    return np.eye(shape.classes, dtype=np.float32)[next_token]


PAIR = Shape("tokens", {"tokens": (8,), "prefix": (9,)}, V, (V,), "text", PAD)
PROMPT = Shape("tokens", {"tokens": (12,)}, V, (V,), "text", PAD)


def copying(calls, last_first=False):
    """Writes the source again, backwards where asked, and ends."""

    def predict(x):
        calls.append({k: v.shape for k, v in x.items()})
        tokens, prefix = x["tokens"], x["prefix"]
        out = np.full(prefix.shape, EOS)
        for i, row in enumerate(tokens):
            held = [k for k in row if k != PAD]
            held = held[::-1] if last_first else held
            for j in range(prefix.shape[1]):
                out[i, j] = held[j] if j < len(held) else EOS
        return one_hot(out, PAIR)

    return Runner(predict)


@pytest.mark.parametrize("last_first", [False, True])
def test_an_encoder_decoder_that_copies_writes_its_source(words, last_first):
    rng, calls = np.random.default_rng(0), []
    sources = [list(rng.integers(4, V, rng.integers(1, 9))) for _ in range(20)]
    tokens = np.array([s + [PAD] * (8 - len(s)) for s in sources])
    given = rows({"tokens": tokens, "prefix": np.full((20, 9), BOS)}, target=[f"ref {i}" for i in range(20)])
    found = writing.write(copying(calls, last_first), given, PAIR, words, 20)
    expected = [text(s[::-1] if last_first else s) for s in sources]
    assert found["text"].tolist() == expected
    assert found["reference"].tolist() == [f"ref {i}" for i in range(20)]
    assert found["ended"].all()
    assert found["written"].tolist() == [len(s) for s in sources]
    batches = [call["prefix"][0] for call in calls]
    assert batches == sorted(batches, reverse=True), "rows that ended leave the batch"
    assert [call["prefix"][1] for call in calls] == list(range(1, 10)), "no call is wider than it must be"
    assert calls[-1]["tokens"][1] == 8


def test_no_more_than_the_most_new_tokens_and_the_width_of_the_rows(words):
    tokens = np.array([[4, 5, 6, 7, 8, 9, 10, 11], [4, 5, PAD, PAD, PAD, PAD, PAD, PAD]])
    given = rows({"tokens": tokens, "prefix": np.full((2, 9), BOS)})
    found = writing.write(copying([]), given, PAIR, words, 3)
    assert found["text"].tolist() == ["w4 w5 w6", "w4 w5"]
    assert found["ended"].tolist() == [False, True]
    assert "reference" not in found
    forever = Runner(lambda x: one_hot(np.full(x["prefix"].shape, 5), PAIR))
    found = writing.write(forever, given, PAIR, words, 100)
    assert found["written"].tolist() == [9, 9], "the model has been asked for 9 positions and has no more"
    assert not found["ended"].any()


def counting(x):
    """The next token is the last one and one more; 20 ends. What stands on the right of a token cannot be seen."""
    tokens = x["tokens"]
    return one_hot(np.where(tokens == 20, EOS, np.minimum(tokens + 1, V - 1)), PROMPT)


def test_a_decoder_alone_goes_on_where_each_prompt_ends(words):
    tokens = np.full((4, 12), PAD)
    y = np.full((4, 12), -100)
    prompts = [[BOS, 9, 15], [BOS, 18], [4], [BOS, 4, 4, 4, 20]]
    for i, prompt in enumerate(prompts):
        row = [*prompt, 25, 26]  # the reference, which must not be read
        tokens[i, : len(row)] = row
        y[i, len(prompt) - 1 : len(prompt) + 2] = [25, 26, EOS]
    found = writing.write(Runner(counting), rows({"tokens": tokens}, y), PROMPT, words, 30)
    assert found["text"].tolist() == [text(range(16, 21)), text([19, 20]), text(range(5, 17)), ""]
    assert found["ended"].tolist() == [True, True, False, True]
    assert found["written"].tolist() == [5, 2, 12, 0]


def test_rows_write_the_same_alone_and_among_others(words):
    tokens = np.array([[BOS, 9, 15, *[PAD] * 9], [BOS, 12, PAD, *[PAD] * 9]])
    y = np.full((2, 12), -100)
    y[0, 2], y[1, 1] = 4, 4
    both = writing.write(Runner(counting), rows({"tokens": tokens}, y), PROMPT, words, 6)["text"]
    each = [
        writing.write(Runner(counting), rows({"tokens": tokens[i : i + 1]}, y[i : i + 1]), PROMPT, words, 6)["text"][0]
        for i in (0, 1)
    ]
    assert both.tolist() == each


def test_ties_go_to_the_lower_token(words):
    flat = Runner(lambda x: np.zeros((*x["prefix"].shape, V), np.float32))
    given = rows({"tokens": np.full((1, 8), 5), "prefix": np.full((1, 9), BOS)})
    assert writing.write(flat, given, PAIR, words, 2)["written"].tolist() == [2]


def test_refusals_of_outputs_that_are_none(words):
    given = rows({"tokens": np.full((2, 8), 5), "prefix": np.full((2, 9), BOS)})
    with pytest.raises(Refusal, match=r"logits of shape \(2, 30\), expected \(2, 1, 30\)"):
        writing.write(Runner(lambda x: np.zeros((2, V), np.float32)), given, PAIR, words, 2)
    with pytest.raises(Refusal, match="2 of 2 rows are not finite"):
        writing.write(Runner(lambda x: np.full((2, 1, V), np.nan, np.float32)), given, PAIR, words, 2)
    with pytest.raises(Refusal, match="0 new tokens"):
        writing.write(Runner(lambda x: np.zeros((2, 1, V), np.float32)), given, PAIR, words, 0)


def torch_runner(module):
    def predict(x):
        with torch.no_grad():
            return module(*(torch.from_numpy(v) for v in x.values())).numpy()

    return Runner(predict)


def built(found, name, shape, **params):
    from kdbench.nets.build import build
    from kdbench.nouns import Use

    module = build(found.load("model", name)[0], Use(name, params), shape, seed=4).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(3.0)  # fresh weights say the same everywhere
    return module


def test_t5_writes_what_generate_writes(found, words):
    shape = Shape("tokens", {"tokens": (8,), "prefix": (12,)}, V, (V,), "text", PAD)
    module = built(found, "t5", shape, layers=1, decoder_layers=2, hidden=32, heads=2, head=16, intermediate=64)
    rng = np.random.default_rng(3)
    tokens = rng.integers(4, V, (12, 8))
    for i in range(12):
        tokens[i, 8 - i % 5 :] = PAD
    found_ = writing.write(torch_runner(module), rows({"tokens": tokens, "prefix": np.full((12, 12), PAD)}), shape, words, 10)
    given = torch.from_numpy(tokens)
    theirs = module.network.generate(
        input_ids=given, attention_mask=(given != PAD).long(), max_new_tokens=10, do_sample=False, num_beams=1,
        eos_token_id=EOS, pad_token_id=PAD, decoder_start_token_id=PAD,
    )[:, 1:]  # fmt: skip
    assert len({t for row in theirs.tolist() for t in row}) > 4, "it writes more than one word"
    for row, written in zip(theirs.tolist(), found_["text"], strict=True):
        answer = row[: row.index(EOS)] if EOS in row else row
        assert written == text(k for k in answer if k > EOS)


def test_gpt2_writes_what_generate_writes(found, words):
    shape = Shape("tokens", {"tokens": (20,)}, V, (V,), "text", PAD)
    module = built(found, "gpt2", shape, layers=2, hidden=32, heads=2, positions=20, dropout=0.0)
    rng = np.random.default_rng(3)
    tokens, y = np.full((10, 20), PAD), np.full((10, 20), -100)
    for i in range(10):
        length = 2 + i % 6
        tokens[i, :length] = rng.integers(4, V, length)
        y[i, length - 1] = 5
    got = writing.write(torch_runner(module), rows({"tokens": tokens}, y), shape, words, 8)
    seen = set()
    for i in range(10):
        prompt = torch.from_numpy(tokens[i : i + 1, : 2 + i % 6])
        theirs = module.network.generate(
            input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False, num_beams=1,
            eos_token_id=EOS, pad_token_id=PAD,
        )[0, prompt.shape[1] :].tolist()  # fmt: skip
        answer = theirs[: theirs.index(EOS)] if EOS in theirs else theirs
        seen.update(answer)
        assert got["text"][i] == text(k for k in answer if k > EOS)
    assert len(seen) > 4, "it writes more than one word"


def test_an_int8_graph_writes_through_its_own_runtime(found, words, tmp_path):
    """The quantised graph decides each token, not the network that it was made of."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from kdbench.nets.export import to_onnx

    shape = Shape("tokens", {"tokens": (8,), "prefix": (12,)}, V, (V,), "text", PAD)
    module = built(found, "t5", shape, layers=1, decoder_layers=1, hidden=32, heads=2, head=16, intermediate=64)
    tokens = np.random.default_rng(0).integers(4, V, (6, 8))
    given = rows({"tokens": tokens, "prefix": np.full((6, 12), PAD)})
    (tmp_path / "a.onnx").write_bytes(to_onnx(module, {k: v[:2] for k, v in given.x.items()}))
    quantize_dynamic(tmp_path / "a.onnx", tmp_path / "b.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    session = onnxruntime.InferenceSession(tmp_path / "b.onnx", providers=["CPUExecutionProvider"])
    runner = Runner(lambda x: session.run(None, dict(x))[0])
    found_ = writing.write(runner, given, shape, words, 6)
    said = np.full((6, 1), PAD)
    for _ in range(6):
        said = np.concatenate([said, session.run(None, {"tokens": tokens, "prefix": said})[0][:, -1:].argmax(-1)], axis=1)
    for row, written in zip(said[:, 1:].tolist(), found_["text"], strict=True):
        answer = row[: row.index(EOS)] if EOS in row else row
        assert written == text(k for k in answer if k > EOS)
