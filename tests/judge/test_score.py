"""From stored predictions to rows: slices, gaps, shifts, seeds, undefined numbers, latency."""

import math
from dataclasses import replace

import numpy as np
import pytest
from asking import metric, predictions
from made_evidence import Evidence, noisy_logits, row
from test_metric_values import GUIDE

from kdbench.judge.cases import Case
from kdbench.judge.gaps import group_summaries, lifts
from kdbench.judge.readings import Reading, Spot
from kdbench.judge.resample import Resampler
from kdbench.judge.sets import of_sets
from kdbench.judge.slices import Cuts, Grouping, Slice


def two_class(pred):
    return np.stack([1.0 - np.asarray(pred), pred], axis=1)


@pytest.fixture
def guide(tmp_path):
    made = Evidence(tmp_path, GUIDE["y"], positive=1, groups={"sf": GUIDE["group"]}, min_group=1)
    made.predict("teacher", two_class(GUIDE["y"]))
    made.predict("student", two_class(GUIDE["pred"]))
    return made


def test_groups_equal_fairlearn_metric_frame(tmp_path):
    from fairlearn.metrics import (
        MetricFrame,
        demographic_parity_difference,
        equalized_odds_difference,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score

    rng = np.random.default_rng(0)
    y, group = rng.integers(0, 2, 900), rng.choice(["a", "b", "c d", "NA", "None"], 900)
    z = noisy_logits(y, 2, 1.0, rng)
    made = Evidence(tmp_path, y, positive=1, groups={"sf": group})
    made.predict("teacher", noisy_logits(y, 2, 2.0, rng))
    made.predict("student", z)
    names = {"accuracy": accuracy_score, "selection_rate": selection_rate, "true_positive_rate": true_positive_rate,
             "false_positive_rate": false_positive_rate}  # fmt: skip
    board = made.board(*names)
    pred = z.argmax(axis=1)
    frame = MetricFrame(metrics=names, y_true=y, y_pred=pred, sensitive_features=group)
    gaps = {}
    for name in names:
        for level in np.unique(group):
            assert row(board, contender="student", metric=name, slice=f"sf={level}")["value"] == pytest.approx(
                frame.by_group[name][level], abs=1e-12
            )
        gaps[name] = row(board, contender="student", metric=name, slice="sf:gap")["value"]
        assert gaps[name] == pytest.approx(frame.difference()[name], abs=1e-12)
        assert row(board, contender="student", metric=name)["value"] == pytest.approx(frame.overall[name], abs=1e-12)
    assert row(board, contender="student", metric="accuracy", slice="sf:worst")["value"] == pytest.approx(
        frame.group_min()["accuracy"], abs=1e-12
    )
    assert gaps["selection_rate"] == pytest.approx(demographic_parity_difference(y, pred, sensitive_features=group), abs=1e-12)
    odds = equalized_odds_difference(y, pred, sensitive_features=group)
    assert max(gaps["true_positive_rate"], gaps["false_positive_rate"]) == pytest.approx(odds, abs=1e-12)
    per_group = board.scores[
        (board.scores["contender"] == "student") & (board.scores["metric"] == "accuracy") & (board.scores["seed"] == 0)
    ]
    assert per_group[per_group["slice"].str.fullmatch("sf=[^:]*")]["n"].sum() == 900


def test_groups_equal_the_published_fairlearn_guide(guide):
    board = guide.board("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")

    def at(metric, slice):
        return row(board, contender="student", metric=metric, slice=slice)["value"]

    for level, tpr, fpr, selected, count in (("a", 0.5, 1, 0.75, 4), ("b", 0.6, 0, 0.5, 6), ("c", 0.4, 2 / 3, 0.5, 8)):
        assert [at(m, f"sf={level}") for m in ("true_positive_rate", "false_positive_rate", "selection_rate")] == pytest.approx(
            [tpr, fpr, selected]
        )
        assert row(board, contender="student", metric="accuracy", slice=f"sf={level}")["n"] == count
    assert at("selection_rate", "sf:gap") == pytest.approx(0.25)
    assert max(at("true_positive_rate", "sf:gap"), at("false_positive_rate", "sf:gap")) == pytest.approx(1.0)
    assert at("accuracy", "sf:worst") == pytest.approx(0.25)


def test_harm_by_group_weighted_by_size_equals_harm_overall(guide):
    """sum_g w_g (err_S,g - err_T,g) = err_S - err_T."""
    board = guide.board("accuracy")
    rows = board.scores[(board.scores["contender"] == "student") & (board.scores["seed"] == -1)]
    by_group = rows[rows["slice"].str.fullmatch("sf=[^:]*") & (rows["metric"] == "accuracy")]
    overall = row(board, contender="student", metric="accuracy")["delta"]
    assert (by_group["n"] * by_group["delta"]).sum() / 18 == pytest.approx(overall)


def test_harm_beyond_the_overall_loss_weighted_by_size_sums_to_zero(guide):
    """h_g = (err_S,g - err_T,g) - (err_S - err_T); sum_g n_g h_g = 0."""
    board = guide.board("accuracy")
    rows = board.scores[(board.scores["contender"] == "student") & (board.scores["metric"] == "accuracy")]
    rows = rows[rows["seed"] == 0].set_index("slice")
    harm = rows[rows.index.str.fullmatch("sf=[abc]:harm")]
    assert (harm["n"] * harm["value"]).sum() == pytest.approx(0.0, abs=1e-12)
    a = -(rows.loc["sf=a", "delta"] - rows.loc["", "delta"])
    assert harm.loc["sf=a:harm", "value"] == pytest.approx(a)
    assert (harm["better"] == "lower").all()


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_summaries_of_groups_seek_the_extremes_again_in_each_draw(better):
    spot, rng = Spot("student", 0, "", "test"), np.random.default_rng(16)
    slices = tuple(Slice(f"g={k}", np.arange(40), 40, "g", k) for k in "abc")
    cuts = Cuts(Slice("", None, 120), (Grouping("g", np.repeat([0, 1, 2], 40), slices),))
    value, draws = (0.6, 0.7, 0.65), rng.uniform(0.4, 0.9, (3, 80))
    readings = {spot: Reading(0.65, rng.uniform(0.4, 0.9, 80), 120, units=120)}
    readings |= {replace(spot, slice=c.name): Reading(v, d, 40, units=40) for c, v, d in zip(slices, value, draws, strict=True)}
    found = {at.slice: of for at, of in group_summaries(readings, cuts, better, "quality")}
    worst = min if better == "higher" else max
    expected = {"g:gap": lambda of: max(of) - min(of), "g:ratio": lambda of: min(of) / max(of), "g:worst": worst}
    for name, of in expected.items():
        assert found[name].value == pytest.approx(of(value))
        assert found[name].draws == pytest.approx([of(drawn) for drawn in draws.T.tolist()])


def test_lift_is_the_share_of_a_group_over_the_share_of_all():
    """Hooker et al. 2020: 3 of 10 marked in a group where 2 of 10 are marked among all are over-represented 1.5 times."""
    spot, part = Spot("student", -1, "", "test"), Slice("g=a", np.arange(10), 10, "g", "a")
    cuts = Cuts(Slice("", None, 50), (Grouping("g", np.zeros(10, dtype=int), (part,)),))
    here, whole = Reading(0.3, np.array([0.2, 0.3, 0.1]), 10), Reading(0.2, np.array([0.2, 0.1, 0.0]), 50)
    ((at, found),) = lifts({spot: whole, replace(spot, slice="g=a"): here}, cuts)
    assert (at.slice, found.value) == ("g=a:lift", pytest.approx(1.5))
    assert found.draws.tolist() == pytest.approx([1.0, 3.0, math.nan], nan_ok=True)
    ((_, nobody),) = lifts({spot: replace(whole, value=0.0), replace(spot, slice="g=a"): here}, cuts)
    assert (nobody.status, nobody.reason) == ("undefined", "no example is marked")


def test_a_group_without_positives_is_undefined_and_so_is_the_gap(tmp_path):
    y = np.r_[np.zeros(40), np.tile([0, 1], 20)].astype(int)
    made = Evidence(tmp_path, y, positive=1, groups={"sf": ["none"] * 40 + ["some"] * 40})
    made.predict("teacher", two_class(y))
    board = made.board("true_positive_rate", "accuracy")
    none, gap = (row(board, contender="teacher", metric="true_positive_rate", slice=s) for s in ("sf=none", "sf:gap"))
    assert none["status"] == gap["status"] == "undefined"
    assert math.isnan(none["value"])
    assert math.isnan(gap["value"])
    assert none["reason"] == "no positive examples"
    assert "sf=none (n=40)" in gap["reason"]
    assert row(board, contender="teacher", metric="accuracy", slice="sf:gap")["value"] == 0.0


def test_one_group_has_no_gap(tmp_path):
    made = Evidence(tmp_path, np.arange(60) % 2, groups={"sf": ["only"] * 60})
    made.predict("teacher", two_class(np.arange(60) % 2))
    gap = row(made.board("accuracy"), contender="teacher", metric="accuracy", slice="sf:gap")
    assert gap["status"] == "undefined"
    assert gap["reason"] == "one group only: nothing to compare"


def test_small_missing_and_empty_groups_are_listed_and_left_out_of_the_gap(tmp_path):
    y = np.zeros(101, dtype=int)
    pred = np.r_[np.zeros(50), np.zeros(30), np.ones(15), np.ones(5), np.ones(1)]
    group = ["a"] * 50 + ["b"] * 15 + ["c"] * 30 + [" "] * 5 + ["id"]
    made = Evidence(tmp_path, y, groups={"sf": group})
    made.predict("teacher", two_class(pred))
    held = {
        s: row(made.board("accuracy"), contender="teacher", metric="accuracy", slice=s)
        for s in ("sf=b", "sf=(missing)", "sf=id", "sf:gap", "sf:worst")
    }
    assert "insufficient (n=15" in held["sf=b"]["reason"]
    assert held["sf=(missing)"]["n"] == 5
    assert held["sf=(missing)"]["value"] == 0.0
    assert held["sf=id"]["high"] > 0.5, "one wrong example is not certainty: Wilson's interval has a width"
    assert held["sf:gap"]["value"] == pytest.approx(0.5)
    assert held["sf:worst"]["value"] == pytest.approx(0.5)
    assert "3 of 5 groups left out" in held["sf:gap"]["reason"]


def test_a_level_without_test_rows_is_listed_with_n_0(tmp_path):
    from kdbench.judge.evidence import examples
    from kdbench.judge.slices import cuts_of

    made = Evidence(tmp_path, [0, 1], groups={"sf": ["a", "b"]})
    entry = made.store.open(made.data)
    (entry.path / "group.sf.npy").chmod(0o644)
    np.save(entry.path / "group.sf.npy", np.array(["a", "a", "gone"]))
    found = {s.name: s.n for s in cuts_of(examples(entry, ["sf"]), 1)}
    assert found == {"": 2, "sf=a": 2, "sf=gone": 0}


def test_no_positive_class_is_not_applicable(tmp_path):
    made = Evidence(tmp_path, np.arange(60) % 3, classes=3, groups={"sf": ["a", "b"] * 30})
    made.predict("teacher", np.eye(3)[np.arange(60) % 3])
    found = row(made.board("selection_rate"), contender="teacher", metric="selection_rate")
    assert (found["status"], found["axis"]) == ("not applicable", "bias")


@pytest.fixture
def shifted(tmp_path):
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 300)
    made = Evidence(tmp_path, y, classes=3)
    for name, skill in (("teacher", 3.0), ("student", 2.0)):
        z = noisy_logits(y, 3, skill, rng)
        made.predict(name, z)
        for shift, cost in (("blur", 0.5), ("noise", 1.0)):
            for severity in (1, 3, 5):
                made.predict(name, z + cost * severity * rng.normal(size=z.shape), shift=shift, severity=severity)
    return made


