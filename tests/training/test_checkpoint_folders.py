"""Folders of transformers: what is in them is not trusted, and what comes out equals what the library makes of them."""

import json
import os

import numpy as np
import pytest
import torch
from checkpoint_folders import WORDS, change, network, put, saved, tensors

from kdbench.nouns import Job, Refusal, Shape
from kdbench.stages import Place, artefacts, checkpoints, folders, load, samples
from kdbench.stages.tokenizing import open_tokenizer
from kdbench.stages.wanted import Wanted, taken_for
from kdbench.store import Store

CLASSES = ("bad", "good", "plain")
TEXTS = ["the film is good", "bad bad film", "plainly the plain film is", "goodly"]
CLASSIFIERS = ("bert", "distilbert", "mobilebert", "roberta", "gpt2", "llama")


def labelled(kind="bert", names=CLASSES, **more):
    held = {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    return network("AutoModelForSequenceClassification", kind, **held, **more)


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "checkpoint", labelled())


def opened(found, folder, answer="class", classes=CLASSES, length=12, head=""):
    return checkpoints.open_checkpoint(folder, found, Wanted(None, answer, tuple(classes), length), head)


def refused(found, folder, text, **how):
    with pytest.raises(Refusal, match=text) as caught:
        opened(found, folder, **how)
    assert "\n" not in str(caught.value)


def rows(artefact, texts=TEXTS):
    ids = open_tokenizer(artefact.files["tokenizer.json"]).ids(texts)
    x = torch.full((len(ids), artefact.shape.inputs["tokens"][0]), artefact.shape.padding)
    for row, one in zip(x, ids, strict=True):
        row[: len(one)] = torch.tensor(one)
    return x


def library(auto, folder, x, **call):
    """The judge: the library's own reading of the folder, with its own mask."""
    import transformers

    transformers.logging.disable_progress_bar()
    held = getattr(transformers, auto).from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return held(input_ids=x, attention_mask=(x != 0).long(), **call)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_answer_as_in_the_library(found, tmp_path, kind):
    where = saved(tmp_path, labelled(kind))
    made = opened(found, where)
    x = rows(made)
    assert made.shape == Shape("tokens", {"tokens": (12,)}, 3, (len(WORDS),), "class", 0, 3)
    assert torch.allclose(made.module(x), library("AutoModelForSequenceClassification", where, x).logits, atol=1e-5)
    assert not made.module.training


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("answer", ["next", "text"])
def test_language_models_answer_as_in_the_library(found, tmp_path, kind, answer):
    where = saved(tmp_path, network("AutoModelForCausalLM", kind))
    made = opened(found, where, answer=answer, classes=())
    x = rows(made)
    real = x != 0
    assert (made.shape.classes, made.shape.answer) == (len(WORDS), answer)
    assert torch.allclose(made.module(x)[real], library("AutoModelForCausalLM", where, x).logits[real], atol=1e-5)


def test_encoder_decoders_answer_as_in_the_library(found, tmp_path):
    where = saved(tmp_path, network("AutoModelForSeq2SeqLM", "t5", decoder_start_token_id=2))
    change(where, decoder_start_token_id=2)
    made = opened(found, where, answer="text", classes=())
    x, prefix = rows(made), torch.tensor([[2, 5, 6]] * 4)
    assert made.shape.inputs == {"tokens": (12,), "prefix": (12,)}
    assert made.facts["decoder_start"] == 2
    raw = json.loads((where / "config.json").read_text(encoding="utf-8"))
    del raw["decoder_start_token_id"]
    (where / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    (where / "generation_config.json").write_text('{"decoder_start_token_id": 3}', encoding="utf-8")
    assert opened(found, where, answer="text", classes=()).facts["decoder_start"] == 3
    judge = library("AutoModelForSeq2SeqLM", where, x, decoder_input_ids=prefix).logits
    assert torch.allclose(made.module(x, prefix), judge, atol=1e-5)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_image_classifiers_answer_as_in_the_library(found, tmp_path, kind):
    import transformers

    made = network("AutoModelForImageClassification", kind, id2label=dict(enumerate(CLASSES)))
    where = saved(tmp_path, made, tokenizer=False)
    shape = Shape("image", {"image": (1, 8, 8)}, 3)
    held = checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES))
    x = torch.randn(4, 1, 8, 8)
    judge = transformers.AutoModelForImageClassification.from_pretrained(where).eval()
    assert torch.allclose(held.module(x), judge(pixel_values=x).logits, atol=1e-5)
    assert "taken to be as the task's are" in held.facts["notes"][0]
    other = Wanted(Shape("image", {"image": (3, 8, 8)}, 3), "class", CLASSES)
    with pytest.raises(Refusal, match="is for images 1x8x8, the data have 3x8x8"):
        checkpoints.open_checkpoint(where, found, other)


