"""The doctor: what it finds, that it changes nothing, and that it stays light."""

import argparse
import subprocess
import sys

import pytest
import toys

from kdbench.cli import doctor
from kdbench.nouns import Refusal


def examine(*words):
    parser = argparse.ArgumentParser()
    doctor.add(parser.add_subparsers())
    return doctor.run(parser.parse_args(["doctor", *words]))


def test_a_sound_machine_and_store(tmp_path, capsys):
    toys.go([toys.add(1), toys.add(2)], tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert examine("--store", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert "2 entries" in out
    assert "job server" in out
    assert "ready after" in out
    assert "torch_cpu" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_entries_are_listed(tmp_path, capsys):
    good, bad = toys.add(1), toys.add(2)
    _, store, _ = toys.go([good, bad], tmp_path)
    path = store.place(bad.key) / "bytes.bin"
    path.chmod(0o644)
    path.write_bytes(bytes(1024))
    assert examine("--store", str(tmp_path)) == 3
    out = capsys.readouterr().out
    assert f"{bad.key[:12]}" in out
    assert "WRONG: bytes.bin does not match its checksum" in out
    assert good.key[:12] not in out
    assert "1 entries" in out


def test_broken_plugin_is_named_without_importing_it(tmp_path, capsys):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "broken.py").write_text("raise SystemExit(0)\ndef (:", encoding="utf-8")
    assert examine("--plugins", str(tmp_path)) == 3
    assert "method broken" in capsys.readouterr().out


def test_target_without_its_package_cannot_run(tmp_path, capsys):
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "dream.py").write_text(
        "from kdbench import target\n"
        "@target(accepts=('torch',), needs=('no_such_package',))\ndef dream(artefact, example): ...\n",
        encoding="utf-8",
    )
    examine("--plugins", str(tmp_path))
    assert "not available: no_such_package is not installed" in capsys.readouterr().out


def test_no_store_is_refused(tmp_path):
    with pytest.raises(Refusal, match="no such folder"):
        examine("--store", str(tmp_path / "none"))


def test_doctor_imports_nothing_heavy():
    code = (
        "import sys, argparse\nfrom kdbench.cli import doctor\n"
        "p = argparse.ArgumentParser(); doctor.add(p.add_subparsers()); doctor.run(p.parse_args(['doctor']))\n"
        "print([m for m in ('torch', 'numpy', 'pandas', 'sklearn', 'transformers', 'onnxruntime') if m in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