def test_shift_summaries_and_corruption_error_equal_hendrycks_equation(shifted):
    board = shifted.board("accuracy")
    error = {
        (c, s, k): 1 - row(board, contender=c, metric="accuracy", shift=s, severity=k)["value"]
        for c in ("teacher", "student") for s in ("blur", "noise") for k in (1, 3, 5)
    }  # fmt: skip
    ce = {
        s: sum(error["student", s, k] for k in (1, 3, 5)) / sum(error["teacher", s, k] for k in (1, 3, 5))
        for s in ("blur", "noise")
    }
    for shift, expected in (*ce.items(), ("*", np.mean(list(ce.values())))):
        found = row(board, contender="student", metric="corruption_error", shift=shift)
        assert found["value"] == pytest.approx(expected, abs=1e-12)
        assert found["low"] < expected < found["high"]
        assert row(board, contender="teacher", metric="corruption_error", shift=shift)["value"] == pytest.approx(1.0)
    mean = np.mean([error["student", "blur", k] for k in (1, 3, 5)])
    assert row(board, contender="student", metric="accuracy", shift="blur")["value"] == pytest.approx(1 - mean)
    assert row(board, contender="student", metric="accuracy", shift="*")["axis"] == "robustness"
    assert row(board, contender="student", metric="accuracy")["axis"] == "quality"


