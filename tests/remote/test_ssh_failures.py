"""What goes wrong with a remote machine is one clear line, leaves nothing behind there, and never gets past a host key."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kdbench import Refusal
from kdbench.targets import _ssh_answers as answers
from kdbench.targets import _ssh_place


def refused(call, *words):
    """The refusal: one line, with these words, short."""
    with pytest.raises(Refusal) as caught:
        call()
    text = str(caught.value)
    assert text.startswith("ssh: ")
    assert "\n" not in text
    assert len(text) < 480
    for word in words:
        assert word in text, text
    return text


def changed(server, tmp_path, **settings):
    """Another ssh configuration: the same, with other settings first (the first one counts)."""
    lines = "".join(f" {name} {value}\n" for name, value in settings.items())
    path = tmp_path / "config"
    path.write_text(f"Host *\n{lines}" + server.config.read_text(encoding="utf-8"), encoding="utf-8")
    return str(path)


# Who is there


def test_a_host_that_does_not_exist(far):
    refused(lambda: far(host="no-such-host.invalid"), "no-such-host.invalid: no such host")


def test_a_host_that_refuses(far, server, monkeypatch, tmp_path):
    monkeypatch.setenv("KDBENCH_SSH_CONFIG", changed(server, tmp_path, HostName="127.0.0.1"))
    refused(lambda: far(port=1), "refuses the connection at port 1")


def test_a_host_that_never_answers(far, server, monkeypatch, tmp_path):
    import socket

    from kdbench.targets import _ssh_link

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setitem(_ssh_link.FIXED, "login_timeout", 0.5)
        refused(lambda: far(port=silent.getsockname()[1]), "far: ")


def test_an_unknown_host_key_is_refused_before_anything_is_sent(far, server):
    server.knows(None)
    before = server.log.read_text(encoding="utf-8").count("publickey")
    text = refused(far, "is not in known_hosts", "accept it by `ssh far`")
    shown = subprocess.run(["ssh-keygen", "-lf", str(server.folder / "host_key")], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[1] in text
    assert server.log.read_text(encoding="utf-8").count("publickey") == before


def test_a_changed_host_key_is_refused_before_anything_is_sent(far, server):
    server.knows(server.user_key)  # some other key of the same kind
    before = server.log.read_text(encoding="utf-8").count("publickey")
    refused(far, "is not the one in known_hosts", "ssh-keygen -R far")
    assert server.log.read_text(encoding="utf-8").count("publickey") == before


@pytest.mark.parametrize("setting", [{"UserKnownHostsFile": "none"}, {"UserKnownHostsFile": "/dev/null"}])
def test_no_configuration_switches_the_check_of_host_keys_off(far, server, tmp_path, monkeypatch, setting):
    monkeypatch.setenv("KDBENCH_SSH_CONFIG", changed(server, tmp_path, StrictHostKeyChecking="no", **setting))
    refused(far, "known_hosts")


def test_a_key_that_is_not_accepted(far, server, tmp_path, monkeypatch):
    server.new_key(tmp_path / "other")
    text = server.config.read_text(encoding="utf-8").replace(str(server.folder / "user_key"), str(tmp_path / "other"))
    (tmp_path / "config").write_text(text, encoding="utf-8")
    monkeypatch.setenv("KDBENCH_SSH_CONFIG", str(tmp_path / "config"))
    refused(far, "accepts none of the keys", "passwords are never used")


def test_a_configuration_that_is_not_there(far, monkeypatch, tmp_path):
    monkeypatch.setenv("KDBENCH_SSH_CONFIG", str(tmp_path / "none"))
    with pytest.raises(Refusal, match="KDBENCH_SSH_CONFIG.*no such file"):
        far()


# What a suite may say


@pytest.mark.parametrize(
    "host",
    ["far; touch {}", "$(touch {})", "`touch {}`", "-oProxyCommand=touch {}", "far\ntouch {}", "a@b@far", "-x@far",
     "$(touch {})@far", "", "far|x", "far:22", "far/x", "%h", "fe80::1%eth0", "x" * 300, "fa r"],
)  # fmt: skip
def test_a_host_that_is_no_name_is_refused_and_reaches_no_shell(far, server, tmp_path, monkeypatch, host):
    proxy = tmp_path / "config"
    proxy.write_text("Host *\n ProxyCommand echo %h %r %n\n", encoding="utf-8")
    monkeypatch.setenv("KDBENCH_SSH_CONFIG", str(proxy))
    refused(lambda: far(host=host.replace("{}", str(tmp_path / "broken"))), "ssh: host ", "allowed: ")
    assert not (tmp_path / "broken").exists()


@pytest.mark.parametrize(
    "python",
    ["python3; touch {}", "$(touch {})", "python3 -c 'x'", "touch {}", "rm", "/bin/sh", "bash", "-python3", "python3\n", "",
     "~/python3", "python3 #", "../python3'", "python3/../sh", "perl", "x/python3 -c pass; python3"],
)  # fmt: skip
def test_a_python_that_is_none_is_refused_and_reaches_no_shell(far, tmp_path, python):
    refused(lambda: far(python=python.replace("{}", str(tmp_path / "broken"))), "ssh: python ", "allowed: ")
    assert not (tmp_path / "broken").exists()


@pytest.mark.parametrize("host", ["pi", "pi@raspberrypi.local", "10.0.0.7", "::1", "a_b-c.d", "user.name@fe80::1"])
@pytest.mark.parametrize("python", ["python3", "python3.11", "/usr/bin/python3", "venv/bin/python", ".venv/bin/python", "pypy3"])
def test_plain_names_are_taken(host, python):
    place = _ssh_place.place(host, 2222, python, 60)
    assert "@" not in place.host
    assert place.command(10).startswith(f"{python} -u -c 'import sys;")


def test_a_folder_with_a_space_is_no_part_of_a_command():
    refused(lambda: _ssh_place.place("pi", None, "/opt/my tools/python3", 60), "ssh: python ")


# What is missing there


def test_no_python_there(far):
    refused(lambda: far(python="/nowhere/python3"), "has no /nowhere/python3", "name another by `python`")


def test_a_python_of_another_machine(far, server):
    path = Path(server.python("foreign"))
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(200))
    refused(lambda: far(python=str(path)), "cannot run", "python3")


def test_a_python_that_is_too_old(far, server):
    old = 'import sys; sys.version_info = (3, 6, 9); sys.version = "3.6.9 (old)"; exec(sys.argv[1])'
    path = server.python("old", run=f"exec {sys.executable} -c '{old}' \"$3\"")
    refused(lambda: far(python=path), "is Python 3.6.9; 3.9 or newer is needed")


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A Python without packages, and a folder that has numpy alone."""
    import numpy

    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (folder / "numpy_alone").mkdir()
    for path in Path(numpy.__file__).parents[1].glob("numpy*"):
        (folder / "numpy_alone" / path.name).symlink_to(path)
    return folder


