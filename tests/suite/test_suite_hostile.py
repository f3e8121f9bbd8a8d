"""Every hostile suite file ends as it should: accepted with a known meaning, or refused with a line that says why."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toysuite import GOOD, TOYS, changed

from kdbench.nouns import Refusal
from kdbench.suite import load

KD = "kd: [fit: {toy_kd: {temperature: 4.0}}]"
REST = GOOD.split("\n", 1)[1]

BOMBS = {
    "alias": "a0: &a0 [x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)),
    "merge": "m0: &m0 {k: 1}\n" + "".join(f"m{i}: &m{i} {{<<: [{','.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 8)),
    "cycle": "a: &a [*a]\n" + GOOD,
    "deep flow": "a: " + "[" * 20000 + "]" * 20000,
    "deep maps": "a: " + "{a: " * 20000,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(1400)),
    "long int": "seeds: [" + "9" * 200000 + "]\n",
    "long float": "x: " + "1_" * 50000 + "\n" + GOOD,
    "long tag": "x: !" + "a" * 900000 + " 1\n",
    "long anchor": "x: &" + "a" * 900000 + " 1\n",
    "long quoted": 'x: "' + "a b" * 300000 + '"\n',
    "long key": "a" * 900000 + ": 1\n",
    "escapes": 'x: "' + "\\x41" * 200000 + '"\n',
    "question marks": "? " * 300000,
    "many values": changed("[0, 1]", "[" + ",".join(map(str, range(100000))) + "]"),
    "many lines": "seeds:\n" + "- 1\n" * 100000,
    "large": "#" * (1 << 20) + "\n" + GOOD,
}


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from kdbench.nouns import Refusal
from kdbench.registry import discover
from kdbench.suite import load
plugins = discover([Path(sys.argv[1])])
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    load(Path(sys.argv[2]), plugins)
    said = "accepted"
except Refusal as refusal:
    said = str(refusal)
print(json.dumps([said, time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024]))
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_is_refused_within_a_second_and_100_megabytes(bomb, tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text(BOMBS[bomb], encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", MEASURE, str(TOYS), str(path)], capture_output=True, text=True, check=True)
    said, seconds, megabytes = json.loads(done.stdout)
    assert said != "accepted"
    assert "\n" not in said
    assert len(said) < 500
    assert seconds < (2 if bomb in {"long quoted", "many lines"} else 1)  # these two are read to their end
    assert megabytes < 100


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.mknod ['made']",
        "!!python/object/apply:os.system ['touch made']",
        "!!python/object/new:subprocess.check_call [['touch', 'made']]",
        "!!python/name:os.system ''",
        "!function evil.run",
        "!import_call {key: os.system, init: {args: ['true']}}",
        "!include /etc/passwd",
        "!ENV ${AWS_SECRET_ACCESS_KEY}",
        "!!str demo",
        "! demo",
    ],
)
def test_tags_are_refused_and_do_nothing(tag, refusal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refusal(f"suite: {tag}\n{REST}")
    assert said == "suite.yaml:1:8: suite: tags (!...) are not allowed; write plain values"
    assert not (tmp_path / "made").exists()


UNSAFE = [
    "../../../tmp/kdbench_escape", "/tmp/kdbench_escape", "a/b", "a\\\\b", ".", "..", "", " ", "-rf", "--out=/", "CON", "con.txt",
    "LPT1", "COM\u00b9", "a\\0b", "x" * 65, "x" * 300, "run\\nname", "\\u202Egnp.exe", "cafe\\u0301", "kd ", "kd.", " kd",
    "$(touch x)", "`id`", "%s%s%n", "{0.__class__}", "{{7*7}}", "~root", "a\\tb", "a:b", "a*", ".hidden", "\\ud800", "+", "_",
    "\U0001f600", "\\r",
]  # fmt: skip
SAFE = ["caf\u00e9", "Mixed", "kd+hint", "ta kd", "v1.5-x_y", "0", "\u6a21\u578b", "x" * 64, "kd+", "console", "no"]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("place", ["suite", "contender", "task"])
def test_unsafe_names_are_refused(place, name, refusal):
    said = refusal(_named(place, name))
    assert said.startswith("suite.yaml:")
    assert "\n" not in said
    assert said.isprintable()


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("place", ["suite", "contender", "task"])
def test_safe_names_are_kept_as_they_are(place, name, read):
    suite = read(_named(place, name))
    got = {"suite": suite.name, "task": suite.tasks[0].name, "contender": suite.tasks[0].contenders[1].name}
    assert got[place] == name


def _named(place: str, name: str) -> str:
    if place == "suite":
        return f'suite: "{name}"\n{REST}'
    if place == "contender":
        return changed("  none:", f'  "{name}":')
    head, tail = GOOD.split("data:", 1)
    return head + f'tasks:\n  "{name}":\n' + "".join(f"    {line}\n" for line in ("data:" + tail).splitlines())


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (GOOD + "seeds: [7]\n", "11:1", ["'seeds'", "given twice", "suite.yaml:2:1"]),
        (changed("  none:", "  kd:"), "10:3", ["'kd'", "given twice", "suite.yaml:9:3"]),
        (changed("  none:", "  KD:"), "10:3", ["'KD'", "'kd'", "case"]),
        (changed("  none:", "  ｋｄ:"), "10:3", ["'kd'"]),
        (changed("toy_scratch]", "no]"), "10:15", ["contenders.none.fit", "no method named 'no'"]),
        (GOOD + "labels: [yes, no, on, off, y, n]\n", "11:1", ["unknown key 'labels'"]),
        (changed("[0, 1]", "[010, 0x10]"), "2:9", ["seeds.0", "010", "decimal"]),
        (changed("[0, 1]", "[0x10]"), "2:9", ["0x10", "decimal"]),
        (changed("[0, 1]", "[1_000]"), "2:9", ["the text '1_000'", "a whole number"]),
        (GOOD + "time_limit: 1:30\n", "11:1", ["unknown key 'time_limit'"]),
        (GOOD + "train: {epochs: 1:30}\n", "11:17", ["train.epochs", "the text '1:30'", "a whole number from 0"]),
        (GOOD + "dataset_version: 1.10\n", "11:1", ["unknown key 'dataset_version'"]),
        (changed("demo", "1.10"), "1:8", ["suite", "1.10", "quote it: '1.10'"]),
        (changed("demo", "null"), "1:8", ["suite", "nothing (null)", "text"]),
        (changed("demo", "true"), "1:8", ["suite", "true", "quote it"]),
        (changed("  none:", "  2026:"), "10:3", ["2026", "not text", "quote it"]),
        (changed("  none:", "  true:"), "10:3", ["true", "not text", "quote it"]),
        (changed("  none:", "  [a]:"), "10:3", ["a key must be text"]),
        (GOOD.split("contenders:")[0] + "contenders:\n", "8:1", ["contenders", "nothing (null)", "a mapping of names"]),
        (GOOD.split("contenders:")[0] + "contenders: {}\n", "8:13", ["contenders", "at least one"]),
        (GOOD.split("contenders:")[0], "1:1", ["'contenders' is missing"]),
        (changed("4.0", ".nan"), "9:36", ["temperature", ".nan", "a number above 0"]),
        (changed("4.0", ".inf"), "9:36", ["temperature", ".inf", "a number above 0"]),
        (changed("4.0", "1e999"), "9:36", ["temperature", "1e999", "a number above 0"]),
        (changed("4.0", "0"), "9:36", ["temperature", "found 0", "a number above 0"]),
        (changed("4.0", "-4"), "9:36", ["temperature", "found -4", "a number above 0"]),
        (changed("4.0", '"4"'), "9:36", ["the text '4'", "drop the quotes"]),
        (changed("4.0", "true"), "9:36", ["found true", "a number above 0"]),
        (changed("4.0", "4.0, alpha: 1.5"), "9:41", ["unknown key 'alpha'"]),
        (changed("toy_kd: {temperature: 4.0}", "toy_hint: {alpha: 1.5}"), "9:32", ["alpha", "1.5", "from 0 and at most 1"]),
        (changed("[0, 1]", "true"), "2:8", ["seeds", "found true", "a list of whole numbers"]),
        (changed("[0, 1]", "3"), "2:8", ["seeds", "found 3", "a list of whole numbers"]),
        (changed("[0, 1]", "[true]"), "2:9", ["seeds.0", "found true", "a whole number"]),
        (changed("[0, 1]", "[1.0]"), "2:9", ["seeds.0", "found 1.0", "write 1"]),
        (changed("[0, 1]", "[]"), "2:8", ["seeds", "no seed"]),
        (changed("[0, 1]", "[-1]"), "2:9", ["seeds.0", "found -1", "from 0"]),
        (changed("[0, 1]", "[4294967296]"), "2:9", ["seeds.0", "2**32"]),
        (changed("[0, 1]", "[0, 0, 0]"), "2:12", ["seeds.1", "given twice"]),
        (changed("temperature", "temprature"), "9:23", ["'temprature'", "did you mean 'temperature'?"]),
        (GOOD + "sedes: [3]\n", "11:1", ["'sedes'", "did you mean 'seeds'?"]),
        (changed("toy_accuracy", "toy_acuracy"), "4:8", ["axes.0", "'toy_acuracy'", "did you mean 'toy_accuracy'?"]),
        ("", "1:1", ["empty"]),
        ("# nothing here\n", "1:1", ["empty"]),
        ("---\n", "1:1", ["empty"]),
        ("42\n", "1:1", ["found 42", "a mapping"]),
        ("just words\n", "1:1", ["the text 'just words'", "a mapping"]),
        ("[a]\n", "1:1", ["a list", "a mapping"]),
        (GOOD + "---\n" + GOOD, "11:1", ["second document"]),
        ("%YAML 1.1\n---\n" + GOOD, "2:1", ["directives"]),
        (changed("suite: demo", "suite:\tdemo\n\tx: 1"), "1:7", ["a tab"]),
        (changed("4.0", "[4.0"), "9:40", ["not YAML"]),
        (changed("  none", "   none"), "10:4", ["not YAML"]),
        (GOOD.encode("utf-16"), "1:1", ["UTF-16", "UTF-8"]),
        (GOOD.encode("utf-16-le"), "1:2", ["NUL byte"]),
        ("suite: caf\xe9\n".encode("latin-1") + REST.encode(), "1", ["0xe9", "not UTF-8"]),
        (b"suite: demo\n# caf\xe9\n", "2", ["0xe9", "not UTF-8"]),
        (b"suite: a\0b\n", "1:9", ["NUL byte"]),
        (bytes(range(256)) * 40, "2", ["not UTF-8"]),
        (b"suite: demo # \x1b[31m\n", "1:15", ["U+001B"]),
        ("suite: demo # \u202e\n", "1:15", ["U+202E"]),
        (changed(KD, "kd: &x [fit: toy_kd]"), "9:7", ["anchors"]),
        (changed(KD, "kd: {'<<': 1}"), "9:7", ["contenders.kd", "a mapping", "a list of steps"]),
        (changed(KD, "kd: {<<: {a: 1}}"), "9:8", ["merge keys"]),
        (changed("toy_kd: {", "toy_kd: {impl: 'os:system', "), "9:23", ["unknown key 'impl'"]),
        (changed("{dataset: toy_digits}", "{dataset: toy_digits, path: /etc/passwd}"), "5:29", ["unknown key 'path'"]),
    ],
)  # fmt: skip
def test_bad_values_are_refused_with_place_and_reason(text, where, words, refusal):
    said = refusal(text)
    first = said.splitlines()[0]
    assert first.startswith(f"suite.yaml:{where}: "), said
    for word in words:
        assert word in first, said


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/dev/zero", "/sys/kernel/uevent_seqnum",
             "http://169.254.169.254/latest/meta-data/", "file:/etc/passwd",
             "ssh://host/x", "missing.csv", "", "fifo", "loop", "link"]
)  # fmt: skip
def test_dataset_paths_to_devices_urls_and_nothing_are_refused(path, refusal, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("/proc/self/environ")
    said = refusal(changed("{dataset: toy_digits}", f"{{dataset: toy_table, path: '{path}'}}"))
    assert said.startswith("suite.yaml:5:34: data.path: ")
    assert "\n" not in said
    assert "PATH=" not in said


def test_scientific_notation_is_a_number_and_yaml_1_1_words_are_text(read):
    suite = read(changed("demo", "no") + "train: {lr: 1e-3, weight_decay: 1E-4, warmup: .5}\n")
    train = suite.tasks[0].contenders[0].steps[0].train
    assert (suite.name, train.lr, train.weight_decay, train.warmup) == ("no", 0.001, 0.0001, 0.5)


@pytest.mark.parametrize("name", ["2026-01-01", "yes", "1:30", "1_000", "on"])
def test_dates_and_words_stay_text(name, read, refusal):
    if ":" in name:
        assert "holds ':'" in refusal(changed("demo", name))
    else:
        assert read(changed("demo", name)).name == name


def test_byte_order_mark_and_windows_line_ends_are_accepted(read):
    assert read(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == read(GOOD)


def test_one_seed_is_accepted(read):
    assert read(changed("[0, 1]", "[4294967295]")).seeds == (4294967295,)


def test_a_lone_name_is_a_list_of_one(read):
    suite = read(changed("[toy_accuracy, toy_ece]", "toy_accuracy").replace("[toy_cpu]", "toy_cpu"))
    assert [use.name for use in suite.axes] == ["toy_accuracy"]
    assert [use.name for use in suite.targets] == ["toy_cpu"]


def test_too_many_rows_name_the_count_and_the_way_out(read, refusal):
    text = changed("[0, 1]", "[" + ",".join(map(str, range(11000))) + "]")
    assert refusal(text) == (
        "suite.yaml:1:1: the suite plans 22000 rows (2 contenders x 11000 seeds x 1 targets), more than 20000; "
        "if that is meant, give --yes"
    )
    assert len(read(text, cap=10**9).seeds) == 11000


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "url", "nothing", "proc", "stdin"])
def test_only_regular_files_are_read(kind, tmp_path, toys):
    os.mkfifo(tmp_path / "fifo")
    paths = {
        "folder": tmp_path, "fifo": tmp_path / "fifo", "device": Path("/dev/zero"), "url": Path("https://example.org/suite.yaml"),
        "nothing": tmp_path / "none.yaml", "proc": Path("/proc/self/environ"), "stdin": Path("/dev/stdin"),
    }  # fmt: skip
    with pytest.raises(Refusal) as caught:
        load(paths[kind], toys)
    assert "\n" not in str(caught.value)
    assert "PATH=" not in str(caught.value)


def test_a_link_to_a_regular_file_is_read(read, tmp_path, toys):
    suite = read(GOOD)
    (tmp_path / "link.yaml").symlink_to("suite.yaml")
    assert load(tmp_path / "link.yaml", toys) == suite
