"""What several seeds say together: against plain loops over the definitions, and scipy's mode."""

import itertools

import numpy as np
import pytest
from asking import metric, predictions, value

from kdbench import Undefined


def says(pred, classes):
    return predictions(2.0 * np.eye(classes)[np.asarray(pred)], np.zeros(len(pred), dtype=int))


def made(models, classes, n=300, seed=0):
    """Decisions (models, n) that hold one of two opinions, so that modes are close and some are tied."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(99)
    opinions, sure = common.integers(0, classes, (2, n)), common.random(n)
    return np.where(rng.random((models, n)) < sure, opinions[0], opinions[1])


def both(classes, students=7, teachers=4):
    ours, theirs = made(students, classes, seed=1), made(teachers, classes, seed=2)
    held = {name: tuple(says(p, classes) for p in of) for name, of in (("predictions", ours), ("teacher", theirs))}
    return ours, theirs, held


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize(("students", "teachers"), [(3, 1), (7, 4), (30, 30)])
def test_compression_identified_examples_equal_the_mode_of_scipy(classes, students, teachers):
    from scipy.stats import mode

    ours, theirs, held = both(classes, students, teachers)
    expected = mode(ours, axis=0).mode != mode(theirs, axis=0).mode  # scipy too: the smallest of several
    found = metric("compression_identified")(held)
    assert np.array_equal(found, expected)
    assert 0 < expected.mean() < 1


def test_a_tie_of_the_mode_goes_to_the_lowest_class():
    students = tuple(says([p], 3) for p in (2, 1, 1, 2))
    assert value("compression_identified", students, teacher=(says([1], 3),)) == 0.0
    assert value("compression_identified", students, teacher=(says([2], 3),)) == 1.0


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("students", [2, 3, 8])
def test_seed_churn_equals_a_plain_loop_over_pairs(classes, students):
    ours = made(students, classes, seed=3)
    pairs = list(itertools.combinations(range(students), 2))
    expected = np.mean([np.mean(ours[s] != ours[t]) for s, t in pairs])
    assert value("seed_churn", tuple(says(p, classes) for p in ours)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize(("students", "teachers"), [(1, 1), (3, 1), (7, 4)])
def test_taxicab_equals_scipys_cityblock_of_the_counts(classes, students, teachers):
    from scipy.spatial.distance import cityblock

    ours, theirs, held = both(classes, students, teachers)
    shares = [[np.bincount(side[:, i], minlength=classes) / len(side) for side in (ours, theirs)] for i in range(300)]
    expected = [cityblock(a, b) for a, b in shares]
    assert metric("taxicab_cie")(held) == pytest.approx(expected, abs=1e-12)


def test_taxicab_of_many_classes_is_counted_in_parts(monkeypatch):
    import kdbench.metrics.taxicab_cie as module

    _, _, held = both(10)
    whole = metric("taxicab_cie")(held)
    monkeypatch.setattr(module, "CELLS", 70)
    assert np.array_equal(metric("taxicab_cie")(held), whole)


def test_taxicab_of_one_model_each_is_twice_the_churn():
    ours, theirs, held = both(5, 1, 1)
    assert value("taxicab_cie", held["predictions"], teacher=held["teacher"]) == pytest.approx(2 * np.mean(ours != theirs))


def test_one_seed_has_no_churn_and_two_have_no_mode():
    one, two = (tuple(says(p, 3) for p in made(k, 3)) for k in (1, 2))
    with pytest.raises(Undefined, match="one model only"):
        value("seed_churn", one)
    with pytest.raises(Undefined, match="2 models with seeds of their own"):
        value("compression_identified", two, teacher=one)


def test_equal_seeds_differ_in_nothing():
    same = tuple(says(made(1, 4)[0], 4) for _ in range(5))
    assert value("seed_churn", same) == 0.0
    assert value("compression_identified", same, teacher=same[:1]) == 0.0
    assert value("taxicab_cie", same, teacher=same[:1]) == 0.0


@pytest.mark.parametrize("name", ["compression_identified", "taxicab_cie"])
def test_few_seeds_are_said_to_be_rough(name):
    for students, words in ((3, "3 seeds, of the teacher 1"), (9, "9 seeds"), (10, "")):
        held = {"predictions": tuple(says(p, 3) for p in made(students, 3)), "teacher": (says(made(1, 3)[0], 3),)}
        said = metric(name).say("doubt", held)
        assert (words in said) if words else not said


@pytest.mark.parametrize("name", ["compression_identified", "seed_churn", "taxicab_cie"])
def test_each_example_stands_alone(name):
    _, _, held = both(4)
    whole = metric(name)(held)
    parts = [metric(name)({k: tuple(p.take(rows) for p in v) for k, v in held.items()}) for rows in (slice(0, 1), slice(1, None))]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(metric(name)({k: v[::-1] for k, v in held.items()}), whole)
