"""Catalogue 53: a file that is edited while a run reads it. Its key is that of the file as it was: nothing of it may stay."""

from types import SimpleNamespace

import pytest

from kdbench.cli import main
from kdbench.cli import run as command
from kdbench.store import Store

SUITE = """
suite: edited
seeds: [0]
data: {dataset: {texts: {path: mine.csv}}, length: 8}
teacher: {model: bag_of_embeddings, fit: scratch}
contenders: {kd: [{fit: kd, model: bag_of_embeddings}]}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (tmp_path / "mine.csv").write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pretended(folder, edit):
    """As if every job had been run, and the file edited meanwhile."""

    def run(what, jobs, store, site):
        for job in jobs:
            if not store.has(job.key):
                with store.write(job) as draft:
                    draft.json("made.json", {})
        if edit:
            (folder / "mine.csv").write_text("text,label\na,x\nb,z\n", encoding="utf-8")
        return SimpleNamespace(interrupted=True)

    return run


def test_53_what_was_made_of_an_edited_file_is_dropped_and_the_run_refused(folder, monkeypatch, capsys):
    monkeypatch.setattr(command, "_execute", pretended(folder, edit=True))
    dropped = []
    monkeypatch.setattr(Store, "drop", lambda store, key, drop=Store.drop: (dropped.append(key), drop(store, key)))
    assert main(["run", "suite.yaml"]) == 2
    said = capsys.readouterr().err
    assert "a file was changed during the run" in said
    assert "data" in said
    store = Store(folder / ".kdbench")
    assert len(dropped) > 5, "the data, and all that was made of them"
    assert not any(store.has(key) for key in dropped)


def test_53_without_an_edit_and_with_all_in_store_nothing_is_dropped(folder, monkeypatch):
    monkeypatch.setattr(Store, "drop", lambda *_: pytest.fail("dropped"))
    monkeypatch.setattr(command, "_execute", pretended(folder, edit=False))
    assert main(["run", "suite.yaml"]) == 130
    monkeypatch.setattr(command, "_execute", pretended(folder, edit=True))
    (folder / "mine.csv").touch()
    assert main(["run", "suite.yaml"]) == 130, "all was there before, made of the file as it was"
