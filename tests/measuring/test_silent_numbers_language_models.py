"""Rows of the catalogue of silent numbers, on what text models say through the stages: shapes, files from elsewhere, confidences,
choices of lm-eval, queries out of scope. The graphs are made here, so that each is known by hand.
"""

import json
import math

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from kdbench import Batch, Outputs, Refusal, Runner
from kdbench.judge import evidence
from kdbench.judge.ask import open_metric
from kdbench.judge.columns import dense, sums, tidy
from kdbench.judge.suspicions import suspicions
from kdbench.nouns import Artefact, Job, Shape, Use
from kdbench.stages import harness, load, networks, ood, parity, predict, running, samples, scoring

from .test_harness_stages import World as Asked

SIZE, LENGTH, CLASSES = 12, 8, 3
ORT = {"name": "ort_cpu", "params": {"threads": 1}}
TABLES = {"class": (SIZE, CLASSES), "next": (SIZE, SIZE)}


def table(answer, seed=0, scale=2.0):
    """A number for each token and class (whose sum over a text are its logits), or for each token and the next one."""
    made = np.random.default_rng(seed).normal(size=TABLES[answer]).astype(np.float32) * scale
    if answer == "class":
        made[0] = 0.0  # what fills a text up says nothing
    return made


def graph(numbers, answer, *after):
    """An ONNX file: its logits are the rows of `numbers` that the tokens name, added up over a text or one by one; `after`:
    nodes from "said" to "logits".
    """
    nodes = [helper.make_node("Gather", ["numbers", "tokens"], ["each"])]
    nodes.append(helper.make_node(*(("ReduceSum", ["each", "one"]) if answer == "class" else ("Identity", ["each"])), ["said"]))
    nodes[-1].attribute.extend([helper.make_attribute("keepdims", 0)] if answer == "class" else [])
    held = {"numbers": numbers, "zero": [0], "one": [1], "end": [-1], "none": np.float32(0), "some": np.float32(0.3)}
    width = ["n", numbers.shape[1]] if answer == "class" else ["n", "places", numbers.shape[1]]
    made = helper.make_graph(
        [*nodes, *(after or [helper.make_node("Identity", ["said"], ["logits"])])],
        "g",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, width)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def two(kind, *inputs, **more):
    """One operator on what was said, and its share added, or put in its place."""
    return [helper.make_node(kind, ["said", *inputs], ["x"], **more), helper.make_node("Mul", ["x", "some"], ["y"])]


ADDED = helper.make_node("Add", ["said", "y"], ["logits"])
CHEATS = {
    "random": [*two("RandomNormalLike"), ADDED],
    "of its batch": [*two("ReduceMean", axes=[0]), ADDED],
    "constant": [helper.make_node("Mul", ["said", "none"], ["x"]), helper.make_node("Add", ["x", "some"], ["logits"])],
    "one place fewer": [helper.make_node("Slice", ["said", "zero", "end", "one"], ["logits"])],
}


def texts(world, answer, first=1, last=SIZE, seed=0):
    """Texts of tokens first to last - 1, as the stage of tokens writes them; documents of one window each where the next token is
    asked for.
    """
    rng = np.random.default_rng(seed)
    n, lengths = 60, rng.integers(3, LENGTH + 1, 60)
    stream = rng.integers(first, last, (n, LENGTH + 1)) * (np.arange(LENGTH + 1) <= lengths[:, None])
    ids = np.array([f"text {i}" for i in range(n)])
    y, more = table("class")[stream[:, :-1]].sum(1).argmax(1), {}
    if answer == "next":
        y, more = np.where(stream[:, 1:] > 0, stream[:, 1:], -100), {"document": ids, "bytes": 3 * lengths}
    meta = {
        "kind": "tokens", "answer": answer, "classes": [f"c{k}" for k in range(CLASSES)] if answer == "class" else [],
        "positive": None, "columns": {}, "levels": [SIZE], "padding": 0, "tokenizer": "f" * 64, "prepare": {}, "licence": "",
        "source": "made for a test", "notes": [],
    }  # fmt: skip
    rows = samples.Rows({"tokens": stream[:, :-1]}, y, ids, {}, None, more)
    split = np.repeat(np.array([0, 1, 2], np.int8), [10, 10, 40])
    job = Job("data", {"answer": answer, "words": [first, last, seed]})
    return world.put(job, lambda draft: samples.write(draft, rows, split, meta))


@pytest.fixture
def loaded(world, tmp_path):
    """An ONNX file through the stage that brings files from elsewhere."""

    def bring(model, entry):
        onnx.checker.check_model(onnx.load_from_string(model))
        folder = tmp_path / f"file-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "model.onnx").write_bytes(model)
        (folder / "artefact.json").write_text(json.dumps({"runtime": "onnx", "files": ["model.onnx"]}), encoding="utf-8")
        return world.run(load, {"path": str(folder)}, {"data": entry})

    return bring


def said(world, entry, artefact):
    spec = {"target": ORT, "split": "test", "of": [entry.key, artefact.key]}
    return world.run(predict, spec, {"data": entry, "artefact": artefact})


