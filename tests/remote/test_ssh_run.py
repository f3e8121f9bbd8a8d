"""One board from targets here and on a remote machine, as people run it; and keys that live in an agent."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from kdbench.execute.pool import environment

SUITE = """
suite: both
seeds: [0]
targets: [ort_cpu, {{ssh: {{host: far, python: {python}}}}}]
axes: [accuracy, latency_ratio, peak_memory, export_flips]
data: {{dataset: digits, limit: {{train: 200, test: 300}}}}
teacher: {{model: small_cnn, fit: scratch}}
student: {{model: mlp, width: 16}}
train: {{epochs: 1}}
measure: {{pairs: 12, seconds: 2}}
contenders:
  scratch: [fit: scratch]
"""


@pytest.fixture
def kdbench(tmp_path):
    """Runs a command below tmp_path: (exit code, standard output, standard error)."""

    def run(*arguments):
        command = [sys.executable, "-m", "kdbench", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    return run


def test_one_board_with_both_machines_and_nothing_to_do_twice(server, kdbench, tmp_path):
    (tmp_path / "both.yaml").write_text(SUITE.format(python=server.python()), encoding="utf-8")
    code, out, err = kdbench("run", "both.yaml")
    assert (code, err) == (0, ""), out
    scores = pd.read_parquet(tmp_path / "reports/both/scores.parquet")
    whole = scores[(scores["slice"] == "") & scores["status"].isin(["ok", "noisy"])]
    for metric in ("accuracy", "latency_ratio", "peak_memory", "export_flips"):
        assert set(whole[whole["metric"] == metric]["target"]) == {"ort_cpu", "ssh"}, metric
    accuracy = whole[whole["metric"] == "accuracy"].pivot(index=["contender", "seed"], columns="target", values="value")
    assert (accuracy["ort_cpu"] == accuracy["ssh"]).all()
    logins = server.log.read_text(encoding="utf-8").count("Accepted publickey")
    code, out, err = kdbench("run", "both.yaml")
    assert (code, err) == (0, "")
    assert server.log.read_text(encoding="utf-8").count("Accepted publickey") == logins
    assert server.left() == []


def test_a_machine_that_is_not_there_costs_its_own_rows_only(server, kdbench, tmp_path):
    server.knows(None)
    text = SUITE.format(python=server.python()).replace("latency_ratio, peak_memory, ", "")
    (tmp_path / "both.yaml").write_text(text, encoding="utf-8")
    kdbench("run", "both.yaml")
    scores = pd.read_parquet(tmp_path / "reports/both/scores.parquet")
    accuracy = scores[(scores["metric"] == "accuracy") & (scores["slice"] == "")].set_index(["contender", "target"])
    assert (accuracy.xs("ort_cpu", level="target")["status"] == "ok").all()
    gone = accuracy.xs("ssh", level="target")
    assert (gone["status"] == "failed").all()
    assert gone["reason"].str.contains("is not in known_hosts", regex=False).all()


def test_latency_and_memory_of_runners_are_measured_where_they_run(far, x):
    from kdbench.stages import latency, memory

    made = latency.time_pair(far(), far(), x, latency.Ask(pairs=6, seconds=2.0))
    assert made.arrays["wall_contender"].shape == made.arrays["cpu_reference"].shape == (made.facts["pairs"], 5)
    assert 6 <= made.facts["pairs"] <= 18
    assert all(check["passed"] for check in made.facts["checks"].values())
    found = memory.of_runner(far, x, memory.Ask(batch=8))
    assert 0 < found["idle_bytes"] < found["peak_infer_bytes"] < 10**9
    assert found["facts"]["host"]["python"] == sys.version.split()[0]


def test_a_key_that_lives_in_an_agent(far, server, x, tmp_path, monkeypatch):
    text = server.config.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if "Identit" not in line]
    (tmp_path / "config").write_text("\n".join(kept) + f"\n IdentityFile {tmp_path / 'locked'}\n", encoding="utf-8")
    key = (server.folder / "user_key").read_bytes()
    (tmp_path / "locked").write_bytes(key)
    (tmp_path / "locked").chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "words words", "-f", str(tmp_path / "locked")], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
    try:
        agent.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "s"))
        monkeypatch.setenv("KDBENCH_SSH_CONFIG", str(tmp_path / "config"))
        with pytest.raises(Exception, match="accepts none of the keys"):
            far()
        subprocess.run(["ssh-add", "-q", str(server.folder / "user_key")], check=True)
        assert far().predict(x).shape == (300, 4)
        assert environment()["SSH_AUTH_SOCK"] == os.environ["SSH_AUTH_SOCK"]
    finally:
        agent.terminate()
        agent.wait(10)