def test_numpy_is_missing_there(far, server, bare):
    path = server.python("bare", run=f'exec {bare / "venv/bin/python"} "$@"')
    refused(lambda: far(python=path), "numpy is not installed", "-m pip install numpy onnxruntime")


def test_onnxruntime_is_missing_there(far, server, bare):
    path = server.python("alone", f"export PYTHONPATH={bare / 'numpy_alone'}", run=f'exec {bare / "venv/bin/python"} "$@"')
    refused(lambda: far(python=path), "onnxruntime is not installed", "-m pip install numpy onnxruntime")


def test_an_onnxruntime_of_another_architecture(far, server, tmp_path):
    fake = tmp_path / "fake/onnxruntime"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise OSError(8, 'Exec format error', 'onnxruntime.so')", encoding="utf-8")
    path = server.python("arch", f"export PYTHONPATH={fake.parent}")
    refused(lambda: far(python=path), "onnxruntime cannot be imported", "made for this processor", "Exec format error")


def test_a_library_with_instructions_that_the_processor_lacks(far, server, tmp_path):
    fake = tmp_path / "fake/onnxruntime"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("import os; os.kill(os.getpid(), 4)", encoding="utf-8")
    path = server.python("illegal", f"export PYTHONPATH={fake.parent}")
    refused(lambda: far(python=path), "crashed (illegal instruction: a library there is built for another processor)")