def test_a_severity_without_predictions_is_not_averaged_away(tmp_path):
    rng = np.random.default_rng(15)
    y = rng.integers(0, 2, 100)
    made = Evidence(tmp_path, y)
    for name, severities in (("teacher", (1, 3)), ("student", (1,))):
        made.predict(name, noisy_logits(y, 2, 2.0, rng))
        for severity in severities:
            made.predict(name, noisy_logits(y, 2, 1.0, rng), shift="noise", severity=severity)
    board = made.board("accuracy")
    for shift in ("noise", "*"):
        assert row(board, contender="teacher", metric="accuracy", shift=shift)["status"] == "ok"
        found = row(board, contender="student", metric="accuracy", shift=shift)
        assert (found["status"], found["reason"]) == ("undefined", "there are no predictions under noise 3")
        assert math.isnan(found["value"])


def test_corruption_error_of_a_perfect_teacher_is_undefined(tmp_path):
    y = np.arange(60) % 2
    made = Evidence(tmp_path, y)
    for name, pred in (("teacher", y), ("student", np.zeros(60))):
        made.predict(name, two_class(pred))
        made.predict(name, two_class(pred), shift="blur", severity=1)
    found = row(made.board("accuracy"), contender="student", metric="corruption_error", shift="blur")
    assert (found["status"], found["reason"]) == ("undefined", "the teacher makes no error under this shift")
    assert math.isnan(found["value"])


