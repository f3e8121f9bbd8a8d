"""Numbers that were quietly wrong in other projects, where models are loaded, run and counted: one test each.

The number is the row of the catalogue of such cases; the public issue is named beside it.
"""

import copy
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from scipy.special import rel_entr, softmax
from torch import nn

from kdbench import Artefact, Batch, Outputs, Refusal, Runner
from kdbench.nets.flops import count
from kdbench.nets.sizes import torch_sizes
from kdbench.nouns import Shape
from kdbench.stages import artefacts, load, outputs, predict, running, samples
from kdbench.training.batches import pool
from kdbench.training.teaching import live

from .conftest import IMAGE, TABLE, network
from .test_compressors import x_of

TARGETS = ["torch_cpu", "ort_cpu"]
NET = ("resnet_cifar", {"depth": 8, "width": 4})
DROPPED = ("mlp", {"width": 16, "dropout": 0.5})


def in_train_mode(name, params, shape):
    """As a fit may leave a network."""
    made = network(name, params, shape)
    made.module.train()
    return made


def runner(plugins, target, artefact, x):
    return plugins.load("target", target)[0](artefact, running.first_rows(x, 2))


@pytest.mark.parametrize(("net", "shape"), [(NET, IMAGE), (DROPPED, TABLE)])
def test_57_a_teacher_answers_twice_the_same_to_the_bit(net, shape):
    """sparseml#2191, unbiased-teacher#50: the teacher in train mode cost two points. Dropout and batch norm are still."""
    made = in_train_mode(*net, shape)
    before = {name: value.clone() for name, value in made.module.state_dict().items()}
    teacher = live(made.module, ())
    batch = pool(x_of(shape, 9), np.zeros(9, np.int64)).batch(torch.arange(9))
    first, second = teacher.outputs(batch).logits, teacher.outputs(batch).logits
    assert torch.equal(first, second)
    assert all(torch.equal(value, before[name]) for name, value in made.module.state_dict().items())
    assert not any(m.training for m in made.module.modules())
    made.module.train()
    with pytest.raises(AssertionError, match="the teacher must not train"):
        teacher.outputs(batch)


def test_57_recorded_teacher_outputs_are_those_of_evaluation_mode(world):
    """The same issues, where the teacher is recorded once for all."""
    data, made = world.data(TABLE), network(*DROPPED, TABLE)
    entry = world.artefact(made)
    both = [world.run(outputs, {"taps": True, "again": i}, {"data": data, "artefact": entry}) for i in range(2)]
    assert both[0].bytes("logits.npy") == both[1].bytes("logits.npy")
    x = samples.read(data, "train").x
    with torch.no_grad():
        judge = made.module.eval()(*(torch.from_numpy(v) for v in x.values())).numpy()
    np.testing.assert_allclose(both[0].array("logits.npy"), judge, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("net", "shape"), [(NET, IMAGE), (DROPPED, TABLE)])
def test_58_a_student_answers_each_row_alone_as_among_others_in_any_order(plugins, target, net, shape):
    """Batch norm on batch statistics: one row, all rows and shuffled rows must agree, also for a network left in train mode."""
    x, order = x_of(shape, 40), np.random.default_rng(1).permutation(40)
    run = runner(plugins, target, in_train_mode(*net, shape), x)
    whole = run.predict(x)
    alone = np.concatenate([run.predict({k: v[i : i + 1] for k, v in x.items()}) for i in range(40)])
    shuffled = run.predict({k: v[order] for k, v in x.items()})
    np.testing.assert_allclose(alone, whole, atol=1e-5)
    np.testing.assert_allclose(shuffled, whole[order], atol=1e-5)
    assert np.ptp(whole, axis=0).max() > 1e-2