def test_images_reach_the_network_standardised_as_it_learned(found, tmp_path):
    """The judge: raw pixels, standardised by the folder's own numbers."""
    where = saved(tmp_path, network("AutoModelForImageClassification", "vit", id2label=dict(enumerate(CLASSES))), tokenizer=False)
    (where / "preprocessor_config.json").write_text('{"do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25]}')
    shape, prepare = Shape("image", {"image": (1, 8, 8)}, 3), {"mean": [0.13], "std": [0.31]}
    made = checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES, prepare=prepare))
    raw = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        judge = made.module.network(pixel_values=(raw - 0.5) / 0.25).logits
        assert torch.allclose(made.module((raw - 0.13) / 0.31), judge, atol=1e-5)
    (where / "preprocessor_config.json").write_text('{"do_normalize": false, "image_mean": [0.5], "image_std": [0.5]}')
    made = checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES, prepare=prepare))
    assert torch.allclose(made.module((raw - 0.13) / 0.31), made.module.network(pixel_values=raw).logits, atol=1e-5)
    for text, why in (('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}', "standardises 3 channels, the data have 1"),
                      ('{"image_mean": [0.5], "image_std": [0]}', "image_std .0.0. .allowed: numbers above 0.")):  # fmt: skip
        (where / "preprocessor_config.json").write_text(text)
        with pytest.raises(Refusal, match=why):
            checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES, prepare=prepare))


def test_a_checkpoint_without_a_tokenizer_needs_the_vocabulary_of_the_tasks_tokens(found, tmp_path):
    where = saved(tmp_path / "plain", labelled(), tokenizer=False)
    for size, why in ((len(WORDS), ""), (8, "a vocabulary of 11 tokens, the task's tokenizer has 8; add its tokenizer.json")):
        shape = Shape("tokens", {"tokens": (6,)}, 3, (size,), "class", 0)
        made = checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES))
        meta = {"levels": [size], "tokenizer": "f" * 64}
        if why:
            with pytest.raises(Refusal, match=why):
                taken_for(made, meta)
        else:
            again = taken_for(made, meta)
            assert again.facts["tokenizer"] == "f" * 64
            assert "it brought no tokenizer: taken to be made for the task's tokens" in again.facts["notes"]
    shape = Shape("tokens", {"tokens": (6,)}, 3, (20,), "class", 0)
    with pytest.raises(Refusal, match="has a vocabulary of 11 tokens, the data have 20"):
        checkpoints.open_checkpoint(where, found, Wanted(shape, "class", CLASSES))


def test_several_files_of_weights_are_one_checkpoint(found, tmp_path):
    made = labelled()
    one, many = saved(tmp_path / "one", made), saved(tmp_path / "many", made, max_shard_size="4KB")
    assert len(list(many.glob("model-*.safetensors"))) > 2
    x = rows(opened(found, one))
    assert torch.equal(opened(found, one).module(x), opened(found, many).module(x))


