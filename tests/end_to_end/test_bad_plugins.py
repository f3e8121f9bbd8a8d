"""Plugins that misbehave, side by side with good ones in one run: each costs its own row, which says why."""

import pandas as pd
import pytest

IMPORTS = {
    "imp_raise": ("raise RuntimeError('broken at import')", "RuntimeError: broken at import"),
    "imp_missing": ("import a_module_that_is_not_there", "a_module_that_is_not_there"),
    "imp_exit": ("import sys; sys.exit(0)", "SystemExit"),
    "imp_osexit": ("import os; os._exit(0)", "ended without a result"),
    "imp_hang": ("import time; time.sleep(10**6)", "timed out"),
    "imp_segv": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
}
RUNS = {
    "run_raise": ("raise ValueError('x' * 10_000_000)", "ValueError: xxx"),
    "run_base": ("raise type('B', (BaseException,), {})()", "B"),
    "run_sysexit": ("raise SystemExit(0)", "SystemExit"),
    "run_osexit": ("import os; os._exit(0)", "ended without a result"),
    "run_segv": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "run_abort": ("import os; os.abort()", "SIGABRT"),
    "run_kill": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "run_hang": ("import time\n    while True: time.sleep(1)", "timed out"),
    "run_hang_c": ("import re; re.match(r'(a+)+$', 'a' * 40 + 'b')", "timed out"),
    "run_ignoreterm": (
        "import signal, time\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    time.sleep(10**6)",
        "timed out",
    ),
    "run_oom": ("a = []\n    while True: a.append(bytearray(64 << 20))", "memory"),
    "run_close_fds": ("import os; os.closerange(0, 256)", ""),
    "run_peek": ("open('test_labels.npy').read()", "FileNotFoundError"),
    "ret_none": ("return None", "gave NoneType"),
    "ret_nan": (
        "import dataclasses; return dataclasses.replace(artefact, files={'model.json':"
        ' b\'{"weights": [NaN, 0.0], "bias": [0.0]}\'})',
        "not finite",
    ),
    "ret_shape": (
        "import dataclasses; return dataclasses.replace(artefact, files={'model.json':"
        ' b\'{"weights": [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]], "bias": [0.0]}\'})',
        "shape",
    ),
    "ret_lazy": ("return type('L', (), {'__array__': lambda s, *a: __import__('time').sleep(10**6)})()", "gave L"),
}
HARMLESS = {
    "run_stdout": "import sys; sys.stdout.write('x' * (200 << 20)); return artefact",
    "run_chdir": "import os; os.chdir('/'); os.environ.clear(); os.umask(0o777); return artefact",
    "run_seed": "import random, numpy; random.seed(0); numpy.random.seed(0); return artefact",
    "run_monkey": "import sklearn.metrics as s; s.accuracy_score = lambda *a, **k: 1.0; return artefact",
    "run_mutate": "\n    for x in examples.values(): x[...] = 0\n    return artefact",
    "run_orphan": "import subprocess; subprocess.Popen(['sleep', '987654'], start_new_session=True); return artefact",
    "run_forks": "import os\n    [os.fork() == 0 and os._exit(0) for _ in range(64)]\n    return artefact",
    "run_killparent": "import os, signal; os.kill(os.getppid(), signal.SIGTERM); return artefact",
    "imp_stdout": "return artefact",
}
PLUGIN = """from kdbench import compressor
{top}

@compressor(accepts=("toy",), gives="toy")
def {name}({arguments}):
    {body}
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """A folder with one compressor per misbehaviour."""
    folder = tmp_path_factory.mktemp("bad") / "compressors"
    folder.mkdir()
    cases = {name: (top, "return artefact") for name, (top, _) in IMPORTS.items()}
    cases |= {name: ("", body) for name, (body, _) in RUNS.items()}
    cases |= {name: ("print('{\"junk\": 1}')" if name == "imp_stdout" else "", body) for name, body in HARMLESS.items()}
    for name, (top, body) in cases.items():
        arguments = "artefact, examples" if name == "run_mutate" else "artefact"
        text = PLUGIN.format(top=top, name=name, body=body, arguments=arguments)
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    clash = PLUGIN.format(top="raise SystemExit", name="toy_round", body="return artefact", arguments="artefact")
    (folder / "toy_round.py").write_text(clash, encoding="utf-8")
    (folder / "imp_syntax.py").write_text("def (:", encoding="utf-8")
    return folder.parent


def test_each_costs_its_own_row_only(kdbench, toy, bad, tmp_path):
    names = [*IMPORTS, *RUNS, *HARMLESS]
    suite = (toy / "suite.yaml").read_text(encoding="utf-8").replace("./teacher", str(toy / "teacher"))
    suite = suite.replace("axes: [accuracy, agreement, ece]", "axes: [accuracy]")
    more = "".join(f"  {name}: [start: teacher, compress: {name}]\n" for name in names)
    (tmp_path / "good.yaml").write_text(suite, encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(suite + more, encoding="utf-8")
    assert kdbench("run", "good.yaml", "--store", "one")[0] == 0
    good = pd.read_parquet(tmp_path / "reports/toy/scores.parquet")
    limits = ("--timeout", "4", "--memory", "1")
    code, out, err = kdbench("run", "bad.yaml", "--store", "two", *limits, plugins=(toy / "plugins", bad))
    assert code == 3, err
    assert "Traceback" not in err
    assert len(err) < 100_000
    scores = pd.read_parquet(tmp_path / "reports/toy/scores.parquet")
    mine = scores["contender"].isin(["teacher", "rounded"])
    pd.testing.assert_frame_equal(scores[mine].reset_index(drop=True), good.reset_index(drop=True), check_dtype=False)
    whole = (scores["slice"] == "") & (scores["seed"] == -1) & (scores["metric"] == "accuracy")
    headline = scores[whole].set_index("contender")
    for name, (_, reason) in {**IMPORTS, **RUNS}.items():
        assert headline.loc[name, "status"] == "failed", name
        assert reason in headline.loc[name, "reason"], name
        assert len(headline.loc[name, "reason"]) < 700
    for name in HARMLESS:
        assert headline.loc[name, "status"] == "ok", (name, headline.loc[name, "reason"])
        assert headline.loc[name, "value"] == headline.loc["teacher", "value"]


def test_a_file_that_cannot_be_read_is_refused_before_work(kdbench, toy, bad, tmp_path):
    change = ("--set", "contenders.rounded=[start: teacher, compress: imp_syntax]")
    code, _, err = kdbench("run", toy / "suite.yaml", *change, plugins=(toy / "plugins", bad))
    assert code == 2
    assert "cannot be read" in err
    assert not (tmp_path / "reports").exists()


def test_a_taken_name_shadows_nothing_and_is_listed(kdbench, toy, bad):
    code, out, err = kdbench("list", "compressor", plugins=(toy / "plugins", bad))
    assert code == 0
    assert "the name is taken by" in out + err
    assert kdbench("run", toy / "suite.yaml", plugins=(toy / "plugins", bad))[0] == 0