def read(entry, found):
    """Predictions as the judge reads them."""
    rows = samples.read(entry, "test")
    about = evidence.Examples(rows.ids, rows.y, {}, None, tuple(entry.json("meta.json")["classes"]), None)
    return evidence.predictions(found, about)


def value(plugins, name, of, params=None, **more):
    params = {p.name: p.default for p in plugins.get("metric", name).params} | (params or {})
    one = open_metric(plugins, name, params)
    found = one({"predictions": of, **more})
    return float(found) if one.form == "set" else float(one.finish(sums(tidy(found, len(of.ids)))[0] / len(of.ids)))


def test_65_token_logits_of_one_number_or_of_one_place_fewer_are_refused_and_never_broadcast(world, plugins, loaded, monkeypatch):
    """(rows, tokens, 1) would be spread over the vocabulary, and a row of one place fewer joined with the token before: by the
    prediction, beside a teacher, by the check of the export, and by every loss of tokens.
    """
    entry = texts(world, "next")
    whole = said(world, entry, loaded(graph(table("next"), "next"), entry))
    assert whole.arrays("predictions.npz")["column.tokens"].sum() > 100
    wrong = {
        rf"\(\d+, {LENGTH}, 1\), expected \(\d+, {LENGTH}, {SIZE}\)": graph(table("next")[:, :1], "next"),
        rf"\(\d+, {LENGTH - 1}, {SIZE}\), expected": graph(table("next"), "next", *CHEATS["one place fewer"]),
    }
    for shape, model in wrong.items():
        with pytest.raises(Refusal, match=f"invalid output: the model gives logits of shape {shape}"):
            said(world, entry, loaded(model, entry))
    rows, shape = samples.read(entry, "test"), samples.shape(entry)
    honest = Runner(lambda x: table("next")[x["tokens"]])
    for cut in (np.s_[..., :1], np.s_[:, :-1]):
        broken = Runner(lambda x, cut=cut: honest.predict(x)[cut])
        with pytest.raises(Refusal, match="invalid output: the teacher gives logits of shape"):
            scoring.score(honest, rows, shape, broken)
        monkeypatch.setattr(running, "reopened", lambda *given, broken=broken: broken)
        with pytest.raises(Refusal, match=r"invalid output: logits of shape .*, expected .* \(rows, tokens, vocabulary\)"):
            world.run(parity, {"target": ORT, "cut": str(cut)}, {"data": entry, "artefact": speaker(world, plugins)})
        z, batch = torch.randn(4, LENGTH, SIZE), Batch({}, torch.zeros(4, LENGTH, dtype=torch.int64), torch.arange(4))
        for name in ("kd", "reverse_kl", "jsd", "skew_kl"):
            about = plugins.get("method", name)
            loss, params = plugins.load("method", name)[0], {p.name: p.default for p in about.params}
            with pytest.raises((Refusal, ValueError), match="differ in their positions|vocabular|shape"):
                loss(Outputs(z), Outputs(z[cut]), batch, **params)


def speaker(world, plugins):
    """A small GPT-2 over the same tokens."""
    shape = Shape("tokens", {"tokens": (LENGTH,)}, SIZE, (SIZE,), "next", 0)
    full = {p.name: p.default for p in plugins.get("model", "gpt2").params}
    use = Use("gpt2", {**full, "layers": 1, "hidden": 8, "heads": 2, "positions": LENGTH})
    return world.artefact(Artefact("torch", shape, use, networks.rebuild(plugins, use, shape, seed=0)))


@pytest.mark.parametrize("answer", ["class", "next"])
def test_72_a_text_file_that_is_random_or_depends_on_its_batch_is_refused_and_a_constant_one_is_named(world, loaded, answer):
    """Files that nobody here made: one that answers otherwise each time, one in which a text is answered by its neighbours, and
    one that says the same of every text. They need not be timed to be found.
    """
    entry = texts(world, answer)
    found = read(entry, said(world, entry, loaded(graph(table(answer), answer), entry)))
    rows = samples.read(entry, "test")
    z = table(answer)[rows.x["tokens"]]
    if answer == "class":
        np.testing.assert_allclose(found.logits, z.sum(1), rtol=1e-4, atol=1e-4)
    else:
        assert found.columns["tokens"].sum() == (rows.y >= 0).sum()
    why = {"random": "asked twice, have different answers: it is random", "of its batch": "depends on its batch"}
    for cheat, text in why.items():
        with pytest.raises(Refusal, match=f"^invalid output: .*{text}"):
            said(world, entry, loaded(graph(table(answer), answer, *CHEATS[cheat]), entry))
    same = said(world, entry, loaded(graph(table(answer), answer, *CHEATS["constant"]), entry))
    if answer == "class":
        accuracy = float(same.arrays("predictions.npz")["correct"].mean())
        place = {"metric": "accuracy", "slice": "", "shift": "", "seed": 0, "target": "ort_cpu", "evidence": same.key}
        scores = pd.DataFrame([{**place, "task": "texts", "contender": "file", "value": accuracy}])
        warned = list(suspicions(scores, {"texts": {"classes": ["c0", "c1", "c2"]}}, world.place.store))
        assert warned == ["texts on ort_cpu: file, seed 0: constant predictions: every example is called 'c0'"]


