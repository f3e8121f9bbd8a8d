"""Each misbehaviour of a job costs that job and nothing else."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import toys

from kdbench.nouns import Job

AT_IMPORT = {
    "imp_raise": ('raise RuntimeError("broken at import")', "RuntimeError: broken at import"),
    "imp_missing": ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
    "imp_syntax": ("def (:", "SyntaxError: "),
    "imp_exit": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "imp_osexit": ("import os; os._exit(0)", "ended without a result (exit code 0)"),
    "imp_hang": ("import time; time.sleep(10**6)", "timed out after 1 s"),
    "imp_segv": ("import ctypes; ctypes.string_at(0)", "killed by signal 11 (SIGSEGV)"),
}
AT_RUN = {
    "error": "ValueError: xxxx",
    "escape": "ValueError: red evil second line at 0x…",
    "unpicklable": "Unpicklable: 1",
    "base": "Base",
    "mute": "Mute: (its message cannot be shown)",
    "sysexit": "SystemExit: 0",
    "osexit": "ended without a result (exit code 0)",
    "segv": "killed by signal 11 (SIGSEGV)",
    "abort": "killed by signal 6 (SIGABRT)",
    "kill": "killed by signal 9 (SIGKILL)",
    "oom": "memory: over the cap of 0.5 GiB",
    "hang": "timed out after 1 s",
    "hangc": "timed out after 1 s",
    "ignoreterm": "timed out after 1 s",
    "hangtree": "timed out after 1 s",
    "plant": "ValueError: 'stray.txt' lies in the entry but was not written through its draft",
    "nothing": "ValueError: stage bad wrote nothing",
    "closeall": "ended without a result (exit code 70)",
}
HARMLESS = ("killparent", "threads", "orphan", "forks", "strayfork", "stdout", "closefds", "chdir")
MARK = str(900_000 + os.getpid() % 90_000)


def bad(way, **spec):
    return Job("bad", {"way": way, "mark": MARK, **spec}, label=f"bad {way}")


def neighbours():
    return [toys.add(n) for n in range(11)]


def sleepers():
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if line == f"sleep {MARK}"]


def check(jobs, evil, tmp_path, **more):
    """Run, and insist that all but the evil one are there, whole, and that no process is left."""
    before = time.monotonic()
    outcome, store, events = toys.go(jobs, tmp_path / "kd", **{"timeout": 1.0, "memory": 512 << 20, **more})
    for n, job in enumerate(one for one in jobs if one is not evil):
        assert toys.value(store, job) == n
    assert events[-1].done == events[-1].total == len(jobs)
    assert sleepers() == []
    assert [str(one) for one in (tmp_path / "kd" / "tmp").rglob("*")] == []
    assert time.monotonic() - before < 30
    assert not outcome.interrupted
    return outcome, store


@pytest.mark.parametrize("way", AT_RUN)
def test_bad_job_costs_its_own_row(way, tmp_path):
    evil = bad(way)
    jobs = [*neighbours()[:5], evil, *neighbours()[5:]]
    limit = {"timeout": 20.0} if way == "oom" else {}  # on a busy machine it fills its memory slowly
    outcome, store = check(jobs, evil, tmp_path, **limit)
    assert outcome.done == 11
    assert list(outcome.failed) == [evil.key]
    assert outcome.failed[evil.key].startswith(AT_RUN[way])
    assert len(outcome.failed[evil.key]) <= 500
    assert store.failure(evil.key) == outcome.failed[evil.key]
    assert len(store.log(evil.key)) <= 17_000


@pytest.mark.parametrize("way", HARMLESS)
def test_odd_job_succeeds_and_harms_nobody(way, tmp_path):
    evil = bad(way)
    outcome, store = check([*neighbours()[:5], evil, *neighbours()[5:]], evil, tmp_path, timeout=20.0, memory=8 << 30)
    assert outcome.failed == {}
    assert outcome.done == 12
    assert store.open(evil.key).json("value.json")["value"] == 0


@pytest.mark.parametrize("case", AT_IMPORT)
def test_broken_stage_import_costs_its_own_row(case, tmp_path, monkeypatch):
    """The server survives a stage that it tries to import ahead; here the import happens in the job, as it does for a plugin."""
    text, why = AT_IMPORT[case]
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / f"{case}.py").write_text(text, encoding="utf-8")
    (tmp_path / "late" / "importer.py").write_text(
        "import sys, importlib\ndef run(job, inputs, draft, place):\n"
        f"    sys.path.insert(0, {str(tmp_path / 'late')!r})\n"
        "    if job.spec['what']: importlib.import_module(job.spec['what'])\n    draft.json('v.json', 1)\n",
        encoding="utf-8",
    )
    package = tmp_path / "odd"
    package.mkdir()
    (package / "__init__.py").touch()
    (tmp_path / "late" / "importer.py").rename(package / "importer.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    good = [Job("importer", {"what": "", "n": n}) for n in range(3)]
    evil = Job("importer", {"what": case})
    outcome, *_ = toys.go([good[0], evil, *good[1:]], tmp_path / "kd", timeout=1.0, stages="odd")
    assert outcome.done == 3
    assert outcome.failed[evil.key].startswith(why)


def test_stage_that_kills_the_server_at_import_is_left_to_its_job(tmp_path, monkeypatch):
    package = tmp_path / "fatal"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "boom.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    (package / "fine.py").write_text("def run(job, inputs, draft, place):\n    draft.json('v.json', 1)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    good, evil = Job("fine", {}), Job("boom", {})
    outcome, *_ = toys.go([good, evil], tmp_path / "kd", stages="fatal")
    assert outcome.done == 1
    assert outcome.failed == {evil.key: "ended without a result (exit code 3)"}


def test_log_keeps_the_last_lines_and_the_traceback(tmp_path):
    evil = bad("unpicklable")
    _, store, _ = toys.go([evil], tmp_path)
    assert "raise Unpicklable(1, 2)" in store.log(evil.key)


def test_umask_and_folder_of_a_job_are_its_own(tmp_path):
    evil = bad("chdir")
    _, store, _ = toys.go([evil], tmp_path)
    assert store.place(evil.key).stat().st_mode & 0o777 == 0o755
    assert oct((store.place(evil.key) / "value.json").stat().st_mode & 0o777) == "0o444"


def test_killed_server_is_replaced_and_only_the_killer_fails(tmp_path):
    evil = bad("killserver")
    outcome, _ = check([*neighbours()[:5], evil, *neighbours()[5:]], evil, tmp_path, timeout=10.0)
    assert outcome.failed == {evil.key: "the job server was killed while it ran, twice"}
    assert outcome.done == 11


def test_stopped_server_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("kdbench.execute.run.STUCK", 1.0)
    evil = bad("stopserver")
    outcome, _ = check([*neighbours()[:3], evil], evil, tmp_path, timeout=1.0)
    assert outcome.failed == {evil.key: "the job server was killed while it ran, twice"}


def test_job_that_removes_a_neighbours_entry_is_found_out(tmp_path):
    """What it removed is made again, also when nothing reads it."""
    jobs = neighbours()
    place = tmp_path / "kd" / "store" / jobs[0].key[:2] / jobs[0].key
    evil = Job("bad", {"way": "wreck", "mark": MARK, "victim": str(place)}, {"after": jobs[0].key}, label="bad wreck")
    outcome, _ = check([*jobs, evil], evil, tmp_path)
    assert outcome.failed == {}
    assert outcome.ran == 13


def test_timed_out_tree_is_gone_in_time(tmp_path):
    evil = bad("hangtree")
    before = time.monotonic()
    outcome, *_ = toys.go([evil], tmp_path, timeout=1.0)
    assert outcome.failed
    assert time.monotonic() - before < 1 + 5
    assert sleepers() == []


def test_secrets_do_not_reach_jobs_or_manifests(tmp_path, monkeypatch):
    monkeypatch.setenv("KDBENCH_CANARY_TOKEN", "canary-5309")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-5309")
    monkeypatch.setenv("https_proxy", "http://user:canary-5309@nowhere.invalid")
    package = tmp_path / "spy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "env.py").write_text(
        "import os\ndef run(job, inputs, draft, place):\n"
        "    print(dict(os.environ))\n    raise ValueError(str('canary' in str(os.environ)))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    job = Job("env", {})
    outcome, store, _ = toys.go([job, toys.add(1)], tmp_path / "kd", stages="spy")
    assert outcome.failed[job.key] == "ValueError: False"
    assert "PYTHONHASHSEED" in store.log(job.key)
    for path in Path(tmp_path / "kd").rglob("*.json"):
        assert b"canary-5309" not in path.read_bytes()
