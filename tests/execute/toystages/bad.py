"""A job that misbehaves in the way that its spec names, after the faults of plugins seen in the field."""

import os
import signal
import sys
import time


class Unpicklable(Exception):
    """Pickles, but cannot be unpickled."""

    def __init__(self, a, b):
        super().__init__(a)


class Base(BaseException):
    """Not an Exception."""


class Mute(Exception):
    """Cannot be shown."""

    def __str__(self):
        raise RuntimeError("no words")


def error(spec, job, place):
    raise ValueError("x" * 10_000_000)


def escape(spec, job, place):
    raise ValueError("\x1b[31mred\x1b[0m\x00 \u202eevil\nsecond line at 0x7f12345678ab")


def unpicklable(spec, job, place):
    raise Unpicklable(1, 2)


def base(spec, job, place):
    raise Base


def mute(spec, job, place):
    raise Mute


def sysexit(spec, job, place):
    raise SystemExit(0)


def osexit(spec, job, place):
    os._exit(0)


def segv(spec, job, place):
    import ctypes

    ctypes.string_at(0)


def abort(spec, job, place):
    os.abort()


def kill(spec, job, place):
    os.kill(os.getpid(), signal.SIGKILL)


def killparent(spec, job, place):
    os.kill(os.getppid(), signal.SIGTERM)


def killserver(spec, job, place):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def stopserver(spec, job, place):
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(60)


def oom(spec, job, place):
    held = []
    while True:
        held.append(bytearray(64 << 20))


def threads(spec, job, place):
    import threading

    for _ in range(50):
        threading.Thread(target=time.sleep, args=(10**6,)).start()


def hang(spec, job, place):
    while True:
        time.sleep(1)


def hangc(spec, job, place):
    import re

    re.match(r"(a+)+$", "a" * 40 + "b")


def ignoreterm(spec, job, place):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(10**6)


def orphan(spec, job, place):
    import subprocess

    subprocess.Popen(["sleep", spec["mark"]], start_new_session=True)


def hangtree(spec, job, place):
    orphan(spec, job, place)
    ignoreterm(spec, job, place)


def forks(spec, job, place):
    [os.fork() == 0 and os._exit(0) for _ in range(64)]


def strayfork(spec, job, place):
    os.fork()


def stdout(spec, job, place):
    sys.stdout.write("x" * (200 << 20))


def closefds(spec, job, place):
    os.closerange(0, 256)


def closeall(spec, job, place):
    os.closerange(0, 65536)


def chdir(spec, job, place):
    os.chdir("/")
    os.environ.clear()
    os.umask(0o777)


def wreck(spec, job, place):
    """Removes files of the store that it can reach: here, those of one neighbour."""
    for name in os.listdir(spec["victim"]):
        os.remove(os.path.join(spec["victim"], name))


def plant(spec, job, place):
    """Leaves a file in the entry behind the draft's back."""


def nothing(spec, job, place):
    """Writes nothing."""


def run(job, inputs, draft, place):
    globals()[job.spec["way"]](job.spec, job, place)
    if job.spec["way"] == "plant":
        (draft.path / "stray.txt").write_text("?", encoding="utf-8")
    if job.spec["way"] != "nothing":
        draft.json("value.json", {"value": 0, "cwd": os.getcwd(), "mask": os.umask(0)})
