"""Slice discovery: what is planted is found, what is not there is not, and the numbers are those of the half nobody searched."""

import time

import numpy as np
import pytest

from kdbench.judge.discovery import COLUMNS, SEED, discover, discoveries, find, prepare, seats_of
from kdbench.judge.discovery.columns import columns
from kdbench.judge.discovery.halves import halves
from kdbench.judge.evidence import Examples
from kdbench.judge.readings import Reading, Spot, nothing
from kdbench.nouns import Job
from kdbench.store import Store

MADE = {"host": {"cpu": "made up", "cores": 2}, "versions": {"numpy": np.__version__}}


def answers(rng, n, right=0.85, churn=0.1, seeds=1):
    """A teacher, and students that are as often right, on other examples here and there."""
    teacher = rng.random((1, n)) < right
    return np.where(rng.random((seeds, n)) < churn, rng.random((seeds, n)) < right, teacher), teacher


def features(rng, n):
    made = {f"x{j}": rng.normal(size=n) for j in range(4)}
    return {**made, "city": rng.choice(list("abcdef"), n), "has 'not'": rng.random(n) < 0.3}


def test_on_null_data_at_most_five_percent_of_runs_report_a_slice():
    """A search that judges on the examples it searched reports one nearly always: the same slices, judged there, do."""
    runs, honest, searched = 150, 0, 0
    for run in range(runs):
        rng = np.random.default_rng(run)
        held = features(rng, 900)
        ours, teacher = answers(rng, 900, churn=0.3)
        ground = prepare(held, np.arange(900), 20, run)
        rows = find(ground, ours, teacher)
        honest += any(row["p_holm"] < 0.05 for row in rows)
        delta, first = (ours[0] * 1.0 - teacher[0])[ground.first], ground.first
        for row in rows:
            part = next((c.rows(c.text.index(row["slice"])) for c in ground.columns if row["slice"] in c.text), None)
            if part is not None:
                inside = delta[part[first]]
                if abs(inside.mean()) > 1.96 * inside.std() / np.sqrt(len(inside)):
                    searched += 1
                    break
    assert honest <= 0.05 * runs
    assert searched > 0.3 * runs


@pytest.mark.parametrize(
    ("where", "words"), [("x2", "x2 >= "), ("city", "city = c"), ("has 'not'", "has 'not'")], ids=["range", "level", "word"]
)
def test_a_planted_slice_is_found(where, words):
    rng = np.random.default_rng(4)
    n = 4000
    held = features(rng, n)
    ours, teacher = answers(rng, n, seeds=3)
    hurt = {"x2": held["x2"] > 1.15, "city": held["city"] == "c", "has 'not'": held["has 'not'"]}[where]
    ours[:, hurt] &= rng.random((3, int(hurt.sum()))) < 0.7
    found = discover(held, ours, teacher, np.arange(n), 30, 0)
    best = min(found, key=lambda row: (row["p_more"], row["p_holm"]))
    assert words in best["slice"]
    assert best["p_holm"] < 0.05
    assert best["p_more"] < 0.05
    assert best["delta_high"] < 0
    assert best["delta"] < best["rest"]
    assert set(best) == set(COLUMNS) - {"task", "target", "contender"}


def test_two_columns_together_are_found():
    rng = np.random.default_rng(8)
    n = 6000
    held = {"a": rng.choice(list("uvw"), n), "b": rng.choice(list("xyz"), n), "c": rng.normal(size=n)}
    ours, teacher = answers(rng, n)
    hurt = (held["a"] == "u") & (held["b"] == "x")
    ours[:, hurt] &= rng.random((1, int(hurt.sum()))) < 0.5
    first = discover(held, ours, teacher, np.arange(n), 30, 0)[0]
    assert set(first["slice"].split(" and ")) == {"a = u", "b = x"}
    assert first["p_holm"] < 0.001