def test_predictions_in_another_order_are_joined_by_id(tmp_path):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    z, order = noisy_logits(y, 2, 1.0, rng), rng.permutation(200)
    made = Evidence(tmp_path, y, groups={"sf": np.where(rng.random(200) < 0.5, "a", "b")})
    made.predict("teacher", z)
    made.predict("shuffled", z[order], ids=made.ids[order], labels=y[order])
    made.predict("foreign ids", z, ids=np.array([f"x{i}" for i in range(200)]))
    board = made.board("accuracy", "agreement", "auroc")
    for name in ("accuracy", "auroc"):
        for part in ("", "sf=a", "sf:gap"):
            a, b = (row(board, contender=c, metric=name, slice=part) for c in ("teacher", "shuffled"))
            assert a[["value", "low", "high"]].tolist() == pytest.approx(b[["value", "low", "high"]].tolist(), abs=1e-9)
    assert row(board, contender="shuffled", metric="agreement")["value"] == 1.0
    assert row(board, contender="foreign ids", metric="accuracy")["status"] == "failed"


def test_each_seed_is_compared_with_the_teacher_of_that_seed_and_others_with_its_first(tmp_path):
    """Students that are copies of a teacher each: of the same seed, and one more whose seed the teacher has not."""
    rng = np.random.default_rng(13)
    y = rng.integers(0, 2, 200)
    made, z = Evidence(tmp_path, y), [noisy_logits(y, 2, skill, rng) for skill in (0.5, 2.0)]
    for seed, logits in enumerate(z):
        made.predict("teacher", logits, seed=seed)
        made.predict("student", logits * 1.001, seed=seed)
    made.predict("student", z[0] * 1.001, seed=2)
    board = made.board("accuracy", "agreement")
    right = [float((logits.argmax(axis=1) == y).mean()) for logits in z]
    assert right[0] != right[1]
    for seed in range(3):
        of = row(board, contender="student", metric="accuracy", seed=seed)
        assert (of["value"], of["delta"]) == (pytest.approx(right[seed % 2]), 0.0)
        assert of["teacher"] == of["value"]
        assert row(board, contender="student", metric="agreement", seed=seed)["value"] == 1.0