@pytest.mark.parametrize(("dtype", "name"), [(torch.bfloat16, "BF16"), (torch.float16, "F16")])
def test_half_precision_is_read_as_float32_and_said(found, folder, dtype, name):
    put(folder, {key: value.to(dtype) for key, value in tensors(folder).items()})
    change(folder, dtype=str(dtype).removeprefix("torch."))
    made = opened(found, folder)
    assert {p.dtype for p in made.module.parameters()} == {torch.float32}
    assert f"weights stored as {name} were read as float32" in made.facts["notes"]
    assert torch.allclose(
        made.module(rows(made)), library("AutoModelForSequenceClassification", folder, rows(made)).logits, atol=1e-4
    )


def test_weights_that_are_not_finite_are_refused(found, folder):
    """Catalogue 70."""
    state = tensors(folder)
    name = "bert.encoder.layer.0.output.dense.bias"
    state[name][:3] = float("nan")
    put(folder, state)
    refused(found, folder, f"weights of {name!r}: 3 of 16 numbers are not finite")
    state[name] = torch.tensor([1e30] * 16).half()
    put(folder, state)
    refused(found, folder, "16 of 16 numbers are not finite")
    put(folder, {**state, name: torch.zeros(16, dtype=torch.int8)})
    refused(found, folder, "weights of .* are I8 .allowed: F64, F32, BF16, F16.")


def test_strictness_names_what_is_wrong(found, folder):
    """Catalogue 68 and 69."""
    state = tensors(folder)
    lost = {key: value for key, value in state.items() if "layer.1" not in key}
    put(folder, lost)
    refused(
        found, folder, r"weights do not fit the network: 16 \(bert.encoder.layer.1.attention.output.LayerNorm.bias, .*missing"
    )
    put(folder, {**state, "bert.extra": torch.zeros(2)})
    refused(found, folder, "1 .bert.extra. unexpected")
    put(folder, {f"module.{key}": value for key, value in state.items()})
    refused(found, folder, "all names start with 'module.' .DataParallel.: save `model.module` instead")
    put(folder, {**state, "bert.embeddings.word_embeddings.weight": torch.zeros(11, 8)})
    refused(found, folder, r"1 weights of another shape .bert.embeddings.word_embeddings.weight: file .11, 8., network .11, 16.")
    change(folder, num_hidden_layers=1)
    put(folder, state)
    refused(found, folder, r"16 .*unexpected")


def test_other_vocabularies_are_refused_and_padding_rows_cut_off(found, tmp_path):
    """Catalogue 64: a table that is too small is another's; one that is only rounded up loses nothing."""
    where = saved(tmp_path / "large", labelled(vocab_size=16))
    made = opened(found, where)
    assert "5 of 16 rows of its vocabulary belong to no token of the tokenizer and were cut off" in made.facts["notes"]
    assert made.module.network.config.vocab_size == len(WORDS)
    assert torch.allclose(
        made.module(rows(made)), library("AutoModelForSequenceClassification", where, rows(made)).logits, atol=1e-5
    )
    lm = saved(tmp_path / "lm", network("AutoModelForCausalLM", "gpt2", vocab_size=16))
    cut = opened(found, lm, answer="next", classes=())
    whole = library("AutoModelForCausalLM", lm, rows(cut)).logits[..., : len(WORDS)]
    real = rows(cut) != 0
    assert torch.allclose(cut.module(rows(cut))[real], whole[real], atol=1e-5)
    small = saved(tmp_path / "small", labelled(vocab_size=8))
    refused(found, small, "config.json has a vocabulary of 8 tokens, the tokenizer has 11")


def test_the_tokenizer_travels_with_the_artefact(found, folder):
    made = opened(found, folder)
    assert list(made.files) == ["tokenizer.json"]
    assert made.facts["tokenizer"] == open_tokenizer(made.files["tokenizer.json"]).fingerprint
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    again = opened(found, folder)
    assert torch.equal(rows(again), rows(made))
    (folder / "vocab.txt").unlink()
    refused(found, folder, "has no tokenizer.json; write one with transformers.AutoTokenizer")


