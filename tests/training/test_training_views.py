"""Views: what they keep, and their published definitions."""

import numpy as np
import pytest
import torch

from kdbench.nets.build import build
from kdbench.nouns import Batch, Refusal, Shape, Use
from kdbench.registry import discover
from kdbench.training.views import EVIDENCE, load_views, look

SHAPE = Shape("image", {"image": (2, 8, 8)}, 5)
NEXT = Shape("tokens", {"tokens": (10,)}, 11, (11,), "next", 0)
WRITES = {"on_policy": {"share": 1.0, "prompt": 4, "tokens": 7}}
VIEWS = discover().names("view")


def batch(n=16):
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(size=(n, 2, 8, 8)).astype(np.float32)).contiguous(memory_format=torch.channels_last)
    return Batch({"image": image}, torch.from_numpy(rng.integers(0, 5, n)), torch.arange(n))


def windows(n=16):
    stream = torch.from_numpy(np.random.default_rng(0).integers(0, 11, (n, 11)))
    return Batch({"tokens": stream[:, :-1].clone()}, stream[:, 1:].clone(), torch.arange(n))


def through(plugins, name, seed=3, **params):
    return look(load_views(plugins, [Use(name, params)]), batch(), seed, {"shape": SHAPE, "student": None, "teacher": None})


def test_a_crop_is_a_window_of_the_padded_image(plugins):
    before, after = batch().x["image"], through(plugins, "random_crop", padding=2).x["image"]
    padded = torch.nn.functional.pad(before, (2, 2, 2, 2))
    places = set()
    for i in range(16):
        windows = [(r, c) for r in range(5) for c in range(5) if torch.equal(padded[i, :, r : r + 8, c : c + 8], after[i])]
        assert len(windows) == 1
        places.add(windows[0])
    assert len(places) > 5
    assert after.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_mirrors_about_half_of_the_images(plugins):
    before, after = batch().x["image"], through(plugins, "horizontal_flip").x["image"]
    flipped = [bool(torch.equal(before[i].flip(2), after[i])) for i in range(16)]
    assert all(f or torch.equal(before[i], after[i]) for i, f in enumerate(flipped))
    assert 3 <= sum(flipped) <= 13
    assert torch.equal(through(plugins, "horizontal_flip", p=1.0).x["image"], before.flip(3))
    assert torch.equal(through(plugins, "horizontal_flip", p=0.0).x["image"], before)


def test_mixup_mixes_images_and_labels_by_one_share(plugins):
    """Zhang et al. 2018, equation 1, recovered from the labels alone."""
    before, after = batch(), through(plugins, "mixup")
    assert after.y.shape == (16, 5)
    assert torch.allclose(after.y.sum(1), torch.ones(16))
    rng = np.random.default_rng([3, 0])
    share, other = rng.beta(1.0, 1.0), rng.permutation(16)
    hot = np.eye(5)[before.y.numpy()]
    assert after.y.numpy() == pytest.approx(share * hot + (1 - share) * hot[other], abs=1e-6)
    x = before.x["image"].numpy().astype(np.float64)
    assert after.x["image"].numpy() == pytest.approx(share * x + (1 - share) * x[other], abs=1e-5)


def test_mixup_refuses_categories(plugins):
    examples = Batch(
        {"numeric": torch.zeros(4, 2), "categorical": torch.ones(4, 1, dtype=torch.int64)}, torch.zeros(4).long(), torch.arange(4)
    )
    with pytest.raises(Refusal, match="cannot be mixed"):
        look(load_views(plugins, [Use("mixup", {})]), examples, 0, {"shape": SHAPE})


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_keeps_the_contract(plugins, name):
    """Known evidence; the same examples; the seed decides everything; its input stays as it is."""
    described = plugins.get("view", name)
    assert set(described.evidence) <= set(EVIDENCE)
    assert isinstance(described.facts.get("recorded", False), bool)
    made, shape, student = (windows, NEXT, "gpt2") if name in WRITES else (batch, SHAPE, "linear")
    params = {"layers": 1, "hidden": 16, "heads": 2, "positions": 16} if student == "gpt2" else {}
    net = build(plugins.load("model", student)[0], Use(student, params), shape, seed=2).train()
    before, kept = made(), made()
    views = load_views(plugins, [Use(name, WRITES.get(name, {}))])
    networks = {"shape": shape, "student": net, "teacher": None}
    one, two, other = (look(views, before, seed, networks) for seed in (1, 1, 2))
    (field,) = shape.inputs
    assert net.training
    assert torch.equal(before.x[field], kept.x[field])
    assert torch.equal(before.y, kept.y)
    assert torch.equal(one.index, before.index)
    assert one.x[field].shape == before.x[field].shape
    assert one.x[field].dtype == before.x[field].dtype
    assert torch.equal(one.x[field], two.x[field])
    assert torch.equal(one.y, two.y)
    assert not torch.equal(one.x[field], other.x[field])