def test_the_numbers_equal_bonett_and_prices_interval_on_the_other_half():
    """Equation of the adjusted Wald interval for a paired difference, (b + 1) and (c + 1) over n + 2, with a t quantile."""
    from scipy import stats

    rng = np.random.default_rng(1)
    n = 1000
    ours, teacher = answers(rng, n, churn=0.3)
    word = rng.random(n) < 0.4
    ours[:, word] &= rng.random((1, int(word.sum()))) < 0.8
    row = discover({"word": word}, ours, teacher, np.arange(n), 10, 3)[0]
    held = ~halves(np.arange(n), 3)[0] & word
    won, lost, size = (ours[0] & ~teacher[0])[held].sum(), (~ours[0] & teacher[0])[held].sum(), held.sum()
    p, q = (won + 1) / (size + 2), (lost + 1) / (size + 2)
    error = np.sqrt((p + q - (p - q) ** 2) / (size + 1))  # n + 1: the variance of a sample of n + 2
    assert (row["n"], row["value"], row["teacher"]) == (size, ours[0][held].mean(), teacher[0][held].mean())
    assert row["delta"] == pytest.approx((won - lost) / size)
    half = stats.t.ppf(0.975, size + 1) * error
    assert (row["delta_low"], row["delta_high"]) == (pytest.approx(p - q - half), pytest.approx(p - q + half))
    assert row["p_holm"] == pytest.approx(2 * stats.t.sf(abs(p - q) / error, size + 1), rel=1e-6)


def test_answers_on_the_judging_half_do_not_choose_slices():
    rng = np.random.default_rng(2)
    n = 2000
    held = features(rng, n)
    ours, teacher = answers(rng, n)
    ours[:, held["x1"] > 0.5] &= rng.random((1, int((held["x1"] > 0.5).sum()))) < 0.7
    judged = ~halves(np.arange(n), 0)[0]
    turned = ours.copy()
    turned[:, judged] = ~turned[:, judged]
    before, after = (discover(held, o, teacher, np.arange(n), 30, 0) for o in (ours, turned))
    assert {row["slice"] for row in before} == {row["slice"] for row in after}
    assert before != after


def test_a_cluster_lies_in_one_half_and_counts_once():
    """Ten copies of each example, of one cluster: ten times the rows, hardly a narrower interval."""
    rng = np.random.default_rng(6)
    n = 800
    word = rng.random(n) < 0.5
    ours, teacher = answers(rng, n, churn=0.4)
    ours[:, word] &= rng.random((1, int(word.sum()))) < 0.6
    once = discover({"word": word}, ours, teacher, np.arange(n), 10, 0)[0]
    ten = [np.repeat(a, 10, axis=-1) for a in (word, ours, teacher, np.arange(n))]
    copied = discover({"word": ten[0]}, *ten[1:], 10, 0)[0]
    assert copied["n"] == 10 * once["n"]
    assert copied["delta"] == pytest.approx(once["delta"])
    width, wide = (row["delta_high"] - row["delta_low"] for row in (once, copied))
    assert wide == pytest.approx(width, rel=0.05)
    first, cluster = halves(ten[3], 0)
    assert all(len(set(first[cluster == c])) == 1 for c in range(5))


def test_the_halves_do_not_depend_on_the_order_of_the_rows():
    ids = np.array([f"row{i}" for i in range(500)])
    order = np.random.default_rng(0).permutation(500)
    assert np.array_equal(halves(ids, 0)[0][order], halves(ids[order], 0)[0])
    assert 200 < halves(ids, 0)[0].sum() < 300
    assert not np.array_equal(halves(ids, 0)[0], halves(ids, 1)[0])


