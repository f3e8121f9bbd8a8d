"""Every shift plugin against the contract, and the stages shift and ood."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.nouns import Refusal, Samples
from kdbench.registry import discover
from kdbench.stages import samples as reader
from kdbench.stages.ood import resized

FOUND = discover()
NAMES = FOUND.names("shift")
IMAGE = [n for n in NAMES if "image" in FOUND.get("shift", n).facts["kinds"]]
TABLE = [n for n in NAMES if "table" in FOUND.get("shift", n).facts["kinds"]]


def images(n, channels, side):
    """Smooth shapes with some fine texture, float32 in 0..1."""
    rng = np.random.default_rng(3)
    coarse = rng.random((n, channels, 4, 4))
    weight = np.stack([np.interp(np.linspace(0, 3, side), np.arange(4), unit) for unit in np.eye(4)], axis=1)
    smooth = weight @ coarse @ weight.T * rng.uniform(0.5, 1, (n, 1, 1, 1))
    return (0.8 * smooth + 0.2 * rng.random((n, channels, side, side))).astype(np.float32)


def table():
    rng = np.random.default_rng(3)
    return {"numeric": rng.normal(size=(400, 5)).astype(np.float32), "categorical": rng.integers(0, 6, (400, 3))}


def apply(name, x, severity, seed=0):
    return FOUND.load("shift", name)[0](x, severity, np.random.default_rng(seed))


def test_there_are_enough_kinds():
    assert len(IMAGE) >= 10
    assert len(TABLE) >= 5


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 28), (3, 32)])
@pytest.mark.parametrize("name", IMAGE)
def test_image_shifts_keep_the_contract(name, channels, side):
    x = images(60, channels, side)
    before, far = x.copy(), []
    for severity in range(1, 6):
        out = apply(name, x, severity)
        assert out.shape == x.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert out.min() >= -1e-5
        assert out.max() <= 1 + 1e-5
        np.testing.assert_array_equal(out, apply(name, x, severity))
        stored = np.rint(np.clip(out, 0, 1) * 255)
        far.append(np.sqrt(((stored - np.rint(x * 255)) ** 2).mean()))
    np.testing.assert_array_equal(x, before)
    assert far[0] > 0
    assert all(a < b for a, b in zip(far, far[1:], strict=False)), far


@pytest.mark.parametrize("name", TABLE)
def test_table_shifts_keep_the_contract(name):
    x, far = table(), []
    for severity in range(1, 6):
        out = apply(name, x, severity)
        assert {k: (v.shape, v.dtype) for k, v in out.items()} == {k: (v.shape, v.dtype) for k, v in x.items()}
        assert out["categorical"].min() >= 0
        assert out["categorical"].max() < 6
        again = apply(name, x, severity)
        assert all((out[k] == again[k]).all() for k in out)
        far.append(np.abs(out["numeric"] - x["numeric"]).mean() + (out["categorical"] != x["categorical"]).mean())
    assert all((x[k] == table()[k]).all() for k in x)
    assert far[0] > 0
    assert all(a < b for a, b in zip(far, far[1:], strict=False)), far


@pytest.mark.parametrize("name", ["category_swap", "feature_drift", "numeric_noise", "outliers"])
def test_table_shifts_refuse_what_they_cannot_change(name):
    empty = {"numeric": np.zeros((4, 0), np.float32), "categorical": np.zeros((4, 0), np.int64)}
    with pytest.raises(Refusal, match=f"{name}: the data has no"):
        apply(name, empty, 1)


def test_noise_has_the_stated_size():
    x = np.full((200, 1, 16, 16), 0.5, np.float32)
    assert apply("gaussian_noise", x, 2).std() == pytest.approx(0.08, rel=0.02)
    poisson = np.sqrt(0.5 / 25)  # the variance of Poisson(p x) / p is x / p
    assert apply("shot_noise", x, 2).std() == pytest.approx(poisson, rel=0.02)
    assert (apply("salt_pepper", x, 3) != 0.5).mean() == pytest.approx(0.09, rel=0.03)
    assert (apply("occlude", 0 * x, 3) / 0.5).mean() == pytest.approx(0.4**2, rel=1e-3)


def test_quarter_turn_by_the_sampler_equals_numpy_rot90():
    from kdbench.shifts._warp import grid, sample

    x = images(3, 2, 8)
    row, column = grid(x)
    np.testing.assert_allclose(sample(x, column + 0 * row, 7 - row + 0 * column), np.rot90(x, 1, axes=(2, 3)), atol=1e-6)


def test_the_sampler_equals_scipy_map_coordinates():
    from scipy.ndimage import map_coordinates

    from kdbench.shifts._warp import sample

    x = images(4, 1, 8)
    place = np.random.default_rng(0).uniform(-2, 9, (2, 4, 8, 8))
    judge = np.stack([map_coordinates(x[i, 0], place[:, i], order=1, mode="nearest") for i in range(4)])
    np.testing.assert_allclose(sample(x, place[0], place[1])[:, 0], judge, atol=1e-5)


def test_jpeg_like_equals_the_blockwise_definition():
    from scipy.fft import dct

    from kdbench.shifts.jpeg_like import LUMINANCE

    x = images(1, 1, 8)
    basis = dct(np.eye(8), axis=0, norm="ortho")
    step = np.floor((np.array(LUMINANCE) * (5000 / 25) + 50) / 100)
    coded = np.rint(basis @ (x[0, 0] * 255 - 128.0) @ basis.T / step) * step
    judge = np.clip((basis.T @ coded @ basis + 128) / 255, 0, 1)
    np.testing.assert_allclose(apply("jpeg_like", x, 2)[0, 0], judge, atol=1e-4)


# --- the stage ---------------------------------------------------------------------------------------------------------


def test_shift_stage_writes_the_test_rows_only(kitchen):
    entry = kitchen.data("digits")
    shifted = kitchen.shift(entry, "gaussian_noise", 3)
    meta, before = shifted.json("meta.json"), entry.json("meta.json")
    assert meta["n"] == {"train": 0, "validation": 0, "test": 359}
    assert meta["prepare"] == before["prepare"]
    assert meta["groups"] == before["groups"]
    rows, plain = reader.read(shifted, "test"), reader.read(entry, "test")
    np.testing.assert_array_equal(rows.ids, plain.ids)
    np.testing.assert_array_equal(rows.y, plain.y)
    assert (rows.x["image"] != plain.x["image"]).mean() > 0.3
    assert shifted.array("x.image.npy").dtype == np.uint8


def test_shift_stage_draws_from_the_shift_and_the_data_alone(kitchen):
    entry = kitchen.data("digits")
    one, two = (kitchen.shift(entry, "salt_pepper", 2).manifest["files"] for _ in range(2))
    assert one == two
    mild, strong = (reader.raw(kitchen.shift(entry, "salt_pepper", s), "test").x["image"] for s in (2, 3))
    clean = reader.raw(entry, "test").x["image"]
    assert (strong[mild != clean] == mild[mild != clean]).all()  # the same noise, grown


def test_table_shift_is_stored_in_the_units_of_the_table(kitchen):
    entry = kitchen.data("rand_hie", limit={"train": 1000, "test": 500})
    shifted = kitchen.shift(entry, "category_swap", 1)
    there, here = (reader.raw(e, "test").x["numeric"] for e in (shifted, entry))
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-3)
    drifted = kitchen.shift(entry, "feature_drift", 5)
    moved = reader.read(drifted, "test").x["numeric"] - 1.5 * reader.read(entry, "test").x["numeric"]
    np.testing.assert_allclose(np.abs(moved), 1, atol=1e-3)


def test_shift_stage_refuses_the_wrong_kind_and_severity(kitchen):
    entry = kitchen.data("digits")
    with pytest.raises(Refusal, match="is for table, not for image"):
        kitchen.shift(entry, "outliers", 1)
    with pytest.raises(Refusal, match="severity 6"):
        kitchen.shift(entry, "blur", 6)


# --- companions --------------------------------------------------------------------------------------------------------


def test_images_from_outside_take_the_shape_of_the_task(kitchen):
    entry = kitchen.data("digits")
    other = kitchen.data("synthetic_shapes", {"size": 28, "channels": 3})
    made = kitchen.ood(entry, other)
    rows = reader.read(made, "test")
    assert reader.shape(made) == reader.shape(entry)
    assert rows.x["image"].shape == (1000, 1, 8, 8)
    assert (rows.y == -1).all()
    assert made.json("meta.json")["prepare"] == entry.json("meta.json")["prepare"]
    colour = kitchen.ood(other, entry)
    assert reader.read(colour, "test").x["image"].shape == (359, 3, 28, 28)


@pytest.mark.parametrize(("old", "new"), [(28, 8), (8, 28), (32, 28), (28, 28)])
def test_resize_equals_torch_antialiased_bilinear(old, new):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(0, 256, (3, 1, old, old)).astype(np.uint8)
    judge = torch.nn.functional.interpolate(torch.tensor(x, dtype=torch.float64), (new, new), mode="bilinear", antialias=True)
    assert np.abs(resized(x, new, new) - judge.numpy()).max() <= 0.5 + 1e-6


def test_tables_from_outside_are_matched_by_name_and_by_value(kitchen, make_table):
    here = kitchen.data(make_table())
    columns = {"numeric": ("extra", "f1", "f0"), "categorical": ("c0",)}
    numeric = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    category = np.array([["c"], ["a"], ["new"]])[np.arange(200) % 3]
    other = kitchen.data(make_table(x={"numeric": numeric, "categorical": category}, columns=columns), seed=5)
    rows, before = reader.raw(kitchen.ood(here, other), "test"), reader.raw(other, "test")
    np.testing.assert_array_equal(rows.x["numeric"], before.x["numeric"][:, [2, 1]])
    given = dict(zip(make_table().ids, category[:, 0], strict=True))
    assert [int(v) for v in rows.x["categorical"][:, 0]] == [{"a": 1, "c": 3, "new": 0}[given[i]] for i in rows.ids]


def test_companions_that_do_not_fit_are_refused(kitchen, make_table):
    with pytest.raises(Refusal, match="choose a dataset of the same kind"):
        kitchen.ood(kitchen.data("digits"), kitchen.data(make_table()))
    missing: Samples = make_table(columns={"numeric": ("f0", "f2"), "categorical": ("c0",)})
    with pytest.raises(Refusal, match="no numeric column 'f1'"):
        kitchen.ood(kitchen.data(make_table()), kitchen.data(missing, seed=6))


def test_another_place_is_a_companion_of_rand_hie(kitchen):
    here = kitchen.data("rand_hie", {"sites": [1, 2, 3, 4, 5]}, limit={"train": 500, "test": 300})
    there = kitchen.data("rand_hie", {"sites": [6]}, limit={"test": 300})
    rows = reader.read(kitchen.ood(here, there), "test")
    assert 290 <= len(rows.y) <= 300
    assert rows.cluster is not None
    assert not set(rows.cluster) & set(reader.read(here, "test").cluster)