def test_seed_interval_equals_cochrans_equation_with_scipy_quantiles(tmp_path):
    """Variance of the mean = bootstrap variance over examples + s^2 / S; t is the variance-weighted mean of their t quantiles."""
    from scipy import stats

    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 250)
    made = Evidence(tmp_path, y, resamples=4000)
    made.predict("teacher", noisy_logits(y, 2, 2.0, rng))
    z = [noisy_logits(y, 2, skill, rng) for skill in (1.0, 1.4, 0.8)]
    for seed, logits in enumerate(z):
        made.predict("student", logits, seed=seed)
    right = np.stack([logits.argmax(axis=1) == y for logits in z])
    a, b = right.mean(axis=0).var(ddof=0) / 250, right.mean(axis=1).var(ddof=1) / 3
    half = (a * stats.t.ppf(0.975, 249) + b * stats.t.ppf(0.975, 2)) / math.sqrt(a + b)
    found = row(made.board("accuracy"), contender="student", metric="accuracy")
    assert found["value"] == pytest.approx(right.mean())
    assert [found["low"], found["high"]] == pytest.approx([right.mean() - half, right.mean() + half], rel=0.02)
    assert found["reason"] == "3 seeds"


def test_checkpoint_intervals_equal_scipy_bootstrap_and_wilson(tmp_path):
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 200)
    z, t = noisy_logits(y, 3, 1.0, rng), noisy_logits(y, 3, 1.5, rng)
    made = Evidence(tmp_path, y, classes=3, resamples=4000)
    made.predict("teacher", t)
    made.predict("student", z)
    board = made.board("accuracy", "nll")
    accuracy = row(board, contender="student", metric="accuracy")
    right = z.argmax(axis=1) == y
    assert [accuracy["low"], accuracy["high"]] == pytest.approx(proportion_confint(right.sum(), 200, method="wilson"))
    nll = -np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))[np.arange(200), y]
    theirs = stats.bootstrap((nll,), np.mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    found = row(board, contender="student", metric="nll")
    assert [found["low"], found["high"]] == pytest.approx(list(theirs), abs=0.1 * (theirs.high - theirs.low))
    gain = right.astype(float) - (t.argmax(axis=1) == y)
    paired = stats.bootstrap((gain,), np.mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    assert [accuracy["delta_low"], accuracy["delta_high"]] == pytest.approx(list(paired), abs=0.1 * (paired.high - paired.low))


def test_clusters_widen_the_interval_as_the_cluster_bootstrap_of_scipy(tmp_path):
    from scipy import stats

    rng = np.random.default_rng(6)
    person = np.repeat(np.arange(60), 10)
    y = np.zeros(600, dtype=int)
    pred = np.repeat(rng.random(60) < 0.3, 10).astype(int)
    made = Evidence(tmp_path / "a", y, cluster=person, resamples=4000)
    made.predict("teacher", two_class(pred))
    found = row(made.board("accuracy"), contender="teacher", metric="accuracy")
    of_person = 1.0 - pred.reshape(60, 10).mean(axis=1)
    theirs = stats.bootstrap((of_person,), np.mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    assert [found["low"], found["high"]] == pytest.approx(list(theirs), abs=0.1 * (theirs.high - theirs.low))


def test_never_different_is_not_certainly_equal(tmp_path):
    y = np.arange(200) % 2
    made = Evidence(tmp_path, y)
    made.predict("teacher", two_class(y))
    made.predict("int8", two_class(y) * 1.001)
    made.cell("predictions", "copy", 0, key=made.cells[0].key, split="test")
    board = made.board("accuracy")
    int8, copy = (row(board, contender=c, metric="accuracy") for c in ("int8", "copy"))
    assert int8["delta_high"] == pytest.approx(1 - 0.025 ** (1 / 200)), "rule of three"
    assert (copy["delta_low"], copy["delta_high"]) == (0.0, 0.0), "the same artefact cannot differ from itself"


def test_one_artefact_under_three_seeds_is_one_observation(tmp_path):
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 200)
    made = Evidence(tmp_path, y)
    made.predict("teacher", noisy_logits(y, 2, 2.0, rng))
    made.predict("loaded", noisy_logits(y, 2, 1.0, rng))
    for seed in (1, 2):
        made.cell("predictions", "loaded", seed, key=made.jobs[-1].key, split="test")
    found = row(made.board("accuracy"), contender="loaded", metric="accuracy")
    assert "1 seed: checkpoint" in found["reason"]
    assert found["high"] > found["low"]


def test_latency_ratio_its_interval_and_the_null_pair(tmp_path):
    rng = np.random.default_rng(8)
    made = Evidence(tmp_path, [0, 1])
    reference = 1e-3 * (1 + rng.gamma(2, 0.01, (120, 5)))
    made.latency("teacher", reference, reference * 1.001)
    made.latency("fast", reference, reference * 0.4 * (1 + rng.gamma(2, 0.01, (120, 5))))
    board = made.board("latency_ratio", "cpu_time_ratio", "latency", ("latency_percentile", {"p": 99}))
    found, null = (row(board, contender=c, metric="latency_ratio") for c in ("fast", "teacher"))
    assert found["low"] < found["value"] < found["high"] < 0.45
    assert null["value"] == pytest.approx(1.001)
    assert (found["status"], found["n"], found["better"]) == ("ok", 120, "lower")
    absolute = row(board, contender="fast", metric="latency")
    assert math.isnan(absolute["delta"])
    assert math.isnan(absolute["teacher"]), "absolutes of different runs are not compared"
    assert "load average 0.5 before" in absolute["reason"]
    p99 = row(board, contender="fast", metric="latency_percentile{p=99}")
    assert (p99["status"], p99["reason"]) == ("undefined", "not enough calls: 600, and p99 needs 662")
    assert len(board.timings) == 240


def test_a_restless_null_pair_makes_every_ratio_noisy(tmp_path):
    reference = np.full((120, 5), 1e-3)
    made = Evidence(tmp_path, [0, 1])
    made.latency("teacher", reference, reference * 1.03)
    made.latency("fast", reference, reference * 0.4)
    made.latency("elsewhere", reference, reference, target="ort_cpu")
    board = made.board("latency_ratio")
    assert row(board, contender="fast", metric="latency_ratio")["status"] == "noisy"
    assert "1.030" in row(board, contender="fast", metric="latency_ratio")["reason"]
    assert "unknown" in row(board, contender="elsewhere", metric="latency_ratio", target="ort_cpu")["reason"]
    assert any("1.030" in w for w in board.facts["warnings"])


def test_ood_rows_stand_under_their_companion_set(tmp_path):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(9)
    y = rng.integers(0, 3, 200)
    made = Evidence(tmp_path, y, classes=3, groups={"sf": ["a", "b"] * 100})
    for name in ("teacher", "student"):
        z, far = noisy_logits(y, 3, 3.0, rng), rng.normal(size=(150, 3))
        made.predict(name, z)
        made.foreign(name, far, "far")
        made.foreign(name, z[:100] * 0.9, "near")
    board = made.board("ood_auroc", ("ood_fpr95", {"score": "energy"}), "accuracy")
    top = np.concatenate([np.exp(v).max(axis=1) / np.exp(v).sum(axis=1) for v in (z, far)])
    found = row(board, contender="student", metric="ood_auroc", shift="ood:far")
    assert found["value"] == pytest.approx(roc_auc_score(np.r_[np.ones(200), np.zeros(150)], top), abs=1e-6)
    near = row(board, contender="student", metric="ood_auroc", shift="ood:near")["value"]
    assert row(board, contender="student", metric="ood_auroc", shift="ood:*")["value"] == pytest.approx(
        (found["value"] + near) / 2
    )
    assert found["axis"] == "ood"
    assert {"ood_auroc", "ood_fpr95{score=energy}", "accuracy"} <= set(board.scores["metric"])
    assert not (board.scores["shift"].str.startswith("ood") & (board.scores["metric"] == "accuracy")).any()


def test_draws_against_a_companion_set_do_not_depend_on_blocks(monkeypatch):
    rng = np.random.default_rng(14)
    inside, outside = (predictions(scale * rng.normal(size=(n, 3)), np.zeros(n, dtype=int)) for n, scale in ((200, 2), (150, 1)))
    case = Case(Spot("student", 0, "", "test", "ood:far"), {"predictions": inside, "ood": outside}, "one")
    resampler = Resampler(200, 120, 5)

    def draws():
        ((_, reading),) = of_sets(metric("ood_auroc"), case, Cuts(Slice("", None, 200)), resampler)
        return reading.draws

    whole = draws()
    monkeypatch.setattr("kdbench.judge.resample.CELLS", 200 * 7)
    assert draws() == pytest.approx(whole, abs=1e-9)
    assert len(whole) == 120


def test_nothing_foreign_is_not_applicable(tmp_path):
    made = Evidence(tmp_path, np.arange(60) % 2)
    made.predict("teacher", two_class(np.arange(60) % 2))
    found = row(made.board("ood_auroc"), contender="teacher", metric="ood_auroc", shift="ood:*")
    assert (found["status"], found["reason"]) == ("not applicable", "the suite names no set from outside the distribution")
