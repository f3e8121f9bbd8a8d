"""The metrics lm_eval and lm_eval_lower: values, draws, influence and intervals, judged by lm-eval's own aggregations and by
resampled items.
"""

import math

import lm_eval.api.metrics as judge
import numpy as np
import pytest

from kdbench import NotApplicable, Predictions, Undefined
from kdbench.judge.ask import open_metric
from kdbench.judge.resample import Resampler
from kdbench.nouns.predictions import lacks
from kdbench.registry import discover

PLUGINS = discover()
N = 150


def items(aggregation, n=N, seed=0):
    """Values of n documents as lm-eval has them, and as they are stored."""
    rng = np.random.default_rng(seed)
    if aggregation in ("weighted_perplexity", "bits_per_byte"):
        pairs = [(float(-rng.gamma(4, 10)), int(rng.integers(5, 90))) for _ in range(n)]
        return pairs, np.array(pairs)
    if aggregation in ("f1", "matthews_corrcoef"):
        right = rng.integers(0, 2, n)
        pairs = list(zip(right.tolist(), np.where(rng.random(n) < 0.7, right, 1 - right).tolist(), strict=True))
        return pairs, np.array(pairs, float)
    if aggregation == "brier_score":
        share = rng.dirichlet([1, 1, 1], n)
        right = rng.integers(0, 3, n)
        return list(zip(right.tolist(), share, strict=True)), np.column_stack([right, share])
    if aggregation in ("bleu", "chrf", "chrf++", "ter"):
        from kdbench.stages.harness_columns import _counts

        words = np.array(["the", "a", "cat", "dog", "sat", "ran", "on", "mat", "up", ".", "of", "by"])
        texts = [" ".join(rng.choice(words, rng.integers(4, 12))) for _ in range(n)]
        pairs = [(t, " ".join(w if rng.random() < 0.8 else "so" for w in t.split())) for t in texts]
        return pairs, _counts(aggregation, pairs)
    values = -rng.gamma(2, 1, n) if aggregation == "perplexity" else (rng.random(n) < 0.6).astype(float)
    if aggregation == "nanmean":
        values[rng.random(n) < 0.3] = np.nan
    return values.tolist(), values


OF = {
    "mean": judge.mean, "nanmean": judge.nanmean, "median": judge.median, "perplexity": judge.perplexity,
    "weighted_perplexity": judge.weighted_perplexity, "bits_per_byte": judge.bits_per_byte, "f1": judge.f1_score,
    "matthews_corrcoef": judge.matthews_corrcoef, "brier_score": judge.brier_score, "bleu": judge.bleu, "chrf": judge.chrf,
    "chrf++": judge.chrfpp, "ter": judge.ter,
}  # fmt: skip


def stored(aggregation, values, better="higher", name="m", **more):
    n = len(values)
    columns = {f"lm_eval.{name}:{aggregation}:{better}": values, **more}
    return Predictions(
        np.arange(n).astype(str), np.zeros(n, int), np.zeros((n, 0)), np.zeros(n, int), kind="tokens", columns=columns
    )


def metric(better="higher", **params):
    name = "lm_eval" if better == "higher" else "lm_eval_lower"
    defaults = {p.name: p.default for p in PLUGINS.get("metric", name).params}
    return open_metric(PLUGINS, name, {**defaults, "metric": "m", **params})


def draws(of, count=400, cluster=None, **params):
    resampler = Resampler(len(of.ids), count, 1, cluster)
    return metric(**params)({"predictions": of, "weights": np.concatenate(list(resampler.blocks(count)))})