def test_slices_are_large_enough_in_both_halves():
    rng = np.random.default_rng(0)
    n = 400
    rare = np.zeros(n, dtype=bool)
    rare[:50] = True
    ours, teacher = answers(rng, n)
    ours[:, rare] = False
    assert discover({"rare": rare}, ours, teacher, np.arange(n), 40, 0) == []
    assert discover({"rare": rare}, ours, teacher, np.arange(n), 10, 0)[0]["slice"] == "rare"
    first = halves(np.arange(n), 0)[0]
    for searched in (first, ~first):  # 45 in one half and 15 in the other
        uneven = np.zeros(n, dtype=bool)
        uneven[np.r_[np.flatnonzero(searched)[:45], np.flatnonzero(~searched)[:15]]] = True
        ours = np.where(uneven, False, teacher)
        assert discover({"uneven": uneven}, ours, teacher, np.arange(n), 40, 0) == []
        assert discover({"uneven": uneven}, ours, teacher, np.arange(n), 15, 0)[0]["n"] == uneven[~first].sum()


@pytest.mark.parametrize("values", ["many zeros", "few", "smooth"])
def test_the_words_of_a_range_read_back_give_its_rows(values):
    rng = np.random.default_rng(0)
    held = {
        "many zeros": np.where(rng.random(2000) < 0.8, 0, rng.integers(1, 60, 2000)),
        "few": rng.integers(0, 4, 2000),
        "smooth": rng.normal(size=2000).round(3),
    }[values].astype(np.float64)
    held[:30] = np.nan
    (column,) = columns({"gain": held})
    for i, words in enumerate(column.text):
        parts = words.split(" ")
        if words == "gain is missing":
            meant = np.isnan(held)
        elif len(parts) == 5:
            meant = (held >= float(parts[0])) & (held <= float(parts[4]))
        else:
            meant = {"=": held == float(parts[2]), "<=": held <= float(parts[2]), ">=": held >= float(parts[2])}[parts[1]]
        assert np.array_equal(column.rows(i), meant), words
        assert 0 < meant.sum() < 1970 + 30
    assert len(set(column.text)) == len(column.text)
    assert ("gain = 0" in column.text) == (values != "smooth")


def stored(tmp_path, arrays, **meta):
    store, job = Store(tmp_path), Job("data", {"made": "inputs"})
    with store.write(job, MADE) as draft:
        draft.json("meta.json", meta)
        for name, value in arrays.items():
            draft.array(f"{name}.npy", value)
    return store.open(job.key)


def about(n, groups=None, cluster=None):
    label = np.zeros(n, dtype=np.int64)
    return Examples(np.array([f"r{i}" for i in range(n)]), label, groups or {}, cluster, ("a", "b"), None)


def test_a_table_is_told_in_its_own_units_and_levels(tmp_path):
    rng = np.random.default_rng(0)
    n = 2000
    age, job = rng.integers(17, 90, n).astype(np.float32), rng.integers(0, 3, n)
    split = np.r_[np.full(n, 2), 0].astype(np.int8)
    entry = stored(
        tmp_path,
        {"x.numeric": np.r_[age, 40][:, None], "x.categorical": np.r_[job, 1][:, None], "split": split},
        kind="table", columns={"numeric": ["age"], "categorical": ["job"]},
        prepare={"numeric": {"mean": [50.0], "std": [20.0]}, "categorical": [["cook", "nurse"]]},
    )  # fmt: skip
    ours, teacher = answers(rng, n, seeds=2)
    seats = {
        ("teacher", "cpu"): {0: teacher[0]},
        ("old", "cpu"): {s: ours[s] & ((age < 70) | (rng.random(n) < 0.5)) for s in (0, 1)},
        ("nurses", "cpu"): {s: ours[s] & ((job != 2) | (rng.random(n) < 0.6)) for s in (0, 1)},
        ("elsewhere", "gpu"): {0: ours[0]},
    }
    city = (("x", "y"), rng.integers(0, 2, n))
    found = list(discoveries(entry, about(n, {"city": city, "city*job": city, "class": city}), seats, "jobs", 30))
    assert all(set(row) == set(COLUMNS) for row in found)
    assert {row["contender"] for row in found} <= {"old", "nurses"}
    best = {c: max((r for r in found if r["contender"] == c), key=lambda r: -r["p_more"])["slice"] for c in ("old", "nurses")}
    words = [w for w in best["old"].split(" and ") if "age" in w]
    assert words
    assert 55 <= float(words[0].split(">=")[1]) <= 75
    assert "job = nurse" in best["nurses"]
    assert not any("class" in row["slice"] or "city*job" in row["slice"] for row in found)


