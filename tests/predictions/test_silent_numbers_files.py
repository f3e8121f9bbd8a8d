"""Inputs that elsewhere give a wrong number without a word: here they are right, or refused. Each test names a public issue
where there is one; the numbers in the names are those of a catalogue of such inputs.
"""

import numpy as np
import pandas as pd
import pytest
from made_files import good, logits, npz, parquet, text, write

from kdbench import Refusal
from kdbench.predictions.join import Joined
from kdbench.predictions.table import read


def joined(*paths, **how):
    return Joined({f"s{i}": read(path) for i, path in enumerate(paths)}, **how)


def refused(*paths, **how):
    with pytest.raises(Refusal) as caught:
        joined(*paths, **how).notes()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npz"])
def test_29_the_groups_na_and_none_stay_groups(tmp_path, ending):
    """pandas reads them as missing: fairlearn#1155, #1698."""
    groups = ["NA", "None", "null", "nan"] * 15
    got = joined(write(tmp_path / f"f{ending}", good(**{"group.g": groups})))
    assert got.groups["g"].tolist() == groups
    assert not [note for note in got.notes() if "missing" in note]


def test_30_rows_without_a_group_are_counted_and_named(tmp_path):
    """Dropped from the groups but kept in the total: fairlearn#1155, #1698, #1725."""
    got = joined(text(tmp_path / "f.csv", good(**{"group.g": ["A", "B", ""] * 20})))
    assert got.notes() == ["group column 'g': 20 of 60 rows have no value and form the group (missing)"]
    assert (got.groups["g"] == "").sum() == 20


def test_35_one_row_a_group_is_refused(tmp_path):
    """A column of ids as the group gives a gap of 1.0."""
    path = parquet(tmp_path / "f.parquet", good(**{"group.g": [f"g{i}" for i in range(60)]}))
    assert "60 groups in 60 rows" in refused(path)
    small = {k: v[:3] for k, v in good(**{"group.g": ["a", "b", "c"] * 20}).items()}
    assert "3 groups in 3 rows" in refused(parquet(tmp_path / "g.parquet", small))


@pytest.mark.parametrize("ages", [[float(i) / 7 for i in range(60)], list(range(60)), [f"{i}.5" for i in range(20)] * 3])
def test_36_a_continuous_group_is_refused(tmp_path, ages):
    path = parquet(tmp_path / "f.parquet", good(**{"group.age": ages}))
    assert "say bins" in refused(path)


def test_37_nearly_equal_group_names_are_said(tmp_path):
    got = joined(parquet(tmp_path / "f.parquet", good(**{"group.g": ["A", "B", "b "] * 20})))
    assert got.notes() == ["group column 'g': 'B' and 'b ' are two groups; is one a misspelling?"]


@pytest.mark.parametrize("wrong", [-1, -100])
@pytest.mark.parametrize("kind", ["list", "decision"])
def test_41_a_negative_label_is_refused(tmp_path, wrong, kind):
    """-1 is the last class for numpy, and -100 no example at all for torch."""
    label, z = logits()
    columns = {"id": np.arange(60), "label": np.where(np.arange(60) == 7, wrong, label)}
    columns |= {"logits": z} if kind == "list" else {"decision": label}
    assert f"row 8, column 'label': found {wrong}, which elsewhere means 'no label'" in refused(
        parquet(tmp_path / "f.parquet", columns)
    )


def test_42_labels_that_a_cast_would_cut_are_refused(tmp_path):
    """int(1.9) is 1."""
    label, z = logits()
    columns = {"id": np.arange(60), "label": label.astype(float) * 0.95, "logits": z}
    assert "column 'label': double; allowed: whole numbers and text; a fraction would be cut" in refused(
        parquet(tmp_path / "f.parquet", columns)
    )
    (tmp_path / "f.csv").write_text("id,label,decision\na,0.0,0.0\nb,1.9,1.9\n")
    assert "line 2, column 'label': found '0.0', which is not a whole number" in refused(tmp_path / "f.csv")


