"""The stages questions and harness: what lm-eval asked and what a model said, as entries that every metric can be asked about."""

import dataclasses
import math

import numpy as np
import pytest

from kdbench import Predictions, Refusal, Shape
from kdbench.judge import evidence
from kdbench.judge.ask import open_metric
from kdbench.judge.cases import cases_of
from kdbench.judge.columns import sums, tidy
from kdbench.nouns import Artefact, Job, Use
from kdbench.registry import discover
from kdbench.stages import Place, artefacts, harness, networks, questions, samples
from kdbench.stages.harness import FLOOR
from kdbench.stages.harness_columns import columns
from kdbench.stages.harness_task import open_task, opened, run_opened
from kdbench.stages.quiet import quiet
from kdbench.stages.tokenizing import TOKENIZER
from kdbench.store import Store

from .made_language import LENGTH, SIZE, folder, ours, tokenizer_json, words

MODEL = Use("gpt2", {"layers": 1, "hidden": 16, "heads": 2, "positions": LENGTH, "dropout": 0.0, "attention": "sdpa"})
SHAPE = Shape("tokens", {"tokens": (LENGTH,)}, SIZE, (SIZE,), "next")


class World:
    def __init__(self, root):
        self.place = Place(discover(), Store(root / "store"), folder(root / "data"))

    def put(self, job, write):
        with self.place.store.write(job) as draft:
            write(draft)
        return self.place.store.open(job.key)

    def use(self, name, **params):
        return {"name": name, "params": {p.name: p.default for p in self.place.plugins.get("harness", name).params} | params}

    def questions(self, name, limit=0, shots=0, **params):
        job = Job(
            "questions",
            {"harness": self.use(name, **params), "limit": limit, "shots": shots, "t": len(list(self.place.store.keys()))},
        )
        return self.put(job, lambda draft: questions.run(job, {}, draft, self.place))

    def model(self, seed=0, shape=SHAPE, files=None, facts=None):
        module = networks.rebuild(self.place.plugins, MODEL, SHAPE, seed=seed).eval()
        held = Artefact("torch", shape, MODEL, module, files={TOKENIZER: tokenizer_json()} if files is None else files)
        held = dataclasses.replace(held, facts=facts or {})
        job = Job("fit", {"seed": seed, "shape": str(shape), "files": str(files), "facts": facts})
        return self.put(job, lambda draft: artefacts.write(draft, held, {}))

    def asked(self, name, data, model, limit=0, **more):
        params, more = more.pop("params", {}), {"length": 0, "shots": 0, **more}
        target = {"name": more.pop("target", "torch_cpu"), "params": {"threads": 1}}
        spec = {"harness": self.use(name, **params), "limit": limit, "target": target, **more}
        job = Job("harness", {**spec, "t": len(list(self.place.store.keys()))})
        return self.put(job, lambda draft: harness.run(job, {"data": data, "artefact": model}, draft, self.place))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def value(name, of, **more):
    """The number of a metric of the house."""
    plugins = discover()
    one = open_metric(plugins, name, {p.name: p.default for p in plugins.get("metric", name).params})
    found = one({"predictions": of, **more})
    return float(found) if one.form == "set" else float(one.finish(sums(tidy(found, len(of.ids)))[0] / len(of.ids)))


def predictions(data, entry):
    """As the judge reads them."""
    return evidence.predictions(entry, evidence.examples(data, ()))


def test_a_multiple_choice_is_logits_of_its_choices(world):
    data = world.questions("hellaswag")
    entry = world.asked("hellaswag", data, world.model())
    rows, meta, of = samples.raw(data, "test"), data.json("meta.json"), predictions(data, entry)
    assert (meta["kind"], meta["answer"], meta["classes"]) == ("questions", "class", [f"choice {i}" for i in range(4)])
    assert meta["chance"] == 0.25
    assert meta["n"] == {"train": 0, "validation": 0, "test": 24}
    assert rows.y.tolist() == [i % 4 for i in range(24)]
    assert (of.kind, of.logits.shape, of.logits.dtype) == ("logits", (24, 4), np.float64)
    said = entry.json("predictions.json")
    assert of.correct.mean() == said["results"]["acc,none"] == of.columns["lm_eval.acc:mean:higher"].mean()
    np.testing.assert_allclose(of.probability.sum(axis=1), 1)
    np.testing.assert_allclose(entry.arrays("predictions.npz")["confidence"], of.confidence, rtol=1e-6)
    assert said["harness"]["length"] == LENGTH
    assert said["harness"]["prompts"] == meta["harness"]["prompts"]


