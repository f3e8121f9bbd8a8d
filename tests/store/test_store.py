"""The store alone: whole entries or none, and every damage seen."""

import errno
import json
import os
import time

import damage
import numpy as np
import pytest

from kdbench import files
from kdbench.nouns import Job
from kdbench.store import Damaged, Full, Missing, Store


def job(n=0):
    return Job("add", {"n": n}, label=f"job {n}")


def fill(store, one, **made):
    with store.write(one, made) as draft:
        draft.json("value.json", {"value": one.spec["n"]})
        draft.write("bytes.bin", bytes(range(256)) * 4)
    return one.key


def test_entry_gives_back_what_was_written(tmp_path):
    store = Store(tmp_path)
    values = {"a": np.arange(5.0), "text": np.array(["x", "üß"])}
    with store.write(job(), {"host": "h"}) as draft:
        draft.array("x.npy", values["a"])
        draft.arrays("all.npz", values)
        draft.json("value.json", {"v": [1, None, "é"]})
    entry = store.open(job().key)
    assert entry.names() == ("all.npz", "value.json", "x.npy")
    assert np.array_equal(entry.array("x.npy"), values["a"])
    assert not entry.array("x.npy").flags.writeable
    assert all(np.array_equal(entry.arrays("all.npz")[k], v) for k, v in values.items())
    assert entry.json("value.json") == {"v": [1, None, "é"]}
    assert entry.manifest["made"] == {"host": "h"}


def test_nothing_is_seen_of_an_entry_that_failed(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.write(job()) as draft:
        draft.write("bytes.bin", bytes([1 // 0 for _ in draft.path.parts]))
    assert not store.has(job().key)
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(Missing):
        store.open(job().key)


def test_objects_and_nan_are_never_written(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ValueError), store.write(job()) as draft:
        draft.array("x.npy", np.array([object()]))
    with pytest.raises(ValueError), store.write(job()) as draft:
        draft.json("x.json", float("nan"))
    assert not store.has(job().key)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a\0b"])
def test_file_names_are_plain(name, tmp_path):
    with pytest.raises(ValueError, match="plain file name"), Store(tmp_path).write(job()) as draft:
        draft.write(name, b"x")


def test_first_complete_entry_stays(tmp_path):
    store = Store(tmp_path)
    with store.write(job()) as slow:
        fill(store, job())
        slow.write("other.bin", b"second")
    assert store.open(job().key).names() == ("bytes.bin", "value.json")


def test_damaged_entry_is_replaced_by_a_new_one(tmp_path):
    store = Store(tmp_path)
    key = fill(store, job())
    damage.truncate(store, [key])
    fill(store, job())
    assert store.open(key)


@pytest.mark.parametrize("way", damage.WAYS)
def test_damage_is_detected_and_mended(way, tmp_path):
    store = Store(tmp_path)
    keys = [fill(store, job(n)) for n in range(3)]
    damage.WAYS[way](store, keys)
    assert store.has(keys[0]) == (way in damage.SILENT)
    with pytest.raises(Damaged) as caught:
        store.open(keys[0])
    assert caught.value.key == keys[0]
    store.drop(keys[0])
    with pytest.raises(Missing):
        store.open(keys[0])
    fill(store, job(0))
    assert store.open(keys[0])
    assert store.open(keys[2])


def test_every_single_bit_of_an_entry_is_guarded(tmp_path):
    """No bit of a small entry can be flipped unseen: each byte of each file in turn, one random bit."""
    store = Store(tmp_path)
    with store.write(job()) as draft:
        draft.write("b", b"0123456789")
    place = store.place(job().key)
    rng = np.random.default_rng(0)
    for name in ("b", "manifest.json"):
        good = (place / name).read_bytes()
        os.chmod(place / name, 0o644)
        for n in range(len(good)):
            bad = bytearray(good)
            bad[n] ^= 1 << int(rng.integers(8))
            (place / name).write_bytes(bad)
            try:
                equal = json.loads(bad) == json.loads(good) if name != "b" else False  # a space made a tab, say
            except ValueError:
                equal = False
            if not equal:
                with pytest.raises(Damaged):
                    store.open(job().key)
        (place / name).write_bytes(good)
    assert store.open(job().key)


def test_drop_of_a_link_leaves_its_target(tmp_path):
    store = Store(tmp_path / "kd")
    key = fill(store, job())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    files.remove(store.place(key))
    store.place(key).symlink_to(tmp_path / "mine")
    store.drop(key)
    assert (tmp_path / "mine" / "file").exists()
    assert not os.path.lexists(store.place(key))


def test_files_are_flushed_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(handle):
        calls.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))))
        fsync(handle)

    def note_rename(a, b):
        calls.append(("rename", os.path.basename(b)))
        rename(a, b)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    key = fill(Store(tmp_path), job())
    done = calls.index(("rename", key))
    before, after = calls[:done], calls[done + 1 :]
    assert {name for _, name in before} >= {"value.json", "bytes.bin", "manifest.json", "store"}
    assert before[-2][1] != "manifest.json"  # the draft's folder comes after its last file
    assert after == [("fsync", key[:2])]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_full_disk_is_one_line_with_folder_and_free_space(number, tmp_path, monkeypatch):
    store = Store(tmp_path)

    def full(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Full, match=r"cannot write to /.*: .* \([0-9.]+ MiB free\)"):
        fill(store, job())
    monkeypatch.undo()
    assert not store.has(job().key)
    assert list((tmp_path / "tmp").iterdir()) == []
    fill(store, job())
    assert store.open(job().key)


def test_no_space_elsewhere_is_the_jobs_own_error(tmp_path):
    with pytest.raises(OSError, match="No space") as caught, Store(tmp_path).write(job()):
        raise OSError(errno.ENOSPC, "No space left on device", "/elsewhere/file")
    assert not isinstance(caught.value, Full)


def test_failure_is_remembered_and_forgotten(tmp_path):
    store = Store(tmp_path)
    assert store.failure(job().key) == store.log(job().key) == ""
    store.fail(job().key, "ValueError: é\n", "line 1\nline 2")
    assert store.failure(job().key) == "ValueError: é\n"
    assert store.log(job().key) == "line 1\nline 2"
    fill(store, job())
    assert store.failure(job().key) == ""


def test_partial_state_goes_with_success(tmp_path):
    store = Store(tmp_path)
    store.partial(job().key).mkdir(parents=True)
    (store.partial(job().key) / "epoch3").touch()
    fill(store, job())
    assert not store.partial(job().key).exists()


def test_sweep_removes_what_dead_writers_left(tmp_path):
    store = Store(tmp_path)
    own = f"{os.getpid()}-{files.born(os.getpid())}-abc"
    names = {own: True, f"{os.getpid()}-1-abc": False, "999999999-5-abc": False}  # ours; an older process of our number; none
    for name in names:
        (tmp_path / "tmp" / name).mkdir(parents=True)
    store.sweep()
    assert {name: (tmp_path / "tmp" / name).exists() for name in names} == names


def test_keys_lists_entries_whole_or_not(tmp_path):
    store = Store(tmp_path)
    keys = sorted(fill(store, job(n)) for n in range(4))
    damage.hollow(store, keys)
    assert list(store.keys()) == keys
    assert list(Store(tmp_path / "none").keys()) == []


def test_ten_thousand_entries_are_looked_up_in_seconds(tmp_path):
    """A bound far above the cost (about 0.1 ms each), far below what reading all files would take."""
    store = Store(tmp_path)
    key = fill(store, job())
    started = time.process_time()
    assert all(store.has(key) for _ in range(10_000))
    assert time.process_time() - started < 10