@pytest.mark.parametrize("aggregation", list(OF))
def test_value_and_draws_against_lm_evals_own_aggregation(aggregation):
    """The value to the last digit (f1 and mcc, which sklearn computes, to 1e-15); every draw against the items repeated."""
    plain, values = items(aggregation)
    of = stored(aggregation, values)
    assert metric()({"predictions": of}) == pytest.approx(float(OF[aggregation](plain)), rel=4e-16, abs=0)
    weights = np.concatenate(list(Resampler(N, 6, 1).blocks(6)))
    expected = [float(OF[aggregation]([v for v, k in zip(plain, w, strict=True) for _ in range(int(k))])) for w in weights]
    found = metric()({"predictions": of, "weights": weights})
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("aggregation", ["mean", "nanmean", "perplexity", "weighted_perplexity", "bits_per_byte", "brier_score"])
def test_influence_against_a_numerical_derivative(aggregation):
    _, values = items(aggregation)
    of = stored(aggregation, values)
    influence = metric().influence({"predictions": of})
    for i in (0, 7, 149):
        weights = np.ones((2, N))
        weights[:, i] += [1e-4, -1e-4]
        up, down = metric()({"predictions": of, "weights": weights})
        assert influence[i] == pytest.approx(N * (up - down) / 2e-4, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("aggregation", ["f1", "matthews_corrcoef", "median", "bleu", "chrf", "ter"])
def test_where_there_is_no_simple_influence_it_says_so(aggregation):
    assert metric().influence({"predictions": stored(aggregation, items(aggregation)[1])}) is None


def test_spread_of_draws_against_lm_evals_standard_error():
    """lm-eval's analytic standard error of acc, which divides by n - 1; its own bootstrap of a perplexity."""
    plain, values = items("mean", 400)
    found = draws(stored("mean", values), 2000)
    assert found.std() == pytest.approx(judge.mean_stderr(plain), rel=0.06)
    plain, values = items("perplexity", 400)
    own = judge._bootstrap_internal(judge.perplexity, 500)((0, plain))
    assert draws(stored("perplexity", values), 2000).std() == pytest.approx(np.std(own), rel=0.12)


def test_intervals_hold_their_level():
    """Of 300 made tasks of 120 documents each, the 95 % intervals of accuracy, bits per byte and a perplexity hold the truth."""
    rng = np.random.default_rng(11)
    inside = {"mean": 0, "bits_per_byte": 0, "perplexity": 0}
    for _ in range(300):
        size = rng.integers(20, 200, 120)
        nll = size * rng.gamma(20, 0.05, 120)
        made = {
            "mean": ((rng.random(120) < 0.6).astype(float), 0.6),
            "bits_per_byte": (np.column_stack([-nll, size]), 1 / math.log(2)),
            "perplexity": (-rng.gamma(2, 0.5, 120), math.e),
        }
        for name, (values, truth) in made.items():
            low, high = np.quantile(draws(stored(name, values), 300), [0.025, 0.975])
            inside[name] += low <= truth <= high
    assert all(0.90 <= count / 300 <= 0.985 for count in inside.values()), inside


def test_clusters_make_an_interval_wider():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), 5)
    values = np.repeat(rng.random(30) < 0.5, 5).astype(float)
    of = stored("mean", values)
    assert draws(of, 1000, cluster).std() > 1.8 * draws(of, 1000).std()


def test_a_function_of_the_task_has_a_value_of_all_documents_only():
    from kdbench.stages.harness_columns import _influenced

    values = np.random.default_rng(0).normal(size=N)
    of = stored("function", _influenced(np.mean, values.tolist(), None))
    assert metric()({"predictions": of}) == np.mean(values)
    assert draws(of, 2000).std() == pytest.approx(values.std() / math.sqrt(N), rel=0.06)
    with pytest.raises(Undefined, match="about all documents only"):
        metric()({"predictions": of.take(np.arange(10))})
    lost = _influenced(lambda v: 1.0 if len(v) == N else math.nan, values.tolist(), None)
    with pytest.raises(Undefined, match="left out"):
        draws(stored("function", lost))


def test_a_number_is_asked_for_in_its_own_direction():
    """A table that took a perplexity for better when it is higher would rank the worst first."""
    _, values = items("perplexity")
    of = stored("perplexity", values, better="lower")
    with pytest.raises(NotApplicable, match="of m the lower is better: ask for it as lm_eval_lower"):
        metric()({"predictions": of})
    assert metric("lower")({"predictions": of}) > 1
    assert (metric().better, metric("lower").better) == ("higher", "lower")


def test_what_is_not_there_is_said():
    of = stored("mean", np.ones(4), name="exact_match,strict-match", **{"lm_eval.exact_match,loose:mean:higher": np.zeros(4)})
    assert metric(metric="exact_match", filter="loose")({"predictions": of}) == 0.0
    with pytest.raises(NotApplicable, match="exact_match with the filters strict-match, loose"):
        metric(metric="exact_match")({"predictions": of})
    with pytest.raises(NotApplicable, match="the task has exact_match; not 'acc'"):
        metric(metric="acc")({"predictions": of})
    with pytest.raises(NotApplicable, match="no answers to a task of lm-eval"):
        metric()({"predictions": Predictions(np.array(["a"]), np.array([0]), np.zeros((1, 2)), np.array([0]))})
    assert metric(metric="acc").say("note", {"predictions": of}) == ""  # a note is asked for first, and must not fail
    one = stored("mean", np.ones(4), name="exact_match,only")
    assert metric(metric="exact_match")({"predictions": one}) == 1.0
    assert all(not lacks(kind, "harness") for kind in ("logits", "tokens", "texts"))


@pytest.mark.parametrize(("right", "said"), [(0.52, True), (0.60, False), (0.40, False)])
def test_an_accuracy_at_chance_is_marked(right, said):
    """Wilson's interval of 500 pairs is 8.7 points wide."""
    values = (np.arange(500) < right * 500).astype(float)
    of = stored("mean", values, name="acc", chance=np.full(500, 0.5))
    note = metric(metric="acc").say("note", {"predictions": of})
    assert note == ("at chance (0.50): the interval covers it" if said else "")
    assert metric(metric="m").say("note", {"predictions": stored("mean", values, chance=np.full(500, 0.5))}) == ""


def test_questions_with_unlike_numbers_of_choices_have_a_mean_chance():
    of = stored("mean", np.array([1.0, 0, 0, 0, 1, 0]), name="acc", chance=np.array([1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 5, 1 / 3]))
    assert "at chance (0.34)" in metric(metric="acc").say("note", {"predictions": of})