def test_every_metric_of_classes_can_be_asked(world):
    """Calibration over choices, fidelity to a teacher, nll: they read the log-likelihoods as logits."""
    data = world.questions("piqa")
    student, teacher = (predictions(data, world.asked("piqa", data, world.model(seed))) for seed in (0, 1))
    for name in ("accuracy", "ece", "nll", "brier", "kl_to_teacher", "agreement", "auroc"):
        assert math.isfinite(value(name, student, teacher=teacher)), name


def test_a_text_that_is_scored_is_tokens(world):
    for name, part in (("wikitext2_ppl", "bits_per_byte:bits_per_byte:lower"), ("lambada", "perplexity:perplexity:lower")):
        data = world.questions(name)
        entry = world.asked(name, data, world.model())
        of = predictions(data, entry)
        assert (of.kind, of.logits.shape, data.json("meta.json")["answer"]) == ("tokens", (24, 0), "next")
        assert (of.label == -1).all()
        values = of.columns[f"lm_eval.{part}"]
        np.testing.assert_array_equal(of.columns["nll"], -(values if values.ndim == 1 else values[:, 0]))
        asked = _arguments(world, name)
        np.testing.assert_array_equal(of.columns["tokens"], [len(words().encode(text)) for text in asked])
        np.testing.assert_array_equal(of.columns["bytes"], [len(text.encode()) for text in asked])
        assert (of.columns["right"] <= of.columns["tokens"]).all()


def _arguments(world, name):
    return [asked[0][-1] for asked in open_task(world.place, world.use(name)).arguments]


def test_what_a_model_writes_is_texts(world):
    params = {"most": 5, "examples": 1}
    data = world.questions("gsm8k", **params)
    entry = world.asked("gsm8k", data, world.model(), params=params)
    of = predictions(data, entry)
    assert (of.kind, data.json("meta.json")["answer"]) == ("texts", "text")
    assert of.columns["reference"].tolist() == [f"so {i}\n#### {i}" for i in range(24)]
    assert all(isinstance(text, str) and len(text) <= 5 for text in of.columns["text"])
    assert {name for name in of.columns if name.startswith("lm_eval.")} == {
        f"lm_eval.exact_match,{sieve}:mean:higher" for sieve in ("strict-match", "flexible-extract")
    }