def test_43_the_label_1_and_the_label_one_as_text_are_one_class(tmp_path):
    """Compared as they are, no label is ever equal."""
    label, z = logits()
    columns = {"id": np.arange(60), "label": label, **{f"logit.{k}": z[:, k] for k in range(3)}}
    as_text = parquet(tmp_path / "b.parquet", {**columns, "label": [str(k) for k in label]})
    got = joined(parquet(tmp_path / "a.parquet", columns), as_text, text(tmp_path / "c.csv", columns))
    assert all((a.label == label).all() and (a.pred == z.argmax(axis=1)).all() for a in got.answers())


def test_43_labels_by_place_are_those_by_name(tmp_path):
    label, z = logits()
    columns = {"id": np.arange(60), "label": label, **{f"logit.{name}": z[:, k] for k, name in enumerate(("cat", "dog", "emu"))}}
    named = parquet(tmp_path / "b.parquet", {**columns, "label": [("cat", "dog", "emu")[k] for k in label]})
    assert joined(parquet(tmp_path / "a.parquet", columns), named).label.tolist() == label.tolist()


def test_43_numbers_that_are_names_are_never_taken_for_places(tmp_path):
    """Classes 3, 5, 8 and the labels 3, 5, 8; classes 2, 1, 0 in that order and the label 2."""
    for names in ((3, 5, 8), (2, 1, 0)):
        label, z = logits()
        columns = {"id": np.arange(60), "label": np.array(names)[label], **{f"logit.{c}": z[:, k] for k, c in enumerate(names)}}
        assert read(parquet(tmp_path / "f.parquet", columns)).said.label.tolist() == label.tolist()


def test_43_labels_that_differ_between_the_files_are_refused(tmp_path):
    other = good()
    other["label"] = [*other["label"][:5], "c0", *other["label"][6:]]
    said = refused(parquet(tmp_path / "a.parquet", good()), parquet(tmp_path / "b.parquet", other))
    assert said.startswith(
        f"{tmp_path}/b.parquet: row 6, column 'label': id 'r5' has the label 'c0' in test, seed 0, and 'c2' in"
    )
    assert said.endswith("1 labels differ")


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npz"])
def test_44_ids_are_exact_and_given_once(tmp_path, ending):
    """A join by repeated ids explodes; 007 is not 7; above 2**53 floats are equal that are not."""
    ids = ["007", "7", *(str(2**53 + i) for i in range(58))]
    assert joined(write(tmp_path / f"f{ending}", good(id=ids))).ids.tolist() == ids
    twice = write(tmp_path / f"g{ending}", good(id=[*ids[:59], "7"]))
    place = {".csv": ("line 61", "line 3")}.get(ending, ("row 60", "row 2"))
    assert f"{place[0]}, column 'id': '7' is given twice in test, seed 0, first in {place[1]}; ids must differ" in refused(twice)


def test_44_large_whole_ids_are_exact_and_fractions_are_refused(tmp_path):
    ids = np.arange(2**53, 2**53 + 60)
    assert joined(parquet(tmp_path / "f.parquet", good(id=ids))).ids.tolist() == [str(i) for i in ids]
    assert "above 2**53 fractions lose digits" in refused(parquet(tmp_path / "g.parquet", good(id=ids.astype(float))))


def test_54_classes_are_joined_by_name_whatever_their_order(tmp_path):
    """MNLI, teacher and student in another order of the labels: transformers#5196, #10203, #12822."""
    columns = good()
    turned = {k: columns[k] for k in ("id", "label", "logit.c2", "logit.c0", "logit.c1")}
    label, z = logits()
    lists = npz(
        tmp_path / "c.npz",
        {"id": columns["id"], "label": columns["label"], "logits": z[:, [1, 2, 0]]},
        classes=["c1", "c2", "c0"],
    )
    got = joined(parquet(tmp_path / "a.parquet", columns), parquet(tmp_path / "b.parquet", turned), lists)
    for one in got.answers():
        np.testing.assert_array_equal(one.logits, z)
        np.testing.assert_array_equal(one.label, label)