@pytest.mark.parametrize("target", TARGETS)
def test_59_the_cut_into_batches_flips_no_decision(plugins, target):
    """lm-eval#879, t-zero#29, transformers#24839: scores that changed with the batch size. 300 rows cross a chunk's border."""
    x = x_of(IMAGE, 300)
    run = runner(plugins, target, network(*NET), x)
    whole = run.predict(x)
    for size in (1, 64, 257):
        parts = [run.predict({k: v[i : i + size] for k, v in x.items()}) for i in range(0, 300, size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
        assert (np.concatenate(parts).argmax(axis=1) == whole.argmax(axis=1)).all()


@pytest.mark.parametrize("n", [3, 90, 900])
def test_60_every_row_is_scored_once(world, n):
    """pytorch#25162, rf-detr#1507, RecBole#1872: a last batch that was filled up with copies counted twice."""
    data = world.data(n=n)
    target = {"name": "torch_cpu", "params": {"threads": 1}}
    made = world.run(predict, {"target": target, "split": "test"}, {"data": data, "artefact": world.artefact(network(*NET))})
    found = made.arrays("predictions.npz")
    wanted = samples.read(data, "test").ids
    assert made.json("predictions.json")["n"] == len(found["ids"]) == len(found["logits"]) == len(wanted)
    assert found["ids"].tolist() == wanted.tolist()
    assert len(set(found["ids"].tolist())) == len(wanted)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_61_kd_is_not_divided_by_the_classes_and_carries_t_squared(plugins, classes):
    """haitongli/knowledge-distillation-pytorch#2 and #48 (reduction=mean), distiller#122 (no T^2); scipy's KL is the judge."""
    rng = np.random.default_rng(0)
    z_s, z_t = rng.normal(size=(2, 6, classes)) * 3
    said = [Outputs(torch.tensor(z, dtype=torch.float32)) for z in (z_s, z_t)]
    found = plugins.load("method", "kd")[0](*said, Batch({}, torch.zeros(6, dtype=torch.int64), torch.arange(6)), temperature=4.0)
    p_s, p_t = softmax(z_s / 4, axis=1), softmax(z_t / 4, axis=1)
    assert found.item() == pytest.approx(16 * rel_entr(p_t, p_s).sum(axis=1).mean(), rel=1e-4)


def test_61_the_teacher_of_kd_is_not_the_student(plugins):
    """labml#66: the student's own logits were passed as the teacher's, nothing was distilled. Steps lead to the teacher."""
    rng = np.random.default_rng(0)
    z_s = torch.tensor(rng.normal(size=(6, 5)), dtype=torch.float32, requires_grad=True)
    z_t = torch.tensor(rng.normal(size=(6, 5)), dtype=torch.float32, requires_grad=True)
    kd, batch = plugins.load("method", "kd")[0], Batch({}, torch.zeros(6, dtype=torch.int64), torch.arange(6))
    optimizer = torch.optim.SGD([z_s], lr=1.0)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = kd(Outputs(z_s), Outputs(z_t.detach()), batch, temperature=1.0)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < losses[0] / 10
    assert z_t.grad is None
    np.testing.assert_allclose(softmax(z_s.detach().numpy(), axis=1), softmax(z_t.detach().numpy(), axis=1), atol=0.1)


def test_65_logits_of_another_width_are_refused_not_broadcast():
    """(n, 1) against (n, classes) would broadcast without a word."""
    for width in (1, 2, 4):
        with pytest.raises(Refusal, match=rf"logits of shape \(6, {width}\), expected \(6, 3\)"):
            running.answers(Runner(lambda x, width=width: np.zeros((6, width), np.float32)), x_of(IMAGE, 6), IMAGE)


def test_67_logits_that_are_not_finite_are_never_scored():
    """lm-eval#1340: NaN logits became class 0."""
    logits = np.zeros((6, 3), np.float32)
    logits[2:4, 1] = np.nan
    with pytest.raises(Refusal, match="invalid output: 2 of 6 rows are not finite"):
        running.answers(Runner(lambda x: logits), x_of(IMAGE, 6), IMAGE)


@pytest.fixture
def checkpoint(tmp_path, world):
    """Write a state as a checkpoint made elsewhere, and load it through the stage."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "artefact.json").write_text(json.dumps({"model": {NET[0]: NET[1]}}), encoding="utf-8")

    def loaded(state):
        safetensors.torch.save_file(state, folder / "weights.safetensors")
        return world.run(load, {"path": str(folder), "names": sorted(state)}, {"data": world.data()})

    return loaded


def test_68_a_missing_head_is_refused_and_a_whole_checkpoint_answers_as_before(checkpoint, world):
    """transformers#11334, #48722: a head that was not in the file was made up at random, with a warning."""
    module = network(*NET).module
    state = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(Refusal, match="2 missing .classifier.bias, classifier.weight"):
        checkpoint({k: v for k, v in state.items() if not k.startswith("classifier")})
    with pytest.raises(Refusal, match=r"\d+ missing .*, \.\.\."):
        checkpoint({"classifier.bias": state["classifier.bias"]})
    again = artefacts.read(checkpoint(state), world.place.plugins).module
    x = torch.from_numpy(x_of(IMAGE)["image"])
    assert torch.equal(again(x), module(x))


def test_69_the_prefix_of_data_parallel_is_refused_with_a_hint(checkpoint):
    """strict=False loads 0 of all tensors of such a file and says nothing."""
    state = {f"module.{k}": v.clone() for k, v in network(*NET).module.state_dict().items()}
    with pytest.raises(Refusal, match="all names start with 'module.' .DataParallel.: save `model.module.state_dict"):
        checkpoint(state)


class _Fused(nn.Module):
    """A transformer layer that evaluates by one fused operator, and a product without a module."""

    def __init__(self, heads):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, heads, 16, batch_first=True)

    def forward(self, x):
        x = self.layer(x)
        return x @ x.transpose(1, 2)


@pytest.mark.parametrize("heads", [1, 4])
def test_92_flops_see_fused_attention_and_products_without_a_module(heads):
    """fvcore#143 and #153, ptflops#62: operators without a formula counted 0. 2 per multiply-add; heads change nothing."""
    by_hand = 2 * (5 * 4 * 8 * 8 + 2 * 5 * 5 * 8 + 2 * 5 * 8 * 16 + 5 * 5 * 8)
    found = count(_Fused(heads).eval(), {"x": np.ones((2, 5, 8), np.float32)})
    assert (found["flops"], found["uncounted"]) == (by_hand, [])


def test_92_a_shared_layer_costs_each_time_it_runs_and_is_stored_once():
    """ptflops#106, DeepSpeed#8320: shared modules were counted wrongly."""
    layer = nn.Linear(6, 6)
    shared, apart = nn.Sequential(layer, layer), nn.Sequential(layer, copy.deepcopy(layer))
    x = {"x": np.ones((2, 6), np.float32)}
    assert count(shared, x)["flops"] == count(apart, x)["flops"] == 2 * 2 * 36
    assert (torch_sizes(shared)["parameters"], torch_sizes(apart)["parameters"]) == (42, 84)


def test_93_tied_weights_count_once_and_zeros_are_no_smaller_network():
    """Parameters by unique storage; zeros are told apart and leave the dense count as it is."""
    table, head, unused = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False), nn.Linear(3, 3)
    head.weight = table.weight
    with torch.no_grad():
        head.weight.fill_(1.0)
        head.weight[:5] = 0.0
        unused.weight.fill_(1.0)
        unused.bias.fill_(1.0)
    found = torch_sizes(nn.ModuleList([table, head, unused]))
    assert (found["parameters"], found["nonzeros"], found["parameters_by_name"]) == (40 + 12, 20 + 12, 80 + 12)


def test_an_artefact_in_train_mode_is_stored_and_read_in_evaluation_mode(world):
    """sparseml#2191 again: whoever opens a stored network, evaluates it."""
    made = in_train_mode(*NET, IMAGE)
    entry = world.artefact(Artefact("torch", Shape("image", dict(IMAGE.inputs), 3), made.model, made.module))
    assert not any(m.training for m in artefacts.read(entry, world.place.plugins).module.modules())
