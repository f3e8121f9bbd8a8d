"""Stored features reach a metric in the order of its predictions, joined by id; or there is a reason why not."""

import numpy as np
import pytest
from asking import predictions

from kdbench.judge import features
from kdbench.judge.evidence import Piece
from kdbench.judge.readings import Reading, Spot
from kdbench.nouns import Cell, Job
from kdbench.store import Store

ALL = frozenset(features.BESIDE)
SPOT = Spot("kd", 1, "torch_cpu", "test", "ood:other")


class Held:
    """A store of features whose every number says its contender, seed, set, tap and row."""

    def __init__(self, root):
        self.store, self.pieces, self.entries = Store(root), [], {}

    def put(self, contender, seed=1, split="test", shift="", target="torch_cpu", n=6, order=None, taps=("b", "a")):
        order = np.arange(n) if order is None else np.asarray(order)
        job = Job("features", {"of": [contender, seed, split, shift, target]})
        with self.store.write(job) as draft:
            draft.array("ids.npy", np.array([f"r{i}" for i in order]))
            for i, _ in enumerate(taps):
                draft.array(
                    f"tap.{i}.npy", (self.base(contender, seed, split, shift) + 100 * i + order)[:, None].astype(np.float32)
                )
            draft.json("features.json", {"names": list(taps), "n": len(order), "split": split, "pooled": [[1]] * len(taps)})
        role = f"e{len(self.pieces)}"
        self.pieces.append(Piece(role, contender, seed, target, "features", split, shift, 0))
        self.entries[role] = self.store.open(job.key)
        return self

    @staticmethod
    def base(contender, seed, split, shift):
        return 10_000 * ["kd", "teacher"].index(contender) + 1_000 * seed + 500 * (split == "validation") + 300 * bool(shift)


@pytest.fixture
def held(tmp_path):
    return Held(tmp_path)


def offered(n=6, validation=4, ood=5):
    sizes = {"predictions": n, "validation": validation, "ood": ood}
    return {name: predictions(np.zeros((size, 2)), np.zeros(size, np.int64)) for name, size in sizes.items()}


def ask(held, asks=ALL, spot=SPOT, **given):
    return features.beside(frozenset(asks), spot, {**offered(), **given}, held.pieces, held.entries)


def complete(held, seed=1):
    held.put("teacher", 0, order=[5, 4, 3, 2, 1, 0])
    held.put("kd", seed, order=[2, 0, 1, 5, 4, 3])
    held.put("kd", seed, split="validation", n=4).put("kd", seed, shift="ood:other", n=5, order=[4, 3, 2, 1, 0])
    return held.put("kd", seed, shift="ood:another", n=5).put("kd", 2).put("kd", seed, target="elsewhere")


def test_each_name_gets_its_own_rows_in_the_order_of_its_predictions(held):
    found = ask(complete(held))
    rows = {"features": (6, "kd", 1, "test", ""), "teacher_features": (6, "teacher", 0, "test", ""),
            "validation_features": (4, "kd", 1, "validation", ""), "ood_features": (5, "kd", 1, "test", "ood:other")}  # fmt: skip
    assert set(found) == set(rows)
    for name, (n, *of) in rows.items():
        assert list(found[name]) == ["b", "a"]  # shallow to deep, not by the alphabet
        for i, tap in enumerate(("b", "a")):
            assert found[name][tap].tolist() == [[Held.base(*of) + 100 * i + row] for row in range(n)]


def test_predictions_in_another_order_take_their_features_along(held):
    turned = offered()["predictions"].take(np.array([3, 1, 0, 2, 5, 4]))
    found = ask(complete(held), ["features"], predictions=turned)
    assert found["features"]["b"][:, 0].tolist() == [1003, 1001, 1000, 1002, 1005, 1004]


def test_the_teacher_is_that_of_the_same_seed_or_the_first(held):
    held.put("teacher", 0).put("teacher", 1).put("teacher", 3)
    for seed, expected in ((0, 0), (1, 1), (2, 0), (3, 3)):
        spot = Spot("kd", seed, "torch_cpu", "test")
        found = ask(held, ["teacher_features"], spot)["teacher_features"]["b"]
        assert found[0, 0] == Held.base("teacher", expected, "test", "")


def test_a_metric_without_features_gets_none(held):
    assert ask(held, ["predictions", "ood"]) == {}


def test_without_any_features_the_number_says_so(held):
    found = ask(held)
    assert isinstance(found, Reading)
    assert (found.status, found.known) == ("not applicable", False)
    assert "no features are stored" in found.reason


def test_a_teacher_without_features_is_said(held):
    held.put("kd")
    assert ask(held, ["features"])["features"]["b"].shape == (6, 1)
    found = ask(held, ["features", "teacher_features"])
    assert (found.status, found.reason) == ("undefined", "there are no features of the teacher on this target")


def test_features_of_its_own_that_are_missing_are_left_to_the_plan(held):
    held.put("teacher", 0).put("kd", 2)
    assert ask(held, ["features"]) is None
    assert ask(held.put("kd", 1), ["features", "validation_features"]) is None
    assert ask(held, ["features", "ood_features"]) is None


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 9], [0, 1, 2, 3, 4, 5, 6]])
def test_features_of_other_examples_are_refused(held, order):
    found = ask(held.put("kd", order=order), ["features"])
    assert (found.status, found.reason) == ("failed", "the example ids of the features are not those of the predictions")


def test_planned_cells_of_a_metric_of_features():
    made = [
        Cell("t", "kd", 0, "torch_cpu", "predictions", "k", "test"),
        clean := Cell("t", "kd", 0, "torch_cpu", "features", "k", "test"),
        none := Cell("t", "kd", 0, "ort_cpu", "features", "", "test", reason="none here"),
        Cell("t", "kd", 0, "torch_cpu", "features", "k", "validation"),
        ood := Cell("t", "kd", 0, "torch_cpu", "features", "k", "test", "ood:other"),
    ]
    assert list(features.cells(frozenset({"features", "teacher_features"}), made)) == [(clean, ""), (none, "")]
    assert list(features.cells(ALL, made)) == [(ood, "ood:other")]
    assert list(features.cells(ALL, made[:4])) == [(clean, "ood:*"), (none, "ood:*")]
