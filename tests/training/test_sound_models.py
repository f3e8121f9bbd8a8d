"""Keyword networks against the sizes and operations that their papers print; and a student that learns from another modality."""

from __future__ import annotations

import fit_entries
import numpy as np
import pytest
import torch

from kdbench.nets import onnx_flops
from kdbench.nets.build import build, feature_shapes
from kdbench.nets.export import to_onnx
from kdbench.nets.flops import count
from kdbench.nets.taps import forward, inner_names
from kdbench.nouns import Job, Refusal, Shape, Use
from kdbench.stages import samples as reader
from kdbench.stages import sound

SECOND = Shape("audio", {"audio": (40, 50)}, 10)
SMALL = {
    "keyword_cnn": {"width": 8, "time": 10},
    "keyword_dscnn": {"width": 8},
    "keyword_gru": {"hidden": 16, "layers": 2},
    "keyword_transformer": {"width": 16, "heads": 2, "layers": 2, "inner": 32, "together": 2},
}


def make(plugins, name, shape=SECOND, **params):
    return build(plugins.load("model", name)[0], Use(name, params), shape).eval()


def numbers(net, *endings):
    return sum(p.numel() for name, p in net.named_parameters() if name.endswith(endings))


def spectrogram(shape, n=3):
    return {"audio": np.random.default_rng(0).normal(size=(n, *shape.inputs["audio"])).astype(np.float32)}


def test_keyword_cnn_has_the_weights_and_products_of_the_paper(plugins):
    """Sainath & Parada 2015, cnn-trad-fpool3 on 40 bands and 32 frames, 4 classes. Weights 10.2K, 164.8K, 65.5K, 4.1K,
    0.5K (the second row is printed rounded up: 10 x 4 x 64 x 64 is 163.8K), multiplies 4.4M, 5.2M, 65.5K, 4.1K, 0.5K.
    """
    shape = Shape("audio", {"audio": (40, 32)}, 4)
    net = make(plugins, "keyword_cnn", shape, width=64, stride=1)
    weights = [p.numel() for p in net.parameters() if p.ndim > 1]
    assert [round(n / 1000, 1) for n in weights] == [10.2, 163.8, 65.5, 4.1, 0.5]
    multiplies = [4.4e6, 5.2e6, 65.5e3, 4.1e3, 0.5e3]
    assert count(net, spectrogram(shape))["flops"] == pytest.approx(2 * sum(multiplies), rel=0.01)


def test_keyword_dscnn_has_the_operations_of_the_paper(plugins):
    """Zhang et al. 2017, DS-CNN, small: 5.4M operations (multiplications and additions) on 10 x 49, 12 classes; its
    weights by the authors' command: 64 (10x4), then 4 x (9 x 64 + 64 x 64), 64 x 12.
    """
    shape = Shape("audio", {"audio": (10, 49)}, 12)
    net = make(plugins, "keyword_dscnn", shape, width=64)
    assert sum(p.numel() for p in net.parameters() if p.ndim > 1) == 64 * 40 + 4 * (9 * 64 + 64 * 64) + 64 * 12
    assert count(net, spectrogram(shape))["flops"] == pytest.approx(5.4e6, rel=0.02)
    assert feature_shapes(net, shape, ("stem",))["stem"] == (64, 25, 5)


@pytest.mark.parametrize(("width", "heads", "published"), [(64, 1, 607e3), (128, 2, 2394e3), (192, 3, 5361e3)])
def test_keyword_transformer_has_the_published_parameters(plugins, width, heads, published):
    """Berg et al. 2021: KWT-1, KWT-2, KWT-3 on 40 x 98, 35 classes."""
    shape = Shape("audio", {"audio": (40, 98)}, 35)
    net = make(plugins, "keyword_transformer", shape, width=width, heads=heads, layers=12, inner=4 * width)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(published, rel=0.004)


