"""Folders as transformers writes them: small networks with random weights, and tokenizers of a few words."""

import json

import safetensors.torch
import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "film", "is", "good", "bad", "##ly", "plain"]
SMALL = {
    "bert": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "max_position_embeddings": 16,
    },
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 16},
    "mobilebert": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "intra_bottleneck_size": 8, "embedding_size": 8, "max_position_embeddings": 16,
    },
    "roberta": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "max_position_embeddings": 18,
    },
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16},
    "llama": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "max_position_embeddings": 16,
    },
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2},
    "vit": {
        "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "patch_size": 4,
        "image_size": 8, "num_channels": 1,
    },
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic", "num_channels": 1},
}  # fmt: skip


def config(kind, **more):
    import transformers

    ids = {} if kind in ("vit", "resnet") else {"vocab_size": len(WORDS), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    return transformers.AutoConfig.for_model(kind, **{**SMALL[kind], **ids, **more})


def network(auto, kind, seed=1, **more):
    """A network of the library's own class `auto` ("AutoModel", ...), whose weights are far from zero."""
    import transformers

    torch.manual_seed(seed)
    made = getattr(transformers, auto).from_config(config(kind, **more)).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(torch.randn_like(value) * 0.3)
    return made


def saved(folder, made, tokenizer=True, **limits):
    """The folder that `save_pretrained` writes, with a WordPiece tokenizer beside it."""
    made.save_pretrained(folder, **limits)
    if tokenizer:
        words(folder)
    return folder


def words(folder, names=WORDS):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    inner = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    inner.save(str(folder / "tokenizer.json"))


def change(folder, **values):
    """Set keys of config.json; None takes a key away."""
    held = json.loads((folder / "config.json").read_text())
    held = {key: value for key, value in {**held, **values}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(held))


def tensors(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def put(folder, state):
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors", {"format": "pt"})
