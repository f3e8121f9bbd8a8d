"""Folders of Whisper: what they hear and say, against the feature extractor and the model of transformers themselves."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import scipy.signal
import torch
import transformers
from checkpoint_folders import change, put, tensors
from fit_entries import fit_job, run
from whisper_folders import BEGINS, ENDS, MELS, RATE, SPECIAL, STARTS, WORDS, WRITING, clips, entry, folder, network

from kdbench import Refusal, Shape
from kdbench.nets.build import build
from kdbench.nets.export import to_onnx
from kdbench.nouns import Job, Use
from kdbench.plan.texts import brings_tokenizer
from kdbench.stages import artefacts, checkpoints, load, predict, samples, speech, texts, tokenizer, tokens
from kdbench.stages.tokenizing import Tokenizer

SAID = [" ".join(WORDS[i % 6] for i in range(k, k + 1 + k % 3)) for k in range(8)]
LENGTH = 10
numbers = itertools.count()


def stage(where, module, name, spec, **inputs):
    job = Job(name, {**spec, "t": next(numbers)}, {role: one.key for role, one in inputs.items()})
    with where.store.write(job) as draft:
        module.run(job, inputs, draft, where)
    return where.store.open(job.key)


def reads(place):
    """What a plan asks for: the settings of the folder's own files."""

    def read(name):
        return json.loads((place / name).read_text()) if (place / name).exists() else None

    return {"start": STARTS, "forced": list(speech.forced(read("config.json"), read("generation_config.json"))),
            "front": speech.said(read)}  # fmt: skip


def heard(where, place, audio, said=SAID, rate=RATE, **more):
    """(the rows as the folder reads them, its tokenizer) of clips."""
    data = entry(where.store, audio, said, rate, name=f"d{next(numbers)}")
    use = {"name": "file", "params": {"path": str(place)}}
    own = stage(where, tokenizer, "tokenizer", {"tokenizer": use})
    spec = {"length": LENGTH, "layout": "pair", **reads(place), **more}
    return stage(where, tokens, "tokens", spec, data=data, tokenizer=own), own


def loaded(where, place, data):
    return stage(where, load, "load", {"path": str(place), "length": LENGTH}, data=data)


def features(place, audio):
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(place)
    given = extractor([row / 32768 for row in audio], sampling_rate=RATE, return_tensors="pt")
    return given.input_features.float()