def test_keyword_gru_against_the_recurrence_in_numpy(plugins):
    """Torch's own definition of the gates, step by step."""
    net = make(plugins, "keyword_gru", hidden=5)
    x = spectrogram(SECOND)["audio"]
    (w, u, b, c) = (p.detach().numpy().astype(np.float64) for p in net.layers[0].gru.parameters())

    def squash(v):
        return 1 / (1 + np.exp(-v))

    state, seen = np.zeros((3, 5)), []
    for frame in x.transpose(2, 0, 1):
        (r, z, n), (hr, hz, hn) = np.split(frame @ w.T + b, 3, axis=1), np.split(state @ u.T + c, 3, axis=1)
        update = squash(z + hz)
        state = (1 - update) * np.tanh(n + squash(r + hr) * hn) + update * state
        seen.append(state)
    weight, bias = (p.detach().numpy() for p in net.classifier.parameters())
    expected = np.mean(seen, axis=0) @ weight.T + bias
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-5)


def test_keyword_transformer_blocks_against_torchs_own_encoder_layer(plugins):
    net = make(plugins, "keyword_transformer", **SMALL["keyword_transformer"])
    block = net.blocks[0]
    judge = torch.nn.TransformerEncoderLayer(16, 2, 32, 0.0, "gelu", batch_first=True).eval()
    with torch.no_grad():
        mixed = (block.attention.query, block.attention.key, block.attention.value)
        judge.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in mixed]))
        judge.self_attn.in_proj_bias.zero_()
        judge.self_attn.out_proj.load_state_dict(block.attention.out.state_dict())
        judge.linear1.load_state_dict(block.feed[0].state_dict())
        judge.linear2.load_state_dict(block.feed[3].state_dict())
        for name in ("norm1", "norm2"):
            getattr(judge, name).load_state_dict(getattr(block, name).state_dict())
        x = torch.randn(3, 7, 16)
        assert torch.allclose(block(x), judge(x), atol=1e-6)


def test_keyword_transformer_tokens_are_frames_in_order(plugins):
    """A frame changed in the input changes the token of that frame alone, before attention."""
    net = make(plugins, "keyword_transformer", **SMALL["keyword_transformer"])
    seen = []
    net.patch.register_forward_hook(lambda _m, _x, y: seen.append(y.detach()))
    x = torch.zeros(1, 40, 50)
    with torch.no_grad():
        net(x)
        x[0, :, 21] = 1
        net(x)
    changed = (seen[0] != seen[1]).any(dim=2)[0]
    assert changed.nonzero().flatten().tolist() == [10]
    layers = inner_names(net, plugins.get("model", "keyword_transformer").facts["inner"])
    given = forward(net, {"audio": x}, (), layers)
    assert [tuple(v.shape) for v in given.inner["query"]] == [(1, 2, 26, 8)] * 2