def test_a_file_that_its_onnx_runtime_does_not_take(far, artefact, x):
    import onnx

    from kdbench import Artefact, to_onnx

    model = onnx.load_from_string(to_onnx(artefact.module, x))
    model.graph.node[0].op_type = "Frobnicate"
    broken = Artefact("onnx", artefact.shape, files={"model.onnx": model.SerializeToString()})
    refused(lambda: far(broken), "its ONNX Runtime refuses the file", "Load model from model.onnx failed", "Frobnicate")


def test_a_graph_with_an_input_that_the_data_do_not_have(far, artefact, x):
    from kdbench import Artefact, to_onnx

    other = to_onnx(artefact.module, {"picture": x["image"]})
    broken = Artefact("onnx", artefact.shape, files={"model.onnx": other})
    refused(lambda: far(broken), "asks for input 'picture' (allowed: image)")


# What breaks in the middle


def test_a_connection_killed_in_the_middle_of_a_script(far, server, tmp_path):
    path = tmp_path / "script.py"
    started, pid = tmp_path / "started", tmp_path / "pid"
    path.write_text(
        f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({str(pid)!r}, {str(started)!r})\ntime.sleep(60)",
        encoding="utf-8",
    )
    runner = far()

    def cut():
        while not started.exists():
            time.sleep(0.01)
        server.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    refused(lambda: runner.elsewhere(path, {}, {}, {}), "the connection was lost in the middle of the work")
    cutter.join()
    assert server.left() == []
    assert not Path(f"/proc/{started.read_text()}").exists()


def test_after_a_lost_connection_the_same_runner_goes_on(far, server, tmp_path, x):
    runner = far()
    path = tmp_path / "script.py"
    path.write_text("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time\ntime.sleep(5)", encoding="utf-8")
    refused(lambda: runner.elsewhere(path, {}, {}, {}), "far: ")  # the far end's agent is killed
    assert runner.predict(x).shape == (300, 4)


def test_a_script_that_crashes_says_its_last_line(far, tmp_path):
    path = tmp_path / "script.py"
    path.write_text("raise ValueError('\\x1b[31mred\\x1b[0m \\u202e' + 'long ' * 200)", encoding="utf-8")
    text = refused(lambda: far().elsewhere(path, {}, {}, {}), "script.py failed there: ValueError: red long long")
    assert text.isprintable()


@pytest.mark.parametrize("number", [9, 11])
def test_a_script_that_is_killed_says_so(far, tmp_path, number):
    path = tmp_path / "script.py"
    path.write_text(f"import os\nos.kill(os.getpid(), {number})", encoding="utf-8")
    refused(lambda: far().elsewhere(path, {}, {}, {}), "memory ran out" if number == 9 else "a library there is broken")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 1 MiB; skipped for who may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if shutil.which("mount") is None or os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("this system does not let root mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_named(far, server, small_disk):
    path = server.python("small", f"export TMPDIR={small_disk}")
    runner = far(python=path)
    rows = {"image": np.zeros((4000, 3, 8, 8), np.float32)}
    refused(lambda: runner.predict(rows), "its disk is full", "MiB are free")


def test_a_temporary_folder_that_cannot_be_used(far, server):
    path = server.python(
        "full", run=f"TMPDIR=/dev/full; cd /proc; exec {sys.executable} -c \"raise OSError(28, 'No space left on device')\""
    )
    refused(lambda: far(python=path), "what runs there ended", "No space left on device")


def test_a_limit_on_the_size_of_files_is_named(far, server):
    """Only what the far end writes itself is limited there: 32 KiB, and the answers are 64."""
    path = server.python("limited", "ulimit -f 64")
    rows = {"image": np.zeros((4096, 3, 8, 8), np.float32)}
    refused(lambda: far(python=path).predict(rows), "File too large")


# What it answers


LIAR = """import json, sys
sys.stdin.buffer.read(int(sys.argv[3].rpartition("read(")[2].partition(")")[0]))
{body}
sys.stdout.flush()
sys.stdin.read()
"""


def says(server, body):
    """A far end that runs the body in place of the agent."""
    (server.folder / "liar.py").write_text(LIAR.replace("{body}", body), encoding="utf-8")
    return server.python("liar", run=f'exec {sys.executable} {server.folder / "liar.py"} "$@"')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('{\"kdbench\": 1')", "not JSON"),
        ("print('{\"folder\": NaN}')", "not JSON"),
        ("print('{' * 200000)", "not JSON"),
        ("print('{}')", "names no folder"),
        ("print(json.dumps({'folder': '/x\\x00y', 'host': {}}))", "names no folder"),
        ("print(json.dumps({'folder': 'tmp', 'host': {}}))", "names no folder"),
        ("print(json.dumps({'folder': '/tmp', 'host': []}))", "does not describe itself"),
        ("print(json.dumps({'folder': '/tmp', 'host': {'cpu': 7}}))", "describes itself with cpu = 7"),
        ("print('{' + 'x' * 3000000)", "talks without end"),
        ("print('noise ' * 20)\nfor _ in range(40000): print('noise ' * 20)\nsys.exit(0)", "what runs there ended"),
        ("sys.exit(3)", "exit code 3"),
    ],
)
def test_an_agent_that_lies_is_refused(far, server, monkeypatch, body, words):
    monkeypatch.setattr(answers, "LONGEST", 1 << 20)
    refused(lambda: far(python=says(server, body)), words)


