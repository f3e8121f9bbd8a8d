"""Metrics of embeddings against scikit-learn, scipy, torchmetrics, or the definition in plain loops."""

from itertools import permutations

import numpy as np
import pytest
from asking import PLUGINS, metric, value

from kdbench import NotApplicable, Predictions, Undefined
from kdbench.judge.ask import Metric
from kdbench.judge.cases import Case
from kdbench.judge.columns import dense, sums, tidy
from kdbench.judge.evidence import Examples
from kdbench.judge.means import of_means
from kdbench.judge.readings import Spot
from kdbench.judge.resample import Resampler
from kdbench.judge.sets import of_sets
from kdbench.judge.slices import cuts_of
from kdbench.nouns.predictions import lacks

RETRIEVAL = {"recall_at_k": {"k": 3}, "hit_rate_at_k": {"k": 3}, "ndcg_at_k": {"k": 3}, "map_at_r": {}, "mrr": {}}
OF_TEACHER = ("embedding_cosine", "neighbour_overlap", "similarity_correlation_with_teacher")
OF_GOLD = ("similarity_pearson", "similarity_spearman")
EVERY = (*RETRIEVAL, *OF_TEACHER, *OF_GOLD)


def vectors(logits, label=None, **columns):
    logits = np.asarray(logits)
    n = len(logits)
    label = np.full(n, -1) if label is None else np.asarray(label)
    held = {name: np.asarray(of) for name, of in columns.items()}
    ids = np.array([f"r{i}" for i in range(n)])
    return Predictions(ids, label, logits, np.zeros(n, dtype=np.int64), kind="vectors", columns=held)