def test_positions_that_count_from_the_padding_need_its_number(found, tmp_path):
    where = saved(tmp_path / "roberta", labelled("roberta"))
    change(where, pad_token_id=1)
    assert opened(found, where).shape.padding == 1, "where nothing else says it, the configuration does"
    (where / "tokenizer_config.json").write_text('{"pad_token": "[PAD]"}')
    refused(found, where, "config.json has pad_token_id 1, the tokenizer pads with 0: positions depend on it")
    other = saved(tmp_path / "bert", labelled())
    change(other, pad_token_id=1)
    (other / "special_tokens_map.json").write_text('{"pad_token": {"content": "[PAD]"}}')
    assert "config.json has pad_token_id 1; rows are padded with 0, as the tokenizer says" in opened(found, other).facts["notes"]


@pytest.mark.parametrize(("values", "text"), [
    ({"auto_map": {"AutoModel": "evil.Model"}}, "config.json has 'auto_map': code of its own is never run"),
    ({"quantization_config": {"quant_method": "gptq"}}, "config.json has 'quantization_config': its weights are packed"),
    ({"model_type": "bertt"}, r"model_type 'bertt' is unknown; did you mean 'bert'\? .allowed: \d+ types, such as bert"),
    ({"model_type": None}, "model_type 'None' is unknown"),
    ({"hidden_size": "many"}, "config.json is refused by the library"),
    ({"num_hidden_layers": 10**9}, "config.json says num_hidden_layers 1000000000, but there are only 41 tensors"),
    ({"hidden_size": 2**20, "intermediate_size": 2**22}, r"describes a network of \d+ numbers, but the files of weights hold"),
    ({"position_embedding_type": "relative_key"}, "this version of the library has no bert with 'relative_key' positions"),
    ({"max_position_embeddings": 5}, "rows of 12 tokens, but the bert has 5 positions"),
    ({"id2label": {"0": "a", "2": "b", "3": "c"}}, "id2label must give a name to each number from 0"),
])  # fmt: skip
def test_hostile_configurations_are_refused(found, folder, values, text):
    change(folder, **values)
    refused(found, folder, text)


@pytest.mark.parametrize(("data", "text"), [
    (b"[" * 100_000, "config.json is not plain JSON"),
    (b'{"model_type": NaN}', "NaN is not JSON"),
    (b"[]", "config.json must hold a mapping, not list"),
    (b"\xff{}", "config.json is not plain JSON"),
    (b" " * (folders.LARGEST_JSON + 1), "config.json is too large"),
])  # fmt: skip
def test_hostile_json_is_refused(found, folder, data, text):
    (folder / "config.json").write_bytes(data)
    refused(found, folder, text)


def test_only_whole_plain_safetensors_files_are_opened(found, folder, tmp_path):
    """Catalogue 73, and everything that could run code or lead elsewhere."""
    place = folder / "model.safetensors"
    held = place.read_bytes()
    place.write_bytes(held[:-100])
    refused(found, folder, "model.safetensors is not a whole safetensors file")
    place.write_bytes((2**40).to_bytes(8, "little") + held[8:])
    refused(found, folder, "not a whole safetensors file .its header says 1099511627776 bytes")
    place.write_bytes(b"")
    refused(found, folder, "not a whole safetensors file")
    place.unlink()
    refused(found, folder, "there is no model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")
    refused(found, folder, "there is no model.safetensors; pytorch_model.bin may hold code: write its tensors with safetensors")
    (tmp_path / "real").write_bytes(held)
    place.symlink_to(tmp_path / "real")
    refused(found, folder, "model.safetensors is not a plain file .links are not followed")
    place.unlink()
    os.mkfifo(place)
    refused(found, folder, "model.safetensors is not a plain file")
    place.unlink()
    place.write_bytes(held)
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(tmp_path / "tokenizer.json")
    refused(found, folder, "tokenizer.json is not a plain file")
    (folder / "adapter_config.json").write_text("{}")
    refused(found, folder, "adapter_config.json: an adapter .PEFT. changes another model: merge it first")


