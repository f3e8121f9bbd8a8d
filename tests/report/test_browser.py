"""The page in a real browser: it draws, it complains about nothing, and no injection runs."""

import re
import shutil
import subprocess

import html5lib
import pytest
from hostile import INJECTIONS, MARK

from kdbench.report.words import clean

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=20000 --window-size=1440,2200"
)
SPACE = "{http://www.w3.org/1999/xhtml}"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def load(page, tmp_path, *more):
    """(document after its scripts have run, console lines)."""
    command = [CHROMIUM, *FLAGS.split(" "), f"--user-data-dir={tmp_path / 'profile'}", *more, "--dump-dom", page]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return html5lib.parse(done.stdout), [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def drawn(tree):
    charts = [e for e in tree.iter(f"{SPACE}div") if e.get("class", "").split(" ")[:1] == ["chart"]]
    return [c for c in charts if c.find(".//{http://www.w3.org/2000/svg}svg") is not None], charts


@pytest.mark.timeout(180)
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_chromium_draws_the_charts_that_are_seen_without_a_complaint(which, request, tmp_path):
    folder = request.getfixturevalue(which)
    tree, console = load(f"file://{folder}/index.html", tmp_path)
    assert console == []
    assert tree.find(f".//{SPACE}html" if tree.tag != f"{SPACE}html" else ".").get("data-ready") == "yes"
    with_picture, charts = drawn(tree)
    hidden = [
        c for p in tree.iter(f"{SPACE}div") if p.get("class") == "panel" and p.get("hidden") is not None for c in drawn(p)[1]
    ]
    assert len(with_picture) == len(charts) - len(hidden) > 5
    name = "quickstart" if which == "report" else clean(INJECTIONS[0], 80)
    assert tree.find(f".//{SPACE}title").text == f"{name} - kdbench"


@pytest.mark.timeout(180)
def test_a_policy_stops_what_escaping_would_let_through(report, tmp_path):
    """The second lock: even a script that stands in the page does not run."""
    text = (report / "index.html").read_text("utf-8")
    page = tmp_path / "broken.html"
    page.write_text(text.replace("<main", f"<script>document.title='{MARK}'</script><main", 1), "utf-8")
    tree, console = load(f"file://{page}", tmp_path)
    assert tree.find(f".//{SPACE}title").text != MARK
    assert any(re.search("Content Security Policy", line) for line in console)