def test_a_choice_that_a_question_does_not_have_is_never_likely(world, tmp_path):
    file = tmp_path / "q.csv"
    file.write_text("question,A,B,C,answer\n1?,a hen,a cow,,B\n2?,x,y,z,A\n3?,do,re,,A\n", encoding="utf-8")
    data = world.questions("arc_style", path=str(file))
    of = predictions(data, world.asked("arc_style", data, world.model(), params={"path": str(file)}))
    assert (of.logits[:, 2] == FLOOR).tolist() == [True, False, True]
    assert (of.probability[[0, 2], 2] == 0).all()
    assert data.json("meta.json")["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    np.testing.assert_allclose(of.columns["chance"], [1 / 2, 1 / 3, 1 / 2])
    assert any("2 to 3 choices" in note for note in data.json("meta.json")["notes"])


def test_pairs_without_a_right_choice_have_no_accuracy(world):
    data = world.questions("crows_pairs")
    of = predictions(data, world.asked("crows_pairs", data, world.model()))
    assert (of.label == -1).all()
    assert of.classes == ("more", "less")
    more = of.logits[:, 0] > of.logits[:, 1]  # strictly: a sentence against itself is no preference
    np.testing.assert_array_equal(of.columns["lm_eval.pct_stereotype:mean:lower"], more)
    assert any("no choice is the right one" in note for note in data.json("meta.json")["notes"])


@pytest.mark.parametrize(
    ("name", "status"),
    [("accuracy", "not applicable"), ("ece", "not applicable"), ("nll", "not applicable"), ("lm_eval_lower", "ok")],
)
def test_a_number_about_being_right_is_not_given_where_nothing_is(world, name, status):
    """An accuracy of 0 % would look like a model that is always wrong."""
    data = world.questions("crows_pairs")
    entry = world.asked("crows_pairs", data, world.model())
    piece = evidence.Piece("role", "student", 0, "torch_cpu", "predictions", "test", "", 0)
    plugins = world.place.plugins
    params = {p.name: p.default for p in plugins.get("metric", name).params}
    metric = open_metric(plugins, name, params | ({"metric": "pct_stereotype"} if name == "lm_eval_lower" else {}))
    (case,) = cases_of(metric, [piece], {"role": entry}, evidence.examples(data, ()))
    assert ("ok" if case.problem is None else case.problem.status) == status


def test_groups_and_clusters_come_from_the_documents(world):
    rows = samples.raw(world.questions("winobias"), "test")
    assert set(rows.groups) == {"type", "stereotype", "pronoun", "occupation"}
    assert len(np.unique(rows.cluster)) == 12
    rows = samples.raw(world.questions("blimp", limit=9), "test")
    assert sorted(rows.ids) == sorted(f"u{i}/{j}" for i in range(3) for j in range(3))
    assert set(rows.groups["field"]) == {"syntax", "syntax_semantics"}


def test_a_context_that_lost_its_beginning_is_counted(world):
    """lm-eval#3115, #3421: texts were cut to the model's length without a word."""
    data = world.questions("piqa", limit=8)
    whole = world.asked("piqa", data, world.model(), limit=8)
    short = world.asked("piqa", data, world.model(), limit=8, length=24)
    assert not predictions(data, whole).columns["truncated"].any()
    assert predictions(data, short).columns["truncated"].all()
    said = short.json("predictions.json")
    assert said["harness"]["truncated"] == 16  # both solutions of every question
    assert "16 contexts lost their beginning" in said["notes"][0]


def test_answers_to_other_questions_are_refused(world):
    data = world.questions("piqa", limit=8)
    for more, reason in (({"limit": 9}, "documents is '9' here and '8'"), ({"shots": 1}, "shots is '1' here and '0'")):
        with pytest.raises(Refusal, match=reason):
            world.asked("piqa", data, world.model(), **{"limit": 8, **more})
    with pytest.raises(Refusal, match="task is 'blimp' here and 'piqa'"):
        world.asked("blimp", data, world.model(), limit=8)


def test_a_model_that_cannot_be_asked_in_text_is_refused(world):
    data = world.questions("piqa", limit=4)
    with pytest.raises(Refusal, match="the model has no tokenizer.json"):
        world.asked("piqa", data, world.model(files={}), limit=4)
    with pytest.raises(Refusal, match="made with another tokenizer than this one of 58 tokens"):
        world.asked("piqa", data, world.model(facts={"tokenizer": "0" * 64}), limit=4)
    with pytest.raises(Refusal, match="made with another tokenizer"):
        world.asked("piqa", data, world.model(shape=Shape("tokens", {"tokens": (LENGTH,)}, 32, (32,), "next")), limit=4)
    with pytest.raises(Refusal, match="lm-eval asks causal language models; this model takes tokens and answers 'class'"):
        world.asked("piqa", data, world.model(shape=Shape("tokens", {"tokens": (LENGTH,)}, SIZE, (SIZE,))), limit=4)


def test_a_model_whose_logits_are_not_finite_is_refused(world, monkeypatch):
    from kdbench import Runner

    broken = Runner(lambda x: np.full((*x["tokens"].shape, SIZE), np.nan, np.float32))
    monkeypatch.setattr(harness.running, "reopened", lambda *_: broken)
    for name in ("piqa", "lambada"):
        with pytest.raises(Refusal, match="not finite"):
            world.asked(name, world.questions(name, limit=4), world.model(), limit=4)


@pytest.mark.parametrize("target", ["torch_cpu", "ort_cpu"])
def test_scores_do_not_depend_on_the_target(world, target):
    data = world.questions("piqa", limit=6)
    eagerly, there = (
        predictions(data, world.asked("piqa", data, world.model(), limit=6, target=t)) for t in ("torch_cpu", target)
    )
    np.testing.assert_allclose(eagerly.logits, there.logits, rtol=1e-4)


MADE = {
    "task": "made",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": lambda doc: doc["q"],
    "doc_to_target": lambda doc: doc["y"],
    "doc_to_choice": ["no", "yes"],
    "metric_list": [{"metric": name} for name in ("acc", "acc_norm", "acc_bytes", "f1", "mcc", "brier_score")],
}


def made(n=40, **more):
    from kdbench.harnesses._documents import Documents

    rng = np.random.default_rng(3)
    rows = Documents(
        {"q": f"{i} {'abc'[rng.integers(3)]}?", "y": int(rng.integers(2)), "a": f"{i % 5} cats sat"} for i in range(n)
    )
    return opened({**MADE, "custom_dataset": lambda **_: {"test": rows}, **more})


WRITTEN = {
    "output_type": "generate_until",
    "doc_to_target": lambda doc: doc["a"],
    "doc_to_choice": None,
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 12},
    "metric_list": [{"metric": name} for name in ("bleu", "chrf", "chrf++", "ter", "exact_match")],
}
OWN = {
    "process_results": lambda doc, said: {"middle": said[0][0], "some": math.nan if doc["y"] else 1.0, "spread": said[0][0]},
    "metric_list": [
        {"metric": "middle", "aggregation": "median", "higher_is_better": True},
        {"metric": "some", "aggregation": "nanmean", "higher_is_better": True},
        {"metric": "spread", "aggregation": lambda items: max(items) - min(items), "higher_is_better": False},
    ],
}  # fmt: skip