def test_statistics_of_images_equal_loops_in_numpy(tmp_path):
    from kdbench.judge.discovery.inputs import inputs

    image = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 4)).astype(np.uint8)
    entry = stored(tmp_path, {"x.image": image, "split": np.array([2, 2, 2, 2, 0, 2], np.int8)}, kind="image")
    found = inputs(entry, about(5), 1)
    for i, at in enumerate((0, 1, 2, 3, 5)):
        x = image[at] / 255
        down = np.mean([abs(x[c, r + 1, k] - x[c, r, k]) for c in range(3) for r in range(4) for k in range(4)])
        right = np.mean([abs(x[c, r, k + 1] - x[c, r, k]) for c in range(3) for r in range(5) for k in range(3)])
        assert found["brightness"][i] == pytest.approx(x.mean(), abs=1e-6)
        assert found["contrast"][i] == pytest.approx(x.std(), abs=1e-6)
        assert found["edges"][i] == pytest.approx(down + right, abs=1e-6)


def test_words_are_looked_at_where_some_examples_have_them(tmp_path):
    from kdbench.judge.discovery.inputs import inputs

    tokens = np.array([[1, 2, 2], [1, 3, 2], [1, 3, 0], [1, 4, 0]] * 10)
    entry = stored(
        tmp_path, {"x.tokens": tokens, "split": np.full(40, 2, np.int8)}, kind="tokens", vocabulary=["-", "the", "not"]
    )
    found = inputs(entry, about(40), 5)
    assert set(found) == {"has '-'", "has 'not'", "has token 3", "has token 4"}  # "the" is everywhere
    assert np.array_equal(found["has 'not'"], (tokens == 2).any(axis=1))


def test_seats_come_from_the_bits_of_the_readings():
    right = np.random.default_rng(0).random((2, 13)) < 0.5
    spots = [Spot("kd", s, "cpu", "test") for s in (0, 1)]
    readings = {spot: Reading(r.mean(), n=13, hits=np.packbits(r)) for spot, r in zip(spots, right, strict=True)}
    readings |= {
        Spot("kd", 0, "cpu", "test", "blur", 1): readings[spots[0]],
        Spot("kd", 2, "cpu", "test"): nothing("failed", "x"),
    }
    found = seats_of(readings, 13)
    assert set(found) == {("kd", "cpu")}
    assert np.array_equal([found["kd", "cpu"][s] for s in (0, 1)], right)


def test_an_entry_without_inputs_has_no_slices(tmp_path):
    entry = stored(tmp_path, {"split": np.full(40, 2, np.int8)}, kind="predictions")
    seats = {(c, "cpu"): {0: np.ones(40, dtype=bool)} for c in ("teacher", "ours")}
    assert list(discoveries(entry, about(40, {"g": (("a", "b"), np.arange(40) % 2)}), seats, "t", 5)) == []


def test_ten_thousand_rows_eight_contenders_take_less_than_a_second():
    rng = np.random.default_rng(0)
    n = 10_000
    held = {f"x{j}": rng.normal(size=n) for j in range(6)} | {f"c{j}": rng.integers(0, 12, n).astype(str) for j in range(8)}
    made = [answers(rng, n, seeds=3) for _ in range(8)]
    start = time.process_time()
    ground = prepare(held, np.arange(n).astype(str), 30, SEED)
    for ours, teacher in made:
        find(ground, ours, teacher)
    assert time.process_time() - start < 1
