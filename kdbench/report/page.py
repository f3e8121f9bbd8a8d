"""The page: every section at its place, one file that asks nothing of the network."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pandas as pd
import vl_convert
from markupsafe import Markup

from kdbench.nouns import Refusal
from kdbench.registry import Plugins
from kdbench.report.tables import asset, environment
from kdbench.report.words import clean, plural
from kdbench.signature import Description

if TYPE_CHECKING:
    from kdbench.judge.board import Board

TABLES = (
    "scores", "curves", "standings", "pairs", "pareto", "datasets", "parity", "discoveries", "recipes", "timings", "calls",
    "exports", "gates",
)  # fmt: skip
EVIDENCE = ("suite", *TABLES, "facts", "metrics")
"""What a section may ask for by name: the fields of the board, and what the files of the metrics say (name -> facts)."""
CHAPTERS = ((40, "Verdict"), (80, "In detail"), (100, "Cost and making"), (float("inf"), "How it was done"))
"""Sections whose order is below the number stand under that heading of the list."""
POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"
CHART = '<script type="application/json">'


@dataclass(frozen=True)
class Part:
    """A section as it was made: `failed` holds the reason where it could not be."""

    name: str
    title: str
    order: float
    html: Markup = Markup("")
    failed: str = ""


def page(board: Board, plugins: Plugins) -> str:
    """The HTML text.

    The content security policy allows two scripts and one style sheet, by hash: Vega runs its expressions in its own
    interpreter, so that nothing has to be evaluated, and every other script that might slip in stays dead text.
    """
    made = sections(board, plugins)
    parts = [part for part in made if part.html or part.failed]
    left = [clean(part.title, 60) for part in made if part not in parts]
    charts = any(CHART in part.html for part in parts)
    script, style, vega = asset("board.js"), asset("style.css"), _vega() if charts else ""
    allowed = " ".join(_hash(text) for text in (script, vega) if text)
    policy = f"{POLICY}; script-src {allowed}; style-src {_hash(style)}"
    tasks = [clean(t, 60) for t in board.scores["task"].unique()]
    targets = [clean(t, 60) for t in board.scores["target"].unique() if t]
    suite = board.suite
    homes = [task for task in suite.tasks if not task.home]
    away = len(suite.tasks) - len(homes)
    size = [
        plural(len(homes), "task"),
        *([plural(away, "probe")] if away else []),
        plural(sum(len(t.contenders) for t in homes), "contender"),
        plural(len(suite.seeds), "seed"),
        plural(len(suite.targets), "target"),
    ]
    version = clean(dict(board.facts.get("versions", {})).get("kdbench", ""), 30)
    template = environment().get_template("page.html")
    return template.render(
        name=clean(suite.name, 80), size=size, version=version, chapters=_chapters(parts), left=left, tasks=tasks,
        targets=targets, policy=policy, script=Markup(script), style=Markup(style), vega=Markup(vega),
    )  # fmt: skip


def _chapters(parts: list[Part]) -> list[tuple[str, list[Part]]]:
    """The sections that there are, under the headings of the list."""
    held: dict[str, list[Part]] = {}
    for part in parts:
        held.setdefault(next(title for limit, title in CHAPTERS if part.order < limit), []).append(part)
    return list(held.items())


def sections(board: Board, plugins: Plugins) -> list[Part]:
    """All sections in their order. One that cannot be read or raises gives a box with the reason, and costs no other."""
    return sorted(_parts(board, plugins), key=lambda part: (part.order, part.name))


def _parts(board: Board, plugins: Plugins) -> Iterator[Part]:
    board_parts = {name: _quick(getattr(board, name)) for name in EVIDENCE if name != "metrics"}
    board_parts["metrics"] = {d.name: d.facts for d in plugins.describe("metric") if isinstance(d, Description)}
    for found in plugins.describe("section"):
        if not isinstance(found, Description):
            yield Part(found.name, found.name, 200, failed=clean(found.reason))
            continue
        title, order = str(found.facts.get("title", found.name)), float(found.facts.get("order", 50))
        try:
            section, _ = plugins.load("section", found.name)
            html = section(*_evidence(board_parts, found))
            if not isinstance(html, str):
                raise TypeError(f"a section gives text, not {type(html).__name__}")
            yield Part(found.name, title, order, Markup(html))
        except (Exception, SystemExit) as error:  # whatever a plugin does, it costs its own place only
            reason = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            yield Part(found.name, title, order, failed=clean(reason))


def _quick(value: Any) -> Any:
    """A frame with text as plain Python text, which is read cell by cell here, and faster so."""
    if not isinstance(value, pd.DataFrame):
        return value
    return value.astype({name: object for name in value.columns if isinstance(value[name].dtype, pd.StringDtype)})


def _evidence(board_parts: Mapping[str, Any], found: Description) -> list[Any]:
    """What the section asks for by name; frames are copies, so that no section can change what the next one sees."""
    unknown = [name for name in found.evidence if name not in EVIDENCE]
    if unknown:
        raise Refusal(f"section {found.name!r} asks for {unknown[0]!r} (allowed: {', '.join(EVIDENCE)})")
    held = [board_parts[name] for name in found.evidence]
    return [copy.copy(value) for value in held]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=1)
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from the installed vl-convert."""
    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in text.lower() or "<!--" in text:  # would end the element that holds it
        raise ValueError("the Vega bundle of this vl-convert cannot stand inside a page")
    return text.replace("\r\n", "\n").replace("\r", "\n")