def test_54_other_classes_are_refused(tmp_path):
    a = parquet(tmp_path / "a.parquet", good())
    other = {k.replace("c2", "c3"): v for k, v in good().items()}
    other["label"] = [name.replace("c2", "c3") for name in other["label"]]
    assert "has the class 'c3', which" in refused(a, parquet(tmp_path / "b.parquet", other))
    more = good(**{"logit.c3": [0.0] * 60})
    assert "has the class 'c3'" in refused(a, parquet(tmp_path / "c.parquet", more))
    assert "lacks the class 'c3'" in refused(tmp_path / "c.parquet", a)


def test_54_permuted_labels_are_doubted(tmp_path):
    """thermostat#10: an accuracy of 6 % where the order of the labels was another."""
    from kdbench.predictions.doubts import doubts

    label, z = logits(300, skill=6.0)
    columns = {"id": np.arange(300), "label": (label + 1) % 3, "logits": z}
    got = joined(parquet(tmp_path / "f.parquet", columns))
    (note,) = [n for one in got.answers() for n in doubts(one, got.classes)]
    assert "is not above chance (0.333); with the classes in another order it would be" in note
    assert "are the labels permuted?" in note


def test_56_rows_under_other_ids_are_doubted(tmp_path):
    """The right shape in the wrong order: an accuracy at chance, and of unequal classes that is not 1 / K."""
    from kdbench.predictions.doubts import doubts

    label = np.repeat([0, 1], [225, 75])
    decided = np.random.default_rng(0).permutation(label)
    for decision, notes in ((decided, 1), (label, 0)):
        got = joined(parquet(tmp_path / "f.parquet", {"id": np.arange(300), "label": label, "decision": decision}))
        found = [n for one in got.answers() for n in doubts(one, got.classes)]
        assert [note.endswith("do the rows belong to these ids?") for note in found] == [True] * notes


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npz"])
def test_56_rows_are_joined_by_id_and_not_by_position(tmp_path, ending):
    """haitongli/knowledge-distillation-pytorch#16: the teacher's outputs were in another order than the batches."""
    frame = pd.DataFrame(good(**{"group.g": ["A", "B"] * 30}))
    mixed = {k: v.tolist() for k, v in frame.sample(frac=1, random_state=3).items()}
    got = joined(parquet(tmp_path / "a.parquet", good()), write(tmp_path / f"b{ending}", mixed))
    first, second = got.answers()
    np.testing.assert_array_equal(first.logits, second.logits)
    assert got.groups["g"].tolist() == ["A", "B"] * 30


def test_56_other_ids_are_refused(tmp_path):
    a = parquet(tmp_path / "a.parquet", good())
    other = parquet(tmp_path / "b.parquet", good(id=[*(f"r{i}" for i in range(59)), "x"]))
    said = refused(a, other)
    assert "test, seed 0: 1 of 60 ids are not in" in said
    assert "(such as 'x'); 1 of the 60 ids there are missing here (such as 'r59'); the same ids are needed, in any order" in said


def test_60_every_example_is_scored_once_whatever_the_sets(tmp_path):
    """The last batch filled up with copies: pytorch#25162. A seed or a shift with fewer rows would be another average."""
    frames = [pd.DataFrame(good()).assign(seed=s, shift=shift) for s in (0, 1) for shift in ("", "blur")]
    whole = pd.concat(frames)
    got = joined(text(tmp_path / "a.csv", {k: v.tolist() for k, v in whole.items()}))
    assert [len(one.ids) for one in got.answers()] == [60] * 4
    cut = whole.iloc[:-1]
    said = refused(text(tmp_path / "b.csv", {k: v.tolist() for k, v in cut.items()}))
    assert "test under blur 1, seed 1: 1 of the 60 ids there are missing here" in said


def test_65_one_logit_a_row_is_refused(tmp_path):
    """(n, 1) against (n, K) broadcasts."""
    label, z = logits(classes=2)
    for columns in ({"logits": z[:, :1]}, {"logits": z[:, 0]}, {"logit.1": z[:, 0]}):
        path = parquet(tmp_path / "f.parquet", {"id": np.arange(60), "label": label, **columns})
        assert "(n, 1)" in refused(path)


def test_65_one_row_of_logits_too_few_is_refused(tmp_path):
    label, z = logits()
    path = npz(tmp_path / "f.npz", {"id": np.arange(60), "label": label, "logits": z[:-1]})
    assert "'logits' has the shape (59, 3); (60,) or (60, classes) is expected" in refused(path)