def test_76_the_calibration_of_tokens_is_by_mean_confidence_against_a_plain_float64_loop(world, plugins, loaded):
    """PyCalib#4: a bin was compared by its centre. Here every token of every document, one by one in Python, from the logits."""
    entry = texts(world, "next")
    logits = table("next", scale=1.5)
    of = read(entry, said(world, entry, loaded(graph(logits, "next"), entry)))
    bins = [[0, 0.0, 0] for _ in range(15)]
    rows = samples.read(entry, "test")
    for tokens, wanted in zip(rows.x["tokens"].tolist(), rows.y.tolist(), strict=True):
        for token, label in zip(tokens, wanted, strict=True):
            if label < 0:
                continue
            z = [float(v) for v in logits[token]]
            p = [math.exp(v - max(z)) for v in z]
            likeliest = max(range(SIZE), key=lambda k, p=p: p[k])
            confidence = p[likeliest] / math.fsum(p)
            inside = next(b for m, b in enumerate(bins) if confidence <= (m + 1) / 15)
            inside[0], inside[1], inside[2] = inside[0] + 1, inside[1] + confidence, inside[2] + (likeliest == label)
    n = sum(count for count, _, _ in bins)
    by_mean = sum(abs(right - confidence) for _, confidence, right in bins) / n
    by_centre = sum(abs(right - count * (m + 0.5) / 15) for m, (count, _, right) in enumerate(bins)) / n
    assert value(plugins, "token_calibration", of) == pytest.approx(by_mean, rel=1e-6)
    assert abs(by_mean - by_centre) > 1e-3


def test_77_choices_of_lm_eval_are_log_likelihoods_whatever_their_range_and_batch(tmp_path, plugins, monkeypatch):
    """torchmetrics#2195, #2329, #1989, #3179: the kind was guessed from the range of each batch. What lm-eval's choices are is
    said once, and neither one question a batch nor all of them change it.
    """
    asked = Asked(tmp_path)
    questions, model = asked.questions("hellaswag"), asked.model()
    found = []
    for batch in (1, 3, 32):
        monkeypatch.setattr(harness, "BATCH", batch)
        entry = asked.asked("hellaswag", questions, model)
        found.append(evidence.predictions(entry, evidence.examples(questions, ())))
    for of in found:
        assert of.kind == "logits"
        assert (of.logits < 0).all(), "natural logarithms of probabilities of texts"
        assert np.exp(of.logits).sum(1).max() < 0.5, "they are no distribution over the choices"
        np.testing.assert_allclose(of.logits, found[0].logits, rtol=1e-5)
        assert (of.pred == found[0].pred).all()
    first = found[0]
    by_hand = [-z[y] + math.log(math.fsum(math.exp(v) for v in z)) for z, y in zip(first.logits, first.label, strict=True)]
    assert value(plugins, "nll", first) == pytest.approx(math.fsum(by_hand) / len(by_hand), rel=1e-9)
    one = open_metric(plugins, "nll", {})
    alone = [float(dense(tidy(one({"predictions": first.take(slice(i, i + 1))}), 1)).item()) for i in range(len(first.ids))]
    assert alone == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("score", ["msp", "max_logit", "energy", "entropy"])
def test_79_queries_out_of_scope_are_the_positive_side_of_every_detector(world, plugins, loaded, score):
    """OpenOOD#206, #211, #308, ood-metrics#2, probly#540. Queries in scope are of words 1 to 5, those out of it of 6 to 11: a net
    that is sure of the first alone, one that is sure of the others alone, and one that is sure of none.
    """
    entry = texts(world, "class", 1, 6)
    other = world.run(ood, {"of": "queries"}, {"data": entry, "other": texts(world, "class", 6, SIZE, seed=1)})
    assert (samples.read(other, "test").y == -1).all()
    known = np.zeros((SIZE, CLASSES), np.float32)
    known[1:6, 0] = 3.0
    turned = np.zeros_like(known)
    turned[6:, 0] = 3.0
    for numbers, auroc, missed in ((known, 1.0, 0.0), (turned, 0.0, 1.0), (0 * known, 0.5, 1.0)):
        artefact = loaded(graph(numbers, "class"), entry)
        inside, outside = (read(of, said(world, of, artefact)) for of in (entry, other))
        assert value(plugins, "ood_auroc", inside, {"score": score}, ood=outside) == auroc
        assert value(plugins, "ood_fpr95", inside, {"score": score}, ood=outside) == missed
        for positive in ("out", "in"):
            area = value(plugins, "ood_aupr", inside, {"score": score, "positive": positive}, ood=outside)
            assert area == pytest.approx(auroc) if auroc else area <= 0.5, positive
    assert "OOD = positive" in plugins.get("metric", "ood_aupr").facts["convention"]