def made(n=60, classes=7, width=8, noise=1.0, seed=0):
    """Vectors around the centres of their classes, float32 as they are stored."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    return vectors((rng.normal(size=(classes, width))[label] + noise * rng.normal(size=(n, width))).astype(np.float32), label)


def cosines(a, b=None):
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, a if b is None else b))
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def listed(of):
    """Of each query the relevance of the other rows, from the nearest on: what a search engine would show."""
    score, label = cosines(of.logits), of.label
    for i in range(len(label)):
        others = np.array([j for j in range(len(label)) if j != i])
        order = others[np.argsort(-score[i, others], kind="stable")]
        yield label[order] == label[i]


def plain(name, relevant, k=3):
    """The number of one query from the list of its documents, each metric as its paper says it."""
    relevant = [bool(r) for r in relevant]
    count = sum(relevant)
    if name == "recall_at_k":
        return sum(relevant[:k]) / count
    if name == "hit_rate_at_k":
        return float(any(relevant[:k]))
    if name == "mrr":
        return 1 / (relevant.index(True) + 1)
    if name == "ndcg_at_k":
        gain = sum(1 / np.log2(i + 2) for i, r in enumerate(relevant[:k]) if r)
        return gain / sum(1 / np.log2(i + 2) for i in range(min(k, count)))
    return sum(sum(relevant[: i + 1]) / (i + 1) for i in range(count) if relevant[i]) / count


@pytest.mark.parametrize("name", RETRIEVAL)
def test_retrieval_equals_plain_loops(name):
    of = made()
    expected = np.mean([plain(name, relevant) for relevant in listed(of) if relevant.any()])
    assert value(name, of, RETRIEVAL[name]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", RETRIEVAL)
@pytest.mark.parametrize("seed", range(3))
def test_ties_equal_the_mean_over_every_order_of_what_is_tied(name, seed):
    rng = np.random.default_rng(seed)
    angle = rng.choice([0.1, 0.5, 0.9], size=6)  # few directions, so that many rows are tied
    label = np.array([0, 0, 1, 1, 1, 2])
    of = vectors(np.stack([np.cos(angle), np.sin(angle)], axis=1), label)
    score = np.round(cosines(of.logits), 9)
    expected = []
    for i in range(5):  # the sixth is alone in its class
        others = [j for j in range(6) if j != i]
        orders = [o for o in permutations(others) if all(score[i, a] >= score[i, b] for a, b in zip(o, o[1:], strict=False))]
        expected.append(np.mean([plain(name, label[list(o)] == label[i]) for o in orders]))
    assert value(name, of, RETRIEVAL[name]) == pytest.approx(np.mean(expected), abs=1e-12)


def test_ndcg_equals_sklearn_with_and_without_ties():
    from sklearn.metrics import ndcg_score

    for of in (made(), vectors(np.sign(made(width=3).logits), made(width=3).label)):
        n = len(of.label)
        score, relevant = np.round(cosines(of.logits), 12), of.label[:, None] == of.label
        others = ~np.eye(n, dtype=bool)
        for k in (1, 5, n - 1):
            parts = [x[others].reshape(n, n - 1) for x in (relevant, score)]
            assert value("ndcg_at_k", of, {"k": k}) == pytest.approx(ndcg_score(*parts, k=k), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "judge", "options"),
    [
        ("recall_at_k", "RetrievalRecall", {"top_k": 3}), ("hit_rate_at_k", "RetrievalHitRate", {"top_k": 3}),
        ("ndcg_at_k", "RetrievalNormalizedDCG", {"top_k": 3}), ("mrr", "RetrievalMRR", {}),
    ],
)  # fmt: skip
def test_retrieval_equals_torchmetrics(name, judge, options):
    import torch
    from torchmetrics import retrieval

    of = made(n=40)
    query, document = np.nonzero(~np.eye(40, dtype=bool))
    score = cosines(of.logits)[query, document]
    found = getattr(retrieval, judge)(**options, empty_target_action="skip")(
        torch.tensor(score), torch.tensor(of.label[query] == of.label[document]), torch.tensor(query)
    )
    assert value(name, of, RETRIEVAL[name]) == pytest.approx(found.item(), abs=1e-6)


def test_the_nearest_neighbour_equals_sklearns():
    from sklearn.neighbors import NearestNeighbors

    of = made(n=200)
    found = NearestNeighbors(n_neighbors=2, metric="cosine").fit(of.logits).kneighbors(return_distance=True)[1]
    hit = np.array([of.label[row[row != i][0]] == of.label[i] for i, row in enumerate(found)])
    assert value("hit_rate_at_k", of, {"k": 1}) == pytest.approx(hit.mean(), abs=1e-12)


@pytest.mark.parametrize("name", RETRIEVAL)
def test_pairs_ask_for_their_own_second_text(name):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(30, 5))
    second = first + 0.8 * rng.normal(size=(30, 5))
    score = cosines(first, second)
    expected = [plain(name, np.argsort(-row, kind="stable") == i) for i, row in enumerate(score)]
    assert value(name, vectors(first, other=second), RETRIEVAL[name]) == pytest.approx(np.mean(expected), abs=1e-12)


def test_queries_without_a_relevant_document_are_left_out_and_counted():
    of = made(n=30, classes=4)
    alone = vectors(np.concatenate([of.logits, made(n=3, seed=9).logits]), np.concatenate([of.label, [90, 91, -1]]))
    expected = [plain("mrr", r) for i, r in enumerate(listed(alone)) if i < 30]
    assert value("mrr", alone) == pytest.approx(np.mean(expected), abs=1e-12)
    assert metric("mrr").say("note", {"predictions": alone}) == "3 of 33 queries have no relevant document: left out"
    assert np.isnan(value("mrr", vectors(np.eye(3), [0, 1, 2])))


def test_a_group_searches_the_whole_collection():
    of = made(n=80)
    half = np.arange(80) % 2
    readings = judged("recall_at_k", of, {"half": (("a", "b"), half)}, k=3)
    expected = np.array([plain("recall_at_k", relevant) for relevant in listed(of)])
    assert readings["half=a"].value == pytest.approx(expected[half == 0].mean(), abs=1e-12)
    assert readings[""].value == pytest.approx(expected.mean(), abs=1e-12)
    assert readings[""].draws.std() == pytest.approx(expected.std() / np.sqrt(80), rel=0.1)


def judged(name, of, groups=None, offered=None, **params):
    """The readings of one contender by slice, as the judge makes them."""
    one: Metric = metric(name, **params)
    n = len(of.ids)
    about = Examples(of.ids, of.label, groups or {}, None, (), None)
    case = Case(Spot("kd", 0, "torch_cpu", "test"), {"predictions": of, **(offered or {})}, "key")
    make = of_sets if one.form == "set" else of_means
    found = make(one, case, cuts_of(about, 5), Resampler(n, 400, 1))
    return {spot.slice: reading for spot, reading in found}


# --- similarity that people gave


def pairs(n=120, seed=0, width=6, ties=False):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, width))
    near = rng.uniform(0, 1, n)
    second = near[:, None] * first + (1 - near)[:, None] * rng.normal(size=(n, width))
    target = 1 + 4 * np.clip(near + 0.2 * rng.normal(size=n), 0, 1)
    if ties:
        first, second, target = np.sign(first[:, :3]), np.sign(second[:, :3]), np.round(target)
    return vectors(first, other=second, target=target)


@pytest.mark.parametrize("ties", [False, True])
def test_similarity_equals_scipy(ties):
    from scipy.stats import pearsonr, spearmanr

    of = pairs(ties=ties)
    cosine = np.round(np.diag(cosines(of.logits, of.columns["other"])), 12)
    assert value("similarity_spearman", of) == pytest.approx(spearmanr(cosine, of.columns["target"]).statistic, abs=1e-10)
    assert value("similarity_pearson", of) == pytest.approx(pearsonr(cosine, of.columns["target"]).statistic, abs=1e-10)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_ranks_equal_scipy_on_repeated_rows(ties):
    from scipy.stats import spearmanr

    of = pairs(ties=ties)
    cosine = np.round(np.diag(cosines(of.logits, of.columns["other"])), 12)
    weights = np.random.default_rng(1).multinomial(120, np.full(120, 1 / 120), size=5).astype(np.float32)
    found = metric("similarity_spearman")({"predictions": of, "weights": weights})
    for draw, w in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(120), w.astype(int))
        assert draw == pytest.approx(spearmanr(cosine[rows], of.columns["target"][rows]).statistic, abs=1e-9)


def test_an_order_that_is_right_but_bent_has_rank_correlation_1_and_less_of_the_other():
    cosine = np.linspace(0.1, 0.9, 40)
    second = np.stack([cosine, np.sqrt(1 - cosine**2)], axis=1)
    of = vectors(np.tile([1.0, 0.0], (40, 1)), other=second, target=np.exp(8 * cosine))
    assert value("similarity_spearman", of) == pytest.approx(1.0, abs=1e-12)
    assert value("similarity_pearson", of) < 0.9


def test_similarity_that_does_not_vary_is_undefined_and_not_0():
    of = vectors(np.eye(4), other=np.eye(4), target=[1.0, 2, 3, 4])
    with pytest.raises(Undefined, match="are equal"):
        value("similarity_spearman", of)
    assert np.isnan(value("similarity_pearson", of))
    found = metric("similarity_spearman")({"predictions": pairs(4), "weights": np.array([[4, 0, 0, 0], [1, 1, 1, 1.0]])})
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


# --- likeness to the teacher


def test_neighbour_overlap_equals_sklearns_neighbours():
    from sklearn.neighbors import NearestNeighbors

    student, teacher = made(n=90, width=6, seed=1), made(n=90, width=11, seed=2)
    sets = []
    for of in (student, teacher):
        found = NearestNeighbors(n_neighbors=5, metric="cosine").fit(of.logits.astype(np.float64)).kneighbors()[1]
        sets.append([set(row) for row in found])
    expected = np.mean([len(a & b) / 5 for a, b in zip(*sets, strict=True)])
    assert value("neighbour_overlap", student, {"k": 5}, teacher=teacher) == pytest.approx(expected, abs=1e-12)


def test_embedding_cosine_equals_torch_and_needs_equal_widths():
    import torch

    student, teacher = made(seed=1), made(seed=2)
    expected = torch.nn.functional.cosine_similarity(*(torch.tensor(o.logits).double() for o in (student, teacher))).mean()
    assert value("embedding_cosine", student, teacher=teacher) == pytest.approx(expected.item(), abs=1e-9)
    with pytest.raises(NotApplicable, match="vectors of 8 numbers, the teacher's of 12"):
        value("embedding_cosine", student, teacher=made(width=12))


def test_correlation_of_similarities_equals_numpy_corrcoef():
    student, teacher = made(n=50, seed=1), made(n=50, width=13, seed=2)
    upper = np.triu_indices(50, 1)
    expected = np.corrcoef(cosines(student.logits)[upper], cosines(teacher.logits)[upper])[0, 1]
    assert value("similarity_correlation_with_teacher", student, teacher=teacher) == pytest.approx(expected, abs=1e-10)


def test_the_influence_of_a_row_equals_the_jackknife():
    student, teacher = made(n=70, seed=1), made(n=70, seed=3)
    one = metric("similarity_correlation_with_teacher")
    found = one.influence({"predictions": student, "teacher": teacher})
    full = float(one({"predictions": student, "teacher": teacher}))
    left = []
    for i in range(70):
        rows = np.delete(np.arange(70), i)
        left.append(float(one({"predictions": student.take(rows), "teacher": teacher.take(rows)})))
    jackknife = 69 * (full - np.array(left))
    assert found.mean() == pytest.approx(0.0, abs=1e-12)
    assert np.corrcoef(found, jackknife)[0, 1] > 0.99
    assert found.std() == pytest.approx(jackknife.std(), rel=0.1)


def test_its_interval_is_as_wide_as_the_spread_over_new_samples():
    rng = np.random.default_rng(0)
    turn = rng.normal(size=(6, 6))

    def sample():
        x = rng.normal(size=(80, 6))
        return vectors(x @ turn + rng.normal(size=(80, 6))), vectors(x)

    spread = np.std([value("similarity_correlation_with_teacher", s, teacher=t) for s, t in (sample() for _ in range(150))])
    said = [judged("similarity_correlation_with_teacher", s, offered={"teacher": t})[""] for s, t in (sample() for _ in range(8))]
    assert np.mean([reading.draws.std() for reading in said]) == pytest.approx(spread, rel=0.25)


def test_a_student_that_is_the_teacher_turned_has_its_neighbours_but_not_its_directions():
    teacher = made(n=100)
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0]
    wider = np.concatenate([3 * teacher.logits @ turned, np.zeros((100, 4))], axis=1)
    for student in (vectors(teacher.logits @ turned), vectors(wider)):
        assert value("neighbour_overlap", student, teacher=teacher) == pytest.approx(1.0, abs=1e-3)
        assert value("similarity_correlation_with_teacher", student, teacher=teacher) == pytest.approx(1.0, abs=1e-9)
    assert value("embedding_cosine", vectors(teacher.logits @ turned), teacher=teacher) < 0.5


def test_equal_texts_are_tied_on_both_sides_alike():
    once = made(n=20).logits
    of = vectors(np.concatenate([once, once, once]))
    assert value("neighbour_overlap", of, {"k": 4}, teacher=of) == 1.0


# --- what every one of them promises


def held(name, seed=0, n=120):
    if name in OF_GOLD:
        return {"predictions": pairs(n, seed)}
    return {"predictions": made(n, seed=seed), "teacher": made(n, seed=seed, noise=0.5)}


@pytest.mark.parametrize("name", EVERY)
def test_it_reads_vectors_is_in_range_and_blind_to_the_order_of_rows(name):
    one, given = metric(name), held(name)
    assert one.facts["reads"] == "vectors"
    assert lacks("logits", "vectors") == "it reads vectors; these predictions are logits"
    first = value(name, given["predictions"], teacher=given.get("teacher"))
    order = np.random.default_rng(1).permutation(120)
    turned = {key: of.take(order) for key, of in given.items()}
    assert value(name, turned["predictions"], teacher=turned.get("teacher")) == pytest.approx(first, abs=1e-12)
    assert one.facts["low"] <= first <= one.facts["high"]


def test_every_metric_of_vectors_is_tested_here():
    found = {d.name for d in PLUGINS.describe("metric") if getattr(d, "facts", {}).get("reads") == "vectors"}
    assert found == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_perfect_encoder_is_better_than_a_bad_one(name):
    if name in OF_GOLD:
        best, worst = pairs(seed=1), pairs(seed=1)
        cosine = np.diag(cosines(best.logits, best.columns["other"]))
        best.columns["target"][:] = 3 + 2 * cosine
        worst.columns["target"][:] = 3 - 2 * cosine
        assert value(name, best) == pytest.approx(1.0)
        assert value(name, worst) == pytest.approx(-1.0)
        return
    teacher = made(n=70, noise=0.0)
    bad = vectors(np.random.default_rng(9).normal(size=(70, 8)), teacher.label)
    best, worst = (value(name, of, teacher=teacher) for of in (teacher, bad))
    assert best > worst
    if name != "recall_at_k":  # ten of eleven others is all that ten places can hold
        assert best == pytest.approx(1.0)


def test_unit_weights_give_the_value_itself():
    of = pairs(ties=True)
    found = metric("similarity_spearman")({"predictions": of, "weights": np.ones((3, 120), dtype=np.float32)})
    assert found == pytest.approx(np.full(3, value("similarity_spearman", of)), abs=1e-12)


@pytest.mark.parametrize("name", [n for n in EVERY if metric(n).form == "mean"])
def test_finish_takes_many_draws_and_gives_nan_without_rows(name):
    one, given = metric(name), held(name)
    mean = sums(tidy(one(given), 120))[0] / 120
    with np.errstate(invalid="ignore", divide="ignore"):
        many = one.finish(np.stack([mean, mean, np.full_like(mean, np.nan)]))
    assert many[:2] == pytest.approx(np.full(2, float(one.finish(mean))))
    assert np.isnan(many[2])


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("bad", "said"), [(0.0, "1 of 120 vectors.* zeros: they have no direction"), (np.nan, "not finite")])
def test_vectors_without_a_direction_are_undefined_and_never_a_number(name, bad, said):
    given = held(name)
    given["predictions"].logits[7] = bad
    with pytest.raises(Undefined, match=said):
        value(name, given["predictions"], teacher=given.get("teacher"))


@pytest.mark.parametrize("name", EVERY)
def test_data_of_another_form_are_not_applicable_and_say_why(name):
    if name in OF_GOLD:
        for of in (made(), vectors(np.eye(3), other=np.eye(3))):
            with pytest.raises(NotApplicable, match="it reads"):
                value(name, of)
    elif name in RETRIEVAL:
        with pytest.raises(NotApplicable, match="gold similarity"):
            value(name, pairs(), RETRIEVAL[name])


@pytest.mark.parametrize("name", ["recall_at_k", "hit_rate_at_k", "ndcg_at_k", "neighbour_overlap"])
def test_a_collection_smaller_than_k_is_undefined(name):
    of = vectors(np.eye(4), [0, 0, 1, 1])
    with pytest.raises(Undefined, match="3 .*, fewer than k = 4"):
        value(name, of, {"k": 4}, teacher=of)
    assert np.isfinite(value(name, of, {"k": 3}, teacher=of))


@pytest.mark.parametrize("name", [*RETRIEVAL, "neighbour_overlap", "similarity_correlation_with_teacher"])
def test_too_many_rows_to_compare_are_refused_before_they_are_compared(name):
    of = vectors(np.ones((50_001, 1), dtype=np.float32), np.zeros(50_001, dtype=int))
    with pytest.raises(NotApplicable, match="cap the test split"):
        value(name, of, teacher=of)


@pytest.mark.parametrize("name", RETRIEVAL)
def test_tiny_and_huge_vectors_have_the_directions_that_they_have(name):
    of = made()
    expected = value(name, of, RETRIEVAL[name])
    for scale in (1e-200, 1e200):
        assert value(name, vectors(of.logits.astype(np.float64) * scale, of.label), RETRIEVAL[name]) == expected


@pytest.mark.parametrize("name", RETRIEVAL)
def test_a_collapsed_encoder_is_at_chance_and_not_lucky(name):
    """All vectors equal: every order is as probable as any other."""
    label = np.array([0, 0, 0, 1, 1, 1])
    of = vectors(np.ones((6, 3)), label)
    lists = set(permutations([1, 1, 0, 0, 0]))
    expected = np.mean([plain(name, one) for one in lists])
    assert value(name, of, RETRIEVAL[name]) == pytest.approx(expected, abs=1e-12)
    assert dense(tidy(metric(name, **RETRIEVAL[name])({"predictions": of}), 6)).shape == (6, 2)