def test_66_probabilities_called_logits_are_refused(tmp_path):
    """A second softmax: every confidence, and with it ECE and KL, would be another."""
    label, z = logits()
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    path = parquet(tmp_path / "f.parquet", {"id": np.arange(60), "label": label, "logits": p})
    assert "column 'logits': every row lies in 0..1 and sums to 1: these are probabilities; call them 'probabilities'" in refused(
        path
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_66_probabilities_that_are_none_are_refused_and_rounding_is_not(tmp_path, dtype):
    label, z = logits(classes=10)
    p = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)).astype(dtype)
    columns = {"id": np.arange(60), "label": label}
    assert joined(parquet(tmp_path / "f.parquet", {**columns, "probabilities": p})).classes == tuple("0123456789")
    wrong = p.copy()
    wrong[3] *= 0.99
    assert "row 4, column 'probabilities': the probabilities sum to 0.99" in refused(
        parquet(tmp_path / "g.parquet", {**columns, "probabilities": wrong})
    )
    assert "row 1, column 'probabilities': " in refused(parquet(tmp_path / "h.parquet", {**columns, "probabilities": p * 100}))
    assert "is no probability; 0..1 is allowed" in refused(tmp_path / "h.parquet")


def test_66_round_probabilities_stay_on_the_edges_of_bins(tmp_path):
    """Shares of 10 votes: the softmax of their logarithms moves 2 % of them into another bin of the ECE."""
    rng = np.random.default_rng(0)
    p = np.stack([rng.multinomial(10, q) for q in rng.dirichlet(np.ones(3), 500)]) / 10
    (one,) = joined(
        parquet(tmp_path / "f.parquet", {"id": np.arange(500), "label": np.arange(500) % 3, "probabilities": p})
    ).answers()
    np.testing.assert_array_equal(one.probability, p)
    edges, z = np.arange(1, 15) / 15, one.logits - one.logits.max(axis=1, keepdims=True)
    again = np.exp(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))
    assert (np.searchsorted(edges, p.max(axis=1)) != np.searchsorted(edges, again.max(axis=1))).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npz"])
def test_67_logits_that_are_not_finite_are_refused_with_their_count(tmp_path, ending, bad):
    """argmax of NaN is class 0: an accuracy of a broken network, lm-eval#1340."""
    columns = good()
    columns["logit.c1"] = [bad if i in (4, 5) else v for i, v in enumerate(columns["logit.c1"])]
    said = refused(write(tmp_path / f"f{ending}", columns))
    assert f"{'line 6' if ending == '.csv' else 'row 5'}, column 'logit.*': 2 of 60 rows are not finite" in said


def test_77_the_kind_is_the_name_of_the_column_and_not_the_range_of_its_numbers(tmp_path):
    """Sigmoid or not, guessed from the range of each batch: torchmetrics#2195, #2329, #1989, #3179.

    Logits that all lie in 0..1 stay logits: their softmax is taken. The same file in two parts gives the same answers.
    """
    rng = np.random.default_rng(0)
    z = rng.random((60, 3))
    columns = {"id": np.arange(60), "label": np.arange(60) % 3, "logits": z}
    (whole,) = joined(parquet(tmp_path / "f.parquet", columns)).answers()
    assert whole.kind == "logits"
    parts = [parquet(tmp_path / f"{i}.parquet", {k: v[i::2] for k, v in columns.items()}) for i in (0, 1)]
    for i, path in enumerate(parts):
        (one,) = joined(path).answers()
        np.testing.assert_array_equal(one.logits, whole.logits[i::2])
        assert one.kind == "logits"


def test_82_constant_answers_are_said(tmp_path):
    from kdbench.predictions.doubts import doubts

    label, _ = logits()
    got = joined(parquet(tmp_path / "f.parquet", {"id": np.arange(60), "label": label, "decision": label * 0}))
    notes = [n for one in got.answers() for n in doubts(one, got.classes)]
    assert notes == ["s0: constant predictions: every decision is '0'"]