@pytest.mark.parametrize("more", [{}, WRITTEN, OWN, {"doc_to_choice": lambda doc: ["no", "yes", "so"][: 2 + doc["y"]]}],
                         ids=["choices", "written", "own", "ragged"])  # fmt: skip
def test_lm_evals_numbers_from_the_stored_columns_to_the_last_digit(more):
    """Every aggregation that lm-eval has, against its own result: of a model that answers by chance and one that is random."""
    if callable(more.get("doc_to_choice")):
        more = {**more, "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
    with quiet():
        one = made(**more)
        result = run_opened(ours(), one)
        held = columns(one.task, result["samples"]["made"], None)
    assert len(held) == len(one.task.aggregation())
    n = len(one.documents)
    of = Predictions(np.arange(n).astype(str), np.zeros(n, int), np.zeros((n, 0)), np.zeros(n, int), kind="tokens", columns=held)
    for name in held:
        metric, _, better = name.removeprefix("lm_eval.").rsplit(":", 2)
        number = result["results"]["made"][f"{metric},none"]
        plugin = discover().load("metric", "lm_eval" if better == "higher" else "lm_eval_lower")[0]
        assert plugin(of, metric=metric) == number, name
        weights = np.ones((2, n), np.float32)
        assert plugin(of, weights, metric=metric) == pytest.approx([number, number], rel=1e-12), name
        if metric == "ter":
            assert math.isfinite(number)


def test_the_number_of_a_function_of_the_task_has_an_influence_for_every_document():
    """The jackknife of a mean is the mean's own influence, whether documents are left out one by one, by group or by cluster."""
    from kdbench.stages.harness_columns import _influenced

    rng = np.random.default_rng(0)
    for n, cluster in ((50, None), (3000, None), (600, np.repeat(np.arange(60), 10)), (2000, np.repeat(np.arange(500), 4))):
        values = rng.normal(size=n).tolist()
        whole, influence, count = _influenced(np.mean, values, cluster).T
        assert (whole == np.mean(values)).all()
        assert (count == n).all()
        unit = np.arange(n) if cluster is None else cluster
        truth, found = (np.bincount(unit, part) for part in (np.array(values) - np.mean(values), influence))
        assert math.sqrt((found**2).sum()) == pytest.approx(math.sqrt((truth**2).sum()), rel=0.12)
        if len(set(unit)) <= 256:
            np.testing.assert_allclose(found, truth, atol=1e-9)