@pytest.mark.parametrize("name", SMALL)
def test_keyword_nets_are_counted_alike_in_torch_and_onnx_and_say_the_same(plugins, name):
    import onnxruntime as ort

    net, x = make(plugins, name, **SMALL[name]), spectrogram(SECOND)
    graph = to_onnx(net, x)
    here, there = count(net, x), onnx_flops.count(graph, {"audio": x["audio"][:1]})
    assert here["flops"] == there["flops"] > 0
    assert not here["flops_reason"]
    said = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, x)[0]
    np.testing.assert_allclose(said, net(torch.from_numpy(x["audio"])).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(("name", "params", "why"), [
    ("keyword_cnn", {"time": 60}, "40 mels and 50 frames are too few for kernels of 8 and 60"),
    ("keyword_cnn", {"stride": 20}, "are too few for kernels"),
    ("keyword_transformer", {"width": 15, "heads": 2}, "width 15 is not a multiple of heads 2"),
    ("keyword_transformer", {"together": 51}, "51 frames to a token, of 50"),
])  # fmt: skip
def test_impossible_keyword_nets_are_refused(plugins, name, params, why):
    with pytest.raises(Refusal, match=why):
        make(plugins, name, **params)


def test_keyword_nets_take_no_images(plugins):
    with pytest.raises(Refusal, match="takes audio data, not image"):
        make(plugins, "keyword_gru", Shape("image", {"image": (1, 40, 50)}, 10))


# --- a teacher that sees something else --------------------------------------------------------------------------------


def tones(store, n=240):
    """Clips of one of three pitches in noise, and the same examples as a table whose columns all but say the class."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    t = np.arange(2000) / 8000
    pitch = np.array([300, 900, 2000])[y] * rng.uniform(0.9, 1.1, n)
    clip = 0.05 * np.sin(2 * np.pi * pitch[:, None] * t + rng.uniform(0, 6, (n, 1))) + 0.1 * rng.normal(size=(n, 2000))
    audio = sound.to_stored(clip)
    front = {"rate": 8000, "mels": 40, "window": 200, "hop": 80}
    bands = sound.log_mel(audio, front)
    prepare = {**front, "mean": bands.mean(axis=(0, 2)).tolist(), "std": bands.std(axis=(0, 2)).tolist()}
    heard = fit_entries.write_samples(store, "audio", {"audio": audio}, y, prepare={"audio": prepare})
    numeric = (np.eye(3)[y] + 0.2 * rng.normal(size=(n, 3))).astype(np.float32)
    levels = {"numeric": {"mean": [0.0] * 3, "std": [1.0] * 3}, "categorical": []}
    seen = fit_entries.write_samples(
        store, "table", {"numeric": numeric, "categorical": np.zeros((n, 0), np.int64)}, y, prepare=levels
    )
    return heard, seen


def accuracy(where, entry, data):
    from kdbench.stages import artefacts

    net = artefacts.read(entry, where.plugins).module.eval()
    rows = reader.read(data, "test")
    with torch.no_grad():
        return (net(torch.from_numpy(rows.x["audio"])).argmax(1).numpy() == rows.y).mean()


@pytest.mark.slow
def test_a_student_that_hears_learns_from_a_teacher_that_sees(where):
    """The teacher reads a table; what it says is joined by example id. The student learns to hear without one label."""
    heard, seen = tones(where.store)
    teacher = fit_entries.run(fit_entries.fit_job({"ce": 1.0}, ("mlp", {"width": 16}), epochs=15, lr=0.1), {"data": seen}, where)
    said = fit_entries.run(Job("outputs", {"taps": False}), {"data": seen, "artefact": teacher}, where)
    job = fit_entries.fit_job({"kd": {"weight": 1.0, "params": {"temperature": 1.0}}}, ("keyword_gru", {"hidden": 16}),
                              epochs=15, batch=16, lr=0.02, optimizer="adamw")  # fmt: skip
    student = fit_entries.run(job, {"data": heard, "outputs": said}, where)
    assert accuracy(where, student, heard) > 0.9
    assert student.json("record.json")["parity"]["teacher"] == "recorded"


def test_what_another_modality_said_is_joined_by_id_and_not_by_place(where):
    """The recording in another order gives the same student, bit for bit; one without some of the examples is refused."""
    heard, _ = tones(where.store, 60)
    ids = reader.read(heard, "train").ids
    logits = np.random.default_rng(1).normal(size=(len(ids), 3)).astype(np.float32)

    def recorded(order):
        with where.store.write(Job("outputs", {"made": order[:2].tolist()})) as draft:
            draft.array("ids.npy", ids[order])
            draft.array("logits.npy", logits[order])
            facts = {"taps": [], "classes": ["0", "1", "2"], "notes": [], "teacher_passes": 0, "cpu_seconds": 0.0, "energy": None}
            draft.json("outputs.json", facts)
        return where.store.open(Job("outputs", {"made": order[:2].tolist()}).key)

    job = fit_entries.fit_job({"kd": 1.0}, ("keyword_gru", {"hidden": 4}), epochs=1)
    plain = np.arange(len(ids))
    one, two = (fit_entries.run(job, {"data": heard, "outputs": recorded(o)}, where, again=True) for o in (plain, plain[::-1]))
    assert one.bytes("weights.safetensors") == two.bytes("weights.safetensors")
    with pytest.raises(Refusal, match="lack 2 of 36 training examples"):
        fit_entries.run(job, {"data": heard, "outputs": recorded(plain[2:])}, where)
