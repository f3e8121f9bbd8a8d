"""A board whose every text tries to be something else: markup, script, formula, terminal control."""

import dataclasses
from itertools import cycle

from made_board import frames, suite
from made_scores import TRAITS

from kdbench.judge.board import Board

MARK = "KDBENCH-XSS"
RUN = f"document.title='{MARK}'"
INJECTIONS = (
    f"</script><script>{RUN}</script>", f'<img src=x onerror="{RUN}">', f'"><svg onload={RUN}>', f"javascript:{RUN}",
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", '=HYPERLINK("http://127.0.0.1/","x")', "\\input{/etc/passwd}",
    "a & b % c $ d # e _ f { } ~ ^ \\", "{{7*7}}", "{% raw %}", "${7*7}", "<!--", "]]>", "\u202eevil", "a\u200bb",
    "| pipe | in | markdown |", "[click](javascript:alert(1))", "![x](http://127.0.0.1/beacon.png)", "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07", "line\nbreak", "\u2028sep", "NULL", "x" * 5000, f"datum.who'];{RUN}//", f"' autofocus onfocus={RUN} x='",
)  # fmt: skip
MORE = ("needed", "effect_kind", "join", "axes", "cliques", "test", "fact", "usual")
KEEP = {"split", "status", "better", "axis", "shift", "slice", "of", "curve", "verdict", "unit", "metric", "target"}


def hostile_board() -> Board:
    """Names, titles, conventions, reasons, groups, shifts, facts, warnings: one injection after the other in all of them."""
    names = dict(zip(TRAITS, INJECTIONS, strict=False))
    tasks = (INJECTIONS[0], INJECTIONS[1])
    groups = {tasks[0]: {INJECTIONS[2]: INJECTIONS[:9]}, tasks[1]: {"sex": INJECTIONS[9:], INJECTIONS[17]: ("a", "b")}}
    held = frames(tuple(names.values()), tasks, groups)
    turn = cycle(INJECTIONS)
    for name in ("scores", "curves", "standings", "pairs", "recipes", "gates", "pareto", "datasets", "parity"):
        frame = held[name]
        for column in ("convention", "title", "reason", "evidence", "value", "key", "scope", "bound", *MORE):
            if column in frame and column not in KEEP and frame[column].dtype.kind != "f":
                frame[column] = [next(turn) for _ in range(len(frame))]
    found = held["discoveries"]
    found["slice"], found["found_on"] = ([next(turn) for _ in range(len(found))] for _ in range(2))
    scores = held["scores"]
    scores["shift"] = scores["shift"].replace({"blur": INJECTIONS[0], "ood:mnist": f"ood:{INJECTIONS[1]}"})
    scores["metric"] = scores["metric"].replace({"nll": INJECTIONS[13], "kl_to_teacher": f"{INJECTIONS[0]}{{{INJECTIONS[1]}}}"})
    scores["unit"] = scores["unit"].replace({"nats": INJECTIONS[2]})
    held["calls"]["governor"] = [next(turn) for _ in range(len(held["calls"]))]
    forms = cycle((str, lambda t: [t], lambda t: {t: t, "module": t}))
    for name in ("flip_ids", "first_divergence", "tolerance_reason"):
        held["exports"][name] = [next(forms)(next(turn)) for _ in range(len(held["exports"]))]
    scores["slice"] = scores["slice"].replace({"batch=8": f"batch={INJECTIONS[0]}", "length=64": f"length={INJECTIONS[4]}"})
    for name in ("timings", "calls"):
        held[name]["scenario"] = held[name]["scenario"].replace({"batch=8": f"batch={INJECTIONS[0]}"})
    for name in ("scores", "curves", "standings", "pairs", "timings", "calls", "exports", "gates", "pareto", "datasets"):
        held[name]["target"] = held[name]["target"].replace({"ort_cpu": INJECTIONS[0]})
    facts = held["facts"]
    facts["warnings"] = list(INJECTIONS)
    facts["host"] = {text: text for text in INJECTIONS}
    facts["versions"] = {"kdbench": INJECTIONS[0], INJECTIONS[1]: INJECTIONS[2]}
    facts[INJECTIONS[3]] = {INJECTIONS[4]: [INJECTIONS[5], {INJECTIONS[6]: INJECTIONS[7]}]}
    held["suite"] = dataclasses.replace(suite(tuple(names.values()), tasks), name=INJECTIONS[0])
    return Board(**held)