@pytest.mark.parametrize("seconds", [1.0, 1.9965, 2.0])
def test_logits_of_a_folder_are_those_of_transformers_on_its_own_features(where, tmp_path, seconds):
    """Clips with sound to their very end: shorter than what it hears, a hop shorter, and as long."""
    place, audio = folder(tmp_path / "w"), clips(8, seconds)
    data, _ = heard(where, place, audio)
    made = artefacts.read(loaded(where, place, data), where.plugins)
    rows = samples.read(data, "test")
    judge = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
    prefix = torch.from_numpy(rows.x["prefix"])
    with torch.no_grad():
        theirs = judge(input_features=features(place, audio[4:]), decoder_input_ids=prefix).logits
        ours = made.module(torch.from_numpy(rows.x["audio"]), prefix)
    assert rows.x["audio"].shape[2] == min(-(-(audio.shape[1] + 400) // 160), 200)
    assert float((ours - theirs).abs().max()) < 1e-4
    assert float(theirs.std()) > 0.5  # they say something
    with torch.no_grad():
        short = made.module(torch.from_numpy(rows.x["audio"][:, :, :60]), prefix)
    assert float((short - theirs).abs().max()) > 1e-2  # and what is heard matters


def test_what_the_network_is_given_is_what_the_extractor_of_whisper_gives(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    data, _ = heard(where, place, audio)
    module = artefacts.read(loaded(where, place, data), where.plugins).module
    whole = module._whole(torch.from_numpy(samples.read(data, "test").x["audio"]))
    apart = (whole - features(place, audio[4:])).abs()
    assert whole.shape == (4, MELS, 200)
    assert float(apart.max()) < 2e-3  # the library's sums are in float32: near the floor of a row they differ
    assert float(apart.mean()) < 1e-5


def test_answers_begin_as_generate_begins_them_and_are_written_as_it_writes_them(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    data, own = heard(where, place, audio)
    rows = samples.raw(data, "test")
    assert [row[:4] for row in rows.x["prefix"].tolist()] == [[STARTS, *BEGINS]] * 4
    assert (rows.y[:, :3] == -100).all()
    made = loaded(where, place, data)
    target = {"name": "torch_cpu", "params": {"threads": 1}}
    job = Job("predict", {"target": target, "split": "test"})
    with where.store.write(job) as draft:
        predict.run(job, {"data": data, "artefact": made, "tokenizer": own}, draft, where)
    said = where.store.open(job.key)
    judge = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
    begins = torch.tensor([[STARTS, *BEGINS]] * 4)
    theirs = transformers.GenerationMixin.generate(  # the class's own would look for more where it ends before the sound does
        judge, features(place, audio[4:]), decoder_input_ids=begins, max_new_tokens=LENGTH - 3, num_beams=1, do_sample=False
    )[:, 4:]
    ends = [row.index(ENDS) if ENDS in row else len(row) for row in theirs.tolist()]
    expected = [" ".join(WORDS[i - 7] for i in row[:end] if i >= 7) for row, end in zip(theirs.tolist(), ends, strict=True)]
    assert texts.read(said, "column.text").tolist() == expected
    assert len({word for text in expected for word in text.split()}) > 1
    scored = said.arrays("predictions.npz")
    assert scored["column.tokens"].tolist() == [len(text.split()) + 1 for text in SAID[4:]]  # the words and the end alone
    assert scored["column.ended"].tolist() == [ENDS in row for row in theirs.tolist()]


@pytest.mark.parametrize("said", [
    {}, {"task": None}, {"language": "<|de|>"}, {"language": "en", "task": "translate"}, {"no_timestamps_token_id": None},
    {"language": None, "task": None, "forced_decoder_ids": [[1, 2], [2, 5], [3, 6]]},
    {"language": None, "task": None, "forced_decoder_ids": [[1, 6]], "lang_to_id": None, "task_to_id": None},
    {"language": None, "forced_decoder_ids": [[1, 3]], "lang_to_id": None, "task_to_id": {"transcribe": 5}},
    {"language": None, "task": None, "lang_to_id": None, "forced_decoder_ids": [[1, None], [2, 5]]},
    {"return_timestamps": True},
])  # fmt: skip
def test_what_answers_begin_with_is_what_generate_puts_before_them(said):
    writing = {key: value for key, value in {**WRITING, **said}.items() if value is not None}
    judge, config = network(), transformers.GenerationConfig(**{"return_timestamps": False, **writing})
    given = torch.zeros(1, MELS, 200)
    theirs = judge._retrieve_init_tokens(given, 1, config, judge.config, 200, {})
    assert [STARTS, *speech.forced(judge.config.to_dict(), writing)] == theirs[0].tolist()


def test_a_language_that_is_looked_for_in_the_sound_is_refused_with_what_to_add(where, tmp_path):
    place = folder(tmp_path / "w", writing={"language": None})
    with pytest.raises(Refusal, match='finds the language by itself; add "language": one of <.de.>, <.en.>, ...'):
        reads(place)
    data, _ = heard(where, folder(tmp_path / "x"), clips(8))
    with pytest.raises(Refusal, match="^load .*: generation_config.json: it finds the language by itself"):
        loaded(where, place, data)
    (place / "generation_config.json").write_text(json.dumps({**WRITING, "language": "fr"}))
    with pytest.raises(Refusal, match="lang_to_id has no 'fr' .allowed: de, en"):
        loaded(where, place, data)


@pytest.mark.parametrize(("said", "why"), [
    ({"sampling_rate": 8000}, "sampling_rate is '8000' .allowed: 16000"),
    ({"dither": 0.1}, "dither is '0.1' .allowed: 0"),
    ({"feature_extractor_type": "Speech2TextFeatureExtractor"}, "feature_extractor_type is 'Speech2TextFeatureExtractor'"),
    ({"do_normalize": True}, "do_normalize is 'True' .allowed: False"),
    ({"n_fft": 401}, "windows of 401 samples every 160 .allowed: an even number"),
    ({"hop_length": 401}, "windows of 400 samples every 401"),
    ({"chunk_length": "30"}, "chunk_length is '30' .allowed: 1 to 4096"),
    ({"feature_size": 24}, "for 24 bands and 200 frames, config.json for 20 bands and 200 frames"),
    ({"hop_length": 200}, "for 20 bands and 160 frames, config.json for 20 bands and 200 frames"),
    ({"n_fft": 320}, "it hears otherwise than the data are given: window 320 .data: 400"),
])  # fmt: skip
def test_a_folder_that_hears_otherwise_is_refused_in_one_line(where, tmp_path, said, why):
    place = folder(tmp_path / "w")
    data, _ = heard(where, place, clips(8))
    path = place / speech.PROCESSOR
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))
    with pytest.raises(Refusal, match=why) as refused:
        loaded(where, place, data)
    assert "\n" not in str(refused.value)


def test_a_folder_that_does_not_say_how_it_hears_and_data_of_another_front_end_are_refused(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    task = entry(where.store, audio, SAID)
    own = stage(where, tokenizer, "tokenizer", {"tokenizer": {"name": "file", "params": {"path": str(place)}}})
    plain = stage(where, tokens, "tokens", {"length": LENGTH, "layout": "pair", "start": STARTS}, data=task, tokenizer=own)
    with pytest.raises(Refusal, match="hears otherwise than the data are given: mels 20 .data: 40., chunk 32000 .data: None"):
        loaded(where, place, plain)
    (place / speech.PROCESSOR).unlink()
    with pytest.raises(Refusal, match="there is no preprocessor_config.json, which says how it hears"):
        loaded(where, place, plain)


def test_the_feature_extractor_may_stand_in_the_file_of_a_processor(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    (place / speech.TOGETHER).write_text(json.dumps({speech.INSIDE: json.loads((place / speech.PROCESSOR).read_text())}))
    (place / speech.PROCESSOR).unlink()
    data, _ = heard(where, place, audio)
    assert samples.shape(data).inputs["audio"] == (MELS, 103)
    assert loaded(where, place, data).json("artefact.json")["facts"]["front"]["chunk"] == 32_000


def test_clips_of_another_rate_are_resampled_and_it_is_said(where, tmp_path):
    """The judge: scipy's resampling by Fourier transform, rounded to 16 bits, then the extractor of transformers."""
    place, audio = folder(tmp_path / "w"), clips(8, rate=8000)
    data, _ = heard(where, place, audio, rate=8000)
    louder = scipy.signal.resample(audio / 32768, 16_000, axis=1)
    judge = features(place, np.clip(np.rint(louder * 32768), -32768, 32767))
    module = artefacts.read(loaded(where, place, data), where.plugins).module
    whole = module._whole(torch.from_numpy(samples.read(data, "test").x["audio"]))
    assert float((whole - judge[4:]).abs().max()) < 2e-3
    assert "resampled from 8000 to 16000 samples a second" in data.json("meta.json")["notes"][-1]
    with pytest.raises(Refusal, match="tokens: clips of 2.5 s, and the checkpoint hears 2 s"):
        heard(where, place, clips(8, 2.5))


def test_rows_that_begin_or_are_heard_otherwise_than_the_checkpoint_are_never_asked(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    data, own = heard(where, place, audio)
    made = loaded(where, place, data)
    spec = {"target": {"name": "torch_cpu", "params": {"threads": 1}}, "split": "test"}
    bare, _ = heard(where, place, audio, forced=[])
    other, _ = heard(where, place, audio, front={**reads(place)["front"], "n_fft": 320})
    for rows, why in ((bare, r"begin with \[2, 5, 6\], its rows with \[\]"), (other, "hears otherwise than its rows")):
        with pytest.raises(Refusal, match=why):
            stage(where, predict, "predict", spec, data=rows, artefact=made, tokenizer=own)
    with pytest.raises(Refusal, match="length 3 is no more than the 4 tokens that every answer begins with"):
        heard(where, place, audio, length=3)


def refused(where, place, data, why):
    with pytest.raises(Refusal, match=why) as found:
        loaded(where, place, data)
    assert "\n" not in str(found.value)


def test_what_is_no_whole_whisper_is_refused_with_the_names(where, tmp_path):
    """Its head is that of its embeddings, and is not in the file; a head of its own has to be there."""
    place, audio = folder(tmp_path / "w"), clips(8)
    data, _ = heard(where, place, audio)
    state = tensors(place)
    assert not any(name.startswith("proj_out") for name in state)
    made = artefacts.read(loaded(where, place, data), where.plugins).module
    assert made.network.proj_out.weight is made.network.model.decoder.embed_tokens.weight
    change(place, tie_word_embeddings=False)
    refused(where, place, data, "weights do not fit the network: 1 .proj_out.weight. missing")
    change(place, tie_word_embeddings=True)
    one = "model.decoder.layers.1.fc1.weight"
    put(place, {name: value for name, value in state.items() if name != one})
    refused(where, place, data, "1 .model.decoder.layers.1.fc1.weight. missing")
    put(place, {**state, one: torch.full_like(state[one], float("nan"))})
    refused(where, place, data, f"weights of '{one}': {state[one].numel()} of {state[one].numel()} numbers are not finite")
    put(place, {**state, one: state[one][:5]})
    refused(where, place, data, "1 weights of another shape .model.decoder.layers.1.fc1.weight")
    put(place, {**state, "extra": torch.zeros(1)})
    refused(where, place, data, "1 .extra. unexpected")
    network("ForAudioClassification").save_pretrained(place)
    refused(where, place, data, "weights do not fit the network: .* missing")
    put(place, {f"module.{name}": value for name, value in state.items()})
    change(place, auto_map={"AutoModel": "x.Y"})
    refused(where, place, data, "code of its own is never run")
    change(place, auto_map=None)
    (place / "tokenizer.json").unlink()
    refused(where, place, data, "has no tokenizer.json")


def test_a_head_of_its_own_is_read_and_a_bare_network_has_that_of_its_embeddings(where, tmp_path):
    place, audio = folder(tmp_path / "w", network(tie_word_embeddings=False)), clips(8)
    data, _ = heard(where, place, audio)
    judge = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
    rows = {name: torch.from_numpy(value) for name, value in samples.read(data, "test").x.items()}
    for _ in range(2):
        made = artefacts.read(loaded(where, place, data), where.plugins).module
        with torch.no_grad():
            theirs = judge(input_features=features(place, audio[4:]), decoder_input_ids=rows["prefix"]).logits
            assert float((made(**rows) - theirs).abs().max()) < 1e-4
        judge = network()
        judge.model.save_pretrained(place)
        change(place, architectures=["WhisperModel"])


def test_rows_of_a_vocabulary_that_belong_to_no_token_are_cut_off(where, tmp_path):
    place, audio = folder(tmp_path / "w", network(vocab_size=24)), clips(8)
    data, _ = heard(where, place, audio)
    made = loaded(where, place, data)
    assert "11 of 24 rows of its vocabulary belong to no token" in " ".join(made.json("artefact.json")["facts"]["notes"])
    module = artefacts.read(made, where.plugins).module
    judge = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
    rows = {name: torch.from_numpy(value) for name, value in samples.read(data, "test").x.items()}
    with torch.no_grad():
        theirs = judge(input_features=features(place, audio[4:]), decoder_input_ids=rows["prefix"]).logits
        assert float((module(**rows) - theirs[:, :, :13]).abs().max()) < 1e-4


def test_a_small_student_learns_from_a_folder_that_hears_and_is_tuned_itself(where, tmp_path):
    place, audio = folder(tmp_path / "w"), clips(8)
    data, _ = heard(where, place, audio)
    teacher = loaded(where, place, data)
    full = {p.name: p.default for p in where.plugins.get("model", "whisper").params}
    small = ("whisper", {**full, "layers": 1, "decoder_layers": 1, "hidden": 16, "heads": 2, "intermediate": 16, "positions": 10})
    recipe = {"epochs": 12, "batch": 4, "lr": 0.02, "optimizer": "adamw"}
    student = run(fit_job({"kd": 1.0}, small, **recipe), {"data": data, "teacher": teacher}, where)
    history = student.json("record.json")["history"]
    assert artefacts.read(student, where.plugins).shape.inputs["audio"] == (MELS, 103)
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    tuned = run(fit_job({"ce": 1.0}, None, **recipe), {"data": data, "artefact": teacher}, where)
    history = tuned.json("record.json")["history"]
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_graph_of_a_network_that_hears_puts_the_same_silence_behind(found, attention):
    """The judge: the library's network on rows that were filled up by hand, by (x + 4) / 4 of a floor 8 below the loudest."""
    import onnxruntime

    shape = Shape("audio", {"audio": (MELS, 30), "prefix": (LENGTH,)}, 13, (13,), "text", ENDS)
    config = {
        k: v for k, v in network().config.to_dict().items() if k in ("d_model", "max_source_positions", "max_target_positions")
    }
    few = {
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "num_mel_bins": MELS,
    }
    params = {"config": {"model_type": "whisper", **config, **few}, "attention": attention, "silence": [-1.5, 2.0]}
    module = build(found.load("model", "pretrained")[0], Use("pretrained", params), shape).eval()
    power = np.random.default_rng(0).uniform(-9, 3, (3, MELS, 30))
    power[2] -= 9  # so soft that the floor is that of silence itself
    bands = np.full((3, MELS, 200), -10.0)
    bands[:, :, :30] = np.maximum(power, -10)
    whole = (np.maximum(bands, bands.max((1, 2), keepdims=True) - 8) + 4) / 4
    x = {"audio": whole[:, :, :30].astype(np.float32), "prefix": np.array([[1, 2, 5, 6], [1, 2, 5, 7], [1, 9, 9, 9]])}
    with torch.no_grad():
        given = torch.from_numpy(whole.astype(np.float32))
        theirs = module.network(input_features=given, decoder_input_ids=torch.from_numpy(x["prefix"])).logits.numpy()
        ours = module(*map(torch.from_numpy, x.values())).numpy()
    assert ours == pytest.approx(theirs, abs=1e-5)
    (graph,) = onnxruntime.InferenceSession(to_onnx(module, x), providers=["CPUExecutionProvider"]).run(None, x)
    assert graph == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(("config", "silence", "why"), [
    ({"num_mel_bins": 8}, None, "hears 8 mel bands, the data have 20"),
    ({"max_source_positions": 20}, None, "hears 40 frames, the data have 30"),
    ({"max_source_positions": 10}, [-1.5, 2.0], "hears 20 frames, the data have 30"),
    ({}, [1.0], "two numbers, the second one above 0"),
    ({"vocab_size": 99}, None, "a vocabulary of 99 tokens, the data 13"),
    ({"max_target_positions": 9}, None, "rows of 10 tokens, but 9 positions"),
    ({"model_type": "speech_to_text"}, None, "model_type 'speech_to_text'.*such as whisper"),
])  # fmt: skip
def test_a_configuration_for_other_sound_is_refused(found, config, silence, why):
    shape = Shape("audio", {"audio": (MELS, 30), "prefix": (LENGTH,)}, 13, (13,), "text", ENDS)
    small = {"model_type": "whisper", "d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    use = Use("pretrained", {"config": small | config, "silence": silence})
    with pytest.raises(Refusal, match=why):
        build(found.load("model", "pretrained")[0], use, shape)


def test_a_tokenizer_in_two_files_writes_as_that_of_transformers(where, tmp_path):
    """An older folder: vocab.json and merges.txt, the special tokens in a third."""
    from tokenizers import ByteLevelBPETokenizer

    texts = ["four and five are nine", "One, two; three!", "zw\u00f6lf \u20ac and \u4e2d", "five five  five"]
    learned = ByteLevelBPETokenizer()
    learned.train_from_iterator(texts * 3, vocab_size=300)
    place = folder(tmp_path / "w", network(vocab_size=400))
    (place / "tokenizer.json").unlink()
    learned.save_model(str(place))
    added = {name: learned.get_vocab_size() + i for i, name in enumerate(SPECIAL)}
    (place / "added_tokens.json").write_text(json.dumps(added))
    made = Tokenizer(checkpoints.tokenizer_of(place, where.plugins))
    judge = transformers.WhisperTokenizer(vocab=learned.get_vocab(), merges=merges(place))
    assert made.plain(texts) == [judge.encode(text, add_special_tokens=False) for text in texts]
    assert [made.text(ids) for ids in made.plain(texts)] == texts
    assert (made.eos, made.bos, made.padding) == (added["<|endoftext|>"], added["<|startoftranscript|>"], added["<|endoftext|>"])
    assert made.text([added["<|notimestamps|>"], *made.plain(["four"])[0]]) == "four"
    for name, wrong in (
        ("vocab.json", {"a": -1}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {"content": "<|new|>"}}}),
    ):
        kept = (place / name).read_bytes() if (place / name).exists() else None
        (place / name).write_text(json.dumps(wrong))
        with pytest.raises(Refusal, match=r"must give a number, 0 or more, to each token$"):
            checkpoints.tokenizer_of(place, where.plugins)
        (place / name).unlink() if kept is None else (place / name).write_bytes(kept)
    change(place, model_type="roberta")
    with pytest.raises(Refusal, match="has vocab.json and merges.txt, but no tokenizer.json, which a roberta needs"):
        checkpoints.tokenizer_of(place, where.plugins)
    assert brings_tokenizer(place)
    (place / "merges.txt").unlink()
    assert not brings_tokenizer(place)


def merges(place):
    return [tuple(line.split()) for line in (place / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]]
