"""A real OpenSSH server on loopback, with keys made for the test, and a `far` host in an ssh configuration of its own."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
HOST = "far"


def keygen(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text(encoding="utf-8").split()[:2]


class Server:
    """sshd on 127.0.0.1; `folder` holds its keys, and `far` what the far end calls its temporary folder."""

    def __init__(self, folder: Path):
        self.folder, self.far = folder, folder / "tmp"
        self.far.mkdir(parents=True)
        self.host_key = keygen(folder / "host_key")
        self.user_key = keygen(folder / "user_key")
        (folder / "authorized_keys").write_text(" ".join(self.user_key) + "\n", encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.knows(self.host_key)
        self.config = folder / "config"
        self.config.write_text(
            f"Host {HOST}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n"
            f" IdentityFile {folder / 'user_key'}\n IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known_hosts'}\n",
            encoding="utf-8",
        )
        self.log = folder / "log"
        self.process = None

    def start(self):
        settings = self.folder / "sshd_config"
        settings.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder / 'host_key'}\nPidFile {self.folder / 'pid'}\n"
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            "Subsystem sftp internal-sftp\nLogLevel VERBOSE\n",
            encoding="utf-8",
        )
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # sshd of root does not start without it, and only its service makes it
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(settings)], stdin=subprocess.DEVNULL, stderr=log)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
                one.recv(8)
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"sshd does not start: {self.log.read_text(encoding='utf-8')[-500:]}")

    def stop(self):
        self.cut()
        self.process.terminate()
        self.process.wait(10)

    def knows(self, key):
        """What known_hosts says; None for nothing."""
        text = f"[127.0.0.1]:{self.port} {' '.join(key)}\n" if key else ""
        (self.folder / "known_hosts").write_text(text, encoding="utf-8")

    def new_key(self, path):
        """Make a pair of keys; gives the public one as its two words."""
        return keygen(path)

    def cut(self):
        """Kill what serves connections, as when the network or the machine dies; what runs there is left alone."""
        for pid in sessions(self.process.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def left(self, seconds=10.0):
        """What is still in the temporary folder of the far end, after it had time to go."""
        end = time.monotonic() + seconds
        while (names := [path.name for path in self.far.iterdir() if path.is_dir()]) and time.monotonic() < end:
            time.sleep(0.02)
        return names

    def python(self, name="usual", *lines, run=f'exec {sys.executable} "$@"'):
        """A command `python3` of the far end: a shell script that sets its temporary folder, and does what the lines say."""
        path = self.folder / name / "python3"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(("#!/bin/sh", f"export TMPDIR={self.far}", *lines, run, "")), encoding="utf-8")
        path.chmod(0o755)
        return str(path)


def sessions(pid):
    """Below this process: those of sshd itself."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text(encoding="utf-8", errors="replace").partition("(")[2].rpartition(")")
            if int(rest.split()[1]) == pid and name.startswith("sshd"):
                yield from sessions(int(stat.parent.name))
                yield int(stat.parent.name)


@pytest.fixture(scope="session")
def running_server(tmp_path_factory):
    if SSHD is None:
        pytest.skip("no sshd on this machine (Debian: apt-get install openssh-server)")
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc: the processes of the server cannot be found")
    server = Server(tmp_path_factory.mktemp("ssh")).start()
    yield server
    server.stop()


@pytest.fixture
def server(running_server, monkeypatch):
    """The server, known and empty-handed; afterwards nothing of this process may be left there."""
    from kdbench.targets import _ssh_session

    monkeypatch.setenv("KDBENCH_SSH_CONFIG", str(running_server.config))
    running_server.knows(running_server.host_key)
    yield running_server
    _ssh_session.close()
    assert running_server.left() == []


@pytest.fixture(scope="session")
def artefact():
    """A small convolutional network, its batch norms as after training, for images of 3 x 8 x 8 and 4 classes."""
    import torch

    from kdbench import Artefact, Shape
    from kdbench.nouns import Use
    from kdbench.registry import discover
    from kdbench.stages import networks

    shape, use = Shape("image", {"image": (3, 8, 8)}, 4), Use("small_cnn", {"width": 8})
    module = networks.rebuild(discover(), use, shape, seed=1)
    with torch.no_grad():
        for one in module.modules():
            if isinstance(one, torch.nn.BatchNorm2d):
                one.running_mean.normal_(0, 0.1)
    return Artefact("torch", shape, use, module.eval())


@pytest.fixture(scope="session")
def x():
    return {"image": np.random.default_rng(0).standard_normal((300, 3, 8, 8)).astype(np.float32)}


@pytest.fixture
def far(plugins, server, artefact, x):
    """Opens the artefact on the far end: a Runner."""
    target = plugins.load("target", "ssh")[0]

    def opened(one=None, **params):
        return target(
            one or artefact, {name: v[:2] for name, v in x.items()}, **{"host": HOST, "python": server.python(), **params}
        )

    return opened