def test_an_index_cannot_lead_elsewhere(found, tmp_path):
    where = saved(tmp_path / "many", labelled(), max_shard_size="4KB")
    index = where / "model.safetensors.index.json"
    held = json.loads(index.read_text())
    first = next(iter(held["weight_map"]))

    def put_index(**changes):
        index.write_text(json.dumps({**held, **changes}))

    put_index(weight_map={**held["weight_map"], first: "../../etc/passwd"})
    refused(found, where, r"names '../../etc/passwd' .allowed: the plain name of a .safetensors file")
    put_index(weight_map={**held["weight_map"], first: "missing.safetensors"})
    refused(found, where, "there is no missing.safetensors")
    put_index(weight_map={**held["weight_map"], "ghost.weight": held["weight_map"][first]})
    refused(found, where, "do not hold the same tensors .1 differ, ghost.weight.")
    put_index(weight_map=[])
    refused(found, where, "must hold a weight_map")


def test_the_stage_writes_an_artefact_that_is_read_back_the_same(found, folder, tmp_path):
    where = Place(found, Store(tmp_path / "store"))
    job = Job("data", {"made": "texts"})
    x = np.array([[text] for text in TEXTS], dtype=object)
    held = samples.Rows({"text": x}, np.array([1, 0, 2, 1]), np.array(list("abcd")), {})
    meta = {"kind": "text", "answer": "class", "classes": list(CLASSES), "positive": None, "columns": {}, "levels": [],
            "prepare": {}, "licence": "", "source": "", "notes": []}  # fmt: skip
    with where.store.write(job) as draft:
        samples.write(draft, held, np.array([2, 2, 2, 2], np.int8), meta)
    data = where.store.open(job.key)
    step = Job("load", {"path": str(folder), "head": "", "length": 12}, {"data": data.key})
    with where.store.write(step) as draft:
        load.run(step, {"data": data}, draft, where)
    entry = where.store.open(step.key)
    again, first = artefacts.read(entry, found), opened(found, folder)
    assert torch.equal(again.module(rows(first)), first.module(rows(first)))
    assert (again.shape, again.files, again.facts["tokenizer"]) == (first.shape, first.files, first.facts["tokenizer"])
    assert entry.json("record.json")["parity"] == {"made_elsewhere": True}
    stored = Job("load", {"path": str(entry.path), "length": 12}, {"data": data.key})
    with where.store.write(stored) as draft:
        load.run(stored, {"data": data}, draft, where)
    thrice = artefacts.read(where.store.open(stored.key), found)
    assert torch.equal(thrice.module(rows(first)), first.module(rows(first)))
    assert thrice.facts["tokenizer"] == first.facts["tokenizer"]
    with pytest.raises(Refusal, match=f"load {folder}: .*head 'old' .allowed: new."):
        load.open_any(folder, found, Wanted(None, "class", CLASSES, 12), "old")


def test_reading_leaves_the_random_state_and_the_librarys_settings_as_they_were(found, folder, capfd):
    import transformers

    level, state = transformers.logging.get_verbosity(), torch.get_rng_state()
    opened(found, folder, head="new")
    assert torch.equal(torch.get_rng_state(), state)
    assert transformers.logging.get_verbosity() == level
    assert capfd.readouterr() == ("", "")


def test_names_of_old_versions_are_understood(found, folder):
    """Normalisation layers were once gamma and beta."""
    before = opened(found, folder)
    state = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in tensors(folder).items()
    }
    put(folder, {**state, "bert.embeddings.position_ids": torch.arange(16)[None]})
    assert torch.equal(opened(found, folder).module(rows(before)), before.module(rows(before)))