def test_what_a_shell_prints_at_its_start_is_passed_over(far, server, x):
    path = server.python("loud", "echo Welcome to the far end", "echo '  it is loud'")
    assert far(python=path).predict(x).shape == (300, 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print('[1, 2]')", "not an object but list"),
        ("print('{\"x\": 1e999}')", "not finite"),
        ("print('{\"x\": Infinity}')", "not JSON"),
        ("print('{\"x\":' + '[' * 100 + ']' * 100 + '}')", "nested more than"),
        ("pass", "not JSON"),
        ("print('x' * 40_000_000)", "not JSON"),
    ],
)
def test_a_script_that_lies_is_refused(far, tmp_path, text, words):
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    refused(lambda: far().elsewhere(path, {}, {}, {}), words)


def test_text_of_the_far_end_is_made_plain(far, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        "import json\nprint(json.dumps({'a\\x1b[1m': ['<b>\\x07\\u202e' + 'x' * 900, 1.5, None, True]}))", encoding="utf-8"
    )
    said = far().elsewhere(path, {}, {}, {})
    assert list(said) == ["a"]
    assert said["a"][1:] == [1.5, None, True]
    assert len(said["a"][0]) == 300
    assert said["a"][0].isprintable()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 299}, "answered 299 rows where 256 were asked"),
        ({"rows": "\x1b[31m"}, "answered"),
        ({"operators": {"Conv": -1}}, "counts that are none"),
        ({"operators": {"Conv": 1e9}}, "counts that are none"),
        ({"inputs": {"image": "all"}}, "counts that are none"),
        ({"inputs": {}}, "no input"),
        ({"runtime": None}, "no runtime"),
    ],
)
def test_answers_of_another_form_are_refused(far, x, monkeypatch, change, words):
    from kdbench.targets import _ssh_session

    run = _ssh_session.Session.run
    monkeypatch.setattr(_ssh_session.Session, "run", lambda *a, **k: {**run(*a, **k), **change})
    refused(lambda: far().predict({"image": x["image"][:256]}), words)


@pytest.mark.parametrize("size", [0, 100, 256 * 16 - 1, 256 * 16 + 1, 10**7])
def test_predictions_of_another_size_are_refused(far, x, monkeypatch, size):
    from kdbench.targets import _ssh_session

    run = _ssh_session.Session.run

    def lying(self, script, request, *, alone):
        said = run(self, script, request, alone=alone)
        if "answers" in request:
            with open(request["answers"], "wb") as file:
                file.truncate(size)
        return said

    monkeypatch.setattr(_ssh_session.Session, "run", lying)
    refused(lambda: far().predict({"image": x["image"][:256]}), "bytes where 4096 were to come")


def test_a_description_keeps_only_what_is_known():
    host = {"cpu": "A\x1b[1mB", "isa": ["x", 1], "cores": 4, "usable_cores": 4, "memory_gib": 8, "os": "Linux", "arch": "aarch64"}
    host |= {"python": "3.11.2", "load": 0.5, "governor": None, "serial": "1234"}
    assert answers.host(json.loads(json.dumps(host)), "far")["cpu"] == "AB"
    assert "serial" not in answers.host(host, "far")
    with pytest.raises(Refusal, match="cores"):
        answers.host({**host, "cores": True}, "far")
