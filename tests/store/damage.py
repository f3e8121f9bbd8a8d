"""Ways to damage an entry, by name: `WAYS[name](store, keys)` damages the entry of keys[0]."""

import json
import os
import shutil

from kdbench.nouns import digest

FILE = "bytes.bin"


def _open(path):
    os.chmod(path, 0o644)
    return path


def _place(store, keys, name=FILE):
    return _open(store.place(keys[0]) / name)


def truncate(store, keys):
    path = _place(store, keys)
    path.write_bytes(path.read_bytes()[:-1])


def empty(store, keys):
    _place(store, keys).write_bytes(b"")


def grow(store, keys):
    with open(_place(store, keys), "ab") as file:
        file.write(b"more")


def flip(store, keys):
    path = _place(store, keys)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def zero(store, keys):
    path = _place(store, keys)
    path.write_bytes(bytes(len(path.read_bytes())))


def delete_file(store, keys):
    _place(store, keys).unlink()


def delete_manifest(store, keys):
    _place(store, keys, "manifest.json").unlink()


def empty_manifest(store, keys):
    _place(store, keys, "manifest.json").write_bytes(b"")


def garbage_manifest(store, keys):
    _place(store, keys, "manifest.json").write_bytes(os.urandom(300))


def deep_manifest(store, keys):
    _place(store, keys, "manifest.json").write_bytes(b"[" * 200_000)


def list_manifest(store, keys):
    _place(store, keys, "manifest.json").write_bytes(b"[]")


def edit_manifest(store, keys):
    path = _place(store, keys, "manifest.json")
    held = json.loads(path.read_bytes())
    held["made"]["seconds"] = 0.0
    path.write_bytes(json.dumps(held).encode())


def seal_another_job(store, keys):
    """Edited by one who knows the seal, but not the key."""
    path = _place(store, keys, "manifest.json")
    held = json.loads(path.read_bytes())
    held["job"]["spec"]["n"] = -1
    held["seal"] = digest({k: v for k, v in held.items() if k != "seal"})
    path.write_bytes(json.dumps(held).encode())


def swap(store, keys):
    """Two whole entries change places. (The other one is damaged too, and is not asked for.)"""
    a, b = store.place(keys[0]), store.place(keys[1])
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    shutil.rmtree(aside)


def extra_file(store, keys):
    (store.place(keys[0]) / "extra.txt").write_text("garbage", encoding="utf-8")


def link_file(store, keys):
    """The right bytes, but outside the store, where anyone may change them."""
    path = _place(store, keys)
    other = store.root / "elsewhere"
    shutil.copy(path, other)
    path.unlink()
    path.symlink_to(other)


def link_entry(store, keys):
    place = store.place(keys[0])
    other = store.root / "elsewhere"
    place.rename(other)
    place.symlink_to(other)


def dangling_link(store, keys):
    place = store.place(keys[0])
    shutil.rmtree(place)
    place.symlink_to(store.root / "nowhere")


def pipe(store, keys):
    path = _place(store, keys)
    path.unlink()
    os.mkfifo(path)


def pipe_manifest(store, keys):
    path = _place(store, keys, "manifest.json")
    path.unlink()
    os.mkfifo(path)


def folder(store, keys):
    path = _place(store, keys)
    path.unlink()
    path.mkdir()


def file_for_entry(store, keys):
    place = store.place(keys[0])
    shutil.rmtree(place)
    place.write_text("not a folder", encoding="utf-8")


def hollow(store, keys):
    place = store.place(keys[0])
    shutil.rmtree(place)
    place.mkdir()


WAYS = {f.__name__: f for f in (
    truncate, empty, grow, flip, zero, delete_file, delete_manifest, empty_manifest, garbage_manifest, deep_manifest,
    list_manifest, edit_manifest, seal_another_job, swap, extra_file, link_file, link_entry, dangling_link, pipe,
    pipe_manifest, folder, file_for_entry, hollow,
)}  # fmt: skip
SILENT = ("flip", "zero")
"""Found by checksum only: `has` does not read the files."""
