"""The page in a real browser: it draws, it complains about nothing, and no injection runs."""

import json
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


DRIVER = """
addEventListener("load", () => setTimeout(() => {
  const root = document.documentElement, out = {}, all = (q, e) => Array.from((e || document).querySelectorAll(q));
  const seen = () => all(".panel").filter((p) => !p.hidden).map((p) => p.dataset.task + "/" + p.dataset.target).sort();
  out.first = [...new Set(seen())].join();
  const grid = document.querySelector("#leaderboard .panel .grid"), heads = all("th[aria-sort]", grid);
  const at = heads.findIndex((th) => th.textContent.trim() === "Accuracy"), head = heads[at];
  const column = () => all("tbody tr", grid).map((r) => r.cells[0].querySelector("b").textContent + "=" + r.cells[at].dataset.v);
  head.querySelector("button").click(); out.down = [head.getAttribute("aria-sort"), column()];
  head.querySelector("button").click(); out.up = [head.getAttribute("aria-sort"), column()];
  const type = (box, value) => { box.value = value; box.dispatchEvent(new Event("input", { bubbles: true })); };
  type(grid.querySelector("[data-find]"), "INT8");
  out.found = all("tbody tr", grid).filter((r) => !r.hidden).map((r) => r.cells[0].querySelector("b").textContent);
  const quality = grid.querySelector("[data-group='1']");
  quality.click(); out.quality = head.hidden; quality.click();
  const extra = grid.querySelector("th.extra"); out.brief = getComputedStyle(extra).display;
  grid.querySelector("[data-extras]").click(); out.full = getComputedStyle(extra).display;
  const theme = document.querySelector("[data-theme-toggle]");
  theme.click(); out.theme = [root.dataset.theme]; theme.click(); out.theme.push(root.dataset.theme);
  out.kept = localStorage.getItem("kdbench-theme");
  const mark = all("#leaderboard .panel .mark").find((m) => m.textContent === "n/a"); mark.focus();
  out.tip = document.getElementById("tip").textContent;
  type(document.querySelector("[data-pick='task']"), "1"); out.second = [...new Set(seen())].join();
  root.dataset.out = JSON.stringify(out);
}, 3000));
"""


@pytest.mark.timeout(180)
def test_the_page_answers_to_its_reader(report, tmp_path):
    """Sorting, filter, columns, theme, reasons and the choice of a task, driven by a script that this test lets in."""
    text = (report / "index.html").read_text("utf-8")
    text = re.sub(r"script-src [^;]*", "script-src 'unsafe-inline'", text, count=1).replace(
        "<main", f"<script>{DRIVER}</script><main", 1
    )
    page = tmp_path / "driven.html"
    page.write_text(text, "utf-8")
    tree, _ = load(f"file://{page}", tmp_path)
    out = json.loads((tree if tree.tag == f"{SPACE}html" else tree.find(f".//{SPACE}html")).get("data-out"))
    assert (out["first"], out["second"]) == ("/0,0/,0/0", "/0,1/,1/0")
    for way, name in (("descending", "down"), ("ascending", "up")):
        said, rows = out[name]
        numbers = [float(r.split("=")[1]) for r in rows[1:]]
        assert (said, rows[0].split("=")[0]) == (way, "teacher")
        assert numbers == sorted(numbers, reverse=name == "down")
    assert out["found"] == ["teacher", "kd-int8", "teacher-int8"]
    assert (out["quality"], out["brief"], out["full"]) == (True, "none", "table-cell")
    assert (out["theme"], out["kept"]) == (["dark", "light"], "light")
    assert out["tip"].startswith("not applicable: torch_cpu runs torch")
